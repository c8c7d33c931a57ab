"""What a subscription has to be like so that all its subscribers may share one execution."""

from collections.abc import Iterator

from graphql import GraphQLNamedType, get_named_type, is_abstract_type, is_enum_type

from infra.web.documents.preparation import is_shared
from schema import build_schema

SCHEMA = build_schema().graphql_schema
assert SCHEMA.subscription_type
SHARED = {name: field for name, field in SCHEMA.subscription_type.fields.items() if is_shared(field.extensions)}


def _types_of_events() -> Iterator[GraphQLNamedType]:
    """Yield the types of what the streams say, as far as the market that it is about."""
    waiting = [get_named_type(field.type) for field in SHARED.values()]
    seen = {"Market"}
    while waiting:
        kind = waiting.pop()
        if kind.name in seen:
            continue
        seen.add(kind.name)
        yield kind
        if is_abstract_type(kind):
            waiting += SCHEMA.get_possible_types(kind)
        waiting += [get_named_type(field.type) for field in getattr(kind, "fields", {}).values()]


def test_an_argument_of_a_shared_stream_names_a_market_or_is_one_of_few_values() -> None:
    kinds = {get_named_type(argument.type) for field in SHARED.values() for argument in field.args.values()}
    assert {kind.name for kind in kinds if not is_enum_type(kind)} == {"MarketSymbol"}


def test_nothing_is_awaited_for_what_a_shared_stream_says_so_that_events_do_not_pile_up() -> None:
    types = list(_types_of_events())
    assert {"MarketDepthDelta", "Candle", "Trade", "Ticker"} <= {kind.name for kind in types}
    fields = {f"{kind.name}.{name}": field for kind in types for name, field in getattr(kind, "fields", {}).items()}
    assert [name for name, field in fields.items() if field.extensions["strawberry-definition"].is_async] == []
