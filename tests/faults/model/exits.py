"""Holds each exit against its reason: the price that it is for was traded, or somebody asked for it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.faults.model.remaining import Violations, name_of
from tests.faults.model.trader import (
    BRACKET_PROFIT_PERCENT,
    BRACKET_STOP_PERCENT,
    PROFIT_PERCENT,
    STOP_PERCENT,
    Trader,
)
from tests.faults.model.venue import Venue

_TOLERANCE = Decimal("0.0005")
_ONE_FILL_MS = 1_000
"""Fills of one order that are so close count as one entry."""

_ASKED_FOR = frozenset({"EXIT", "CLOSE"})
_AT_A_PRICE = frozenset({"STOP_LOSS", "TAKE_PROFIT"})

Order = dict[str, Any]


@dataclass(frozen=True)
class Levels:
    """Where an exit may be, and the venue's time in milliseconds from which trades count."""

    since_ms: int
    stop: Decimal
    profit: Decimal

    @classmethod
    def around(cls, entry: list[Order], stop_percent: Decimal, profit_percent: Decimal) -> "Levels":
        """Return those at so many percent from the fills of an entry, the widest of what its prices allow."""
        since = max(map(_at, entry))
        paid = [Decimal(fill["price"]) for fill in entry if _at(fill) >= since - _ONE_FILL_MS]
        stop, profit = max(paid) * (1 - stop_percent / 100), min(paid) * (1 + profit_percent / 100)
        return cls(since, stop * (1 + _TOLERANCE), profit * (1 - _TOLERANCE))


async def unasked_exits(trader: Trader) -> Violations:
    """Name orders that close a position though nobody submitted an exit, closed it or stopped its session."""
    orders = await trader.orders()
    unasked = [order for order in orders if order["role"] in _ASKED_FOR - trader.asked]
    return [f"nobody asked for {name_of(order)}" for order in unasked]


def unjustified_exits(venue: Venue, trader: Trader, orders: list[Order]) -> Violations:
    """Name exits between whose entry and whose fills nothing was traded at the price that they are for."""
    found = []
    for order in orders:
        if order["role"] not in _AT_A_PRICE or not order["fills"]["nodes"]:
            continue
        end = min(map(_at, order["fills"]["nodes"]))
        levels = _levels_of(order, end, trader, orders)
        if not any(_is_justified(venue, order, end, level, orders) for level in levels):
            found.append(f"no price justifies {name_of(order)}: {levels}")
    return found


def _levels_of(order: Order, end: int, trader: Trader, orders: list[Order]) -> list[Levels]:
    if order["tradingSession"] is None and order["parent"] is None:
        return [Levels(*levels) for levels in trader.protected if levels[0] <= end]
    if order["tradingSession"] is None:
        entries = [other for other in orders if other["id"] == order["parent"]["id"]]
        percents = BRACKET_STOP_PERCENT, BRACKET_PROFIT_PERCENT
    else:
        entries = [other for other in orders if other["tradingSession"] is not None and other["role"] == "ENTRY"]
        percents = STOP_PERCENT, PROFIT_PERCENT
    before = [fill for entry in entries for fill in entry["fills"]["nodes"] if _at(fill) <= end]
    return [Levels.around(before, *map(Decimal, percents))] if before else []


def _is_justified(venue: Venue, order: Order, end: int, levels: Levels, orders: list[Order]) -> bool:
    # The exchange forgets its newest trades when it is killed, but the account's own are known.
    own = [fill for other in orders for fill in other["fills"]["nodes"] if levels.since_ms <= _at(fill) < end]
    traded = venue.traded_prices(levels.since_ms, end) + [Decimal(fill["price"]) for fill in own]
    if order["role"] == "STOP_LOSS":
        return min(traded, default=levels.stop + 1) <= levels.stop
    return max(traded, default=levels.profit - 1) >= levels.profit


def _at(fill: Order) -> int:
    return round(datetime.fromisoformat(fill["at"]).timestamp() * 1000)
