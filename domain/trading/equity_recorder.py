"""Stores the equity of an account and of its trading sessions with limits on losses, for these to be measured."""

import asyncio
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import NoReturn
from uuid import UUID

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.market_data.market_subscriptions import MarketSubscriptions, pricing_markets
from domain.model.equity import AccountLedger, StoredEquity
from domain.portfolio.equity_points import Convert, account_standing, session_standing
from domain.ports.market_data import MarketDataProvider
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.risk.loss_history import needs_equity

EVERY_SECONDS = 60.0
RETRY_SECONDS = 1.0
"""How soon a point that a limit needs is tried again while a price is missing, and how long changes are collected."""


class EquityRecorder:
    """Stores a point every minute while the account holds anything whose worth changes, and after each change of money.

    A change is a fill, a deposit, a withdrawal or an adjustment. An account that holds its own currency alone needs no
    points between: its last one stays right.
    """

    def __init__(self, account_id: UUID, database: Database, feed: MarketDataProvider, clock: Clock) -> None:
        self._account_id = account_id
        self._database = database
        self._feed = feed
        self._clock = clock
        self._wakeup = Wakeup()
        self._totals: Mapping[str, Decimal] = {}
        self._due_at = float("-inf")
        self._rests = False
        self._is_urgent = False
        self._subscriptions = MarketSubscriptions(feed)

    def wake(self) -> None:
        """Look whether money has moved, soon; never waits."""
        self._wakeup.set()

    async def run(self) -> NoReturn:
        """Store points until cancelled."""
        try:
            while True:
                self._wakeup.clear()
                try:
                    is_stored = await self.record()
                except Unavailable:
                    is_stored = False
                if await self._wakeup.wait(self._seconds_left(is_stored=is_stored)):
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            await self._subscriptions.close()

    def _seconds_left(self, *, is_stored: bool) -> float | None:
        """Return how long to wait for a change of money; None if nothing else can change the account's worth."""
        if not is_stored:
            return RETRY_SECONDS if self._is_urgent else EVERY_SECONDS
        return None if self._rests else max(self._due_at - self._clock.monotonic(), 0)

    async def record(self) -> bool:
        """Store a point if one is due; return False if a price is missing, so that it has to be tried again."""
        now = self._clock.now()
        async with self._database.read_only() as reading:
            ledger = await reading.equity.account_ledger(self._account_id, now)
        if ledger is None:
            return True
        is_moved = ledger.last is None or dict(ledger.totals) != self._totals or bool(ledger.unvalued)
        if not is_moved and self._clock.monotonic() < self._due_at:
            return True
        self._is_urgent = needs_equity(ledger.account.risk)
        await self._subscribe(ledger)
        venue, graph = ledger.account.venue, self._feed.graph(ledger.account.venue)
        standing = account_standing(ledger, self._convert(venue), graph.connects)
        if standing.missing:
            return False
        point = standing.point(ledger.account.id, ledger.account.id, now, ledger.last)
        async with self._database.transaction() as transaction:
            await _save(transaction, point, ledger.last, standing.worths)
            await self._record_sessions(transaction, ledger)
        self._totals = dict(ledger.totals)
        self._due_at = self._clock.monotonic() + EVERY_SECONDS
        self._rests = standing.rests
        return True

    async def _record_sessions(self, transaction: UnitOfWork, ledger: AccountLedger) -> None:
        now, account = self._clock.now(), ledger.account
        for session in await transaction.trading_sessions.list_live(account.id):
            if session.risk is None or not needs_equity(session.risk):
                continue
            own = await transaction.equity.session_ledger(session, now)
            standing = session_standing(own, account.currency, self._convert(account.venue), self._feed.price_of)
            if not standing.missing:
                await _save(transaction, standing.point(session.id, account.id, now, own.last), own.last)

    async def _subscribe(self, ledger: AccountLedger) -> None:
        """Follow the prices of all that is held if limits depend on its worth; others may follow them anyway."""
        held = [currency for currency, amount in ledger.totals.items() if amount] if self._is_urgent else []
        markets = {market for currency in held for market in pricing_markets(ledger.account, currency, self._feed)}
        await self._subscriptions.set_markets(frozenset(markets))

    def _convert(self, venue: str) -> Convert:
        return partial(self._feed.convert, venue)


async def _save(
    transaction: UnitOfWork, point: StoredEquity, last: StoredEquity | None, worths: Iterable[tuple[UUID, Decimal]] = ()
) -> None:
    """Store a point as the newest one.

    Points of a time that hasn't come are from a clock that was ahead, and would count as the newest until it comes.
    """
    if last is not None and last.at > point.at:
        await transaction.equity.delete_later(point.subject_id, point.at)
    await transaction.equity.save(point, dict(worths))
