import pytest

from infra.web.documents.preparation import MAX_CACHED_CHARACTERS, MAX_CACHED_DOCUMENTS, Documents
from infra.web.errors import RequestErrors
from infra.web.settings import WebSettings
from tests.support.demo_schema import SCHEMA

GRAPHQL = SCHEMA.graphql_schema


@pytest.fixture
def documents() -> Documents:
    return Documents(GRAPHQL, WebSettings())


def test_the_same_text_is_parsed_once_and_layouts_print_the_same(documents: Documents) -> None:
    first, second = (documents.prepare("{ hello }", None) for _ in range(2))
    other = documents.prepare("query { hello # comment\n }", None)
    assert first.document is second.document
    assert first.document.text == other.document.text


def test_each_operation_of_a_document_is_prepared_once_by_its_name(documents: Documents) -> None:
    text = "query A { hello } query B { me }"
    a, b = documents.prepare(text, "A"), documents.prepare(text, "B")
    assert (a.name, a.root_fields, b.name, b.root_fields) == ("A", ("hello",), "B", ("me",))
    assert documents.prepare(text, "A") is a
    for unknown in ("C", None):
        with pytest.raises(RequestErrors):
            documents.prepare(text, unknown)
    assert a.document.operations.keys() == {"A", "B"}


def numbered(number: int, characters: int = 0) -> str:
    return f"query Q{number} {{ hello }}".ljust(characters)


def test_a_document_in_use_stays_cached_among_many_that_are_used_once(documents: Documents) -> None:
    used = documents.prepare("{ hello }", None)
    for number in range(MAX_CACHED_DOCUMENTS + 50):
        documents.prepare(numbered(number), None)
        assert documents.prepare("{ hello }", None).document is used.document


@pytest.mark.parametrize("characters", [0, 1_000, 16_384])
def test_the_cache_is_bounded_by_number_and_by_length(documents: Documents, characters: int) -> None:
    texts = [numbered(number, characters) for number in range(MAX_CACHED_DOCUMENTS + 50)]
    for text in texts:
        documents.prepare(text, None)
    cached = [text for text in texts if documents.is_cached(text)]
    assert cached == texts[-min(MAX_CACHED_DOCUMENTS, MAX_CACHED_CHARACTERS // max(len(texts[-1]), 1)) :]
    assert sum(map(len, cached)) <= MAX_CACHED_CHARACTERS


def test_a_document_of_unusual_length_is_not_cached(documents: Documents) -> None:
    text = numbered(1, 16_385)
    documents.prepare(text, None)
    assert not documents.is_cached(text)


@pytest.mark.parametrize(
    ("query", "shared"),
    [
        ("subscription { depth { sequence } }", True),
        ("subscription { ...F } fragment F on Subscription { ticker { sequence } }", True),
        ("subscription { ... on Subscription { ticker { sequence } } }", True),
        ("subscription { journal { sequence } }", False),
        ("subscription { ...F } fragment F on Subscription { journal { sequence } }", False),
        ("{ hello }", False),
    ],
)
def test_only_subscriptions_of_fields_that_opted_in_are_shared(documents: Documents, query: str, shared: bool) -> None:
    assert documents.prepare(query, None).shared is shared


@pytest.mark.parametrize(
    "query",
    [
        "",
        "{",
        "{ nothing }",
        "query A { hello } query B { hello }",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
        "{ a" * 5_000,
        "fragment A on Query { hello }",
        "subscription { depth { sequence } ticker { sequence } }",
        "{ hello @include(if: 5) }",
        "{ product { id ... on Nothing { id } } }",
    ],
)
def test_an_operation_that_cannot_be_executed_is_answered_with_errors(documents: Documents, query: str) -> None:
    with pytest.raises(RequestErrors) as raised:
        documents.prepare(query, None)
    assert 1 <= len(raised.value.errors) <= 6


def nested(depth: int) -> str:
    return "{ " + "nodes(ids: []) { ... on Query { " * depth + "hello" + " } }" * depth + " }"


@pytest.mark.parametrize(
    ("query", "limit", "actual"),
    [
        ("{ " + " ".join(f"a{n}: hello" for n in range(16)) + " }", "aliases", 16),
        ("{ ...F ...F } fragment F on Query { " + " ".join(f"a{n}: hello" for n in range(8)) + " }", "aliases", 16),
        ("{ hello " + "@skip(if: false) " * 11 + "}", "directives", 11),
        (nested(11), "depth", 11),
    ],
)
def test_limits_count_through_fragments(documents: Documents, query: str, limit: str, actual: int) -> None:
    with pytest.raises(RequestErrors) as raised:
        documents.prepare(query, None)
    (error,) = raised.value.errors
    assert error.extensions == {
        "code": "OPERATION_TOO_COMPLEX", "limit": limit, "maximum": actual - 1, "actual": actual,
    }  # fmt: skip


@pytest.mark.parametrize("operation", ["query", "subscription"])
def test_fragments_at_the_root_that_double_each_other_are_read_once(documents: Documents, operation: str) -> None:
    kind, field = {"query": ("Query", "hello"), "subscription": ("Subscription", "ticker { sequence }")}[operation]
    fragments = " ".join(f"fragment F{n} on {kind} {{ ...F{n + 1} ...F{n + 1} }}" for n in range(12))
    text = f"{operation} {{ ...F0 }} {fragments} fragment F12 on {kind} {{ {field} }}"
    assert documents.prepare(text, None).root_fields == (field.split()[0],)


def test_fragments_that_double_each_other_are_measured_in_no_time(documents: Documents) -> None:
    fragments = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
    with pytest.raises(RequestErrors, match="aliases"):
        documents.prepare(f"{{ ...F0 }} {fragments} fragment F60 on Query {{ a: hello }}", None)
