"""Turns ccxt's books, which change under the reader's hands, into books that don't, and refuses those that can't be."""

from domain.core.clock import Clock, from_milliseconds, to_milliseconds
from domain.model.depth import MAX_LEVELS, is_crossed
from domain.model.markets import Depth, Market, PriceLevel
from domain.ports.market_data import CrossedBook, VenueGap
from infra.venues.ccxt import conversion as convert
from infra.venues.ccxt.types import Ccxt


class BookReader:
    """Reads the books of one stream of one market. A stream whose book begins anew, or falls back, has a gap."""

    def __init__(self, grid: Market, clock: Clock) -> None:
        self._grid = grid
        self._clock = clock
        self._known: dict[convert.LevelKey, PriceLevel] = {}
        self._sequence: int | None = None
        self._book: Ccxt = None

    @property
    def is_new(self) -> bool:
        """Whether nothing has been read yet."""
        return self._sequence is None

    def read(self, told: Ccxt) -> Depth | None:
        """Return the book, None where it is the one that was read last and the venue hasn't confirmed it.

        Raises `CrossedBook`, and `VenueGap` for a book that doesn't follow on the last one or can't be read; or the
        end of the connection that the last one came by.
        """
        self._check_same(told)
        sequence = self._number(told)
        if sequence is None:
            return None
        self._sequence = sequence
        try:
            depth = self._depth(told, sequence)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise VenueGap(f"the book of {self._grid.symbol} can't be read: {error}") from None
        if is_crossed(depth.bids, depth.asks):
            raise CrossedBook(f"the book of {self._grid.symbol} is crossed at {depth.bids[0].price}")
        return depth

    def newer(self) -> Ccxt:
        """Return the book where it has changed since it was read; ccxt tells of a change only who waits just then.

        None where it hasn't, and for books of ccxt's own, which may be half of something between two readings.
        """
        book = self._book
        return book.limit() if book is not None and book.update_id != self._sequence else None

    async def confirmed(self, exchange: Ccxt) -> Ccxt:
        """Return the book that was read last where the venue says that it is still the present one, else None."""
        book = self._book
        if book is None or not await exchange.is_present(self._grid.symbol.symbol, book):
            return None
        return book.limit() | {"confirmed": True}

    def _check_same(self, told: Ccxt) -> None:
        book, before = told.get("book"), self._book
        self._book = book
        if before is not None and before is not book:
            raise before.ended_by or VenueGap(f"the book of {self._grid.symbol} began anew")

    def _number(self, told: Ccxt) -> int | None:
        """Return the venue's number of the book, None where it isn't newer; a venue without numbers gets the time's."""
        if told["nonce"] is None:
            milliseconds = told["timestamp"] or to_milliseconds(self._clock.now())
            return max(int(milliseconds), (self._sequence or 0) + 1)
        sequence = int(told["nonce"])
        if self._sequence is not None and sequence < self._sequence:
            raise VenueGap(f"the book of {self._grid.symbol} went back from {self._sequence} to {sequence}")
        return None if sequence == self._sequence and not told.get("confirmed") else sequence

    def _depth(self, told: Ccxt, sequence: int) -> Depth:
        bids, known_bids = convert.levels(told["bids"][:MAX_LEVELS], self._grid, self._known)
        asks, known_asks = convert.levels(told["asks"][:MAX_LEVELS], self._grid, self._known)
        self._known = known_bids | known_asks
        milliseconds = told["timestamp"]
        venue_time = None if milliseconds is None else from_milliseconds(milliseconds)
        return Depth(self._grid.symbol, "", sequence, bids, asks, venue_time, self._clock.now())
