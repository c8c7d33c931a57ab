"""A definition made ready to run: its rules parsed with the parameters of one trading session or backtest."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import TypeVar

import numpy as np

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.core.money import plain
from domain.core.text import closest_match
from domain.indicators.candle_arrays import CandleArrays, Floats
from domain.indicators.compute import compute_indicator, indicator_warm_up
from domain.model.definitions import StrategyDefinition, StrategyParameter
from domain.strategies.errors import DefinitionError, RuleErrors
from domain.strategies.evaluation import Booleans, Evaluation, LatestSignals, RuleName, SignalArrays
from domain.strategies.parse_context import MAX_SHOWN
from domain.strategies.parser import Rule, parse_rule

ATR_PERIOD = 14
"""The bars of the average true range (Wilder's) that `atr_multiple` and `volatility_percent` are measured in."""
MAX_REASON = 400
"""The longest reason of a signal, in characters."""


Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class CompiledStrategy:
    """Rules ready to be evaluated; `warm_up` is the count of closed candles before the first value that is right.

    `adds` are the rules of further entries, by their index in the definition.
    """

    rules: Mapping[RuleName, Rule]
    parameters: Mapping[str, Decimal]
    warm_up: int
    adds: Mapping[int, Rule] = field(default_factory=dict)

    def evaluate(self, candles: CandleArrays) -> SignalArrays:
        """Return what each rule evaluates to at each bar, false until it is warmed up."""
        evaluation = Evaluation(candles)
        return SignalArrays(**{name.value: self._evaluate_rule(evaluation, name) for name in RuleName})

    def latest(self, candles: CandleArrays) -> LatestSignals:
        """Return what each rule evaluates to on the newest candle, computed over the warm-up window alone."""
        evaluation = Evaluation(candles.last(self.warm_up + 1))
        signals = {name.value: bool(self._evaluate_rule(evaluation, name)[-1:].any()) for name in RuleName}
        return LatestSignals(**signals)

    def latest_adds(self, candles: CandleArrays) -> frozenset[int]:
        """Return the further entries whose rule is true on the newest candle."""
        evaluation = Evaluation(candles.last(self.warm_up + 1))
        return frozenset(i for i, rule in self.adds.items() if evaluation.evaluate_rule(rule.node)[-1:].any())

    def explain_add(self, candles: CandleArrays, index: int) -> str:
        """Return the rule of a further entry as `explain` does."""
        return self._explain(candles, self.adds.get(index))

    def explain(self, candles: CandleArrays, rule: str) -> str:
        """Return a rule (`enter_long`, …) and the values of its operands on the newest candle, as a signal's reason.

        Such as `close > sma(close, n)  [close=50123.1, sma(close, n)=50100.2]`; empty if there is no such rule.
        """
        return self._explain(candles, self.rules.get(RuleName(rule)))

    def _explain(self, candles: CandleArrays, known: Rule | None) -> str:
        if known is None:
            return ""
        evaluation = Evaluation(candles.last(self.warm_up + 1))
        values = ", ".join(
            f"{operand.text}={_format_number(evaluation.latest(operand.node))}" for operand in known.operands
        )
        text = " ".join(known.text.split())
        return _shortened(f"{text}  [{values}]" if values else text)

    def _evaluate_rule(self, evaluation: Evaluation, name: RuleName) -> Booleans:
        rule = self.rules.get(name)
        return (
            np.zeros(len(evaluation.candles), dtype=np.bool_) if rule is None else evaluation.evaluate_rule(rule.node)
        )


def compile_definition(
    definition: StrategyDefinition, parameters: Mapping[str, Decimal] | None = None
) -> CompiledStrategy:
    """Return the definition ready to run, with `parameters` in place of their defaults.

    Raises `InputErrors`: INVALID at `("parameters", name)` for an unknown parameter or a value out of its range,
    STRATEGY_INVALID (DefinitionError) for a rule that can't be read with these values.
    """
    values = _parameter_values(definition, parameters or {})
    rules, errors = parse_rules(definition, values)
    adds, add_errors = parse_add_rules(definition, values)
    if errors or add_errors:
        raise InputErrors([*errors, *add_errors])
    return CompiledStrategy(rules, values, bars_needed(definition, [*rules.values(), *adds.values()]), adds)


def parse_rules(
    definition: StrategyDefinition, values: Mapping[str, Decimal]
) -> tuple[dict[RuleName, Rule], list[DefinitionError]]:
    """Return the definition's rules with parameters at `values`, and the errors of those that can't be parsed."""
    texts = {name: getattr(definition, name.value) for name in RuleName}
    return _parse(texts, values, lambda name: [name.path])


def parse_add_rules(
    definition: StrategyDefinition, values: Mapping[str, Decimal]
) -> tuple[dict[int, Rule], list[DefinitionError]]:
    """Return the rules of the definition's further entries by index, and the errors of those that can't be parsed."""
    texts = {index: add.rule for index, add in enumerate(definition.adds)}
    return _parse(texts, values, lambda index: ["adds", str(index), "rule"])


def _parse(
    texts: Mapping[Key, str | None], values: Mapping[str, Decimal], path: Callable[[Key], list[str]]
) -> tuple[dict[Key, Rule], list[DefinitionError]]:
    numbers = {name: float(value) for name, value in values.items()}
    rules: dict[Key, Rule] = {}
    errors: list[DefinitionError] = []
    for key, text in texts.items():
        if text is None:
            continue
        try:
            rules[key] = parse_rule(text, numbers)
        except RuleErrors as found:
            errors.extend(
                DefinitionError(error.message, path(key), error.start, error.end, error.suggestion)
                for error in found.errors
            )
    return rules, errors


def bars_needed(definition: StrategyDefinition, rules: Collection[Rule]) -> int:
    """Return how many closed candles come before the first right value of the rules, and of ATR if it is used."""
    return max([rule.warm_up for rule in rules] + [atr_warm_up() if definition.needs_atr else 0])


def average_true_range(candles: CandleArrays) -> Decimal | None:
    """Return ATR(14) at the newest candle, in quote per base; None if there are fewer than 15 candles.

    Its relative error is below 1e-9 after `atr_warm_up` candles, which a definition that needs it counts in its own.
    """
    if len(candles) <= ATR_PERIOD:
        return None
    values = compute_indicator("atr", {"timeperiod": ATR_PERIOD}, candles.last(atr_warm_up() + 1))["real"]
    return Decimal(_format_number(float(values[-1]))) if np.isfinite(values[-1]) else None


def average_true_ranges(candles: CandleArrays) -> Floats:
    """Return ATR(14) at each bar, in quote per base; NaN at the first 14."""
    return compute_indicator("atr", {"timeperiod": ATR_PERIOD}, candles)["real"]


@cache
def atr_warm_up() -> int:
    """Return how many candles it takes until ATR(14) no longer depends on the first candle."""
    bars = indicator_warm_up("atr", {"timeperiod": ATR_PERIOD})
    assert bars is not None
    return bars


def _parameter_values(definition: StrategyDefinition, given: Mapping[str, Decimal]) -> dict[str, Decimal]:
    known = {parameter.name: parameter for parameter in definition.parameters}
    errors = [_unknown(name, list(known)) for name in given if name not in known]
    for name, parameter in known.items():
        error = range_error(parameter, given.get(name, parameter.default))
        if error:
            errors.append(InputError(ErrorCode.INVALID, f"{name} {error}.", ["parameters", name]))
    if errors:
        raise InputErrors(errors)
    return {name: given.get(name, parameter.default) for name, parameter in known.items()}


def range_error(parameter: StrategyParameter, value: Decimal) -> str | None:
    """Return what is wrong with a parameter's value as the end of a sentence, None if nothing is."""
    if not value.is_finite():
        return "must be a finite number"
    if parameter.min is not None and value < parameter.min:
        return f"must be at least {plain(parameter.min)}, not {plain(value)}"
    if parameter.max is not None and value > parameter.max:
        return f"must be at most {plain(parameter.max)}, not {plain(value)}"
    return None


def _unknown(name: str, known: list[str]) -> InputError:
    near = closest_match(name[:MAX_SHOWN], known)
    hint = f"; did you mean {near}?" if near else f"; it has {', '.join(known) or 'none'}."
    message = f"The strategy has no parameter {name[:MAX_SHOWN]!r}{hint}"
    return InputError(ErrorCode.INVALID, message, ["parameters", name[:MAX_SHOWN]])


def _format_number(value: float) -> str:
    return np.format_float_positional(value, precision=8, fractional=False, trim="-") if np.isfinite(value) else "?"


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
