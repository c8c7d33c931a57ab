"""Chooses the values of a strategy's parameters by a part of the past, as a user who tunes it there would."""

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from domain.backtest.bars import Bars
from domain.backtest.engine import NoBars, run_backtest
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.core.errors import InputErrors
from domain.model.definitions import StrategyDefinition
from domain.model.markets import Market, Timeframe
from domain.optimization.space import SearchSpace, search_space
from domain.performance.returns import growth_index
from domain.recommendations.moments import bar_returns, weighted_moments
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import compile_definition

POINTS: Final = 6
"""How many sets of parameters are tried: few, so that what does well by luck alone is seldom among them."""

Values = Mapping[str, Decimal]


class Candidate:
    """A definition made ready to run with several sets of parameters; the first has the definition's own values."""

    def __init__(
        self, definition: StrategyDefinition, market: Market, timeframe: Timeframe, costs: TradingCosts
    ) -> None:
        """Prepare the definition; raises `InputErrors` if it isn't valid."""
        self._definition, self._market, self._timeframe, self._costs = definition, market, timeframe, costs
        own = dict(compile_definition(definition, {}, timeframe).parameters)
        self.points: tuple[Values, ...] = (own, *_others(definition, own, timeframe))

    def run(self, values: Values, bars: Bars, start: int, end: int, equity: Decimal) -> BacktestResult | None:
        """Return the backtest on bars `start` to before `end`, warmed up by those before; None without any."""
        compiled = compile_definition(self._definition, values, self._timeframe)
        plan = BacktestPlan(self._definition, compiled, self._market, self._timeframe, self._costs, equity)
        warm_up = min(start, compiled.warm_up)
        try:
            return run_backtest(plan, bars.between(start - warm_up, end), warm_up)
        except NoBars:
            return None

    def best(self, bars: Bars, start: int, end: int, equity: Decimal) -> Values:
        """Return the values that have earned most for their risk; the definition's own if none was better."""
        best, highest = self.points[0], float("-inf")
        if len(self.points) == 1:
            return best
        for values in self.points:
            score = _score(self.run(values, bars, start, end, equity))
            if score > highest:
                best, highest = values, score
        return best


def _others(definition: StrategyDefinition, own: Values, timeframe: Timeframe) -> list[Values]:
    """Return further sets of values out of the parameters' ranges, always the same ones."""
    try:
        space = search_space(definition, {}, timeframe)
    except InputErrors:  # there is nothing to choose
        return []
    source = random.Random(0)  # noqa: S311  # the same points in every run
    tried = [own]
    for _ in range(4 * POINTS):
        values = _values_at(space, source)
        if len(tried) < POINTS and values not in tried and _is_valid(definition, values, timeframe):
            tried.append(values)
    return tried[1:]


def _values_at(space: SearchSpace, source: random.Random) -> Values:
    return space.values(space.point_at(source.randrange(space.size)))


def _is_valid(definition: StrategyDefinition, values: Values, timeframe: Timeframe) -> bool:
    try:
        compile_definition(definition, values, timeframe)
    except InputErrors:
        return False
    return True


def _score(result: BacktestResult | None) -> float:
    """Return the Sharpe ratio a candle; without a trade there is none, as doing nothing would beat every loss."""
    if result is None or not result.metrics.round_trips:
        return float("-inf")
    moments = weighted_moments(bar_returns(growth_index(result.equity_curve)))
    return float("-inf") if moments is None else moments.sharpe
