"""Compares the round trips of a trading session with those of a backtest over the same candles; pure."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.model.drift import Drift, DriftCause, DriftItem
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.orders import OrderStatus
from domain.model.reports import RoundTrip
from domain.model.trading import Signal, SignalAction

MOST_ITEMS: Final = 100
NOTABLE_BPS: Final = 5.0
"""Smaller differences of prices count in the averages, and are no item."""
CANDLES_TO_FILL: Final = 5
"""How many candles after its signal an entry may still be filled, as a LIMIT order is."""


@dataclass(frozen=True, slots=True)
class ComparedRuns:
    """What is compared on one market; round trips are in the order of opening, signals in any order.

    `gaps` are the periods of which the backtest has no candles, `order_statuses` those of the orders that the signals
    have caused.
    """

    market: MarketSymbol
    timeframe: Timeframe
    live: Sequence[RoundTrip]
    simulated: Sequence[RoundTrip]
    signals: Sequence[Signal]
    gaps: Sequence[tuple[datetime, datetime]] = ()
    order_statuses: Mapping[UUID, OrderStatus] = field(default_factory=dict)


@dataclass
class _Found:
    matched: int = 0
    missed: int = 0
    extra: int = 0
    entry_bps: list[float] = field(default_factory=list)
    exit_bps: list[float] = field(default_factory=list)
    items: list[DriftItem] = field(default_factory=list)


class _EntrySignals:
    """The entry signals of a session's strategy by their candles, sorted once for all round trips."""

    def __init__(self, run: ComparedRuns) -> None:
        entries = [
            (signal.candle_at, signal)
            for signal in run.signals
            if signal.action is SignalAction.ENTER_LONG and signal.add_number is None and signal.candle_at is not None
        ]
        self._timeframe = run.timeframe
        self._entries = sorted(entries, key=lambda entry: entry[0])
        self._candles = [candle for candle, _ in self._entries]

    def before(self, opened_at: datetime) -> Signal | None:
        """Return the newest one whose candle closed just before a round trip was opened."""
        earliest = self._timeframe.open_time(opened_at) - CANDLES_TO_FILL * self._timeframe.duration
        index = bisect_left(self._candles, opened_at) - 1
        return self._entries[index][1] if index >= 0 and self._candles[index] >= earliest else None


