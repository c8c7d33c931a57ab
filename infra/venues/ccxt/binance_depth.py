"""Binance's depth stream in ccxt's connection, kept by the venue's own rule instead of ccxt's looser one.

ccxt applies half of an update before it fails on the other half, takes a missing side for no change, and shows levels
below its snapshot's as if none were missing in between. Here each of these ends in a correct book or in none.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domain.ports.market_data import VenueGap, VenueUnreachable
from infra.venues.binance_book import BookSettings, DepthError, LocalBook, read_snapshot, read_update
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.ccxt.errors import stream_error

log = logging.getLogger(__name__)

TOPIC = "orderbook::"


@dataclass(frozen=True, slots=True)
class DepthSettings:
    """When snapshots are requested, and how large the books are.

    Every book is compared with a new snapshot after `audit_seconds`. At most `max_snapshots` are requested,
    `retry_seconds` apart, until one is new enough. A book with few levels whose snapshot failed requests the next one
    after `refill_seconds`.
    """

    book: BookSettings = field(default_factory=BookSettings)
    audit_seconds: float = 300.0
    max_snapshots: int = 10
    retry_seconds: float = 0.2
    refill_seconds: float = 5.0


class BinanceDepth:
    """Replaces ccxt's handlers of spot depth; `orderbooks` then holds `LocalBook`s."""

    depth_settings = DepthSettings()
    orderbooks: dict[str, LocalBook]
    if TYPE_CHECKING:
        spawn: Callable[..., CcxtValue]
        safe_market: Callable[..., CcxtValue]
        market: Callable[[str], CcxtValue]
        publicGetDepth: Callable[..., CcxtValue]  # noqa: N815  # ccxt's

    def handle_order_book_subscription(
        self,
        client: CcxtValue,
        message: CcxtValue,  # noqa: ARG002  # ccxt's
        subscription: Mapping[str, Any],
    ) -> None:
        """Start a new book: the venue has confirmed the subscription to its updates."""
        for symbol in subscription["symbols"]:
            book = self.orderbooks[symbol] = LocalBook(self.depth_settings.book)
            self.spawn(self._fetch_snapshot, client, symbol, book)

    def handle_order_book(self, client: CcxtValue, message: Mapping[str, Any]) -> None:
        """Apply an update. A missing update ends the book, an unreadable one the connection (`DepthError`)."""
        market_id = message.get("s")
        if not isinstance(market_id, str):
            raise DepthError(f"s is {market_id!r}"[:100])
        symbol = self.safe_market(market_id, None, None, "spot")["symbol"]
        book = self.orderbooks.get(symbol)
        if book is None:
            return
        try:
            changed = book.apply_update(read_update(message))
        except VenueGap as gap:
            self._invalidate(client, symbol, gap)
            return
        if changed:
            client.resolve(book, TOPIC + symbol)
            self._refresh_if_due(client, symbol, book)

    async def is_current(self, symbol: str, book: LocalBook) -> bool:
        """Ask the venue whether a book that gets no updates is still its present one; False without an answer."""
        try:
            answer = await self.publicGetDepth({"symbol": self.market(symbol)["id"], "limit": 5})
        except Exception:  # noqa: BLE001  # whatever ccxt raises, there is no answer
            return False
        return book.invalidated_by is None and answer.get("lastUpdateId") == book.update_id

    def on_error(self, client: CcxtValue, error: Exception) -> None:
        """Invalidate the books of a broken connection; another one can't continue them."""
        self._invalidate_all(client, stream_error(error))
        super().on_error(client, error)  # type: ignore[misc]

    def on_close(self, client: CcxtValue, error: object) -> None:
        """Invalidate the books of a connection that the venue has closed."""
        self._invalidate_all(client, VenueUnreachable("the venue closed the connection"))
        super().on_close(client, error)  # type: ignore[misc]

    def _refresh_if_due(self, client: CcxtValue, symbol: str, book: LocalBook) -> None:
        now = asyncio.get_running_loop().time()
        is_due = now >= book.audit_at or (book.needs_snapshot and now >= book.refill_after)
        if is_due and not book.awaits_snapshot:
            book.request_snapshot()
            self.spawn(self._fetch_snapshot, client, symbol, book)

    async def _fetch_snapshot(self, client: CcxtValue, symbol: str, book: LocalBook) -> None:
        """Give the book a snapshot. Without its first one the book ends; without a later one it goes on for now."""
        try:
            applied = await self._apply_snapshot(symbol, book)
        except VenueGap as gap:
            self._invalidate(client, symbol, gap)
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises, there is no snapshot
            self._on_snapshot_failed(client, symbol, book, error)
        else:
            if applied:
                book.audit_at = asyncio.get_running_loop().time() + self.depth_settings.audit_seconds
                client.resolve(book, TOPIC + symbol)

    async def _apply_snapshot(self, symbol: str, book: LocalBook) -> bool:
        """Fetch snapshots until one is new enough; return False if the book has ended meanwhile."""
        settings = self.depth_settings
        params = {"symbol": self.market(symbol)["id"], "limit": settings.book.snapshot_levels}
        for _ in range(settings.max_snapshots):
            answer = await self.publicGetDepth(params)
            if self.orderbooks.get(symbol) is not book:
                return False
            if book.apply_snapshot(read_snapshot(answer)):
                return True
            await asyncio.sleep(settings.retry_seconds)
        raise VenueUnreachable(f"{settings.max_snapshots} snapshots of {symbol} were all older than its updates")

    def _on_snapshot_failed(self, client: CcxtValue, symbol: str, book: LocalBook, error: Exception) -> None:
        if self.orderbooks.get(symbol) is not book:
            return
        if book.update_id is None:
            self._invalidate(client, symbol, error)
            return
        log.info("no further snapshot of %s yet: %s", symbol, type(error).__name__)
        book.cancel_snapshot()
        now = asyncio.get_running_loop().time()
        book.refill_after = now + self.depth_settings.refill_seconds
        book.audit_at = now + self.depth_settings.audit_seconds

    def _invalidate(self, client: CcxtValue, symbol: str, error: Exception) -> None:
        if isinstance(error, DepthError):
            error = VenueUnreachable(f"the snapshot of {symbol} can't be read: {error}")
        reason = stream_error(error)
        book = self.orderbooks.pop(symbol, None)
        if book is not None:
            book.invalidate(reason)
        client.subscriptions.pop(TOPIC + symbol, None)
        client.reject(reason, TOPIC + symbol)

    def _invalidate_all(self, client: CcxtValue, error: VenueGap | VenueUnreachable) -> None:
        for key in client.subscriptions:
            if isinstance(key, str) and key.startswith(TOPIC):
                book = self.orderbooks.pop(key.removeprefix(TOPIC), None)
                if book is not None:
                    book.invalidate(error)
