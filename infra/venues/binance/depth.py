"""Binance's depth stream in ccxt's connection, kept by the venue's own rule instead of ccxt's looser one.

ccxt applies an update half before it fails on the other half, takes a missing side for no change, and shows levels
below its snapshot's as if none were missing between them; here each of these ends in a right book or in none.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from domain.ports.market_data import VenueGap, VenueUnreachable
from infra.venues.binance.book import SNAPSHOT_LEVELS, DepthError, LocalBook, read_snapshot, read_update
from infra.venues.ccxt.errors import stream_error
from infra.venues.ccxt.types import Ccxt

log = logging.getLogger(__name__)

AUDIT_SECONDS = 300.0
"""How often a book is compared with a new snapshot although nothing asks for one."""

MAX_ASKED = 10
ASK_AGAIN_SECONDS = 0.2
GIVE_UP_SECONDS = 5.0
"""How long a book that goes on without the snapshot that it wanted waits before it asks again."""

TOPIC = "orderbook::"


class BinanceDepth:
    """Takes the place of ccxt's handlers of spot depth; `orderbooks` holds `LocalBook`s then."""

    orderbooks: dict[str, LocalBook]
    if TYPE_CHECKING:
        spawn: Callable[..., Ccxt]
        safe_market: Callable[..., Ccxt]
        market: Callable[[str], Ccxt]
        publicGetDepth: Callable[..., Ccxt]  # noqa: N815  # ccxt's

    def handle_order_book_subscription(self, client: Ccxt, message: Ccxt, subscription: Mapping[str, Any]) -> None:  # noqa: ARG002  # ccxt's
        """Begin a new book: the venue has answered that its updates will come."""
        for symbol in subscription["symbols"]:
            book = self.orderbooks[symbol] = LocalBook()
            self.spawn(self._ask, client, symbol, book)

    def handle_order_book(self, client: Ccxt, message: Mapping[str, Any]) -> None:
        """Take an update; one that skips ends the book, one that can't be read the connection (`DepthError`)."""
        market_id = message.get("s")
        if not isinstance(market_id, str):
            raise DepthError(f"s is {market_id!r}"[:100])
        symbol = self.safe_market(market_id, None, None, "spot")["symbol"]
        book = self.orderbooks.get(symbol)
        if book is None:
            return
        try:
            changed = book.take(read_update(message))
        except VenueGap as gap:
            self._end(client, symbol, gap)
            return
        if changed:
            client.resolve(book, TOPIC + symbol)
            self._renew_when_due(client, symbol, book)

    async def is_present(self, symbol: str, book: LocalBook) -> bool:
        """Ask the venue whether a book that gets no updates is still its present one; False without an answer."""
        try:
            answer = await self.publicGetDepth({"symbol": self.market(symbol)["id"], "limit": 5})
        except Exception:  # noqa: BLE001  # whatever ccxt raises, there is no answer
            return False
        return book.ended_by is None and answer.get("lastUpdateId") == book.update_id

    def on_error(self, client: Ccxt, error: Exception) -> None:
        """End the books of a connection that broke; another one can't go on with them."""
        self._end_all(client, stream_error(error))
        super().on_error(client, error)  # type: ignore[misc]

    def on_close(self, client: Ccxt, error: object) -> None:
        """End the books of a connection that the venue closed."""
        self._end_all(client, VenueUnreachable("the venue closed the connection"))
        super().on_close(client, error)  # type: ignore[misc]

    def _renew_when_due(self, client: Ccxt, symbol: str, book: LocalBook) -> None:
        now = asyncio.get_running_loop().time()
        wanted = now >= book.audit_at or (book.is_thin and now >= book.ask_after)
        if wanted and not book.awaits_snapshot:
            book.ask()
            self.spawn(self._ask, client, symbol, book)

    async def _ask(self, client: Ccxt, symbol: str, book: LocalBook) -> None:
        """Give the book a snapshot. Without a first one it ends; without a further one it goes on for now."""
        try:
            loaded = await self._load(symbol, book)
        except VenueGap as gap:
            self._end(client, symbol, gap)
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises, there is no snapshot
            self._go_without(client, symbol, book, error)
        else:
            if loaded:
                book.audit_at = asyncio.get_running_loop().time() + AUDIT_SECONDS
                client.resolve(book, TOPIC + symbol)

    async def _load(self, symbol: str, book: LocalBook) -> bool:
        """Fetch snapshots until one is new enough; False where the book has ended meanwhile."""
        asked = {"symbol": self.market(symbol)["id"], "limit": SNAPSHOT_LEVELS}
        for _ in range(MAX_ASKED):
            answer = await self.publicGetDepth(asked)
            if self.orderbooks.get(symbol) is not book:
                return False
            if book.load(read_snapshot(answer)):
                return True
            await asyncio.sleep(ASK_AGAIN_SECONDS)
        raise VenueUnreachable(f"{MAX_ASKED} snapshots of {symbol} were all older than its updates")

    def _go_without(self, client: Ccxt, symbol: str, book: LocalBook, error: Exception) -> None:
        if self.orderbooks.get(symbol) is not book:
            return
        if book.update_id is None:
            self._end(client, symbol, error)
            return
        log.info("no further snapshot of %s yet: %s", symbol, type(error).__name__)
        book.give_up()
        now = asyncio.get_running_loop().time()
        book.ask_after, book.audit_at = now + GIVE_UP_SECONDS, now + AUDIT_SECONDS

    def _end(self, client: Ccxt, symbol: str, error: Exception) -> None:
        if isinstance(error, DepthError):
            error = VenueUnreachable(f"the snapshot of {symbol} can't be read: {error}")
        ended_by = stream_error(error)
        book = self.orderbooks.pop(symbol, None)
        if book is not None:
            book.end(ended_by)
        client.subscriptions.pop(TOPIC + symbol, None)
        client.reject(ended_by, TOPIC + symbol)

    def _end_all(self, client: Ccxt, error: VenueGap | VenueUnreachable) -> None:
        for key in client.subscriptions:
            if isinstance(key, str) and key.startswith(TOPIC):
                book = self.orderbooks.pop(key.removeprefix(TOPIC), None)
                if book is not None:
                    book.end(error)
