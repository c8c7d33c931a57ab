"""A definition is valid, or all its errors are returned with their paths."""

from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.errors import ErrorCode
from domain.model.definitions import ExitDistance, OrderStyle, Sizing, StrategyDefinition, StrategyParameter
from domain.model.orders import OrderType, TimeInForce
from domain.strategies.validation import sizing_errors, validate
from infra.postgres.repositories.strategies import decode_definition, encode_definition
from tests.support.call_count import effort

QUOTE = Sizing(quote_amount=Decimal(500))
LIMIT = OrderStyle(type=OrderType.LIMIT)
TWO = ExitDistance(percent=Decimal(2))
FULL = StrategyDefinition(
    parameters=(
        StrategyParameter("fast", Decimal(12), Decimal(4), Decimal(40), Decimal(1)),
        StrategyParameter("slow", Decimal(26), Decimal(10), Decimal(120)),
    ),
    enter_long="crosses_above(ema(close, fast), ema(close, slow)) and adx(14) > 20",
    exit_long="crosses_below(ema(close, fast), ema(close, slow))",
    stop_loss=ExitDistance(atr_multiple=Decimal(2)),
    take_profit=ExitDistance(percent=Decimal(4)),
    trailing_stop=ExitDistance(absolute=Decimal("0.5")),
    max_holding_bars=100,
    sizing=Sizing(risk_percent=Decimal(1)),
    order=OrderStyle(OrderType.LIMIT, Decimal(2), TimeInForce.GTC, post_only=True, give_up_after_seconds=60),
)


def errors_by_path(definition: StrategyDefinition) -> dict[tuple[str, ...], str]:
    result = validate(definition)
    assert result.valid == (not result.errors)
    assert (result.lookback is None) == bool(result.errors)
    assert all(error.code is ErrorCode.STRATEGY_INVALID for error in result.errors)
    return {error.path or (): error.message for error in result.errors}


def simple(**fields: object) -> StrategyDefinition:
    return replace(StrategyDefinition(sizing=QUOTE), **fields)


def parameter(**fields: object) -> StrategyDefinition:
    return simple(parameters=(replace(StrategyParameter("n", Decimal(3)), **fields),))


def test_the_definition_of_the_documentation_is_valid() -> None:
    assert errors_by_path(FULL) == {}
    assert validate(FULL).lookback == 385


def test_the_definition_of_the_first_session_needs_few_candles() -> None:
    definition = StrategyDefinition(
        sizing=QUOTE,
        parameters=(StrategyParameter("n", Decimal(3), Decimal(2), Decimal(50)),),
        enter_long="close > 0 and sma(close, n) > 0",
        exit_long="close < 0",
    )
    assert errors_by_path(definition) == {}
    assert validate(definition).lookback == 2


def test_a_definition_without_rules_is_for_signals_from_outside() -> None:
    assert errors_by_path(simple()) == {}
    assert validate(simple()).lookback == 0


def test_an_error_in_a_rule_has_the_rules_path_and_place() -> None:
    result = validate(simple(enter_long="close > smaa(close, 3)", exit_short="opne > 1"))
    assert [(e.path, e.start, e.end, e.suggestion) for e in result.errors] == [
        (("enterLong",), 8, 12, "sma"),
        (("exitShort",), 0, 4, "open"),
    ]
    moved = result.errors[0].under(("input", "definition"))
    assert (moved.path, moved.start, moved.code) == (
        ("input", "definition", "enterLong"),
        8,
        ErrorCode.STRATEGY_INVALID,
    )


