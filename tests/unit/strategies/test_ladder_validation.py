"""Further entries and targets of a definition are valid, or their errors are returned with their paths."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.model.definitions import EntryAdd, ExitDistance, ExitTarget, Sizing, StrategyDefinition, StrategyParameter
from domain.strategies.compiled import compile_definition
from domain.strategies.validation import validate
from infra.postgres.repositories.strategies import decode_definition, encode_definition

TWO = ExitDistance(percent=Decimal(2))
PLAIN = StrategyDefinition(sizing=Sizing(quote_amount=Decimal(500)))
NO_CONDITION = "The add has no condition; give below, above, rule or onEntrySignal."


def with_add(**fields: object) -> StrategyDefinition:
    return replace(PLAIN, adds=(EntryAdd(below=TWO), EntryAdd(**fields)))  # type: ignore[arg-type]


def with_targets(*shares: object) -> StrategyDefinition:
    return replace(PLAIN, targets=tuple(ExitTarget(TWO, Decimal(str(share))) for share in shares))


@pytest.mark.parametrize(
    ("definition", "path", "message"),
    [
        (with_add(), "adds.1", NO_CONDITION),
        (with_add(below=TWO, above=TWO), "adds.1", "below and above can't both hold; leave one of them out,"),
        (with_add(below=ExitDistance()), "adds.1.below", "below has 0 values; give exactly one of percent,"),
        (with_add(below=ExitDistance(percent=Decimal(100))), "adds.1.below.percent", "percent is 100; it must be"),
        (with_add(above=ExitDistance(absolute=Decimal(0))), "adds.1.above.absolute", "absolute is 0; it must be"),
        (with_add(above=TWO, size_factor=Decimal(0)), "adds.1.sizeFactor", "sizeFactor is 0; it must be greater"),
        (with_add(above=TWO, size_factor=Decimal("NaN")), "adds.1.sizeFactor", "sizeFactor is NaN; it must be"),
        (with_add(above=TWO, count=0), "adds.1.count", "count is 0; it must be between 1 and 100."),
        (with_add(above=TWO, count=2**31), "adds.1.count", "count is 2147483648; it must be between 1 and 100."),
        (with_add(above=TWO, count=100), "adds", "The adds allow 101 further entries into a position; at most 100"),
        (replace(PLAIN, adds=(EntryAdd(above=TWO),) * 11), "adds", "11 adds are given; at most 10 are allowed."),
        (with_add(rule="close > smaa(close, 3)"), "adds.1.rule", "There is no function 'smaa'; did you mean sma?"),
        (with_targets(0), "targets.0.sharePercent", "sharePercent is 0; it must be greater than 0 and at most 100."),
        (with_targets(50, "50.1"), "targets", "The shares of all targets are 100.1 % of the position; they can be"),
        (with_targets(*[1] * 11), "targets", "11 targets are given; at most 10 are allowed."),
    ],
)
def test_what_is_wrong_has_its_path(definition: StrategyDefinition, path: str, message: str) -> None:
    (error,) = validate(definition).errors
    assert ".".join(error.path or ()) == path
    assert error.message.startswith(message)


def test_a_rule_of_an_add_is_tried_at_both_ends_of_a_parameter() -> None:
    parameter = StrategyParameter("n", Decimal(5), min=Decimal(2), max=Decimal(6000))
    definition = replace(with_add(rule="close < sma(close, n)"), parameters=(parameter,))
    (error,) = validate(definition).errors
    assert tuple(error.path or ()) == ("parameters", "0", "max")


def test_the_rules_of_adds_and_their_atr_count_in_the_warm_up() -> None:
    assert validate(with_add(rule="close < sma(close, 90)")).lookback == 89
    by_atr = replace(PLAIN, adds=(EntryAdd(below=ExitDistance(atr_multiple=Decimal(1))),))
    target = replace(PLAIN, targets=(ExitTarget(ExitDistance(atr_multiple=Decimal(1)), Decimal(50)),))
    assert validate(by_atr).lookback == validate(target).lookback != validate(PLAIN).lookback == 0
    assert compile_definition(with_add(rule="close < 1")).adds.keys() == {1}


def test_a_stored_ladder_comes_back_as_it_was() -> None:
    definition = replace(with_add(rule="close < 1", on_entry_signal=True, count=3), targets=with_targets(10).targets)
    assert decode_definition(encode_definition(definition)) == definition


def test_a_definition_of_before_has_no_ladder() -> None:
    assert decode_definition(b'{"sizing": {"quote_amount": "500"}}') == PLAIN
