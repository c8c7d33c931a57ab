"""A trading session and a backtest over the same candles: the same signals, and under market orders the same trips.

The session trades for real in the sandbox, whose book moves by itself. A candle opens at what the session was filled at
in it, as a candle of the venue would have if nobody else traded.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from domain.backtest.bars import Bars
from domain.backtest.engine import run_backtest
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.core.clock import from_milliseconds
from domain.core.polling import read_until
from domain.indicators.candle_arrays import CandleArrays
from domain.model.definitions import EntryAdd, Sizing
from domain.model.markets import Candle, Timeframe
from domain.model.orders import Fill
from domain.model.trading import TradingSession
from domain.performance.round_trips import RoundTripInput, round_trips
from domain.ports.orders import OrderFilter
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import compile_definition
from tests.support.recorded_data import recorded_minutes
from tests.support.trading import BTC
from tests.support.trading_node import MINUTE, TradingNode, cents, strategy
from tests.support.waiting import PATIENCE_SECONDS

CANDLES = 26
RECORDED_FROM = 500
"""From which minute on the recorded ones are taken: there the averages cross several times."""
EQUITY = Decimal(100_000)
ENTER = "crosses_above(sma(close, 2), sma(close, 5))"
EXIT = "crosses_below(sma(close, 2), sma(close, 5))"


@pytest.mark.parametrize(
    "rules",
    [
        {"exit_long": EXIT},
        {"exit_long": f"{EXIT} or position.profit_percent > 1.5"},
        {"exit_long": EXIT, "adds": (EntryAdd(rule="rising(close, 2)"),)},
    ],
    ids=["rules", "rules of the position", "a further entry"],
)
async def test_a_session_does_what_the_backtest_does(node: TradingNode, rules: dict[str, Any]) -> None:
    await compared(node, rules, [1 + round(0.03 * math.sin(number * 0.8), 4) for number in range(CANDLES)])


async def test_a_session_does_on_recorded_minutes_what_the_backtest_does(node: TradingNode) -> None:
    """The moves of Coinbase from one minute to the next, ten times as large, from the price of the sandbox on."""
    closes = recorded_minutes().candles.close[RECORDED_FROM : RECORDED_FROM + CANDLES]
    shares = (closes / closes[0]) ** 10
    await compared(node, {"exit_long": EXIT}, shares.tolist())


async def compared(node: TradingNode, rules: dict[str, Any], shares: Sequence[float]) -> None:
    """Compare a session with the backtest over candles that close at these shares of the first price."""
    # 20.5 lots an entry: a book that moves between the decision and the fill makes no other quantity of it.
    entries = 2 if "adds" in rules else 1
    sizing = Sizing(quote_amount=cents(node.feed.price * Decimal("0.000205") * entries))
    definition = strategy(enter_long=ENTER, sizing=sizing, **rules)
    session = await node.session(await node.account(str(EQUITY)), definition)
    candles = await replayed(node, session, shares)
    async with node.database.read_only() as reading:
        fills = await reading.orders.list_all_fills(node.user.id, OrderFilter(trading_session_id=session.id))
        market = next(market for market in await reading.market_data.markets() if market.symbol == BTC)
    orders, signals = await node.orders_of(session), await node.signals(session)
    assert not any(signal.missed for signal in signals)
    assert any(signal.add_number for signal in signals) == ("adds" in rules)
    assert len({signal.action for signal in signals}) > 1
    bars = bars_of(candles, [signal.candle_at for signal in signals], fills)
    costs = TradingCosts(market.taker_fee or Decimal(0), market.maker_fee or Decimal(0))
    result = run_backtest(
        BacktestPlan(definition, compile_definition(definition), market, Timeframe.M1, costs, EQUITY), bars
    )
    assert acted(result, bars) == [signal.candle_at for signal in signals]
    lived = round_trips(RoundTripInput(fills, {BTC: market}, {order.id: order.role for order in orders}))
    assert len(lived) > 1
    for trip, was in zip(result.round_trips, lived, strict=True):
        assert (trip.quantity, trip.exit_reason) == (was.quantity, was.exit_reason)
        # An order that was filled at several prices has a mean between two ticks.
        assert trip.entry_price == pytest.approx(was.entry_price, abs=Decimal("0.01"))
        assert trip.exit_price == pytest.approx(was.exit_price, abs=Decimal("0.01"))
        # To the cent: the venue rounds each fee to 8 decimals.
        assert float(trip.profit) == pytest.approx(float(was.profit), abs=0.005)


async def replayed(node: TradingNode, session: TradingSession, shares: Sequence[float]) -> list[Candle]:
    """Let candles close one after another, each once the session has done what the one before has led to."""
    history = [node.feed.candle(node.feed.venue_time - minutes * MINUTE) for minutes in range(20, 0, -1)]
    price, candles = node.feed.price, list[Candle]()
    for share in shares:
        candles.append(await node.feed.close_candle(close=cents(price * Decimal(str(round(share, 6))))))
        await node.until_processed(session, candles[-1])
        await until_done(node, session)
    # What the last one has signalled is filled in the one after it, which is still open.
    return [*history, *candles, node.feed.candle(node.feed.venue_time, close=candles[-1].close)]


async def until_done(node: TradingNode, session: TradingSession) -> None:
    """Return once no order of the session is under way, and its position is open or closed as its signals ask."""

    async def is_done() -> bool:
        orders, signals, position = await node.orders_of(session), await node.signals(session), None
        if signals:
            position = await node.position(session)
        has_left = any(not order.status.is_final for order in orders)
        enters = bool(signals) and signals[-1].action.enters
        is_open = position is not None and position.closed_at is None
        filled = sum(order.role.value == "ENTRY" for order in orders) == sum(s.action.enters for s in signals)
        return not has_left and filled and (not signals or is_open == enters)

    await read_until(is_done, bool, node.clock, PATIENCE_SECONDS)


def bars_of(candles: Sequence[Candle], signalled: Sequence[datetime | None], fills: Sequence[Fill]) -> Bars:
    """Return the candles as bars; the one after a signal opens at the price at which its order was filled."""
    opens = [candles[0].open, *(candle.close for candle in candles[:-1])]
    places = {candle.open_time: index for index, candle in enumerate(candles)}
    by_order = list(dict.fromkeys(fill.order_id for fill in fills))
    for at, order_id in zip(signalled, by_order, strict=True):
        assert at is not None
        opens[places[at] + 1] = cents(mean_price([fill for fill in fills if fill.order_id == order_id]))
    rows = [
        (first, max(first, candle.close), min(first, candle.close), candle.close, 1)
        for first, candle in zip(opens, candles, strict=True)
    ]
    opened = np.array([int(candle.open_time.timestamp()) * 1000 for candle in candles])
    columns = np.array(rows, dtype=np.float64).T
    return Bars(Timeframe.M1, opened, CandleArrays(*(np.ascontiguousarray(column) for column in columns)))


def mean_price(fills: Sequence[Fill]) -> Decimal:
    """Return the price of an order, which may have been filled at several levels of the book."""
    return sum((fill.price * fill.quantity for fill in fills), Decimal(0)) / sum(fill.quantity for fill in fills)


def acted(result: BacktestResult, bars: Bars) -> list[datetime]:
    """Return the open times of the candles whose closes led to the fills."""
    return [from_milliseconds(int(bars.opened[fill.bar - 1])) for fill in result.fills]
