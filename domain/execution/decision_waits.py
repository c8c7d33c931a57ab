"""What an order waits for before it is decided: the first book of its market, fresh balances, or coins."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext
from domain.execution.balance_refresh import BalanceRefresher
from domain.model.markets import MarketSymbol
from domain.model.orders import Order, RiskCode, RiskDenial
from domain.ports.leases import StaleLease
from domain.ports.market_data import VenueUnreachable
from domain.risk.context import RiskContext
from domain.risk.protected_coins import holding_protection

_READ_SECONDS = 0.1

Start = Callable[[Coroutine[Any, Any, None]], object]
"""Runs a coroutine in the background."""


class Lacking(Exception):
    """An order can't be decided yet: it lacks something that may come soon."""


class BookMissing(Lacking):
    """There is no book of a market yet, and one may come soon."""

    def __init__(self, market: MarketSymbol) -> None:
        self.market = market
        super().__init__(str(market))


class BalancesInDoubt(Lacking):
    """The stored balances don't cover an order, and the venue hasn't been asked about them since it was placed."""


class CoinsProtected(Lacking):
    """Orders that protect a position at the venue hold what an order by hand is to sell, and are about to let go."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self.orders = tuple(orders)
        super().__init__(str(len(self.orders)))


class DecisionWaits:
    """The orders that wait, and those that have waited and are decided by what there is then.

    Each waits once for each of the three, while other orders go on; `wake` has it decided afterwards.
    `on_coins_expected` is called when an order begins to wait for coins that protect a position.
    """

    def __init__(
        self, context: AccountContext, balances: BalanceRefresher, start: Start, wake: Callable[[UUID], None]
    ) -> None:
        self.on_coins_expected: Callable[[], None] = lambda: None
        self._context = context
        self._balances = balances
        self._start = start
        self._wake = wake
        self._waiting: set[UUID] = set()
        self._had_book: set[UUID] = set()
        self._had_balances: set[UUID] = set()
        self._had_coins: set[UUID] = set()
        self._expects_coins: set[UUID] = set()

    def __contains__(self, order_id: UUID) -> bool:
        """Whether the order waits now."""
        return order_id in self._waiting

    def has_waited_for_book(self, order_id: UUID) -> bool:
        """Return whether the order has had its wait for a book."""
        return order_id in self._had_book

    def expects_coins(self, order_id: UUID) -> bool:
        """Return whether an order that isn't decided yet is to get coins that protect a position."""
        return order_id in self._expects_coins

    def require_all(self, order: Order, risk: RiskContext, denials: Sequence[RiskDenial]) -> None:
        """Raise if an order is denied for what it can still wait for."""
        if denials and order.id not in self._had_coins and (holding := holding_protection(order, risk)):
            raise CoinsProtected(holding)
        lacks_balance = denials and all(denial.code is RiskCode.INSUFFICIENT_BALANCE for denial in denials)
        if lacks_balance and order.id not in self._had_balances:
            raise BalancesInDoubt

    def wait(self, order_id: UUID, reason: Lacking) -> None:
        """Have the order wait for what its decision lacks."""
        self._waiting.add(order_id)
        match reason:
            case BookMissing():
                lacking, had = self._book(reason.market), self._had_book
            case CoinsProtected():
                self._expects_coins.add(order_id)
                self.on_coins_expected()
                lacking, had = self._released(reason.orders), self._had_coins
            case _:
                lacking, had = self._fresh_balances(order_id), self._had_balances
        self._start(self._run(order_id, lacking, had))

    def forget(self, order_id: UUID) -> None:
        """Forget an order that is decided."""
        self._had_book.discard(order_id)
        self._had_balances.discard(order_id)
        self._had_coins.discard(order_id)
        self._expects_coins.discard(order_id)

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

    async def _released(self, holding: Sequence[Order]) -> None:
        """Wait until the orders that hold the coins have ended: the position keeper has them cancelled."""
        with suppress(TimeoutError, Unavailable):
            async with asyncio.timeout(self._context.timings.coins_wait):
                for order in holding:
                    while not await self._has_ended(order):
                        await self._context.notifier.wait_for_change(order.id, _READ_SECONDS)

    async def _has_ended(self, order: Order) -> bool:
        async with self._context.database.read_only() as reading:
            alone = await reading.orders.get_many([order.id])
            group = [] if order.group_id is None else await reading.orders.list_groups([order.group_id])
        return all(each.status.is_final for each in (*alone, *group))

    async def _fresh_balances(self, order_id: UUID) -> None:
        """Ask the venue before an order is denied for its balances: a message of the stream may have been lost.

        All orders that were placed before it is asked share the answer.
        """
        timings, placed_at = self._context.timings, self._context.order_ages.placed_at(order_id)
        try:
            async with asyncio.timeout(timings.balance_wait):
                await asyncio.sleep(timings.balance_refresh_interval - self._balances.seconds_since)
                await self._balances.refresh(placed_at)
        except (TimeoutError, VenueUnreachable, Unavailable, StaleLease):
            return  # The order is decided by what is stored.
