"""What holds of backtests over any series: several markets, longer and shorter timeframes, candles that are missing."""

import asyncio
import os
import sys
from dataclasses import replace
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtest.bars import Bars
from domain.backtest.engine import run_backtest, run_markets
from domain.backtest.market_bars import MarketBars
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.indicators.candle_arrays import PRICES, CandleArrays, SeriesKey
from domain.model.definitions import EntryAdd, ExitDistance, ExitTarget, OrderStyle, Sizing
from domain.model.markets import Timeframe
from domain.model.orders import OrderType
from domain.rules.costs import TradingCosts
from tests.support.backtests import a_plan, a_spot_market, bars_of, signalled
from tests.support.candles import random_candles
from tests.support.hashed_backtest import backtest_hash
from tests.support.recorded_data import ROOT

D = Decimal
MINUTES = 420
ELSEWHERE = [
    'market("ETH/USDT").close > market("ETH/USDT").sma(close, 3)',
    'tf("5m").ema(close, 2) < close',
    'crosses_above(close, tf("15m").sma(close, 2))',
    'close > tf("5m").close and rising(market("ETH/USDT").tf("5m").close)',
    'value_when(market("ETH/USDT").rsi(close, 3) < 40, close, 50) > close',
    'bars_since(tf("5m").close > tf("5m").open, 20) < 3',
    'market("ETH/USDT").tf("15m").macd(close, 2, 4, 2).hist > 0 or tf("5m").vwap() < close',
    'hour % 2 == 0 and market("ETH/USDT").change(close) > 0',
]
seeds = st.integers(0, 10_000)
gaps = st.sets(st.integers(0, MINUTES - 1), max_size=60)


def walk(seed: int, missing: frozenset[int] | set[int] = frozenset()) -> Bars:
    """Return minutes of a market, of which some are missing."""
    whole = bars_of(random_candles(MINUTES, seed, tick=0.01, gap=1.0))
    return kept(whole, np.array([bar not in missing for bar in range(MINUTES)]))


def kept(bars: Bars, which: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Bars:
    columns = (bars.candles.series(name)[which] for name in PRICES)
    return Bars(bars.timeframe, bars.opened[which], CandleArrays(*columns))


def otherwise_from(bars: Bars, time: int, factor: float) -> Bars:
    """Return the bars with other prices from a time on."""
    factors = np.where(bars.opened >= time, factor, 1.0)
    columns = [np.round(bars.candles.series(name) * factors, 2) for name in PRICES]
    return Bars(bars.timeframe, bars.opened, CandleArrays(*columns))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ELSEWHERE), st.sampled_from(ELSEWHERE), seeds, gaps, gaps, st.integers(60, MINUTES - 1))
def test_other_prices_later_on_change_nothing_before_whichever_candles_the_rules_name(
    enter: str, leave: str, seed: int, missing: set[int], missing_elsewhere: set[int], minute: int
) -> None:
    own, other = walk(seed, missing), walk(seed + 1, missing_elsewhere)
    time = int(bars_of(random_candles(1, 0)).opened[0]) + minute * 60_000
    plan = a_plan(signalled(enter_long=enter, exit_long=f"not ({leave})", stop_loss=ExitDistance(percent=D(1))))

    def fills(own: Bars, other: Bars) -> list[object]:
        candles = replace(own.candles, others={SeriesKey("ETH/USDT"): other.candles})
        result = run_backtest(plan, Bars(own.timeframe, own.opened, candles))
        return [fill for fill in result.fills if own.opened[fill.bar] < time]

    expected = fills(own, other)
    for factor in (0.7, 1.4):
        assert fills(otherwise_from(own, time, factor), otherwise_from(other, time, 2 - factor)) == expected


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([D(0), D(30), D(150), D(2_000)]),
    st.sampled_from([D("0.001"), D("0.07"), D("0.3")]),
    st.sampled_from([Sizing(quote_amount=D(160)), Sizing(equity_percent=D(90))]),
    st.booleans(),
    seeds,
)
def test_no_order_is_below_the_least_that_the_market_takes(
    notional: Decimal, lot: Decimal, sizing: Sizing, rests: bool, seed: int
) -> None:
    percent = ExitDistance(percent=D("0.3"))
    definition = signalled(
        sizing=sizing,
        enter_long="rsi(close, 3) < 40",
        exit_long="rsi(close, 3) > 75",
        stop_loss=ExitDistance(percent=D(1)),
        targets=(ExitTarget(percent, D(30)), ExitTarget(ExitDistance(percent=D("0.5")), D(20))),
        adds=(EntryAdd(below=percent, count=2, size_factor=D("0.5")),),
        order=OrderStyle(OrderType.LIMIT, offset_bps=D(3)) if rests else OrderStyle(),
    )
    market = a_spot_market(minimum_notional=notional, quantity_increment=lot, minimum_quantity=2 * lot)
    result = run_backtest(a_plan(definition, TradingCosts(D("0.001"), D("0.001")), market), walk(seed))
    assert all(fill.value >= notional and fill.quantity >= 2 * lot for fill in result.fills)
    assert all(fill.quantity % lot == 0 for fill in result.fills)


