"""A walk-forward analysis: each part is traded with what was known before it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from domain.backtest.bars import Bars
from domain.core.clock import from_milliseconds
from domain.indicators.candle_arrays import CandleArrays
from domain.model.definitions import Sizing, StrategyDefinition, StrategyParameter
from domain.model.markets import Timeframe
from domain.model.optimizations import Fold
from domain.model.recommendations import AssumedCosts, WalkForward
from domain.optimization.folds import walk_forward_folds
from domain.recommendations.fitting import POINTS, Candidate
from domain.recommendations.walk_forward import FOLDS, evaluate
from domain.rules.costs import TradingCosts
from tests.support.backtests import a_spot_market, bars_of
from tests.support.candles import random_candles

D = Decimal
CROSS = StrategyDefinition(
    parameters=(
        StrategyParameter("fast", D(5), D(3), D(12), D(1)),
        StrategyParameter("slow", D(15), D(13), D(30), D(1)),
    ),
    enter_long="crosses_above(ema(close, fast), ema(close, slow))",
    exit_long="crosses_below(ema(close, fast), ema(close, slow))",
    sizing=Sizing(equity_percent=D(50)),
)
MARKET = a_spot_market(taker_fee=D("0.001"), maker_fee=D("0.001"))
BARS = bars_of(random_candles(1_600, 5, volatility=0.006), Timeframe.H1)
COUNT = 800


def folds_of(bars: Bars) -> Sequence[Fold]:
    end = from_milliseconds(int(bars.opened[-1])) + timedelta(hours=1)
    return walk_forward_folds(end - timedelta(hours=COUNT), end, Timeframe.H1, FOLDS)


def result_of(bars: Bars, definition: StrategyDefinition = CROSS) -> WalkForward:
    found = evaluate(definition, MARKET, bars, folds_of(BARS), AssumedCosts())
    assert found is not None
    return found


RESULT = result_of(BARS)


def test_the_parts_follow_one_another_and_carry_the_equity_on() -> None:
    assert [(part.start, part.end) for part in RESULT.parts] == [(fold.split, fold.end) for fold in folds_of(BARS)]
    growth = np.prod([1 + part.growth_percent / 100 for part in RESULT.parts])
    assert float(RESULT.metrics.end_equity / RESULT.metrics.start_equity) == pytest.approx(growth, rel=1e-9)
    assert RESULT.metrics.start_equity == 10_000
    assert RESULT.metrics.round_trips > 5
    assert RESULT.metrics.fees > 0
    assert RESULT.metrics.slippage


def test_every_candle_belongs_to_one_trend_and_what_was_earned_is_divided_among_them() -> None:
    trends = (RESULT.up, RESULT.down, RESULT.sideways)
    hours = (folds_of(BARS)[-1].end - folds_of(BARS)[0].split) // timedelta(hours=1)
    assert RESULT.candles == hours == sum(trend.candles for trend in trends)
    assert all(1 <= trend.stretches <= trend.candles for trend in trends)
    growth = np.prod([1 + trend.growth_percent / 100 for trend in trends])
    assert float(RESULT.metrics.end_equity / RESULT.metrics.start_equity) == pytest.approx(growth, rel=1e-9)
    sizes = [trend.moments.days for trend in trends if trend.moments is not None]
    assert all(size < hours for size in sizes)


def test_it_is_the_same_each_time() -> None:
    assert result_of(BARS) == RESULT


def test_a_part_does_not_change_with_what_came_after_it() -> None:
    """Neither the parameters that were chosen for it nor what was traded."""
    cut = BARS.index_of(folds_of(BARS)[2].end)
    noise = random_candles(1_600 - cut, 99, volatility=0.02)
    level = float(BARS.candles.close[cut - 1]) / float(noise.open[0])
    names = ("open", "high", "low", "close")
    series = [np.concatenate([BARS.candles.series(name)[:cut], noise.series(name) * level]) for name in names]
    other = bars_of(CandleArrays(*series, volume=BARS.candles.volume), Timeframe.H1)
    other = Bars(other.timeframe, BARS.opened, other.candles)
    changed = result_of(other)
    assert changed.parts[:3] == RESULT.parts[:3]
    assert changed.parts[3:] != RESULT.parts[3:]


def test_parameters_are_tried_within_their_ranges_and_always_the_same_ones() -> None:
    first, second = (Candidate(CROSS, MARKET, Timeframe.H1, TradingCosts()) for _ in range(2))
    assert first.points == second.points
    assert len(first.points) == POINTS
    assert first.points[0] == {"fast": D(5), "slow": D(15)}
    assert all(3 <= point["fast"] <= 12 and 13 <= point["slow"] <= 30 for point in first.points)
    chosen = [{value.name: value.value for value in part.parameters} for part in RESULT.parts]
    assert all(values in first.points for values in chosen)
    assert {value.name: value.value for value in RESULT.parameters} in first.points


def test_the_best_of_the_past_is_chosen_and_its_own_values_where_nothing_traded() -> None:
    candidate = Candidate(CROSS, MARKET, Timeframe.H1, TradingCosts())
    best = candidate.best(BARS, 400, 1_000, D(10_000))
    profits = {}
    for point in candidate.points:
        result = candidate.run(point, BARS, 400, 1_000, D(10_000))
        assert result is not None
        profits[tuple(point.values())] = result.metrics.net_profit
    assert profits[tuple(best.values())] > min(profits.values())
    idle = replace(CROSS, enter_long="close < ema(close, fast) - ema(close, slow)")
    still = Candidate(idle, MARKET, Timeframe.H1, TradingCosts())
    assert still.best(BARS, 400, 1_000, D(10_000)) == still.points[0]


def test_a_definition_without_ranges_is_run_as_it_is() -> None:
    fixed = replace(CROSS, parameters=(StrategyParameter("fast", D(5)), StrategyParameter("slow", D(15))))
    assert len(Candidate(fixed, MARKET, Timeframe.H1, TradingCosts()).points) == 1
    assert {value.name: value.value for value in result_of(BARS, fixed).parameters} == {"fast": D(5), "slow": D(15)}


def test_who_makes_no_trade_has_no_moments() -> None:
    result = result_of(BARS, replace(CROSS, enter_long="close < 0"))
    assert result.metrics.round_trips == 0
    assert [trend.moments for trend in (result.up, result.down, result.sideways)] == [None] * 3
    assert result.metrics.net_profit == 0


def test_a_part_without_candles_has_no_result() -> None:
    fold = folds_of(BARS)[1]
    first, last = BARS.index_of(fold.split), BARS.index_of(fold.end)
    kept = np.r_[0:first, last : len(BARS)]
    names = ("open", "high", "low", "close", "volume")
    candles = CandleArrays(*(BARS.candles.series(name)[kept] for name in names))
    assert (
        evaluate(CROSS, MARKET, Bars(Timeframe.H1, BARS.opened[kept], candles), folds_of(BARS), AssumedCosts()) is None
    )