def test_errors_of_all_parts_are_returned_together() -> None:
    definition = simple(
        enter_long="close",
        stop_loss=ExitDistance(),
        max_holding_bars=0,
        sizing=Sizing(),
        order=OrderStyle(OrderType.STOP),
    )
    assert set(errors_by_path(definition)) == {
        ("enterLong",),
        ("stopLoss",),
        ("maxHoldingBars",),
        ("sizing",),
        ("order", "type"),
    }


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        (simple(sizing=Sizing(Decimal(1), Decimal(1))), ("sizing",)),
        (simple(sizing=Sizing(quote_amount=Decimal(0))), ("sizing", "quoteAmount")),
        (simple(sizing=Sizing(quote_amount=Decimal(-1))), ("sizing", "quoteAmount")),
        (simple(sizing=Sizing(quote_amount=Decimal("NaN"))), ("sizing", "quoteAmount")),
        (simple(sizing=Sizing(quote_amount=Decimal("Infinity"))), ("sizing", "quoteAmount")),
        (simple(sizing=Sizing(equity_percent=Decimal("100.1"))), ("sizing", "equityPercent")),
        (simple(sizing=Sizing(risk_percent=Decimal(1))), ("sizing", "riskPercent")),
        (simple(sizing=Sizing(volatility_percent=Decimal(101))), ("sizing", "volatilityPercent")),
        (simple(stop_loss=ExitDistance(Decimal(1), Decimal(1))), ("stopLoss",)),
        (simple(stop_loss=ExitDistance(percent=Decimal(100))), ("stopLoss", "percent")),
        (simple(stop_loss=ExitDistance(percent=Decimal(0))), ("stopLoss", "percent")),
        (simple(take_profit=ExitDistance(percent=Decimal(-1))), ("takeProfit", "percent")),
        (simple(take_profit=ExitDistance(atr_multiple=Decimal(0))), ("takeProfit", "atrMultiple")),
        (simple(trailing_stop=ExitDistance(absolute=Decimal(-1))), ("trailingStop", "absolute")),
        (simple(trailing_stop=ExitDistance(percent=Decimal("sNaN"))), ("trailingStop", "percent")),
        (simple(max_holding_bars=-3), ("maxHoldingBars",)),
        (simple(order=OrderStyle(OrderType.TRAILING_STOP)), ("order", "type")),
        (simple(order=OrderStyle(offset_bps=Decimal(1))), ("order", "offsetBps")),
        (simple(order=OrderStyle(time_in_force=TimeInForce.GTC)), ("order", "timeInForce")),
        (simple(order=OrderStyle(post_only=True)), ("order", "postOnly")),
        (simple(order=OrderStyle(give_up_after_seconds=5)), ("order", "giveUpAfterSeconds")),
        (simple(order=replace(LIMIT, offset_bps=Decimal(-1))), ("order", "offsetBps")),
        (simple(order=replace(LIMIT, offset_bps=Decimal(10_000))), ("order", "offsetBps")),
        (simple(order=replace(LIMIT, give_up_after_seconds=0)), ("order", "giveUpAfterSeconds")),
        (simple(order=replace(LIMIT, post_only=True, time_in_force=TimeInForce.IOC)), ("order", "postOnly")),
        (simple(order=replace(LIMIT, time_in_force=TimeInForce.GTD)), ("order", "timeInForce")),
        (parameter(name=""), ("parameters", "0", "name")),
        (parameter(name="2n"), ("parameters", "0", "name")),
        (parameter(name="é"), ("parameters", "0", "name")),
        (parameter(name="n\n"), ("parameters", "0", "name")),
        (parameter(name="a" * 41), ("parameters", "0", "name")),
        (parameter(name="close"), ("parameters", "0", "name")),
        (parameter(name="rsi"), ("parameters", "0", "name")),
        (parameter(name="and"), ("parameters", "0", "name")),
        (parameter(name="trend"), ("parameters", "0", "name")),
        (parameter(name="shift"), ("parameters", "0", "name")),
        (parameter(default=Decimal("NaN")), ("parameters", "0", "default")),
        (parameter(default=Decimal("1e400")), ("parameters", "0", "default")),
        (parameter(min=Decimal(4)), ("parameters", "0", "default")),
        (parameter(max=Decimal(2)), ("parameters", "0", "default")),
        (parameter(min=Decimal(5), max=Decimal(1)), ("parameters", "0", "min")),
        (parameter(step=Decimal(0)), ("parameters", "0", "step")),
        (simple(parameters=(StrategyParameter("n", Decimal(1)),) * 2), ("parameters", "1", "name")),
        (simple(parameters=(StrategyParameter("n", Decimal(1)),) * 33), ("parameters",)),
    ],
)
def test_a_part_out_of_its_range_is_an_error_with_its_path(
    definition: StrategyDefinition, path: tuple[str, ...]
) -> None:
    assert list(errors_by_path(definition)) == [path]


