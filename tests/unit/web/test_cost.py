import pytest
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext as Executor

from infra.web.cost import cost_of
from infra.web.documents import Documents
from infra.web.settings import WebSettings
from tests.support.shop import SCHEMA

GRAPHQL = SCHEMA._schema


def cost(query: str, **variables: object) -> int:
    prepared = Documents(GRAPHQL, WebSettings()).prepare(query, None)
    executor = Executor.build(GRAPHQL, prepared.document.node, None, None, variables, operation_extensions=None)
    assert isinstance(executor, Executor)
    return cost_of(GRAPHQL, prepared.operation, prepared.document.fragments, executor.variable_values)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ hello me __typename __schema { types { name fields { name } } } }", 0),
        ("{ product { id price } }", 1),
        ("{ products { nodes { id } } }", 51),
        ("{ products(first: 10) { nodes { id } pageInfo { endCursor } } }", 12),
        ("{ products(last: 100) { edges { cursor node { id } } } }", 201),
        ("{ products(first: 0) { nodes { id } } }", 1),
        ("{ products(first: -5) { nodes { id } } }", 1),
        ("{ products(first: 1000000) { nodes { id } } }", 1001),
        ("{ products(first: 10) { ...F } } fragment F on ProductConnection { nodes { id } }", 11),
        ("{ a: product { id } b: product { id } }", 2),
        ('{ nodes(ids: ["a"]) { id } }', 10),
        ("subscription { depth { sequence } }", 1),
    ],
)
def test_what_an_operation_costs(query: str, expected: int) -> None:
    assert cost(query) == expected


def test_sizes_in_variables_count() -> None:
    query = "query ($n: Int = 7) { products(first: $n) { nodes { id } } }"
    assert cost(query) == 8
    assert cost(query, n=20) == 21
    assert cost(query, n=None) == 51
