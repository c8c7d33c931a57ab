"""The signals of a strategy over all bars: what its rules decide at each close, with and without a position."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from domain.backtest.plan import BacktestPlan
from domain.indicators.candle_arrays import CandleArrays
from domain.strategies.evaluation import Booleans, RuleName
from domain.strategies.position_rules import BarRule

NEVER = 2**62
"""The index of a bar that doesn't come."""


@dataclass(frozen=True, slots=True)
class AddSignals:
    """The signals of further entries, by their index in the definition.

    `rules` and `enters` are known beforehand; `bar_rules` and `enter_rule` name the position. `bars` are those at whose
    close a further entry may be signalled, ascending; None if that depends on the position.
    """

    rules: Mapping[int, Booleans]
    bar_rules: Mapping[int, BarRule]
    enters: Booleans
    enter_rule: BarRule | None
    bars: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Signals:
    """The bars at whose close the rules decide to enter or to exit, ascending; of both at once the exit holds.

    `exit_rule` is a rule to exit that names the position; then `exit` is empty. `adds` is None if no signal leads to a
    further entry.
    """

    enter: Sequence[int]
    exit: Sequence[int]
    exit_rule: BarRule | None = None
    adds: AddSignals | None = field(default=None)

    def next_enter(self, bar: int) -> int:
        """Return the first bar from `bar` on at whose close an entry is signalled."""
        return _first(self.enter, bar)

    def next_exit(self, bar: int) -> int:
        """Return the first bar from `bar` on at whose close an exit is signalled that doesn't name the position."""
        return _first(self.exit, bar)


def signals_of(plan: BacktestPlan, candles: CandleArrays, start: int) -> Signals:
    """Return the signals over the candles; the first that count are those of bar `start`."""
    compiled = plan.compiled
    arrays, rules = compiled.evaluate(candles), compiled.bar_rules(candles) if compiled.names_position else {}
    enter = arrays.enter_long & ~arrays.exit_long
    first = max(start, compiled.warm_up)
    enter[:first] = False
    return Signals(
        np.flatnonzero(enter).tolist(),
        np.flatnonzero(arrays.exit_long).tolist(),
        rules.get(RuleName.EXIT_LONG),
        _add_signals(plan, candles, arrays.enter_long, rules.get(RuleName.ENTER_LONG)),
    )


def _add_signals(
    plan: BacktestPlan, candles: CandleArrays, enters: Booleans, enter_rule: BarRule | None
) -> AddSignals | None:
    signalled = [(index, add) for index, add in enumerate(plan.definition.adds) if not add.waits_for_price]
    if not signalled:
        return None
    rules, bar_rules = plan.compiled.evaluate_adds(candles), plan.compiled.add_bar_rules(candles)
    may_be = np.zeros(len(candles), dtype=np.bool_)
    for index, add in signalled:
        holds = rules.get(index, np.ones(len(candles), dtype=np.bool_))
        may_be |= holds & enters if add.on_entry_signal else holds
    depends = bool(bar_rules) or (enter_rule is not None and any(add.on_entry_signal for _, add in signalled))
    return AddSignals(rules, bar_rules, enters, enter_rule, None if depends else np.flatnonzero(may_be).tolist())


def _first(bars: Sequence[int], start: int) -> int:
    index = bisect_left(bars, start)
    return bars[index] if index < len(bars) else NEVER
