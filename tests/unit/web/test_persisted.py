import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from domain.core.errors import RequestFault
from infra.web.documents.identifiers import DocumentId, sha256_id
from infra.web.documents.persisted import AutomaticDocuments, PersistedDocuments
from infra.web.errors import PersistedQueryNotFound, RequestErrors
from infra.web.metrics import WebMetrics
from infra.web.settings import WebSettings

EXAMPLE = "query ($id: ID!) {\n  user(id: $id) {\n    name\n  }\n}"
EXAMPLE_HASH = "7dba4bd717b41f10434822356a93c32b1fb4907b983e854300ad839f84cdcd6e"


def persisted(**settings: object) -> PersistedDocuments:
    return PersistedDocuments(WebSettings(**settings), WebMetrics(CollectorRegistry()))


def test_the_identifier_of_a_document_is_that_of_the_specification() -> None:
    assert sha256_id(EXAMPLE) == f"sha256:{EXAMPLE_HASH}"


@pytest.mark.parametrize("text", [EXAMPLE_HASH, EXAMPLE_HASH.upper(), f"sha256:{EXAMPLE_HASH}"])
def test_a_hash_is_the_same_identifier_however_it_is_written(text: str) -> None:
    assert DocumentId.parse(text).text == f"sha256:{EXAMPLE_HASH}"
    assert DocumentId.parse(text).is_hash


def test_a_known_document_is_found_by_its_identifier_and_by_its_hash() -> None:
    documents = persisted()
    documents.replace_known({"orders-v1": EXAMPLE})
    assert documents.find(None, DocumentId.parse("orders-v1")) == EXAMPLE
    assert documents.find(None, DocumentId.parse(EXAMPLE_HASH)) == EXAMPLE
    documents.replace_known({})
    with pytest.raises(RequestErrors, match="No document has the identifier 'orders-v1'"):
        documents.find(None, DocumentId.parse("orders-v1"))


def test_apollos_clients_are_asked_for_the_document_by_the_message_that_they_look_for() -> None:
    with pytest.raises(PersistedQueryNotFound, match=r"^PersistedQueryNotFound$"):
        persisted().find(None, DocumentId.parse(EXAMPLE_HASH, is_automatic=True))


def test_a_hash_of_another_document_is_refused() -> None:
    with pytest.raises(RequestFault, match="is not the SHA-256 hash of `query`"):
        persisted().find("{ hello }", DocumentId.parse(EXAMPLE_HASH))


def test_strictly_only_known_documents_run_and_none_is_registered() -> None:
    documents = persisted(known_documents_only=True)
    documents.replace_known({"orders-v1": EXAMPLE})
    assert documents.find(EXAMPLE, None) == EXAMPLE
    other = DocumentId.parse(sha256_id("{ hello }"), is_automatic=True)
    for query, identifier in (("{ hello }", None), ("{ hello }", other), (None, other)):
        with pytest.raises(RequestErrors, match="runs only documents that its operator has added") as refused:
            documents.find(query, identifier)
        assert refused.value.errors[0].extensions == {"code": "PERSISTED_QUERY_NOT_IN_LIST"}
    documents.register(other, "{ hello }", "somebody")
    with pytest.raises(RequestErrors):
        documents.find(None, other)


def test_who_registers_without_end_drops_own_documents_and_no_known_one() -> None:
    documents = persisted(automatic_documents_bytes=64 * 1024)
    documents.replace_known({"orders-v1": EXAMPLE})
    documents.register(DocumentId.parse(sha256_id("{ mine }")), "{ mine }", "192.0.2.1")
    for number in range(1_000):
        text = f"{{ theirs{number} }}"
        documents.register(DocumentId.parse(sha256_id(text)), text, "203.0.113.9")
    assert documents.find(None, DocumentId.parse(sha256_id("{ mine }"))) == "{ mine }"
    assert documents.find(None, DocumentId.parse("orders-v1")) == EXAMPLE
    with pytest.raises(RequestErrors):
        documents.find(None, DocumentId.parse(sha256_id("{ theirs0 }")))


def test_a_document_that_is_larger_than_the_room_is_not_kept() -> None:
    documents = AutomaticDocuments(1_024)
    documents.add("small", "x", "a")
    documents.add("large", "x" * 2_000, "b")
    assert (documents.get("small"), documents.get("large")) == ("x", None)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 900), st.sampled_from("abc"))))
def test_automatic_documents_never_take_more_than_their_room(added: list[tuple[int, int, str]]) -> None:
    documents = AutomaticDocuments(4_096)
    for number, length, client in added:
        documents.add(str(number), "x" * length, client)
        assert documents.bytes <= 4_096
        assert documents.get(str(number)) is not None or documents.bytes > 0
