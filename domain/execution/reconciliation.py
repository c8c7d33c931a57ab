"""Brings an account to agree with its venue: at start, and after every reconnect."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext
from domain.execution.balance_audit import BalanceAudit
from domain.execution.execution_reports import foreign_order_alert_key
from domain.execution.in_doubt import InDoubtResolver
from domain.model.markets import MarketSymbol
from domain.model.orders import Order, OrderStatus
from domain.ports.execution_client import BalanceReport, CredentialsRejected, FillReport
from domain.ports.market_data import RequestRejected, VenueUnreachable

_MARGIN = timedelta(minutes=1)
_LONGEST_PAUSE_SECONDS = 10.0
_REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class _Known:
    """What the engine knows of the account before it asks."""

    active: tuple[Order, ...]
    recent: tuple[Order, ...]
    markets: frozenset[MarketSymbol]


class Reconciler:
    """Compares open orders, recent fills and balances; until it has, the desk is not `reconciled`."""

    def __init__(self, desk: AccountContext, settler: InDoubtResolver) -> None:
        self._desk = desk
        self._settler = settler
        self._audit = BalanceAudit(desk)
        self._wanted = asyncio.Event()
        self._has_agreed = False
        self._since = (desk.account.reconciled_at or desk.account.created_at) - _MARGIN

    def want(self) -> None:
        """Ask for a reconciliation; until it is done no new order is sent."""
        self._desk.reconciled = False
        self._wanted.set()

    async def run(self) -> None:
        """Reconcile whenever it is wanted, for ever; retry with growing pauses while the venue doesn't answer."""
        pause = self._desk.timing.retry
        while True:
            wanted = await self._wait()
            try:
                await (self.reconcile() if wanted else self._prolong())
            except (VenueUnreachable, Unavailable) as error:
                if isinstance(error, CredentialsRejected | RequestRejected):
                    await self._refused(error)
                await asyncio.sleep(max(pause, getattr(error, "retry_after_seconds", None) or 0))
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                self._wanted.set()
            else:
                pause = self._desk.timing.retry

    async def _refused(self, error: VenueUnreachable) -> None:
        """Tell the user of a venue that answers no for good: no order of the account is sent until that has changed."""
        what = "takes this account's credentials no more" if isinstance(error, CredentialsRejected) else "refuses"
        self._desk.refusal = f"{self._desk.account.venue} {what}: {error}"
        with suppress(Unavailable):
            await self._desk.alert(_REFUSED, f"{self._desk.refusal}. No order is sent until it does.")

    async def _wait(self) -> bool:
        """Tell whether a reconciliation is wanted before it is time to note that the account still agrees."""
        try:
            async with asyncio.timeout(self._desk.timing.agreement):
                await self._wanted.wait()
        except TimeoutError:
            return False
        self._wanted.clear()
        return True

    async def _prolong(self) -> None:
        """Let the next reconciliation begin here: while the stream lasts, all that happened has been taken in.

        Otherwise an account that ran for a week would ask for a week's fills after a short break.
        """
        if self._desk.reconciled and self._settler.is_idle:
            now = self._desk.clock.now()
            await self._store(now)
            self._since = now - _MARGIN
            self._audit.due |= self._settler.news.balances_changed
            self._settler.news.balances_changed = False
            await self._audit.look()

    async def reconcile(self) -> None:
        """Reconcile once; raises `VenueUnreachable` where the venue doesn't answer."""
        started = self._desk.clock.now()
        known = await self._read()
        await self._orders(known)
        await self._fills(known)
        balances = await self._desk.venue.balances()
        await self._settler.news.take_balances(BalanceReport(balances), all_of_them=True)
        if self._settler.is_idle:
            await self._audit.correct_opening()
        await self._store(started)
        if self._desk.refusal is not None or not self._has_agreed:
            await self._desk.end_alert(_REFUSED)
        self._desk.refusal, self._has_agreed = None, True
        self._since = started - _MARGIN
        if not self._wanted.is_set():
            self._desk.reconciled = True
            await self._desk.bell.ring(self._desk.account.id)

    async def _read(self) -> _Known:
        account_id = self._desk.account.id
        async with self._desk.database.read_only() as transaction:
            active = await transaction.orders.active(account_id)
            recent = await transaction.orders.recent(account_id, self._since)
            positions = await transaction.positions.list_open(account_id)
        for order in (*active, *recent):
            self._settler.news.remember(order)
        markets = {order.market for order in (*active, *recent)} | {position.market for position in positions}
        return _Known(tuple(active), tuple(recent), frozenset(markets))

    async def _orders(self, known: _Known) -> None:
        told = await self._desk.venue.open_orders()
        for venue_order in told:
            await self._settler.news.take_order(venue_order)
        resting = {venue_order.client_order_id for venue_order in told}
        for order in known.active:
            sent = order.status is not OrderStatus.PENDING and order.id not in self._desk.in_flight
            # A cancel that is under way is asked for too: nobody else remembers it after a start.
            if sent and (order.client_order_id not in resting or order.status is OrderStatus.PENDING_CANCEL):
                await self._settler.attend(order.id)

    async def _fills(self, known: _Known) -> None:
        in_doubt = any(order.status in {OrderStatus.IN_DOUBT, OrderStatus.SUBMITTED} for order in known.active)
        for market in sorted(known.markets):
            since = min([self._since, *(order.created_at for order in known.active if order.market == market)])
            told = await self._desk.venue.fills(market, self._desk.at_venue(since))
            for fill in await self._unrecorded(market, told):
                if not await self._settler.news.take_fill(fill) and not in_doubt:
                    await self._report(fill)

    async def _unrecorded(self, market: MarketSymbol, told: Sequence[FillReport]) -> list[FillReport]:
        """Return the fills that aren't stored: an old order that rests makes a venue tell all of its time again."""
        trades = [fill.venue_trade_id for fill in told]
        async with self._desk.database.read_only() as reading:
            recorded = await reading.orders.recorded_trades(self._desk.account.id, market, trades)
        return [fill for fill in told if (fill.venue_trade_id, fill.venue_order_id) not in recorded]

    async def _report(self, fill: FillReport) -> None:
        if fill.at >= self._desk.at_venue(self._desk.account.created_at):
            message = f"The venue has a fill of somebody else's order: {fill.side} {fill.quantity} {fill.market}."
            await self._desk.alert(foreign_order_alert_key(fill), message)

    async def _store(self, at: datetime) -> None:
        async with self._desk.moving() as transaction:
            account = await transaction.accounts.get_for_update(self._desk.account.id)
            if account is not None:
                await transaction.accounts.update(replace(account, reconciled_at=at))
