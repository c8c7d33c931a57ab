"""What differs between a trading session and its backtest, each by its cause."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.drift import DriftCause
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.orders import OrderRole, OrderStatus
from domain.model.reports import PositionSide, RoundTrip
from domain.model.trading import Signal, SignalAction
from domain.performance.drift import MOST_ITEMS, ComparedRuns, drift_of

MARKET = MarketSymbol("sandbox", "BTC/USDT")
START = datetime(2026, 11, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
D = Decimal


def trip(hour: float, hours: float | None = 5, entry: str = "100", exit: str = "110", **changes: Any) -> RoundTrip:
    """Return a round trip that opened some hours after the start; still open without `hours`."""
    closed = None if hours is None else START + (hour + hours) * HOUR
    values: dict[str, Any] = {
        "opened_at": START + hour * HOUR,
        "closed_at": closed,
        "side": PositionSide.LONG,
        "quantity": D(1),
        "entry_price": D(entry),
        "exit_price": None if closed is None else D(exit),
        "profit": D(10),
        "profit_percent": 10.0,
        "fees": D(0),
        "exit_reason": None if closed is None else OrderRole.EXIT,
    }
    return RoundTrip(**(values | changes))


def signal(hour: int, **changes: Any) -> Signal:
    """Return the signal of the candle that closes at that hour."""
    values: dict[str, Any] = {
        "id": uuid4(),
        "user_id": uuid4(),
        "trading_session_id": uuid4(),
        "at": START + hour * HOUR,
        "action": SignalAction.ENTER_LONG,
        "price": D(100),
        "reason": "",
        "candle_at": START + (hour - 1) * HOUR,
        "order_id": uuid4(),
    }
    return Signal(**(values | changes))


def runs(live: list[RoundTrip], simulated: list[RoundTrip], *signals: Signal, **changes: Any) -> ComparedRuns:
    return ComparedRuns(MARKET, Timeframe.H1, live, simulated, signals, **changes)


def test_a_session_that_did_what_the_backtest_did_has_no_drift() -> None:
    """Fills some seconds later, and a stop within a candle at whose end the backtest counts it."""
    live = [trip(3 + 2 / 3600), trip(10.01, 2.4, exit_reason=OrderRole.STOP_LOSS)]
    simulated = [trip(3), trip(10, 3, exit_reason=OrderRole.STOP_LOSS)]
    drift = drift_of([runs(live, simulated, signal(3), signal(10))])
    assert (drift.matched, drift.missed, drift.extra, drift.items) == (2, 0, 0, ())
    assert (drift.entry_bps, drift.exit_bps) == (0, 0)
    assert drift.live_profit_percent == drift.backtest_profit_percent == 20


@pytest.mark.parametrize(
    ("live", "simulated", "expected"),
    [
        ([11], [10, 11], (1, 1, 0)),
        ([10, 11], [10.5], (1, 0, 1)),
        ([10, 11], [11], (1, 0, 1)),
        ([10, 11, 12], [11, 12, 13], (3, 0, 0)),
        ([10, 12], [11, 12], (2, 0, 0)),
    ],
)
def test_of_trips_on_neighbouring_candles_those_that_are_nearest_are_the_same(
    live: list[float], simulated: list[float], expected: tuple[int, int, int]
) -> None:
    drift = drift_of([runs([trip(hour, 0.5) for hour in live], [trip(hour, 0.5) for hour in simulated])])
    assert (drift.matched, drift.missed, drift.extra) == expected
    if len(live) + len(simulated) == 3:  # one has no match, and none left on another candle
        assert DriftCause.EXIT not in {item.cause for item in drift.items}


def test_worse_prices_are_more_than_zero_on_both_ways() -> None:
    live = [trip(3, entry="100.10", exit="109.89"), trip(20, entry="100.01", exit="110.01")]
    drift = drift_of([runs(live, [trip(3), trip(20)], signal(3), signal(20))])
    assert drift.entry_bps == pytest.approx(5.5)
    assert drift.exit_bps == pytest.approx((10 - 0.909) / 2, abs=0.01)
    assert [(item.cause, round(item.price_bps or 0)) for item in drift.items] == [(DriftCause.PRICE, 10)] * 2
    assert "entered 10.0 basis points worse" in drift.items[0].message


@pytest.mark.parametrize(
    ("signals", "cause"),
    [
        ([], DriftCause.SIGNAL_MISSING),
        ([signal(40)], DriftCause.SIGNAL_MISSING),
        ([signal(3, action=SignalAction.EXIT_LONG)], DriftCause.SIGNAL_MISSING),
        ([signal(3, add_number=1)], DriftCause.SIGNAL_MISSING),
        ([signal(3, missed=True, order_id=None)], DriftCause.SIGNAL_MISSED),
        ([signal(3, order_id=None)], DriftCause.NOT_FILLED),
        ([signal(3)], DriftCause.NOT_FILLED),
    ],
)
def test_a_round_trip_that_the_session_lacks_has_its_cause(signals: list[Signal], cause: DriftCause) -> None:
    drift = drift_of([runs([], [trip(3)], *signals)])
    assert (drift.missed, [item.cause for item in drift.items]) == (1, [cause])
    assert drift.items[0].at == START + 3 * HOUR
    assert drift.entry_bps is None


def test_of_several_signals_the_newest_before_the_round_trip_is_its_cause() -> None:
    later, earlier = signal(5), signal(3, missed=True, order_id=None)
    signals = (signal(9), later, signal(6, action=SignalAction.EXIT_LONG), earlier, signal(200))
    assert [item.cause for item in drift_of([runs([], [trip(5)], *signals)]).items] == [DriftCause.NOT_FILLED]
    assert [item.cause for item in drift_of([runs([], [trip(4)], *signals)]).items] == [DriftCause.SIGNAL_MISSED]


def test_an_order_that_bought_nothing_is_named_by_what_became_of_it() -> None:
    denied = signal(3)
    assert denied.order_id is not None
    drift = drift_of([runs([], [trip(3)], denied, order_statuses={denied.order_id: OrderStatus.DENIED})])
    assert drift.items[0].message == "The session's order bought nothing: it is DENIED."


def test_a_round_trip_that_the_backtest_lacks_has_its_cause() -> None:
    by_strategy, by_hand = trip(3), trip(30)
    drift = drift_of([runs([by_strategy, by_hand], [], signal(3), signal(30, candle_at=None))])
    assert [item.cause for item in drift.items] == [DriftCause.SIGNAL_EXTRA, DriftCause.SUBMITTED]
    assert drift.extra == 2


@pytest.mark.parametrize(
    ("live", "simulated", "words"),
    [
        (trip(3, 5), trip(3, 9), "The session left at 2026-11-02 08:00 UTC by EXIT, the backtest left at"),
        (trip(3, 5), trip(3, 5, exit_reason=OrderRole.STOP_LOSS), "the backtest left at 2026-11-02 08:00 UTC by STOP"),
        (trip(3, None), trip(3, 5), "The session still holds the position, the backtest left at"),
        (trip(3, 5), trip(3, None), "by EXIT, the backtest still holds the position."),
    ],
)  # fmt: skip
def test_who_left_otherwise_is_reported_and_no_price_of_it(live: RoundTrip, simulated: RoundTrip, words: str) -> None:
    drift = drift_of([runs([live], [simulated], signal(3))])
    (item,) = drift.items
    assert item.cause is DriftCause.EXIT
    assert words in item.message
    assert drift.exit_bps is None


def test_missing_candles_are_counted() -> None:
    gaps = [(START, START + 3 * HOUR), (START + 9 * HOUR, START + 10 * HOUR)]
    drift = drift_of([runs([], [], gaps=gaps)])
    assert drift.missing_candles == 4
    assert [item.cause for item in drift.items] == [DriftCause.CANDLES_MISSING] * 2


def test_markets_are_compared_each_by_itself() -> None:
    other = replace(runs([], [trip(3)], signal(3)), market=MarketSymbol("sandbox", "ETH/USDT"))
    drift = drift_of([runs([trip(3)], [trip(3)], signal(3)), other])
    assert (drift.matched, drift.missed) == (1, 1)
    assert [item.market.symbol for item in drift.items] == ["ETH/USDT"]


OPENINGS = st.lists(st.integers(0, 400), unique=True, max_size=40).map(sorted)


@given(live=OPENINGS, simulated=OPENINGS)
def test_every_round_trip_is_counted_once(live: list[int], simulated: list[int]) -> None:
    drift = drift_of([runs([trip(hour, 0.5) for hour in live], [trip(hour, 0.5) for hour in simulated])])
    assert drift.matched + drift.extra == len(live)
    assert drift.matched + drift.missed == len(simulated)
    assert len(drift.items) <= MOST_ITEMS
    assert list(drift.items) == sorted(drift.items, key=lambda item: item.at)


@given(openings=OPENINGS)
def test_the_same_round_trips_all_match(openings: list[int]) -> None:
    trips = [trip(hour, 0.5) for hour in openings]
    drift = drift_of([runs(trips, trips)])
    assert (drift.matched, drift.missed, drift.extra, drift.items) == (len(trips), 0, 0, ())
