"""Bars that are left out and sums in whole numbers give what every bar and decimals give."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtest import holding
from domain.backtest.bars import Bars
from domain.backtest.engine import run_markets
from domain.backtest.entries import EntryBuilder
from domain.backtest.holding import Holding
from domain.backtest.market_bars import MarketBars
from domain.indicators.resampling import resample
from domain.model.definitions import EntryAdd, ExitDistance, ExitTarget, OrderStyle, Sizing, StrategyDefinition
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.model.orders import OrderType
from domain.rules.costs import FeeCurrency, TradingCosts
from tests.support.backtests import START, a_plan, a_spot_market, bars_of
from tests.support.candles import random_candles

D = Decimal
CANDLES = 700


def distances(*percents: str) -> st.SearchStrategy[ExitDistance | None]:
    return st.sampled_from([None, *(ExitDistance(percent=D(percent)) for percent in percents)])


definitions = st.builds(
    StrategyDefinition,
    sizing=st.sampled_from([Sizing(quote_amount=D(90)), Sizing(equity_percent=D(60)), Sizing(equity_percent=D("2.7"))]),
    enter_long=st.sampled_from(["close > shift(close, 1)", "close < shift(close, 2)"]),
    exit_long=st.sampled_from([None, "close < shift(close, 3)", "position.bars >= 5"]),
    stop_loss=distances("0.3", "1", "60"),
    take_profit=distances("0.4", "1"),
    trailing_stop=distances("0.2", "0.8"),
    targets=st.sampled_from([(), (), (ExitTarget(ExitDistance(percent=D("0.3")), D(40)),)]),
    max_holding_bars=st.sampled_from([None, None, 1, 7]),
    adds=st.sampled_from(
        [(), (), (EntryAdd(below=ExitDistance(percent=D("0.2")), count=2),), (EntryAdd(on_entry_signal=True),)]
    ),
    order=st.sampled_from([OrderStyle(), OrderStyle(), OrderStyle(OrderType.LIMIT, offset_bps=D(2))]),
)
costs = st.builds(
    TradingCosts,
    taker_fee=st.sampled_from([D(0), D("0.001"), D("0.00075")]),
    slippage_bps=st.sampled_from([D(0), D("1.5")]),
    fee_currency=st.sampled_from(FeeCurrency),
)
filters: st.SearchStrategy[dict[str, Decimal | None]] = st.fixed_dictionaries(
    {
        "price_increment": st.sampled_from([D("0.01"), D("0.5"), D("0.003")]),
        "quantity_increment": st.sampled_from([D("0.001"), D("0.05"), D(0)]),
        "minimum_notional": st.sampled_from([None, D(5), D(85)]),
        "maximum_quantity": st.sampled_from([None, D("0.3")]),
    }
)
limits = st.tuples(st.sampled_from([0, 0, 1]), st.sampled_from([None, 1]), st.sampled_from([90, 9_000]))
"""The latency in bars, the most open positions, and the equity at the start."""


@st.composite
def markets(draw: st.DrawFn) -> tuple[Timeframe, list[MarketBars]]:
    """Draw up to three markets, whose candles may have gaps, with or without the minutes that they are made of."""
    is_detailed = draw(st.booleans())
    found = []
    for base in ("BTC", "ETH", "SOL")[: draw(st.integers(1, 3))]:
        minutes = _minutes(draw(st.integers(0, 10_000)), draw(st.booleans()))
        market = _market(base, draw(filters))
        if is_detailed:
            whole = resample(minutes.candles, Timeframe.M5)
            assert whole.opened_at is not None
            found.append(MarketBars(market, Bars(Timeframe.M5, whole.opened_at * 1000, whole), minutes))
        else:
            found.append(MarketBars(market, minutes))
    return found[0].bars.timeframe, found


def _minutes(seed: int, has_gaps: bool) -> Bars:  # drawn
    bars = bars_of(random_candles(CANDLES, seed, tick=0.01, gap=1.0))
    if not has_gaps:
        return bars
    kept, candles = np.random.default_rng(seed).random(CANDLES) > 0.1, bars.candles
    series = (candles.series(name)[kept] for name in ("open", "high", "low", "close", "volume"))
    return Bars(Timeframe.M1, bars.opened[kept], type(candles)(*series))


def _market(base: str, values: dict[str, Decimal | None]) -> Market:
    return a_spot_market(symbol=MarketSymbol("sandbox", f"{base}/USDT"), base=base, **values)


@contextmanager
def without_short_cuts() -> Iterator[None]:
    """Step every bar of a position, and let sizing and the risk checks decide on every entry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holding, "next_candidate", lambda _state, _prices, start, end, *_levels: min(start, end))
        patch.setattr(Holding, "first_bar", lambda position: position.last_bar)
        for name in ("_is_plainly_sellable", "_passes_plainly"):
            patch.setattr(EntryBuilder, name, lambda *_: False)
        yield


@settings(max_examples=40, deadline=None)
@given(
    definitions, costs, markets(), st.sampled_from([0, 0, 1]), st.sampled_from([None, 1]), st.sampled_from([90, 9_000])
)
def test_short_cuts_change_no_fill(
    definition: StrategyDefinition,
    trading_costs: TradingCosts,
    series: tuple[Timeframe, list[MarketBars]],
    latency: int,
    most: int | None,
    equity: int,
) -> None:
    timeframe, bars = series
    plan = a_plan(
        definition,
        trading_costs,
        bars[0].market,
        equity,
        latency_milliseconds=latency * timeframe.seconds * 1000,
        timeframe=timeframe,
    )
    plan, start = replace(plan, max_open_positions=most), int(START.timestamp()) * 1000
    fast = run_markets(plan, bars, start)
    with without_short_cuts():
        slow = run_markets(plan, bars, start)
    assert fast.fills == slow.fills
    assert fast == slow
    assert [fill.at for fill in fast.fills] == sorted(fill.at for fill in fast.fills)
