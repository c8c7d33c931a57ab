"""Holds each exit against its reason: the price that it is for was traded, or somebody asked for it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.faults.model.remaining import Violations, name_of
from tests.faults.model.trader import (
    BRACKET_PROFIT_PERCENT,
    BRACKET_STOP_PERCENT,
    STOP_PERCENT,
    Protected,
    Trader,
)

_TOLERANCE = Decimal("0.0005")
_CLOSED = Decimal("0.97")
"""A position of which so much has been sold is closed; the rest is fees and dust."""

_ASKED_FOR = frozenset({"EXIT", "CLOSE"})
_AT_A_PRICE = frozenset({"STOP_LOSS", "TAKE_PROFIT"})

_REFUSED_BEFORE = timedelta(minutes=1)
"""How long before an exit the venue may have refused the orders in whose place it is."""

Order = dict[str, Any]
Fill = dict[str, Any]
TradedPrices = Callable[[int, int], list[Decimal]]
"""What was traded between two times of the venue in milliseconds, both included."""


@dataclass(frozen=True)
class Levels:
    """Where an exit may be, and the venue's time in milliseconds from which trades count."""

    since_ms: int
    stop: Decimal
    profit: Decimal

    @classmethod
    def around(cls, entries: list[Fill], stop_percent: str, profit_percent: str) -> "Levels":
        """Return those at so many percent from the mean of some fills, the widest of what their prices allow."""
        paid = [Decimal(fill["price"]) for fill in entries]
        stop, profit = max(paid) * (1 - Decimal(stop_percent) / 100), min(paid) * (1 + Decimal(profit_percent) / 100)
        return cls(min(map(_at, entries)), stop * (1 + _TOLERANCE), profit * (1 - _TOLERANCE))


async def unasked_exits(trader: Trader) -> Violations:
    """Name orders that close a position though nobody submitted an exit, closed it or stopped its session."""
    orders = await trader.orders()
    unasked = [
        order for order in orders if order["role"] in _ASKED_FOR - trader.asked and not _was_passed(order, orders)
    ]
    return [f"nobody asked for {name_of(order)}" for order in unasked]


def _was_passed(exit_: Order, orders: list[Order]) -> bool:
    """Return whether the venue had just said that the market has passed one of two prices: which isn't known."""
    refused = [other for other in orders if other["rejectCode"] == "STOP_PRICE" and other["role"] in _AT_A_PRICE]
    at = datetime.fromisoformat(exit_["createdAt"])
    return exit_["role"] == "EXIT" and any(
        timedelta() <= at - datetime.fromisoformat(other["createdAt"]) < _REFUSED_BEFORE
        and other["tradingSession"] == exit_["tradingSession"]
        for other in refused
    )


def unjustified_exits(
    traded_prices: TradedPrices, protected: list[Protected], profit_percent: str, orders: list[Order]
) -> Violations:
    """Name exits between whose entry and whose fills nothing was traded at the price that they are for.

    `protected` are the levels that positions by hand were given, `profit_percent` is the nearest take-profit of the
    trading session.
    """
    found = []
    for order in orders:
        if order["role"] not in _AT_A_PRICE or not order["fills"]["nodes"]:
            continue
        end = min(map(_at, order["fills"]["nodes"]))
        levels = _levels_of(order, end, protected, profit_percent, orders)
        # The exchange forgets its newest trades when it is killed, but the account's own are known.
        own = [fill for other in orders for fill in other["fills"]["nodes"] if _at(fill) < end]
        for level in levels:
            traded = traded_prices(level.since_ms, end)
            traded += [Decimal(fill["price"]) for fill in own if _at(fill) >= level.since_ms]
            if _is_justified(order["role"], level, traded):
                break
        else:
            found.append(f"no price justifies {name_of(order)}: {levels}")
    return found


def _levels_of(
    order: Order, end: int, protected: list[Protected], profit_percent: str, orders: list[Order]
) -> list[Levels]:
    if order["tradingSession"] is None and order["parent"] is None:
        return [Levels(at, stop, profit) for at, stop, profit in protected if at <= end]
    if order["tradingSession"] is None:
        entries = [fill for other in orders if other["id"] == order["parent"]["id"] for fill in other["fills"]["nodes"]]
        return [Levels.around(entries, BRACKET_STOP_PERCENT, BRACKET_PROFIT_PERCENT)] if entries else []
    entries = _entries_of_position([other for other in orders if other["tradingSession"] is not None], end)
    return [Levels.around(entries, STOP_PERCENT, profit_percent)] if entries else []


def _entries_of_position(orders: list[Order], end: int) -> list[Fill]:
    """Return the fills that brought what a trading session held at a time.

    An entry that was placed before an exit had ended belongs to the position that was closed, and is closed with it. So
    does what a coarse lot left of that position.
    """
    fills = [(_at(fill), order, fill) for order in orders for fill in order["fills"]["nodes"]]
    entries: list[Fill] = []
    before: list[Fill] = []
    closed_at = datetime.min.replace(tzinfo=UTC)
    bought = sold = Decimal(0)
    for _, order, fill in sorted((fill for fill in fills if fill[0] < end), key=lambda known: known[0]):
        if order["role"] == "ENTRY":
            is_late = not entries and datetime.fromisoformat(order["createdAt"]) <= closed_at
            entries += [*before, fill] if is_late else [fill]
            bought += Decimal(fill["quantity"])
        else:
            sold += Decimal(fill["quantity"])
        if sold >= bought * _CLOSED:
            closed_at = datetime.fromisoformat(order["updatedAt"])
            before, entries, bought, sold = entries, [], Decimal(0), Decimal(0)
    return entries or before


def _is_justified(role: str, levels: Levels, traded: list[Decimal]) -> bool:
    if role == "STOP_LOSS":
        return min(traded, default=levels.stop + 1) <= levels.stop
    return max(traded, default=levels.profit - 1) >= levels.profit


def _at(fill: Fill) -> int:
    return round(datetime.fromisoformat(fill["at"]).timestamp() * 1000)
