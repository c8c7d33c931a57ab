"""No error of a request's values quotes a text, whichever field it was meant for and however it is wrong."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLString,
    GraphQLType,
    get_named_type,
    get_nullable_type,
    is_input_object_type,
    is_list_type,
    parse,
    validate,
)

from infra.web.documents.preparation import Documents
from infra.web.documents.redaction import MAX_LITERAL_ERRORS, RedactedValuesRule
from infra.web.errors import RequestErrors, public_errors
from infra.web.execution import build_executor
from infra.web.settings import WebSettings
from schema import build_schema

SCHEMA = build_schema()
GRAPHQL = SCHEMA.graphql_schema
SECRET = "hunter2"
NUMBER = 73_570_246
MARKS = (SECRET, str(NUMBER))
SECRET_NAME = re.compile("password|passphrase|secret|token|credential|private|api_?key|^key$", re.IGNORECASE)
WRONG = [NUMBER, NUMBER + 0.5, [SECRET], [NUMBER], [[SECRET]], {"value": SECRET}, {"password": SECRET}, {}, [], True]
WRONG_LITERALS = [
    str(NUMBER), f"{NUMBER}.5", SECRET, f'["{SECRET}"]', f"[{NUMBER}]", f'[["{SECRET}"]]', f'{{value: "{SECRET}"}}',
    f"{{value: {SECRET}}}", f'"{SECRET}" "{SECRET}"', f'"x"{SECRET}"', f'"x" {SECRET} "', f"'{SECRET}'", "", "!",
    f'"""{SECRET}"""{SECRET}"""', f'"{SECRET}', f'"\\{SECRET}"', f'"\\u{SECRET}"', f'"\\u{{{SECRET}}}"',
    f"{NUMBER}{SECRET}",
]  # fmt: skip

Value = GraphQLArgument | GraphQLInputField
ROOTS = {"query": GRAPHQL.query_type, "mutation": GRAPHQL.mutation_type, "subscription": GRAPHQL.subscription_type}


@dataclass(frozen=True)
class Place:
    """A value that a client may give: an argument of a root field, or a field of an input inside of one."""

    root: str
    field: str
    path: tuple[str, ...]
    kind: GraphQLType

    @property
    def argument(self) -> GraphQLType:
        return ROOTS[self.root].fields[self.field].args[self.path[0]].type

    def __str__(self) -> str:
        return ".".join([self.field, *self.path])

    def operation(self, variables: str, value: str) -> str:
        answer = get_named_type(ROOTS[self.root].fields[self.field].type)
        selection = "{ __typename }" if hasattr(answer, "fields") else ""
        return f"{self.root}{variables} {{ {self.field}({self.path[0]}: {value}) {selection} }}"

    def by_variable(self) -> str:
        return self.operation(f"($v: {self.argument})", "$v")

    def by_literal(self, text: str) -> str:
        return self.operation("", nested_literal(self.argument, self.path[1:], text))


def inside(path: tuple[str, ...], kind: GraphQLType) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Yield all fields of an input type, at any depth, with the path that leads there."""
    named = get_named_type(kind)
    if isinstance(named, GraphQLInputObjectType):
        for name, field in named.fields.items():
            yield (*path, name), field
            yield from inside((*path, name), field.type)


def all_places() -> Iterator[Place]:
    for root, kind in ROOTS.items():
        for name, field in kind.fields.items():
            for argument, definition in field.args.items():
                yield Place(root, name, (argument,), definition.type)
                for path, part in inside((argument,), definition.type):
                    yield Place(root, name, path, part.type)


PLACES = list(all_places())
TEXTS = [place for place in PLACES if get_named_type(place.kind) is GraphQLString]
INPUTS = [place for place in PLACES if is_input_object_type(get_named_type(place.kind))]


def nested(kind: GraphQLType, path: tuple[str, ...], value: Any) -> Any:
    """Return a value with `value` at the path, in lists where lists are expected."""
    plain = get_nullable_type(kind)
    if not path:
        return value
    if is_list_type(plain):
        return [nested(plain.of_type, path, value)]
    return {path[0]: nested(plain.fields[path[0]].type, path[1:], value)}


def nested_literal(kind: GraphQLType, path: tuple[str, ...], text: str) -> str:
    plain = get_nullable_type(kind)
    if not path:
        return text
    if is_list_type(plain):
        return f"[{nested_literal(plain.of_type, path, text)}]"
    return f"{{{path[0]}: {nested_literal(plain.fields[path[0]].type, path[1:], text)}}}"


@pytest.fixture(scope="module")
def documents() -> Documents:
    return Documents(GRAPHQL, WebSettings())


def rejection(documents: Documents, query: str, variables: dict[str, Any] | None = None) -> str:
    """Return all that the client and the log get for an operation that can't be executed; "" if it can."""
    try:
        build_executor(GRAPHQL, documents.prepare(query, None), variables or {}, None)
    except RequestErrors as raised:
        errors = raised
    else:
        return ""
    text = json.dumps(public_errors(errors), ensure_ascii=False)
    assert not [mark for mark in MARKS if mark in text + str(errors)], text
    assert "Internal" not in text
    return text