@pytest.mark.parametrize(
    "definition",
    [
        simple(sizing=Sizing(equity_percent=Decimal(100))),
        simple(sizing=Sizing(risk_percent=Decimal(1)), stop_loss=TWO),
        simple(sizing=Sizing(risk_percent=Decimal(1)), trailing_stop=TWO),
        simple(take_profit=ExitDistance(percent=Decimal(250))),
        simple(exit_long="close < 0"),
        simple(enter_short="close < 0"),
        simple(order=replace(LIMIT, time_in_force=TimeInForce.GTD, give_up_after_seconds=1)),
        simple(order=replace(LIMIT, time_in_force=TimeInForce.IOC, offset_bps=Decimal(0))),
        parameter(min=Decimal(3), max=Decimal(3), step=Decimal("0.5")),
    ],
)
def test_a_part_at_the_edge_of_its_range_is_valid(definition: StrategyDefinition) -> None:
    assert errors_by_path(definition) == {}


def test_both_ends_of_a_parameters_range_must_suit_the_rules() -> None:
    rule = "rsi(close, n) > 50"
    low = simple(parameters=(StrategyParameter("n", Decimal(14), min=Decimal(1)),), enter_long=rule)
    high = simple(parameters=(StrategyParameter("n", Decimal(14), max=Decimal(900)),), enter_long=rule)
    assert "between 2 and" in errors_by_path(low)["parameters", "0", "min"]
    assert "more than 5,000 candles" in errors_by_path(high)["parameters", "0", "max"]


def test_the_ends_of_a_range_are_tried_where_a_rule_names_the_parameter_alone() -> None:
    parameters = (StrategyParameter("n", Decimal(14), Decimal(1)), StrategyParameter("unused", Decimal(9), Decimal(0)))
    result = validate(simple(parameters=parameters, enter_long="ema(close, n) > 0", exit_long="rsi(close, n) > 50"))
    assert [error.path for error in result.errors] == [("parameters", "0", "min")]


def test_a_definition_as_large_as_may_be_is_little_work() -> None:
    assert effort(lambda: errors_by_path(_with_parameters(32))) < 6 * effort(
        lambda: errors_by_path(_with_parameters(8))
    )
    assert errors_by_path(_with_parameters(32)) == {}


def _with_parameters(count: int) -> StrategyDefinition:
    names = [f"p{index}" for index in range(count)]
    parameters = tuple(StrategyParameter(name, Decimal(5), Decimal(2), Decimal(20)) for name in names)
    rule = " or ".join(f"ema(close, {name}) > {name}" for name in names)
    return simple(parameters=parameters, enter_long=rule, exit_long=rule, enter_short=rule, exit_short=rule)


def test_a_sessions_own_sizing_is_checked_against_the_stop() -> None:
    risk = Sizing(risk_percent=Decimal(1))
    assert [error.path for error in sizing_errors(risk, simple())] == [("sizing", "riskPercent")]
    assert sizing_errors(risk, simple(stop_loss=TWO)) == []


@given(st.lists(st.text(max_size=20), min_size=4, max_size=4), st.text(max_size=5), st.decimals())
def test_any_definition_is_valid_or_has_errors(rules: list[str], name: str, number: Decimal) -> None:
    definition = StrategyDefinition(
        Sizing(quote_amount=number), (StrategyParameter(name, number),), *rules, ExitDistance(percent=number)
    )
    errors_by_path(definition)


def test_a_stored_definition_comes_back_as_it_was() -> None:
    assert decode_definition(encode_definition(FULL)) == FULL
    assert decode_definition(encode_definition(simple()).decode()) == simple()
    assert b'"percent":"4"' in encode_definition(FULL)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"sizing": 3}', b"\xff"])
def test_anything_else_is_not_taken_for_a_definition(data: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_definition(data)