@settings(max_examples=60, deadline=None)
@given(st.booleans(), st.sampled_from([0, 300_000]), seeds, gaps, st.integers(100, MINUTES - 1))
def test_candles_of_the_detail_that_are_missing_earn_nothing_and_show_nothing_that_comes_later(
    rests: bool, latency: int, seed: int, missing: set[int], minute: int
) -> None:
    percent = ExitDistance(percent=D("0.2"))
    definition = signalled(
        sizing=Sizing(equity_percent=D(50)),
        enter_long="rsi(close, 3) < 45",
        exit_long="rsi(close, 3) > 80",
        stop_loss=percent,
        take_profit=percent,
        adds=(EntryAdd(below=ExitDistance(percent=D("0.1"))), EntryAdd(above=ExitDistance(percent=D("0.1")))),
        order=OrderStyle(OrderType.LIMIT, offset_bps=D(2)) if rests else OrderStyle(),
    )
    plan = a_plan(definition, timeframe=Timeframe.M5, latency_milliseconds=latency)
    whole, detail = walk(seed), walk(seed, missing)
    bars = fives(whole)
    result = detailed(plan, bars, detail)
    cash, base = plan.initial_equity, D(0)
    for fill in result.fills:
        cash -= fill.side.sign * fill.value + fill.fee_quote
        base += fill.side.sign * fill.quantity - fill.fee_base
        assert cash >= 0
        assert base >= 0
        assert bars.candles.low[fill.bar] - 1e-6 <= float(fill.price)
        if not (rests and fill.at == bars.opened[fill.bar]):  # which a gap below a resting order fills at its limit
            assert float(fill.price) <= bars.candles.high[fill.bar] + 1e-6
        assert bars.opened[fill.bar] <= fill.at <= bars.opened[fill.bar] + bars.milliseconds
    assert [fill.at for fill in result.fills] == sorted(fill.at for fill in result.fills)
    assert result.metrics.end_equity == cash + base * D(str(round(bars.candles.close[-1], 2)))
    time = int(bars.opened[minute // 5])
    cut = detailed(plan, kept(bars, bars.opened < time), kept(detail, detail.opened < time))
    assert [fill for fill in result.fills if bars.opened[fill.bar] < time] == list(cut.fills)
    assert detailed(plan, bars, detail.first(0)).fills == run_backtest(plan, bars).fills


def detailed(plan: BacktestPlan, bars: Bars, detail: Bars) -> BacktestResult:
    return run_markets(plan, [MarketBars(plan.market, bars, detail)], int(bars.opened[0]))


def fives(minutes: Bars) -> Bars:
    """Return the candles of five minutes that the minutes make."""
    open_, high, low, close, volume = (minutes.candles.series(name).reshape(-1, 5) for name in PRICES)
    columns = (open_[:, 0], high.max(axis=1), low.min(axis=1), close[:, -1], volume.sum(axis=1))
    return Bars(Timeframe.M5, minutes.opened[::5], CandleArrays(*(np.ascontiguousarray(one) for one in columns)))


async def test_the_hash_is_the_same_in_every_process() -> None:
    """Where names, and so sets of them, are in another order."""

    async def hash_with(seed: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.hashed_backtest",
            stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        output, _ = await process.communicate()
        return output.decode().strip()

    assert set(await asyncio.gather(hash_with("1"), hash_with("2"))) == {backtest_hash()}
