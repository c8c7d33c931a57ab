from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtest.bars import Bars
from domain.backtest.engine import run_backtest
from domain.backtest.market_bars import MarketCandles
from domain.indicators.candle_arrays import CandleArrays
from domain.model.definitions import Sizing, StrategyDefinition, StrategyParameter
from domain.model.markets import Timeframe
from domain.model.optimizations import Fold, OptimizationObjective
from domain.optimization.folds import walk_forward_folds
from domain.optimization.trial import TrialPlan, answer_trial, run_trial, trial_call
from domain.rules.costs import TradingCosts
from tests.support.backtests import START, a_spot_market, bars_of

D = Decimal
HOURS = 24 * 60
DEFINITION = StrategyDefinition(
    Sizing(equity_percent=D(50)),
    (StrategyParameter("fast", D(5), D(2), D(10)), StrategyParameter("slow", D(20), D(11), D(40))),
    enter_long="crosses_above(sma(close, fast), sma(close, slow))",
    exit_long="crosses_below(sma(close, fast), sma(close, slow))",
)
MARKET = a_spot_market()
PLAN = TrialPlan(DEFINITION, Timeframe.H1, TradingCosts(), D(10_000), 0, OptimizationObjective.SHARPE)
VALUES = {"fast": D(5), "slow": D(20)}


def walk(seed: int = 1) -> Bars:
    random = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.01, HOURS))), 2)
    opened = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opened, close) + 0.05, np.minimum(opened, close) - 0.05
    volume = np.ones(HOURS)
    return bars_of(CandleArrays(opened, high, low, close, volume, gapless=True), Timeframe.H1)


def folds_of(count: int = 2) -> tuple[Fold, ...]:
    return walk_forward_folds(START + timedelta(days=5), START + timedelta(days=60), Timeframe.H1, count)


def changed(bars: Bars, first: int, last: int) -> Bars:
    """Return the bars with other prices from `first` to before `last`."""
    prices = [np.array(bars.candles.series(name)) for name in ("open", "high", "low", "close")]
    for price in prices:
        price[first:last] *= 3
    return Bars(bars.timeframe, bars.opened, CandleArrays(*prices, bars.candles.volume, gapless=True))


def of_market(bars: Bars) -> list[MarketCandles]:
    return [MarketCandles(MARKET, bars)]


def test_each_part_is_a_backtest_of_its_own_with_the_candles_before_it_as_warm_up() -> None:
    bars, (_, fold) = walk(), folds_of()
    result = run_trial(PLAN, of_market(bars), fold, VALUES)
    start, split, end = (bars.index_of(at) for at in (fold.start, fold.split, fold.end))
    backtest = PLAN.with_parameters(VALUES, MARKET)
    assert result.in_sample == run_backtest(backtest, bars.first(split), start).metrics
    assert result.out_of_sample == run_backtest(backtest, bars.first(end), split).metrics
    assert result.score == result.in_sample.sharpe
    assert result.moments is not None
    assert result.moments.sharpe * 365**0.5 == pytest.approx(result.in_sample.sharpe)
    assert result.in_sample.round_trips > 3


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 50))
def test_what_comes_after_a_part_changes_nothing_of_it(seed: int) -> None:
    bars, (fold, _) = walk(seed), folds_of()
    split, end = bars.index_of(fold.split), bars.index_of(fold.end)
    result = run_trial(PLAN, of_market(bars), fold, VALUES)
    later = run_trial(PLAN, of_market(changed(bars, split, HOURS)), fold, VALUES)
    assert (later.in_sample, later.score, later.moments) == (result.in_sample, result.score, result.moments)
    assert run_trial(PLAN, of_market(changed(bars, end, HOURS)), fold, VALUES) == result
    assert later.out_of_sample != result.out_of_sample


def test_what_comes_before_the_warm_up_changes_nothing() -> None:
    bars, (_, fold) = walk(), folds_of()
    warm_up = PLAN.with_parameters(VALUES, MARKET).compiled.warm_up
    before = changed(bars, 0, bars.index_of(fold.start) - warm_up)
    assert run_trial(PLAN, of_market(before), fold, VALUES) == run_trial(PLAN, of_market(bars), fold, VALUES)


def test_without_candles_before_the_fold_the_strategy_warms_up_within_it() -> None:
    bars, (fold,) = walk(), walk_forward_folds(START, START + timedelta(days=60), Timeframe.H1, 1)
    result = run_trial(PLAN, of_market(bars), fold, VALUES)
    assert result.in_sample is not None
    assert result.in_sample.round_trips > 3


def test_parameters_that_no_rule_can_be_read_with_explain_themselves() -> None:
    result = run_trial(PLAN, of_market(walk()), folds_of()[0], {"fast": D("2.5")})
    assert (result.score, result.in_sample) == (None, None)
    assert "whole" in (result.message or "")


def test_a_fold_without_candles_says_so() -> None:
    bars, fold = walk(), folds_of()[0]
    late = replace(fold, start=START + timedelta(days=70), split=START + timedelta(days=80), end=START + timedelta(90))
    result = run_trial(PLAN, of_market(bars), late, VALUES)
    assert (result.score, result.message) == (None, "There are no candles in a part of the fold.")


def test_an_exception_of_the_progress_ends_the_trial() -> None:
    def stop(_share: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run_trial(PLAN, of_market(walk()), folds_of()[0], VALUES, stop)


@pytest.mark.parametrize("rule", [DEFINITION.enter_long, 'sma(close, fast) > tf("4h").sma(close, 3)'])
def test_the_candles_of_a_fold_alone_lead_to_the_same_result(rule: str) -> None:
    plan, candles = replace(PLAN, definition=replace(DEFINITION, enter_long=rule)), of_market(walk())
    for fold in folds_of(3):
        call = trial_call(plan, candles, fold, VALUES)
        assert len(call.candles[0].bars) < len(candles[0].bars)
        assert answer_trial(call, lambda _share: None) == run_trial(plan, candles, fold, VALUES)
