"""Which answers may be shared: a field is private unless it is in this list and marked where it is defined."""

from collections.abc import Iterator

import pytest
from graphql import GraphQLField, parse

from infra.web.documents.public_fields import all_public, is_public
from schema import build_schema

SCHEMA = build_schema().graphql_schema
FIELDS = {
    "Candle": "timeframe openTime open high low close volume closed market",
    "CandleSeries": "timeframe openTimes opens highs lows closes volumes market pageInfo",
    "MarketDepthSnapshot": "epoch sequence bids asks venueTime market",
    "Market": "symbol base quote active priceIncrement quantityIncrement minimumNotional minimumQuantity "
    "maximumQuantity maximumMarketQuantity makerFeePercent takerFeePercent id ticker depth candles candleSeries trades",
    "PageInfo": "hasNextPage hasPreviousPage startCursor endCursor",
    "PriceLevel": "price quantity",
    "Query": "market markets",
    "Ticker": "at bid ask last market volume24h changePercent24h high24h low24h quoteVolume24h",
    "Trade": "venueTradeId at price quantity side market",
}
PAGES = {"edges", "nodes", "pageInfo", "totalCount", "cursor", "node"}
"""Of every list: which one it is, and who may read it, is decided by the field that returns it."""


def fields() -> Iterator[tuple[str, str, GraphQLField]]:
    for kind in SCHEMA.type_map.values():
        for name, field in getattr(kind, "fields", {}).items():
            if isinstance(field, GraphQLField) and not kind.name.startswith("__"):
                yield kind.name, name, field


def may_be_public(kind: str, name: str) -> bool:
    return name in FIELDS.get(kind, "").split() or (kind.endswith(("Connection", "Edge")) and name in PAGES)


def test_the_listed_fields_are_public_and_every_other_field_of_the_schema_is_private() -> None:
    found = {f"{kind}.{name}" for kind, name, field in fields() if is_public(field)}
    assert found == {f"{kind}.{name}" for kind, name, _ in fields() if may_be_public(kind, name)}
    assert found.isdisjoint({"Query.viewer", "Query.node", "Market.feed", "MarketDepthSnapshot.sentAt"})


def test_no_field_of_mutations_and_subscriptions_is_public() -> None:
    assert not [name for kind, name, field in fields() if kind in {"Mutation", "Subscription"} and is_public(field)]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ('{ market(symbol: "a:B/C") { __typename base depth { bids { price } } } }', True),
        ('{ market(symbol: "a:B/C") { depth { sentAt } } }', False),
        ('{ m: market(symbol: "a:B/C") { ...F } } fragment F on Market { base feed { state } }', False),
        ('{ market(symbol: "a:B/C") { base } viewer { email } }', False),
        ('{ market(symbol: "a:B/C") { base @skip(if: true) ... on Market { venue { name } } } }', False),
        ('{ market(symbol: "a:B/C") { base } ... @include(if: false) { viewer { email } } }', False),
        ('query A { market(symbol: "a:B/C") { base } } query B { viewer { email } }', False),
        ("{ __schema { types { name } } }", False),
        ('{ __type(name: "Market") { name } }', False),
    ],
)
def test_one_private_field_anywhere_in_a_document_makes_it_private(document: str, *, expected: bool) -> None:
    assert all_public(SCHEMA, parse(document)) is expected