def drift_of(runs: Sequence[ComparedRuns]) -> Drift:
    """Return the differences on all markets together."""
    found = _Found()
    for run in runs:
        _compare(run, found)
    items = sorted(found.items, key=lambda item: item.at)[-MOST_ITEMS:]
    missing = sum((until - first) // run.timeframe.duration for run in runs for first, until in run.gaps)
    return Drift(
        matched=found.matched,
        missed=found.missed,
        extra=found.extra,
        missing_candles=missing,
        live_profit_percent=_profit(trip for run in runs for trip in run.live),
        backtest_profit_percent=_profit(trip for run in runs for trip in run.simulated),
        entry_bps=_mean(found.entry_bps),
        exit_bps=_mean(found.exit_bps),
        items=tuple(items),
    )


def _compare(run: ComparedRuns, found: _Found) -> None:
    for first, until in run.gaps:
        count = (until - first) // run.timeframe.duration
        found.items.append(
            DriftItem(DriftCause.CANDLES_MISSING, run.market, first, f"{count:,} candles are missing in the backtest.")
        )
    entries = _EntrySignals(run)
    for live, simulated in _pairs(run):
        if live is None:
            assert simulated is not None
            found.missed += 1
            found.items.append(_missed(run, simulated, entries))
        elif simulated is None:
            found.extra += 1
            found.items.append(_extra(run, live, entries))
        else:
            found.matched += 1
            _compare_trips(run, live, simulated, found)


def _pairs(run: ComparedRuns) -> Iterator[tuple[RoundTrip | None, RoundTrip | None]]:
    """Yield the round trips of both that opened within a candle of one another, and those of one alone."""
    live, simulated = deque(run.live), deque(run.simulated)
    while live or simulated:
        if live and simulated and _apart(run, live[0], simulated[0]) <= run.timeframe.duration:
            if _is_of_the_next(run, live, simulated):
                yield None, simulated.popleft()
            elif _is_of_the_next(run, simulated, live):
                yield live.popleft(), None
            else:
                yield live.popleft(), simulated.popleft()
        elif simulated and (not live or simulated[0].opened_at < live[0].opened_at):
            yield None, simulated.popleft()
        else:
            yield live.popleft(), None


def _is_of_the_next(run: ComparedRuns, ones: Sequence[RoundTrip], others: Sequence[RoundTrip]) -> bool:
    """Return whether the first of the ones opened nearer to the second of the others, which would be left alone."""
    if len(others) == 1 or _apart(run, ones[0], others[1]) >= _apart(run, ones[0], others[0]):
        return False
    return len(ones) == 1 or _apart(run, ones[1], others[1]) > run.timeframe.duration


def _apart(run: ComparedRuns, one: RoundTrip, other: RoundTrip) -> timedelta:
    """Return how far the candles in which two round trips were opened are from one another."""
    return abs(_candle(run, one.opened_at) - _candle(run, other.opened_at))


def _missed(run: ComparedRuns, trip: RoundTrip, entries: _EntrySignals) -> DriftItem:
    """Say why the session has no such round trip."""
    signal = entries.before(trip.opened_at)
    at = trip.opened_at
    if signal is None:
        message = "The backtest entered on a signal that the session doesn't have."
        return DriftItem(DriftCause.SIGNAL_MISSING, run.market, at, message)
    if signal.missed:
        message = "The session didn't act on its signal: it wasn't running, was paused, or the signal came too late."
        return DriftItem(DriftCause.SIGNAL_MISSED, run.market, at, message)
    if signal.order_id is None:
        message = "The session's signal led to no order."
    else:
        status = run.order_statuses.get(signal.order_id)
        message = f"The session's order bought nothing{'' if status is None else f': it is {status}'}."
    return DriftItem(DriftCause.NOT_FILLED, run.market, at, message)


def _extra(run: ComparedRuns, trip: RoundTrip, entries: _EntrySignals) -> DriftItem:
    signal = entries.before(trip.opened_at)
    if signal is None:
        message = "The session entered on a signal from outside, of which a backtest has none."
        return DriftItem(DriftCause.SUBMITTED, run.market, trip.opened_at, message)
    message = "The session entered on a signal that the backtest doesn't have, or couldn't act on."
    return DriftItem(DriftCause.SIGNAL_EXTRA, run.market, trip.opened_at, message)


def _compare_trips(run: ComparedRuns, live: RoundTrip, simulated: RoundTrip, found: _Found) -> None:
    entry = _bps(live.entry_price, simulated.entry_price)
    found.entry_bps.append(entry)
    _note_price(run, live.opened_at, "entered", entry, found)
    if live.closed_at is None and simulated.closed_at is None:
        return
    if not _left_alike(run, live, simulated):
        message = f"The session {_left(live)}, the backtest {_left(simulated)}."
        at = live.closed_at or simulated.closed_at or live.opened_at
        found.items.append(DriftItem(DriftCause.EXIT, run.market, at, message))
    elif live.closed_at is not None and live.exit_price is not None and simulated.exit_price is not None:
        exit_ = -_bps(live.exit_price, simulated.exit_price)
        found.exit_bps.append(exit_)
        _note_price(run, live.closed_at, "left", exit_, found)


def _left_alike(run: ComparedRuns, live: RoundTrip, simulated: RoundTrip) -> bool:
    if live.closed_at is None or simulated.closed_at is None:
        return False
    apart = abs(_candle(run, live.closed_at) - _candle(run, simulated.closed_at))
    return apart <= run.timeframe.duration and live.exit_reason == simulated.exit_reason


def _left(trip: RoundTrip) -> str:
    if trip.closed_at is None:
        return "still holds the position"
    reason = "" if trip.exit_reason is None else f" by {trip.exit_reason.value}"
    return f"left at {trip.closed_at:%Y-%m-%d %H:%M} UTC{reason}"


def _note_price(run: ComparedRuns, at: datetime, did: str, bps: float, found: _Found) -> None:
    if abs(bps) >= NOTABLE_BPS:
        message = f"The session {did} {abs(bps):.1f} basis points {'worse' if bps > 0 else 'better'} than the backtest."
        found.items.append(DriftItem(DriftCause.PRICE, run.market, at, message, bps))


def _bps(live: Decimal, simulated: Decimal) -> float:
    """Return how much higher the session's price is, in basis points."""
    return float((live - simulated) / simulated * 10_000) if simulated else 0.0


def _candle(run: ComparedRuns, at: datetime) -> datetime:
    return run.timeframe.open_time(at)


def _profit(trips: Iterator[RoundTrip]) -> float:
    return sum(trip.profit_percent or 0.0 for trip in trips if trip.closed_at is not None)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
