"""The schema describes itself, its types know what they serve, and what can fail is nullable."""

import inspect
import re
from collections.abc import Iterator
from typing import get_args

from graphql import GraphQLNamedType, GraphQLNonNull, GraphQLObjectType, is_object_type
from graphql import GraphQLSchema as CoreSchema

from domain.model.alerts import FiredAlert
from domain.model.report_schedules import ScheduledReport
from domain.model.trading_state import Halt
from domain.model.users import Activity
from resolvers.events import State
from schema import build_schema

CORE: CoreSchema = build_schema().graphql_schema
BUILT_IN = {"Boolean", "Float", "ID", "Int", "String", "@deprecated", "@include", "@oneOf", "@skip", "@specifiedBy"}
"""What GraphQL itself defines and describes."""


def described() -> Iterator[tuple[str, str | None]]:
    """Name the schema and every type, field, argument, enum value and directive in it, with its description."""
    yield "schema", CORE.description
    for name, kind in CORE.type_map.items():
        if not name.startswith("__"):
            yield name, kind.description
            yield from parts_of(name, kind)
    for directive in CORE.directives:
        yield f"@{directive.name}", directive.description


def parts_of(name: str, kind: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    for field_name, field in getattr(kind, "fields", {}).items():
        yield f"{name}.{field_name}", field.description
        for argument_name, argument in getattr(field, "args", {}).items():
            yield f"{name}.{field_name}({argument_name}:)", argument.description
    for value_name, value in getattr(kind, "values", {}).items():
        yield f"{name}.{value_name}", value.description


def test_everything_in_the_schema_is_described() -> None:
    assert [name for name, description in described() if not description] == []


def test_descriptions_are_sentences_in_plain_words() -> None:
    """The descriptions are the API's manual; many of its readers aren't native speakers of English."""
    plain = re.compile(r"[A-Z`].*[.]", re.DOTALL)
    private = re.compile(r"\b(told|tells?|hangs?)\b|[,;] where\b|\b(null|true|false) where\b", re.IGNORECASE)
    ours = {name: text or "" for name, text in described() if name.split(".")[0] not in BUILT_IN}
    assert [name for name, text in ours.items() if not plain.fullmatch(text)] == []
    assert {name: found[0] for name, text in ours.items() if (found := private.search(text))} == {}


def test_object_types_behind_an_interface_or_in_a_union_know_what_they_serve() -> None:
    guessing = [
        name
        for name, kind in CORE.type_map.items()
        if isinstance(kind, GraphQLObjectType)
        and any(interface.name == "Node" for interface in kind.interfaces)
        and kind.is_type_of is None
    ]
    assert guessing == []


def test_a_mutation_that_fails_takes_nothing_from_the_others_of_its_request() -> None:
    assert CORE.mutation_type is not None
    non_null = [name for name, field in CORE.mutation_type.fields.items() if isinstance(field.type, GraphQLNonNull)]
    assert non_null == []


def test_every_mutation_has_a_payload_of_its_own() -> None:
    assert CORE.mutation_type is not None
    for name, field in CORE.mutation_type.fields.items():
        assert str(field.type) == f"{name[0].upper()}{name[1:]}Payload"
        assert isinstance(field.type, GraphQLObjectType)
        assert str(field.type.fields["errors"].type) == "[UserError!]!"


NO_CURRENT = {Activity, FiredAlert, Halt, ScheduledReport}
"""What is no object of its own, or is named by another field of its state."""

PROMISED = {
    # Read by the key that the object itself holds, so that only a database that answers nothing at all fails them.
    *(
        "Account.balances",
        "Account.unpriced",
        "AccountTransfer.account",
        "Backtest.job",
        "Optimization.job",
        "Fill.order",
        "Order.account",
        "Order.protections",
        "Position.account",
        "Report.job",
        "Signal.market",
    ),
    *("Strategy.version", "StrategyVersion.strategy", "TradingSession.account", "TradingSession.strategyVersion"),
    *("TradingSession.parameters", "User.apiKeys", "User.eventCursor", "User.loginSessions"),
    *("Engine.healthy", "Engine.tradingState"),
    # As those of the object itself; and what an event tells of is never deleted. All `current` are non-null, as GraphQL
    # wants it of fields with one name that are asked for side by side on the members of a union.
    *("OrderState.account", "PositionState.account", "TradingSessionState.account"),
    *("TradingSessionState.parameters", "TradingSessionState.strategyVersion"),
    *(f"{kind.__name__}State.current" for kind in get_args(State) if kind not in NO_CURRENT),
    # Part of an object that is itself in a nullable field: a page that can't be is the client's own mistake in the
    # document, and takes no more than the object away.
    *("Optimization.folds", "Optimization.trials"),
    *("Backtest.equityCurve", "Backtest.roundTrips", "Order.fills", "Order.events"),
    *(
        "Report.downloads",
        "Report.equityCurve",
        "Report.figures",
        "Report.parts",
        "Report.roundTrips",
        "Strategy.versions",
    ),
    *("TradingSession.signals", "TradingSession.orders"),
    # Its items are nullable; more than 100 ids are a mistake in the document.
    "Query.nodes",
    # Pure: it answers every definition, with errors as data.
    "Query.strategyValidate",
    # From memory; a venue that there is not has none.
    "Query.quoteCurrencies",
}
"""The fields that may fail and are promised all the same, with the reason."""


def fallible() -> Iterator[tuple[str, bool]]:
    """Name every field that takes arguments or is awaited, and whether it is non-null."""
    for name, kind in CORE.type_map.items():
        if name.startswith("__") or not is_object_type(kind) or kind is CORE.subscription_type:
            continue
        for field_name, field in kind.fields.items():
            resolver = getattr(field.extensions.get("strawberry-definition"), "base_resolver", None)
            awaited = resolver is not None and inspect.iscoroutinefunction(resolver.wrapped_func)
            if field.args or awaited:
                yield f"{name}.{field_name}", isinstance(field.type, GraphQLNonNull)


def test_a_field_that_can_fail_is_nullable_or_promised_for_a_reason() -> None:
    assert {name for name, is_promised in fallible() if is_promised} == PROMISED
    assert {"Market.candles", "Market.volumeProfile", "User.orders", "Query.markets"} <= {
        name for name, _ in fallible()
    }


def test_what_an_event_carries_is_of_types_that_no_query_answers_with() -> None:
    """A client's cache keeps objects by type and id: an old state under a live object's type would overwrite it."""
    states = {member.name for member in CORE.type_map["EventState"].types}  # type: ignore[attr-defined]
    assert states == {"Activity" if kind is Activity else f"{kind.__name__}State" for kind in get_args(State)}
    live = {kind.name for kind in CORE.get_possible_types(CORE.type_map["Node"])}  # type: ignore[arg-type]
    assert states & live == {"Activity"}
    assert str(CORE.type_map["OrderEvent"].fields["order"].type) == "OrderState!"  # type: ignore[attr-defined]
