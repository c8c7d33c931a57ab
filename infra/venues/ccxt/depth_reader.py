"""Converts ccxt's mutable books into immutable ones, and rejects those that are crossed or unreadable."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from domain.core.clock import Clock, from_milliseconds, to_milliseconds
from domain.core.money import ZERO, plain, round_nearest
from domain.model.depth import MAX_LEVELS, is_crossed
from domain.model.markets import Depth, Market, PriceLevel
from domain.ports.market_data import CrossedBook, VenueGap
from infra.venues.ccxt.conversion import CcxtValue

LevelKey = tuple[float | str, float | str]
"""A level's price and quantity in the venue's own digits, or as ccxt's floats."""


class DepthReader:
    """Reads the books of one market's stream. A stream whose book restarts, or whose number falls, has a gap."""

    def __init__(self, grid: Market, clock: Clock) -> None:
        self._grid = grid
        self._clock = clock
        self._known: dict[LevelKey, PriceLevel] = {}
        self._sequence: int | None = None
        self._book: CcxtValue = None

    @property
    def is_new(self) -> bool:
        """Whether nothing has been read yet."""
        return self._sequence is None

    def read(self, data: CcxtValue) -> Depth | None:
        """Return the book; None if it is the last one again and the venue hasn't confirmed it.

        Raises `CrossedBook`, `VenueGap` for a book that doesn't follow the last one or can't be read, or the error
        that ended the last book's connection.
        """
        self._check_same_book(data)
        sequence = self._sequence_of(data)
        if sequence is None:
            return None
        self._sequence = sequence
        try:
            depth = self._depth(data, sequence)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise VenueGap(f"the book of {self._grid.symbol} can't be read: {error}") from None
        if is_crossed(depth.bids, depth.asks):
            raise CrossedBook(f"the book of {self._grid.symbol} is crossed at {depth.bids[0].price}")
        return depth

    def take_changed(self) -> CcxtValue:
        """Return the book if it has changed since `read`, else None; ccxt notifies only those who wait at that moment.

        Also None for ccxt's own books, which may be half updated between two reads.
        """
        book = self._book
        return book.limit() if book is not None and book.update_id != self._sequence else None

    async def fetch_confirmed(self, exchange: CcxtValue) -> CcxtValue:
        """Return the last book if the venue confirms that it is still the present one, else None."""
        book = self._book
        if book is None or not await exchange.is_current(self._grid.symbol.symbol, book):
            return None
        return book.limit() | {"confirmed": True}

    def _check_same_book(self, data: CcxtValue) -> None:
        book, before = data.get("book"), self._book
        self._book = book
        if before is not None and before is not book:
            raise before.invalidated_by or VenueGap(f"the book of {self._grid.symbol} restarted")

    def _sequence_of(self, data: CcxtValue) -> int | None:
        """Return the book's number, None if it isn't newer; a venue without numbers gets milliseconds."""
        if data["nonce"] is None:
            milliseconds = data["timestamp"] or to_milliseconds(self._clock.now())
            return max(int(milliseconds), (self._sequence or 0) + 1)
        sequence = int(data["nonce"])
        if self._sequence is not None and sequence < self._sequence:
            raise VenueGap(f"the book of {self._grid.symbol} went back from {self._sequence} to {sequence}")
        return None if sequence == self._sequence and not data.get("confirmed") else sequence

    def _depth(self, data: CcxtValue, sequence: int) -> Depth:
        bids, known_bids = levels(data["bids"][:MAX_LEVELS], self._grid, self._known)
        asks, known_asks = levels(data["asks"][:MAX_LEVELS], self._grid, self._known)
        self._known = known_bids | known_asks
        milliseconds = data["timestamp"]
        venue_time = None if milliseconds is None else from_milliseconds(milliseconds)
        return Depth(self._grid.symbol, "", sequence, bids, asks, venue_time, self._clock.now())


def levels(
    side: Sequence[Sequence[Any]], grid: Market, known: Mapping[LevelKey, PriceLevel]
) -> tuple[tuple[PriceLevel, ...], dict[LevelKey, PriceLevel]]:
    """Return one side of the book, and the `known` levels to pass the next time; raises ValueError.

    Most levels don't change from one book to the next, so their objects are reused.
    """
    seen: dict[LevelKey, PriceLevel] = {}
    for row in side:
        key = (row[0], row[1])
        seen[key] = known.get(key) or _level(key, grid)
    return tuple(level for level in seen.values() if level.quantity), seen


def _level(key: LevelKey, grid: Market) -> PriceLevel:
    price, quantity = _on_grid(key[0], grid.price_increment), _on_grid(key[1], grid.quantity_increment)
    if price <= ZERO or quantity < ZERO:
        raise ValueError(f"{quantity} at {price} is no level")
    return PriceLevel(price, quantity)


def _on_grid(value: float | str, step: Decimal) -> Decimal:
    """Return a number of the book rounded to the market's increment, which ccxt's floats may miss.

    A number in the venue's own digits is exact, even if it is finer than the increment that the venue last published.
    """
    exact = Decimal(str(value))
    if not exact.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    nearest = round_nearest(exact, step)
    return nearest if nearest == exact or isinstance(value, float) else Decimal(plain(exact))
