"""What an order waits for before it is decided: the first book of its market, or fresh balances of the venue."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext
from domain.execution.balance_refresh import BalanceRefresher
from domain.model.markets import MarketSymbol
from domain.ports.leases import StaleLease
from domain.ports.market_data import VenueUnreachable

Start = Callable[[Coroutine[Any, Any, None]], object]
"""Runs a coroutine in the background."""


class BookMissing(Exception):
    """There is no book of a market yet, and one may come soon."""

    def __init__(self, market: MarketSymbol) -> None:
        self.market = market
        super().__init__(str(market))


class BalancesInDoubt(Exception):
    """The stored balances don't cover an order, and the venue hasn't been asked about them since it was placed."""


class DecisionWaits:
    """The orders that wait, and those that have waited and are decided by what there is then.

    Each waits once for each of the two, while other orders go on; `wake` has it decided afterwards.
    """

    def __init__(
        self, context: AccountContext, balances: BalanceRefresher, start: Start, wake: Callable[[UUID], None]
    ) -> None:
        self._context = context
        self._balances = balances
        self._start = start
        self._wake = wake
        self._waiting: set[UUID] = set()
        self._had_book: set[UUID] = set()
        self._had_balances: set[UUID] = set()

    def __contains__(self, order_id: UUID) -> bool:
        """Whether the order waits now."""
        return order_id in self._waiting

    def has_waited_for_book(self, order_id: UUID) -> bool:
        """Return whether the order has had its wait for a book."""
        return order_id in self._had_book

    def has_waited_for_balances(self, order_id: UUID) -> bool:
        """Return whether the venue has been asked for balances for the order's sake."""
        return order_id in self._had_balances

    def wait(self, order_id: UUID, reason: BookMissing | BalancesInDoubt) -> None:
        """Have the order wait for what its decision lacks."""
        self._waiting.add(order_id)
        lacking = self._book(reason.market) if isinstance(reason, BookMissing) else self._fresh_balances()
        had = self._had_book if isinstance(reason, BookMissing) else self._had_balances
        self._start(self._run(order_id, lacking, had))

    def forget(self, order_id: UUID) -> None:
        """Forget an order that is decided."""
        self._had_book.discard(order_id)
        self._had_balances.discard(order_id)

    async def _run(self, order_id: UUID, lacking: Coroutine[Any, Any, None], had: set[UUID]) -> None:
        try:
            await lacking
        finally:
            self._waiting.discard(order_id)
            had.add(order_id)
            self._wake(order_id)

    async def _book(self, market: MarketSymbol) -> None:
        """Wait for the first book of a market whose feed may just have started."""
        await self._context.markets.depth(market, self._context.timings.book_wait)

    async def _fresh_balances(self) -> None:
        """Ask the venue before an order is denied for its balances: a message of the stream may have been lost."""
        timings = self._context.timings
        try:
            async with asyncio.timeout(timings.balance_wait):
                await asyncio.sleep(timings.balance_refresh_interval - self._balances.seconds_since)
                await self._balances.refresh()
        except (TimeoutError, VenueUnreachable, Unavailable, StaleLease):
            return  # The order is decided by what is stored.
