"""What the risk limits of a backtest count: equity over time, losing positions, and the orders of other markets.

The decision itself is that of live trading: `domain.risk.checks` on a `LimitScope`, with the losses of
`domain.risk.loss_history`.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from domain.backtest.ledger import FillRow, Ledger
from domain.backtest.run_context import RunContext
from domain.core.clock import from_milliseconds, to_milliseconds
from domain.core.money import EXACT
from domain.model.equity import ClosedResult, StoredEquity
from domain.model.order_side import OrderSide
from domain.model.orders import Order
from domain.model.trading import Position, RiskLimits
from domain.portfolio.equity_points import Standing
from domain.risk.context import LimitScope, LossRecord
from domain.risk.loss_history import day_start, measure_losses, measure_streak, needs_equity, needs_streak

NAME: Final = "the backtest"
"""What messages call the owner of the limits."""

_MINUTE: Final = 60_000
_NO_ONE = UUID(int=0)


class LimitWatch:
    """Knows at each time what the limits of a backtest count.

    The equity is valued at the closes of all markets from `start` on, in milliseconds since 1970, as in the result.
    `under_way` returns the entry orders that rest or are on their way.
    """

    def __init__(
        self, limits: RiskLimits, contexts: Sequence[RunContext], start: int, under_way: Callable[[], tuple[Order, ...]]
    ) -> None:
        self._limits = limits
        self._contexts = contexts
        self._under_way = under_way
        self._start = start
        self._sent: list[int] = []
        self._equity: _EquityRecord | None = None

    def note_sent(self, at: int) -> None:
        """Count an entry order that is sent at a time."""
        insort(self._sent, at)

    def scope(self, ledger: Ledger, signal_bar: int, at: int, equity: int) -> LimitScope:
        """Return the limits with what they count at a time, for an entry on a ledger's market.

        The entry is decided in the bar after `signal_bar`, at whose open all closes before are known. `equity` is that
        of now, in units of quote.
        """
        context = next(context for context in self._contexts if context.ledger is ledger)
        known_until = int(context.bars.opened[signal_bar + 1])
        return LimitScope(
            NAME,
            self._limits,
            _positions(ledger),
            self._under_way(),
            self._sent_last_minute(at),
            self._losses(at, known_until, equity),
        )

    def _sent_last_minute(self, at: int) -> int:
        if self._limits.max_orders_per_minute is None:
            return 0
        since = at - _MINUTE
        sales = sum(_sales_since(context.ledger.fills, since) for context in self._contexts)
        return len(self._sent) - bisect_left(self._sent, since) + sales

    def _losses(self, at: int, known_until: int, equity: int) -> LossRecord:
        results = self._results() if needs_streak(self._limits) else []
        if not needs_equity(self._limits):
            return measure_streak(results)
        if self._equity is None:
            self._equity = _EquityRecord(self._contexts, self._start)
        self._equity.advance(known_until)
        now = from_milliseconds(at)
        baseline = self._equity.until(to_milliseconds(day_start(now, self._limits.daily_reset_hour)))
        units, initial = self._contexts[0].ledger.units, self._contexts[0].plan.initial_equity
        return measure_losses(
            Standing(units.quote(equity), initial),
            None if baseline is None else _point(units.quote(baseline), initial, now),
            _point(units.quote(self._equity.peak), initial, now),
            began_today=baseline is None,
            results=results,
        )

    def _results(self) -> list[ClosedResult]:
        """Return the newest closed positions, the newest first."""
        most = self._limits.cool_down_losses or 0
        ledgers = [context.ledger for context in self._contexts]
        closed = [(ledger, position) for ledger in ledgers for position in ledger.closed[-most:]]
        closed.sort(key=lambda pair: pair[1].closed_at or 0, reverse=True)
        return [
            ClosedResult(ledger.units.quote_of_profit(position.profit), from_milliseconds(position.closed_at or 0))
            for ledger, position in closed[:most]
        ]


class _EquityRecord:
    """The equity at the closes so far, in units of quote; `peak` is the greatest of them and the first one."""

    def __init__(self, contexts: Sequence[RunContext], start: int) -> None:
        self._contexts = contexts
        first = contexts[0]
        opened = [context.bars.opened[context.bars.opened.searchsorted(start) :] for context in contexts]
        self._times = np.unique(np.concatenate(opened)) + first.bars.milliseconds
        self._closes = [_closes_at(context, self._times - first.bars.milliseconds) for context in contexts]
        self._done = 0
        self._booked = [0] * len(contexts)
        initial = first.ledger.units.quote_units(first.plan.initial_equity)
        self._cash, self._base = initial, [0] * len(contexts)
        self._changes: list[tuple[int, int, tuple[int, ...]]] = [(0, initial, tuple(self._base))]
        self.peak = initial

    def advance(self, until: int) -> None:
        """Take in all fills so far, and the closes until a time."""
        for place, number, fill in self._new_fills():
            self._value(place)
            self._cash += fill.cash
            self._base[number] += fill.base
            change = (max(place, self._done), self._cash, tuple(self._base))
            if self._changes[-1][0] == change[0]:
                self._changes[-1] = change
            else:
                self._changes.append(change)
        self._value(int(self._times.searchsorted(until, side="right")))

    def until(self, at: int) -> int | None:
        """Return the equity at the last close until a time; None if the period hadn't begun."""
        place = int(self._times.searchsorted(at, side="right")) - 1
        if place < 0:
            return None
        _, cash, base = self._changes[bisect_right(self._changes, place, key=itemgetter(0)) - 1]
        return self._exact(place, cash, base)

    def _new_fills(self) -> list[tuple[int, int, FillRow]]:
        """Return the fills since the last time, each with the first close that it counts in and its market's number."""
        found = []
        for number, context in enumerate(self._contexts):
            fills = context.ledger.fills
            for fill in fills[self._booked[number] :]:
                closed = int(context.bars.opened[fill.bar]) + context.bars.milliseconds
                found.append((int(self._times.searchsorted(closed)), number, fill))
            self._booked[number] = len(fills)
        return sorted(found, key=lambda one: one[2].number)

    def _value(self, until: int) -> None:
        """Value what is held now at the closes up to, not including, a place."""
        if until <= self._done:
            return
        worth = np.zeros(until - self._done)
        for context, closes, base in zip(self._contexts, self._closes, self._base, strict=True):
            if base:
                worth += closes[self._done : until] * (float(base) * context.ledger.units.tick)
        highest = self._done + int(worth.argmax())
        self.peak = max(self.peak, self._exact(highest, self._cash, self._base))
        self._done = until

    def _exact(self, place: int, cash: int, bases: Sequence[int]) -> int:
        total = cash
        for context, closes, base in zip(self._contexts, self._closes, bases, strict=True):
            total += context.ledger.units.value(int(closes[place]), base)
        return total


def _closes_at(context: RunContext, opened: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the last close, in ticks, of a market's candles that open until each time; 0 before the first one."""
    if not len(context.bars):
        return np.zeros(len(opened), dtype=np.int64)
    last = context.bars.opened.searchsorted(opened, side="right") - 1
    return np.where(last >= 0, context.prices.close[np.maximum(last, 0)], 0)


def _sales_since(fills: Sequence[FillRow], since: int) -> int:
    count = 0
    for fill in reversed(fills):
        if fill.at < since:
            break
        count += fill.side is OrderSide.SELL
    return count


def _positions(ledger: Ledger) -> tuple[Position, ...]:
    held = ledger.open
    if held is None:
        return ()
    opened_at = from_milliseconds(held.opened_at)
    symbol, quantity = ledger.market.symbol, ledger.units.base(held.quantity)
    return (Position(_NO_ONE, _NO_ONE, _NO_ONE, symbol, None, opened_at, quantity),)


def _point(equity: Decimal, deposited: Decimal, at: datetime) -> StoredEquity:
    return StoredEquity(_NO_ONE, _NO_ONE, at, equity, deposited, peak=EXACT.subtract(equity, deposited))
