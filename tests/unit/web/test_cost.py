import pytest
from graphql import GraphQLSchema

from infra.web.documents.cost import Cost, cost_of
from infra.web.documents.preparation import Documents
from infra.web.execution import build_executor
from infra.web.settings import WebSettings
from schema import build_schema
from tests.support.demo_schema import SCHEMA

GRAPHQL = SCHEMA.graphql_schema
ENGINE = build_schema().graphql_schema
A_DAY = 'from: "2026-11-01T00:00:00Z", to: "2026-11-02T00:00:00Z"'


def cost(query: str, schema: GraphQLSchema = GRAPHQL, **variables: object) -> int:
    return whole_cost(query, schema, **variables).points


def whole_cost(query: str, schema: GraphQLSchema, **variables: object) -> Cost:
    prepared = Documents(schema, WebSettings()).prepare(query, None)
    executor = build_executor(schema, prepared, variables, None)
    return cost_of(schema, prepared.operation, prepared.document.fragments, executor.variable_values)


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
        ('{ nodes(ids: ["a"]) { id } }', 1),
        ("{ nodes(ids: []) { id } }", 0),
        ('{ nodes(ids: ["a", "a", "b"]) { ... on Product { id } } }', 3),
        ("subscription { depth { sequence } }", 1),
    ],
)
def test_what_an_operation_costs(query: str, expected: int) -> None:
    assert cost(query) == expected


def test_every_id_that_is_asked_for_costs_what_is_selected_of_it() -> None:
    candles = "candles(timeframe: M1, first: 400) { nodes { open } }"
    query = f"query ($i: [ID!]!) {{ nodes(ids: $i) {{ ... on Market {{ {candles} }} }} }}"
    assert cost(query, ENGINE, i=["a"] * 100) == 100 * (1 + 1 + 400)
    assert cost(query, ENGINE, i=["a"] * 3) == 3 * 402


@pytest.mark.parametrize(("size", "expected"), [("", 52), ("(first: 1)", 3), ("(last: 1000)", 102)])
def test_ten_candles_of_a_series_cost_as_much_as_one_object(size: str, expected: int) -> None:
    arguments = f"(timeframe: M1{size.strip('()') and ', ' + size.strip('()')})"
    assert cost(f'{{ market(symbol: "a:B/C") {{ candleSeries{arguments} {{ opens }} }} }}', ENGINE) == expected


@pytest.mark.parametrize("name", ["tickers", "marketFeeds"])
def test_a_stream_of_many_markets_costs_one_for_each(name: str) -> None:
    query = f"subscription ($m: [MarketSymbol!]!) {{ {name}(markets: $m) {{ __typename }} }}"
    assert cost(query, ENGINE, m=["sandbox:BTC/USDT"]) == 1
    assert cost(query, ENGINE, m=["sandbox:BTC/USDT"] * 500) == 500


def test_sizes_in_variables_count() -> None:
    query = "query ($n: Int = 7) { products(first: $n) { nodes { id } } }"
    assert cost(query) == 8
    assert cost(query, n=20) == 21
    assert cost(query, n=None) == 51