@pytest.mark.parametrize("place", TEXTS, ids=str)
def test_no_variable_of_a_text_is_quoted_however_wrong(documents: Documents, place: Place) -> None:
    query = place.by_variable()
    answers = [rejection(documents, query, {"v": nested(place.argument, place.path[1:], value)}) for value in WRONG]
    assert len([answer for answer in answers if answer]) >= len(WRONG) - 2, "lists are right where lists are expected"


@pytest.mark.parametrize("place", TEXTS, ids=str)
def test_no_literal_of_a_text_is_quoted_however_wrong(documents: Documents, place: Place) -> None:
    answers = [rejection(documents, place.by_literal(text)) for text in WRONG_LITERALS]
    assert len([answer for answer in answers if answer]) >= len(WRONG_LITERALS) - 2


@pytest.mark.parametrize("place", INPUTS, ids=str)
def test_nothing_is_quoted_that_stands_for_an_input_or_under_an_unknown_name(
    documents: Documents, place: Place
) -> None:
    for wrong in (SECRET, [SECRET], NUMBER, {"passwrod": SECRET}, {"passwrod": {"a": [NUMBER]}}):
        assert rejection(documents, place.by_variable(), {"v": nested(place.argument, place.path[1:], wrong)})
        assert rejection(documents, place.by_literal(re.sub(r'"(\w+)":', r"\1:", json.dumps(wrong))))


def test_whatever_is_named_like_a_secret_is_a_text_or_holds_texts() -> None:
    """A secret of another type, such as a number, would be quoted: give it the type String."""
    named = [place for place in PLACES if SECRET_NAME.search(place.path[-1])]
    assert {str(place) for place in named} >= {"userLogin.input.password", "accountCredentialsReplace.input.secret"}
    counts = {f"{name}.input.limits.maxApiKeys" for name in ("planCreate", "planUpdate")}
    switches = {f"{name}.input.revokeApiKeys" for name in ("userUpdate", "passwordReset", "userSignOut")}
    assert {str(place) for place in named if place not in TEXTS + INPUTS} == counts | switches


LOGIN = "{ userLogin(input: {email: $e, password: $p}) { token } }"


@pytest.mark.parametrize("kind", ["String", "String!", "Int", "Int!", "Float!", "Boolean!", "ID!", "[String!]!"])
def test_a_secret_in_a_variable_or_default_of_any_declared_type_is_not_quoted(documents: Documents, kind: str) -> None:
    for value in [*WRONG, SECRET]:
        rejection(documents, f'mutation($e: String! = "a", $p: {kind}) {LOGIN}', {"p": value})
    for literal in [*WRONG_LITERALS[1:], f'"{SECRET}"']:
        assert rejection(documents, f'mutation($e: Int! = "a", $p: {kind} = {literal}) {LOGIN}')


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"name": "x", "scopes": ["REED"]}, "at .scopes[0]: Value 'REED' does not exist in 'ApiScope' enum."),
        ({"name": 5, "scopes": []}, "at .name: String cannot represent a non string value: a number"),
        ({"name": "x", "scopes": [], "expiresAt": "today"}, "DateTime: 'today' can't be used: write it as ISO 8601"),
        ({"nmae": "x", "scopes": []}, "unknown field 'nmae'. Did you mean 'name'? Found: {'nmae': '…', 'scopes': []}."),
        ("x", "Expected value of type 'ApiKeyCreateInput' to be an object, found: a string."),
    ],
)
def test_the_error_still_says_where_the_fault_is_and_what_would_be_right(
    documents: Documents, value: Any, text: str
) -> None:
    query = "mutation($v: ApiKeyCreateInput!) { apiKeyCreate(input: $v) { secret } }"
    assert text in rejection(documents, query, {"v": value})


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("quer { viewer { id } }", "Syntax Error: Unexpected Name 'quer'."),
        ("{ viewer { id }", "Syntax Error: Expected Name, found <EOF>."),
        ('{ viewer "x" }', "Syntax Error: Expected Name, found String '…'."),
        ('mutation { userLogin(input: {email "x"}) { token } }', "Syntax Error: Expected ':', found String '…'."),
        ("mutation { userLogin(input: {email: 1}) { token } }", "String cannot represent a non string value: a number"),
    ],
)
def test_a_mistake_in_the_document_is_still_named(documents: Documents, query: str, text: str) -> None:
    assert text in rejection(documents, query)


@pytest.mark.parametrize("fault", ["level: 1", "reason: 1"])
def test_a_right_boolean_is_no_fault_where_another_value_is_wrong(documents: Documents, fault: str) -> None:
    halt = "tradingHalt(id: 1, input: %s) { errors { code } }"
    literal = rejection(documents, f"mutation {{ {halt % f'{{cancelOrders: true, {fault}}}'} }}")
    name, value = fault.split(": ")
    given = {"cancelOrders": True, name: int(value)}
    variable = rejection(documents, f"mutation($v: TradingHaltInput) {{ {halt % '$v'} }}", {"v": given})
    for text in (literal, variable):
        assert text
        assert "Boolean" not in text


def test_a_literal_with_many_errors_is_checked_no_further_than_its_first_ones() -> None:
    # Each error quotes the whole object: 300 of them took two seconds.
    unknown = " ".join(f"a{number}: 1" for number in range(300))
    document = parse(f"mutation {{ strategyCreate(input: {{ {unknown} }}) {{ __typename }} }}")
    assert len(validate(GRAPHQL, document, [RedactedValuesRule], max_errors=1_000)) == MAX_LITERAL_ERRORS
