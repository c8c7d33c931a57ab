"""Risk limits in backtests: each decides about entries as it does live, on the same numbers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtest.bars import Bars
from domain.backtest.engine import run_backtest, run_markets
from domain.backtest.market_bars import MarketBars
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.model.definitions import EntryAdd, ExitDistance, OrderStyle, Sizing
from domain.model.equity import ClosedResult, StoredEquity
from domain.model.markets import Depth, FeedState, MarketSymbol, PriceLevel, Timeframe
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole, OrderType
from domain.model.trading import Balance, Position, RiskLimits
from domain.model.trading_state import TradingState
from domain.portfolio.equity_points import Standing
from domain.risk.checks import check_order
from domain.risk.context import LimitScope, RiskContext
from domain.risk.loss_history import day_start, measure_losses
from domain.rules.costs import TradingCosts
from tests.support.backtests import START, a_plan, a_spot_market, bars_at, bars_of, signalled
from tests.support.candles import random_candles

D = Decimal
ENTER, EXIT = 1, 2
QUIET = (100, 100, 100, 100)
NO_ONE = UUID(int=0)


def limited(plan: BacktestPlan | None = None, **limits: object) -> BacktestPlan:
    return replace(plan or a_plan(), risk_limits=RiskLimits(**limits))  # type: ignore[arg-type]


def entered(result: BacktestResult) -> list[int]:
    return [fill.bar for fill in result.fills if fill.role is OrderRole.ENTRY]


def losing(times: int) -> list[Sequence[float]]:
    """Return bars in which each entry at 100 is sold at 90, with a bar between two of them."""
    return [(*QUIET, ENTER), (*QUIET, EXIT), (90, 90, 90, 90)] * times


def test_an_order_above_the_greatest_notional_is_denied_and_the_notes_have_the_limit() -> None:
    bars = bars_at((*QUIET, ENTER), QUIET, (*QUIET, ENTER), QUIET)
    assert entered(run_backtest(limited(max_order_notional=D(100)), bars)) == [1]
    refused = run_backtest(limited(max_order_notional=D(99)), bars)
    assert (entered(refused), refused.metrics.orders_denied) == ([], 2)
    assert refused.message is not None
    assert "2 were denied by a risk limit, MAX_ORDER_NOTIONAL" in refused.message
    assert "The order is worth 100; the backtest allows 99." in refused.message


def test_further_entries_make_no_position_that_is_worth_more_than_allowed() -> None:
    adds = (EntryAdd(on_entry_signal=True, count=3),)
    plan = a_plan(signalled(adds=adds, sizing=Sizing(quote_amount=D(400))))
    bars = bars_at(*[(*QUIET, ENTER)] * 5)
    assert len(entered(run_backtest(plan, bars))) == 4
    assert len(entered(run_backtest(limited(plan, max_position_notional=D(250)), bars))) == 2


def test_after_the_loss_of_a_day_nothing_is_entered_until_the_next_day_begins() -> None:
    bars = bars_at(*losing(6))
    two_hours = bars_of(bars.candles, Timeframe.H2)
    assert len(entered(run_backtest(a_plan(timeframe=Timeframe.H2), two_hours))) == 6
    result = run_backtest(limited(a_plan(timeframe=Timeframe.H2), max_daily_loss=D(15)), two_hours)
    assert entered(result) == [1, 4, 13, 16]  # two losses of 10 each, and then the day that begins with bar 12
    assert "The loss of the day is 20; the backtest allows 15." in (result.message or "")
    later = limited(a_plan(timeframe=Timeframe.H2), max_daily_loss=D(15), daily_reset_hour=16)
    assert entered(run_backtest(later, two_hours)) == [1, 4, 10, 13]  # the day begins with bar 8


def test_below_the_highest_equity_by_the_limit_nothing_is_entered_any_more() -> None:
    result = run_backtest(limited(max_drawdown_percent=D("1.5")), bars_at(*losing(5)))
    assert entered(result) == [1, 4]  # 1,000, 990, 980
    gained = bars_at((*QUIET, ENTER), (*QUIET, EXIT), (200, 200, 200, 200), *losing(2))
    assert entered(run_backtest(limited(max_drawdown_percent=D("0.9")), gained)) == [1, 4]  # 10 of 1,100
    assert entered(run_backtest(limited(max_drawdown_percent=D("0.95")), gained)) == [1, 4, 7]


def test_losses_in_a_row_pause_entries_for_a_while() -> None:
    result = run_backtest(limited(cool_down_losses=2, cool_down_minutes=6), bars_at(*losing(6)))
    # The second loss is at bar 5, and until bar 11 nothing is entered; the third one, at bar 14, pauses bar 16.
    assert entered(result) == [1, 4, 13]
    assert "3 were denied by a risk limit, COOL_DOWN" in (result.message or "")


def test_slippage_beyond_the_collar_is_a_price_that_the_book_would_not_give() -> None:
    bars, costs = bars_at((*QUIET, ENTER), QUIET, QUIET), TradingCosts(slippage_bps=D(50))
    assert entered(run_backtest(limited(a_plan(costs=costs), price_collar_percent=D("0.5")), bars)) == [1]
    refused = run_backtest(limited(a_plan(costs=costs), price_collar_percent=D("0.4")), bars)
    assert entered(refused) == []
    assert "PRICE_COLLAR" in (refused.message or "")


def markets(*bars: Bars) -> list[MarketBars]:
    symbols = (MarketSymbol("sandbox", f"{base}/USDT") for base in ("BTC", "ETH", "SOL"))
    return [MarketBars(a_spot_market(symbol=symbol), one) for symbol, one in zip(symbols, bars, strict=False)]


def test_orders_of_all_markets_count_within_a_minute() -> None:
    """Two markets signal at once, and a third two minutes after a sale; sales count and are never denied."""
    both = bars_at((*QUIET, ENTER), QUIET, (*QUIET, EXIT), QUIET, QUIET, QUIET)
    later = bars_at(QUIET, QUIET, QUIET, QUIET, (*QUIET, ENTER), QUIET)
    start = int(both.opened[0])
    free = run_markets(a_plan(), markets(both, both, later), start)
    assert entered(free) == [1, 1, 5]
    result = run_markets(limited(max_orders_per_minute=1), markets(both, both, later), start)
    assert entered(result) == [1, 5]
    assert "ORDER_RATE" in (result.message or "")
    assert [fill.role for fill in result.fills] == [OrderRole.ENTRY, OrderRole.EXIT, OrderRole.ENTRY]


def test_orders_that_rest_on_other_markets_are_open_orders() -> None:
    plan = a_plan(signalled(order=OrderStyle(OrderType.LIMIT)))
    signals = bars_at((*QUIET, ENTER), *[QUIET] * 4)
    filled = bars_at((*QUIET, ENTER), (100, 100, 90, 100), *[QUIET] * 3)
    after = bars_at(QUIET, QUIET, (*QUIET, ENTER), (100, 100, 90, 100), QUIET)
    start = int(signals.opened[0])
    assert entered(run_markets(plan, markets(signals, filled, after), start)) == [1, 3]
    result = run_markets(limited(plan, max_open_orders=1), markets(signals, filled, after), start)
    assert (entered(result), result.metrics.orders_denied) == ([], 2)  # the first market's order rests until the end
    assert entered(run_markets(limited(plan, max_open_orders=2), markets(signals, filled, after), start)) == [1, 3]


def test_limits_that_nothing_breaks_change_nothing() -> None:
    bars = bars_of(random_candles(600, 5, tick=0.01))
    plan = crossing()
    wide = limited(plan, max_order_notional=D(10**6), max_daily_loss=D(10**6), max_drawdown_percent=D(100))
    assert run_backtest(wide, bars).hash == run_backtest(plan, bars).hash


def crossing() -> BacktestPlan:
    return a_plan(
        signalled(
            enter_long="crosses_above(sma(close, 3), sma(close, 8))",
            exit_long="crosses_below(sma(close, 3), sma(close, 8))",
            stop_loss=ExitDistance(percent=D(1)),
            sizing=Sizing(equity_percent=D(80)),
        ),
        TradingCosts(D("0.001"), D("0.001")),
        timeframe=Timeframe.M15,
    )


LIMITS = st.one_of(
    st.builds(RiskLimits, max_daily_loss=st.decimals(1, 40, places=1)),
    st.builds(RiskLimits, max_drawdown_percent=st.decimals(D("0.2"), 5, places=1)),
    st.builds(RiskLimits, cool_down_losses=st.integers(1, 3), cool_down_minutes=st.integers(30, 900)),
    st.builds(RiskLimits, max_order_notional=st.decimals(700, 850, places=0)),
    st.builds(RiskLimits, max_daily_loss=st.decimals(1, 40, places=1), daily_reset_hour=st.integers(0, 23)),
)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 200), LIMITS)
def test_each_entry_is_decided_as_live_trading_decides_on_the_same_numbers(seed: int, limits: RiskLimits) -> None:
    """The equity is computed again here, from the fills and the closes, and given to the functions of live trading."""
    bars, plan = bars_of(random_candles(500, seed, tick=0.01), Timeframe.M15), crossing()
    result = run_backtest(replace(plan, risk_limits=limits), bars)
    made = {fill.bar: fill for fill in result.fills if fill.role is OrderRole.ENTRY}
    for bar, fill in made.items():
        assert denials_live(result, bars, limits, bar, fill.quantity) == ()
    free = run_backtest(plan, bars)
    first_refused = next((fill for fill in free.fills if fill.role is OrderRole.ENTRY and fill.bar not in made), None)
    if first_refused is not None:  # until then both are the same
        assert denials_live(result, bars, limits, first_refused.bar, first_refused.quantity) != ()
        assert result.metrics.orders_denied > 0


def denials_live(
    result: BacktestResult, bars: Bars, limits: RiskLimits, bar: int, quantity: Decimal
) -> tuple[object, ...]:
    market, initial = a_spot_market(taker_fee=D("0.001")), D(1_000)
    moment = time_of(bars, bar)
    opens, closes = (
        [D(str(round(float(price), 2))) for price in series] for series in (bars.candles.open, bars.candles.close)
    )

    def equity(price: Decimal, before: int) -> Decimal:
        """Return the equity at a price after the fills of the bars before `before`."""
        cash, held = initial, D(0)
        for fill in result.fills:
            if fill.bar < before:
                sign = 1 if fill.side is OrderSide.BUY else -1
                cash -= sign * fill.value + fill.fee_quote
                held += sign * fill.quantity - fill.fee_base
        return cash + held * price

    at_closes = [equity(closes[index], index + 1) for index in range(bar)]
    started = day_start(moment, limits.daily_reset_hour)
    until = [value for index, value in enumerate(at_closes) if time_of(bars, index + 1) <= started]
    now, peak = equity(opens[bar], bar), max([initial, *at_closes])
    closed = [trip for trip in result.round_trips if trip.closed_at is not None and trip.closed_at <= moment]
    closed.sort(key=lambda trip: trip.closed_at or moment, reverse=True)
    losses = measure_losses(
        Standing(now, initial),
        StoredEquity(NO_ONE, NO_ONE, started, until[-1], initial, peak - initial) if until else None,
        StoredEquity(NO_ONE, NO_ONE, moment, peak, initial, peak - initial),
        began_today=not until,
        results=[ClosedResult(trip.profit, trip.closed_at or moment) for trip in closed],
    )
    level = PriceLevel(opens[bar], D(10**9))
    kind = (OrderSide.BUY, OrderType.MARKET, OrderRole.ENTRY)
    order = Order(NO_ONE, NO_ONE, NO_ONE, market.symbol, "", *kind, quantity, moment, moment)
    context = RiskContext(
        now=moment,
        state=TradingState.ACTIVE,
        reconciled=True,
        market=market,
        depth=Depth(market.symbol, "", 0, (level,), (level,), None, moment),
        feed=FeedState.LIVE,
        base="BTC",
        quote="USDT",
        balances={"USDT": Balance("USDT", now, now, moment)},
        currency="USDT",
        scopes=(LimitScope("the account", limits, tuple[Position, ...](), (), 0, losses),),
    )
    return check_order(order, context)


def time_of(bars: Bars, bar: int) -> datetime:
    return START + timedelta(milliseconds=bars.milliseconds * bar)


@pytest.mark.parametrize("limits", [RiskLimits(max_daily_loss=D(1)), RiskLimits(max_drawdown_percent=D("0.1"))])
def test_the_equity_of_all_markets_counts(limits: RiskLimits) -> None:
    """What one market loses keeps the other from entering."""
    falls = bars_at((*QUIET, ENTER), QUIET, (80, 80, 80, 80), (80, 80, 80, 80))
    other = bars_at(QUIET, QUIET, (*QUIET, ENTER), QUIET)
    start = int(falls.opened[0])
    assert entered(run_markets(a_plan(), markets(falls, other), start)) == [1, 3]
    assert entered(run_markets(replace(a_plan(), risk_limits=limits), markets(falls, other), start)) == [1]


def test_a_market_without_any_candle_changes_no_limit() -> None:
    bars, plan = bars_at(*losing(5)), limited(max_drawdown_percent=D("1.5"))
    start = int(bars.opened[0])
    for both in (markets(bars, bars.first(0)), markets(bars.first(0), bars)):
        assert entered(run_markets(plan, both, start)) == [1, 4]


def test_a_further_entry_in_the_last_bar_of_a_day_counts_for_that_day() -> None:
    falls = bars_of(bars_at((*QUIET, ENTER), QUIET, *[(80, 80, 80, 80)] * 12).candles, Timeframe.H2)
    dips = bars_of(bars_at((*QUIET, ENTER), *[QUIET] * 10, (100, 100, 98, 100), *[QUIET] * 2).candles, Timeframe.H2)
    adds = (EntryAdd(below=ExitDistance(percent=D(1))),)
    plan = a_plan(signalled(adds=adds, sizing=Sizing(quote_amount=D(100))), timeframe=Timeframe.H2)
    start = int(falls.opened[0])
    assert entered(run_markets(plan, markets(falls, dips), start)) == [1, 1, 2, 11]
    assert entered(run_markets(limited(plan, max_daily_loss=D(5)), markets(falls, dips), start)) == [1, 1]