def test_a_list_below_another_costs_ten_items_where_no_size_is_asked_for() -> None:
    lists = "signals { nodes { id } } orders { nodes { id } }"
    assert cost(f"{{ viewer {{ tradingSessions {{ nodes {{ {lists} }} }} }} }}", ENGINE) == 2 + 50 * (1 + 11 + 11)
    assert cost("{ viewer { orders { nodes { id } } } }", ENGINE) == 2 + 50


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("depth { bids { price } asks { price } }", 3),
        ("depth(levels: L100) { bids { price } }", 6),
        (f"depthHistory({A_DAY}, everySeconds: 3600) {{ sequence }}", 25),
        (f"depthHistory({A_DAY}, everySeconds: 120) {{ bids {{ price }} asks {{ price }} }}", 721 * 3),
        (f"depthHistory({A_DAY}, everySeconds: 3600, levels: L100) {{ ...B }}", 25 * 6),
        (f"depthHistory({A_DAY}, everySeconds: 0) {{ sequence }}", 1000),
        (f"volumeProfile({A_DAY}) {{ levels {{ volume }} }}", 61),
        (f"volumeProfile({A_DAY}, bins: 1000) {{ pointOfControl }}", 1001),
        ('indicator(name: "rsi", timeframe: M1, last: 100) { times outputs { values } }', 111),
        ('indicator(name: "rsi", timeframe: M1, last: 5000) { times }', 1001),
        ('indicator(name: "rsi", timeframe: M1) { times }', 501),
        ("trend(timeframe: M1) { strength }", 1),
    ],
)
def test_what_is_computed_from_a_market_costs_what_it_is_made_of(field: str, expected: int) -> None:
    fragment = "fragment B on MarketDepthSnapshot { bids { price } }" if "...B" in field else ""
    assert cost(f'{{ market(symbol: "sandbox:BTC/USDT") {{ {field} }} }} {fragment}', ENGINE) == 1 + expected


@pytest.mark.parametrize(
    ("arguments", "points"),
    [
        ("", 365),
        ("(interval: MINUTE)", 365),
        (f"({A_DAY})", 2),
        (f"(interval: HOUR, {A_DAY})", 25),
        (f"(interval: MINUTE, {A_DAY})", 1000),
        ('(from: "0001-01-01T00:00:00Z")', 1000),
    ],
)
def test_an_equity_history_costs_a_point_for_each_interval(arguments: str, points: int) -> None:
    history = f"equityHistory{arguments} {{ currency points {{ at }} }}"
    query = f'{{ node(id: "a") {{ ... on Account {{ {history} }} }} }}'
    assert cost(query, ENGINE) == 1 + 1 + points


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("id seed", 0),
        ("luckProbability", 10),
        ("best { number }", 11),
        ("folds { number best { score } }", 10 + 10 * 2),
        ("best { number } luckProbability", 21),
    ],
)
def test_what_is_found_among_all_trials_costs_more_than_one_object(fields: str, expected: int) -> None:
    query = f"{{ viewer {{ optimizations(first: 7) {{ nodes {{ {fields} }} }} }} }}"
    assert cost(query, ENGINE) == 2 + 7 * (1 + expected)


SIZED_BY_A_FRAGMENT = """query ($n: Int = 7) { markets { nodes { ...F } } }
  fragment F on Market { candles(timeframe: M1, first: $n) { nodes { open } } }"""
MARKET = "query ($m: MarketSymbol!) { market(symbol: $m) "


@pytest.mark.parametrize(
    "query",
    [
        "{ __typename }",
        MARKET + "{ depth(levels: L20) { bids { price } } } }",
        MARKET + f"{{ candles(timeframe: M1, first: 1000, {A_DAY}) {{ nodes {{ open }} }} }} }}",
        MARKET + "{ ...F } } fragment F on Market { candles(timeframe: M1) { nodes { open } } }",
    ],
)
def test_a_cost_that_no_variable_changes_is_constant(query: str) -> None:
    variables = {"m": "sandbox:BTC/USDT"} if "$m" in query else {}
    assert whole_cost(query, ENGINE, **variables).is_constant


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query ($n: Int = 7) { markets(first: $n) { nodes { symbol } } }", {}),
        (SIZED_BY_A_FRAGMENT, {}),
        ("query ($i: ID!) { nodes(ids: [$i]) { id } }", {"i": "a"}),
        ("query ($i: [ID!]!) { nodes(ids: $i) { id } }", {"i": ["a"]}),
        ('{ node(id: "a") { ... on Account { equityHistory(interval: DAY) { points { at } } } } }', {}),
    ],
)
def test_a_cost_that_a_variable_or_the_time_may_change_is_not(query: str, variables: dict[str, object]) -> None:
    assert not whole_cost(query, ENGINE, **variables).is_constant
