"""A definition made ready to run: its rules parsed with the parameters of one trading session or backtest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

import numpy as np

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.core.money import plain
from domain.core.text import closest_match
from domain.indicators.candle_arrays import CandleArrays, SeriesKey
from domain.model.definitions import StrategyDefinition, StrategyParameter
from domain.model.markets import Timeframe
from domain.strategies.average_range import atr_warm_up, average_true_range, average_true_ranges
from domain.strategies.definition_parser import ParsedRules, parse_rules
from domain.strategies.errors import FunctionWarmUp
from domain.strategies.evaluation import Booleans, Evaluation, LatestSignals, RuleName, SignalArrays
from domain.strategies.expressions import IndicatorCall, Node, PositionFacts, walk
from domain.strategies.parse_context import MAX_SHOWN, uses_position
from domain.strategies.parser import Rule
from domain.strategies.position_rules import BarRule, bar_rule

__all__ = [
    "CompiledStrategy",
    "atr_warm_up",
    "average_true_range",
    "average_true_ranges",
    "compile_definition",
]

_Key = TypeVar("_Key")

MAX_REASON = 400
"""The longest reason of a signal, in characters."""
MAX_VALUES = 32_000_000
"""How many numbers an evaluation over a long history holds at once, some 256 MB: longer ones are cut into blocks."""
SHORTEST_BLOCK = 8_192


@dataclass(frozen=True, slots=True)
class CompiledStrategy:
    """Rules ready to be evaluated.

    `warm_up` is the count of closed candles before the first value that is right, `sources` that of the other candles
    which the rules name, before the first one needed; `parts` are the definition's named parts, in order; `adds` the
    rules of further entries, by their index in the definition.
    """

    rules: Mapping[RuleName, Rule]
    parameters: Mapping[str, Decimal]
    warm_up: int
    adds: Mapping[int, Rule] = field(default_factory=dict)
    sources: Mapping[SeriesKey, int] = field(default_factory=dict)
    parts: tuple[Node, ...] = ()
    size: int = 1

    @property
    def names_position(self) -> frozenset[RuleName]:
        """The rules that name the position: true or false by `bar_rule` alone, and false in `evaluate`."""
        return frozenset(name for name, rule in self.rules.items() if uses_position(rule.node))

    @property
    def uses_position(self) -> bool:
        """Whether a rule, also of a further entry, names the position."""
        return any(uses_position(rule.node) for rule in (*self.rules.values(), *self.adds.values()))

    def candles_before(self, key: SeriesKey, timeframe: Timeframe) -> int:
        """Return how many candles of `key` the newest signal over candles of `timeframe` needs."""
        seconds = (key.timeframe or timeframe).seconds
        window = -(-(self.warm_up + 1) * timeframe.seconds // seconds)
        return self.sources[key] + window + 1

    def evaluate(self, candles: CandleArrays) -> SignalArrays:
        """Return what each rule evaluates to at each bar, false until it is warmed up.

        Raises `MissingCandlesError` if the rules name other candles that aren't given with these.
        """
        signals = {name: np.zeros(len(candles), dtype=np.bool_) for name in RuleName} | self._evaluate(
            candles, self.rules
        )
        return SignalArrays(**{name.value: values for name, values in signals.items()})

    def evaluate_adds(self, candles: CandleArrays) -> Mapping[int, Booleans]:
        """Return in the same way what the rules of further entries evaluate to, by their index in the definition."""
        return self._evaluate(candles, self.adds)

    def _evaluate(self, candles: CandleArrays, rules: Mapping[_Key, Rule]) -> dict[_Key, Booleans]:
        signals = {key: np.zeros(len(candles), dtype=np.bool_) for key in rules}
        block = max(SHORTEST_BLOCK, MAX_VALUES // self.size)
        for start in range(self.warm_up, len(candles), block) if rules else ():
            end = min(start + block, len(candles))
            evaluation = self._evaluation(candles.between(start - self.warm_up, end))
            for key, rule in rules.items():
                signals[key][start:end] = evaluation.evaluate_rule(rule.node)[self.warm_up :]
        return signals

    def newest(self, candles: CandleArrays, position: PositionFacts | None = None) -> "NewestCandle":
        """Return what the rules make of the newest candle, computed over the warm-up window alone."""
        evaluation = self._evaluation(candles.last(self.warm_up + 1), position)
        return NewestCandle(self, evaluation, is_warm=len(candles) > self.warm_up)

    def latest(self, candles: CandleArrays, position: PositionFacts | None = None) -> LatestSignals:
        """Return what each rule evaluates to on the newest candle."""
        return self.newest(candles, position).signals

    def bar_rules(self, candles: CandleArrays) -> Mapping[RuleName, BarRule]:
        """Return the rules that name the position, each to be asked bar by bar with the position of that bar."""
        evaluation = self._evaluation(candles)
        return {name: bar_rule(self.rules[name].node, evaluation, self.warm_up) for name in self.names_position}

    def add_bar_rules(self, candles: CandleArrays) -> Mapping[int, BarRule]:
        """Return the rules of further entries that name the position in the same way, by their index."""
        named = {index: rule.node for index, rule in self.adds.items() if uses_position(rule.node)}
        evaluation = self._evaluation(candles) if named else None
        return {index: bar_rule(node, evaluation, self.warm_up) for index, node in named.items() if evaluation}

    def explain(self, candles: CandleArrays, rule: str) -> str:
        """Return the reason of a rule on the newest candle; see `NewestCandle.reason`."""
        return self.newest(candles).reason(RuleName(rule))

    def function_warm_ups(self) -> tuple[FunctionWarmUp, ...]:
        """Return how many candles each function of the rules needs by itself, the longest first."""
        roots = (*self.parts, *(rule.node for rule in (*self.rules.values(), *self.adds.values())))
        found = {_described(node): node.own_warm_up for node in walk(roots) if isinstance(node, IndicatorCall)}
        longest_first = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        return tuple(FunctionWarmUp(function, candles) for function, candles in longest_first)

    def _evaluation(self, candles: CandleArrays, position: PositionFacts | None = None) -> Evaluation:
        evaluation = Evaluation(candles, position, self.sources)
        for part in self.parts:  # in order, so that parts of parts don't go deeper than each of them
            evaluation.outputs(part)
        return evaluation


@dataclass(frozen=True, slots=True)
class NewestCandle:
    """What a strategy's rules make of the newest candle; all that is asked of it is computed from one evaluation."""

    strategy: CompiledStrategy
    evaluation: Evaluation
    is_warm: bool

    @property
    def signals(self) -> LatestSignals:
        """What each rule evaluates to; false until it is warmed up."""
        return LatestSignals(**{name.value: self._holds(self.strategy.rules.get(name)) for name in RuleName})

    @property
    def adds(self) -> frozenset[int]:
        """The further entries whose rule is true, by their index in the definition."""
        return frozenset(index for index, rule in self.strategy.adds.items() if self._holds(rule))

    def reason(self, name: RuleName) -> str:
        """Return a rule and the values of its operands, as a signal's reason.

        Such as `close > sma(close, n)  [close=50123.1, sma(close, n)=50100.2]`; empty if there is no such rule.
        """
        return self._explain(self.strategy.rules.get(name))

    def add_reason(self, index: int) -> str:
        """Return the reason of a further entry in the same way."""
        return self._explain(self.strategy.adds.get(index))

    def _holds(self, rule: Rule | None) -> bool:
        return rule is not None and self.is_warm and bool(self.evaluation.evaluate_rule(rule.node)[-1:].any())

    def _explain(self, rule: Rule | None) -> str:
        if rule is None:
            return ""
        values = ", ".join(
            f"{operand.text}={_format_number(self.evaluation.latest(operand.node))}" for operand in rule.operands
        )
        text = " ".join(rule.text.split())
        return _shortened(f"{text}  [{values}]" if values else text)


