"""A LIMIT entry at the venue: in which bar it is filled and at what price, or how it ends."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from domain.backtest.bars import Bars, PriceTicks
from domain.model.definitions import OrderStyle
from domain.model.order_side import OrderSide
from domain.model.orders import TimeInForce
from domain.rules.costs import TradingCosts

_CHUNK = 1_024
_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class Filled(NamedTuple):
    """A fill at a price in ticks, at the open of the bar or, `in_bar`, at some time within it."""

    bar: int
    ticks: int
    in_bar: bool
    maker: bool


@dataclass(frozen=True, slots=True)
class Unfilled:
    """The end of an order without a fill; at the close of bar `free_at` the next entry signal counts."""

    free_at: int
    is_rejected: bool = False


@dataclass(frozen=True, slots=True)
class RestingEntry:
    """A buy order with a `limit` in ticks that reaches the venue at the open of bar `arrives`.

    `decided_at` is the time from which `giveUpAfterSeconds` counts, in milliseconds since 1970; `canceled_bar` the bar
    at whose open an exit signal cancels it. It `rests` already if it was placed within the bar before.
    """

    limit: int
    arrives: int
    decided_at: int
    canceled_bar: int
    style: OrderStyle
    rests: bool = False

    def outcome(self, bars: Bars, prices: PriceTicks, costs: TradingCosts) -> Filled | Unfilled:
        """Return the order's fill, or its end.

        It takes what the book offers if it arrives below the market, and is a maker otherwise. Then it is filled at its
        limit, and only once the price has gone below it: at the limit itself others may stand in front of it. One that
        has given up on its way never is.
        """
        end, free_at = self._end(bars)
        if end <= self.arrives:
            return Unfilled(free_at)
        opening = int(prices.open[self.arrives])
        if opening < self.limit and not self.rests:
            if self.style.post_only:
                return Unfilled(self.arrives, is_rejected=True)
            return Filled(
                self.arrives, min(costs.slipped(opening, OrderSide.BUY), self.limit), in_bar=False, maker=False
            )
        if self.style.time_in_force in _AT_ONCE:
            return Unfilled(self.arrives)
        bar = self._first_below(prices, end)
        if bar is None:
            return Unfilled(free_at)
        return Filled(bar, self.limit, in_bar=int(prices.open[bar]) >= self.limit, maker=True)

    def _end(self, bars: Bars) -> tuple[int, int]:
        """Return the first bar in which the order isn't at the venue any more, and the one at whose close that shows.

        Candles don't tell when within a bar something happened, so an order that gives up within a bar may be filled
        until its end.
        """
        canceled = min(self.canceled_bar, len(bars))
        if self.style.give_up_after_seconds is None:
            return canceled, canceled
        expires_at = self.decided_at + self.style.give_up_after_seconds * 1000
        expired = int(np.searchsorted(bars.opened, expires_at))
        return (canceled, canceled) if canceled < expired else (expired, max(expired - 1, self.arrives))

    def _first_below(self, prices: PriceTicks, end: int) -> int | None:
        start = self.arrives
        while start < end:
            hits = prices.low[start : min(start + _CHUNK, end)] < self.limit
            first = int(hits.argmax())
            if hits[first]:
                return start + first
            start += _CHUNK
        return None