def compile_definition(
    definition: StrategyDefinition,
    parameters: Mapping[str, Decimal] | None = None,
    timeframe: Timeframe | None = None,
) -> CompiledStrategy:
    """Return the definition ready to run on candles of `timeframe`, with `parameters` in place of their defaults.

    Raises `InputErrors`: INVALID at `("parameters", name)` for an unknown parameter or a value out of its range,
    STRATEGY_INVALID (DefinitionError) for a rule that can't be read with these values or on this timeframe.
    """
    values = _parameter_values(definition, parameters or {})
    parsed = parse_rules(definition, values, timeframe)
    if parsed.errors:
        raise InputErrors(parsed.errors)
    return compiled_strategy(definition, parsed, values)


def compiled_strategy(
    definition: StrategyDefinition, parsed: ParsedRules, values: Mapping[str, Decimal]
) -> CompiledStrategy:
    """Return the rules of a definition, which are without errors, ready to run."""
    rules = (*parsed.rules.values(), *parsed.adds.values())
    size = sum(1 for _ in walk((*parsed.parts, *(rule.node for rule in rules))))
    warm_up = max([rule.warm_up for rule in rules] + [atr_warm_up() if definition.needs_atr else 0])
    return CompiledStrategy(parsed.rules, values, warm_up, parsed.adds, parsed.sources, parsed.parts, size=max(size, 1))


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


def _described(call: IndicatorCall) -> str:
    return f"{call.definition.name}({', '.join(f'{value:g}' for value in call.values)})"


def _format_number(value: float) -> str:
    return np.format_float_positional(value, precision=8, fractional=False, trim="-") if np.isfinite(value) else "?"


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
