"""Reconciles an account with its venue, at start and after every reconnect."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.core.backoff import Backoff
from domain.core.errors import Unavailable
from domain.core.tracing import span
from domain.core.wakeup import Wakeup
from domain.execution.account_context import AccountContext
from domain.execution.balance_audit import BalanceAudit
from domain.execution.fill_owners import FillOwner
from domain.execution.in_doubt import InDoubtResolver
from domain.execution.restored_orders import RestoredOrders
from domain.model.markets import MarketSymbol
from domain.model.orders import Order, OrderStatus
from domain.ports.execution_client import CredentialsRejected, FillReport
from domain.ports.leases import StaleLease
from domain.ports.market_data import RequestRejected, VenueUnreachable

_MARGIN = timedelta(minutes=1)
"""How far before the last agreement a reconciliation begins, since clocks differ."""

_UNCONFIRMED_MARGIN = timedelta(days=1)
"""How long before a fill the order may have been sent that it belongs to, if the venue had denied knowing it."""

_REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class _StoredState:
    """What is stored of the account before the venue is queried; `recent` changed since the last agreement."""

    active: tuple[Order, ...]
    recent: tuple[Order, ...]
    markets: frozenset[MarketSymbol]


class Reconciler:
    """Compares open orders, recent fills and balances with the venue's; until then the context isn't `reconciled`."""

    def __init__(self, context: AccountContext, resolver: InDoubtResolver) -> None:
        self._context = context
        self._resolver = resolver
        self._audit = BalanceAudit(context)
        self._restored = RestoredOrders(context, resolver)
        self._requested = Wakeup()
        self.has_succeeded = False
        self._agreed_at = context.account.reconciled_at or context.account.created_at
        self._agreed_until = context.account.reconciled_until
        self._saved_at = float("-inf")

    def request(self) -> None:
        """Request a reconciliation; no new order is sent until it is done."""
        self._context.reconciled = False
        self._requested.set()

    async def run(self) -> None:
        """Reconcile on request, for ever; retry with growing delays while the venue doesn't answer."""
        timings = self._context.timings
        backoff = Backoff(timings.retry_delay, timings.longest_retry_delay)
        while True:
            is_requested = await self._requested.wait(timings.checkpoint_interval)
            if is_requested:
                self._requested.clear()
            try:
                await (self.reconcile() if is_requested else self._checkpoint())
            except (VenueUnreachable, Unavailable) as error:
                if isinstance(error, CredentialsRejected | RequestRejected):
                    await self._on_refused(error)
                await asyncio.sleep(backoff.next_delay(getattr(error, "retry_after_seconds", None)))
                self._requested.set()
            else:
                backoff.reset()

    async def _on_refused(self, error: VenueUnreachable) -> None:
        """Alert the user of a venue that refuses every request; no order of the account is sent until it answers."""
        what = "takes this account's credentials no more" if isinstance(error, CredentialsRejected) else "refuses"
        self._context.refusal = f"{self._context.account.venue} {what}: {error}"
        with suppress(Unavailable):
            await self._context.alerts.raise_alert(
                _REFUSED, f"{self._context.refusal}. No order is sent until it does."
            )

    async def _checkpoint(self) -> None:
        """Store that the account agrees with the venue up to now, as it does while the stream lasts.

        The next reconciliation starts here: otherwise an account that ran for a week would query a week's fills after
        a short break. An account at rest has nothing to query, and stores it every `resting_refresh_interval` alone.
        """
        context = self._context
        if context.reconciled and self._resolver.is_idle:
            self._agreed_at, self._agreed_until = context.clock.now(), context.venue.venue_now()
            seconds_since = context.clock.monotonic() - self._saved_at
            if context.is_active or seconds_since >= context.timings.resting_refresh_interval:
                await self._save_agreement(self._agreed_at, self._agreed_until)
            await self._refresh_balances()
            self._audit.is_due |= self._resolver.report_handler.balances_changed
            self._resolver.report_handler.balances_changed = False
            await self._audit.run()

    async def _refresh_balances(self) -> None:
        """Ask for balances if any may have changed: every minute while the account trades or holds positions.

        An account at rest costs its venue one request each `resting_refresh_interval`.
        """
        context, balances = self._context, self._resolver.balances
        if not context.is_active and balances.seconds_since < context.timings.resting_refresh_interval:
            return
        await balances.refresh()
        context.is_active = False  # What happens from here on sets it again.
        if await self._is_trading():
            context.is_active = True

    async def _is_trading(self) -> bool:
        account_id = self._context.account.id
        async with self._context.database.read_only() as reading:
            return bool(await reading.orders.list_active(account_id) or await reading.positions.list_open(account_id))

    async def reconcile(self) -> None:
        """Reconcile once; raises `VenueUnreachable` if the venue doesn't answer."""
        account = self._context.account
        with span("account.reconcile", venue=account.venue, **{"r3edge.account.id": str(account.id)}):
            await self._reconcile()

    async def _reconcile(self) -> None:
        started_at, started = self._context.clock.now(), self._context.clock.monotonic()
        await self._restored.adopt()
        stored = await self._read()
        await self._reconcile_orders(stored)
        await self._reconcile_fills(stored)
        await self._resolver.balances.refresh()
        if self._resolver.is_idle:
            await self._audit.correct_opening()
        # The venue's clock is measured by the first request, which comes after the start.
        taken = timedelta(seconds=self._context.clock.monotonic() - started)
        await self._save_agreement(started_at, self._context.venue.venue_now() - taken)
        if self._context.refusal is not None or not self.has_succeeded:
            await self._context.alerts.clear(_REFUSED)
        self._context.refusal, self.has_succeeded = None, True
        if not self._requested.is_set():
            self._context.note_reconciled()
            await self._context.notifier.notify_executor(self._context.account.id)

    async def _read(self) -> _StoredState:
        account_id = self._context.account.id
        async with self._context.database.read_only() as transaction:
            active = await transaction.orders.list_active(account_id)
            recent = await transaction.orders.list_changed_since(account_id, self._since)
            positions = await transaction.positions.list_open(account_id)
        for order in (*active, *recent):
            self._resolver.report_handler.index(order)
        markets = {order.market for order in (*active, *recent)} | {position.market for position in positions}
        return _StoredState(tuple(active), tuple(recent), frozenset(markets))

    async def _reconcile_orders(self, stored: _StoredState) -> None:
        reports = await self._context.venue.open_orders()
        for report in reports:
            async with self._contained(f"the venue's order {report.venue_order_id} in {report.market}"):
                await self._resolver.report_handler.on_order(report)
        resting = {report.client_order_id for report in reports}
        for order in stored.active:
            is_sent = (
                not (order.status is OrderStatus.PENDING or order.is_held) and order.id not in self._context.in_flight
            )
            # An order with a pending cancel is queried too: after a start nothing else follows it up.
            if is_sent and (order.client_order_id not in resting or order.status is OrderStatus.PENDING_CANCEL):
                async with self._contained(f"order {order.id}"):
                    await self._resolver.resolve_now(order.id)

    async def _reconcile_fills(self, stored: _StoredState) -> None:
        for market in sorted(stored.markets):
            active = [order for order in stored.active if order.market == market]
            since = min([self._venue_since, *(self._submitted_at(order) for order in active)])
            reports = await self._context.venue.fills(market, since)
            unrecorded = await self._unrecorded(market, reports)
            earliest = min([self._since, *(order.created_at for order in active)])
            candidates = await self._unconfirmed(earliest) if unrecorded else []
            for fill in unrecorded:
                async with self._contained(f"the venue's trade {fill.venue_trade_id} in {fill.market}"):
                    await self._reconcile_fill(fill, candidates)

    async def _reconcile_fill(self, fill: FillReport, candidates: Sequence[Order]) -> None:
        owner = await self._resolver.fill_owners.apply(fill, candidates)
        is_new = fill.at >= self._context.to_venue_time(self._context.account.created_at)
        if owner is FillOwner.FOREIGN and is_new:
            self._resolver.report_handler.foreign_orders.notice_fill(fill)

    async def _unconfirmed(self, since: datetime) -> list[Order]:
        """Return the orders that fills may belong to although the engine doesn't know their ids at the venue."""
        async with self._context.database.read_only() as reading:
            return await reading.orders.list_unconfirmed(self._context.account.id, since - _UNCONFIRMED_MARGIN)

    @asynccontextmanager
    async def _contained(self, what: str) -> AsyncIterator[None]:
        """Keep an unexpected error of the block from holding up the reconciliation of everything else."""
        try:
            yield
        except (StaleLease, Unavailable, VenueUnreachable):
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is
            await self._context.alerts.raise_error(f"the reconciliation of {what}", error)

    async def _unrecorded(self, market: MarketSymbol, reports: Sequence[FillReport]) -> list[FillReport]:
        """Return the fills that aren't stored: an old resting order makes a venue report all fills since then again."""
        trade_ids = [fill.venue_trade_id for fill in reports]
        async with self._context.database.read_only() as reading:
            recorded = await reading.orders.recorded_trades(self._context.account.id, market, trade_ids)
        return [fill for fill in reports if (fill.venue_trade_id, fill.venue_order_id) not in recorded]

    @property
    def _venue_since(self) -> datetime:
        """The venue's time from which on its trades are asked for: as stored, whatever this node's clock did since."""
        return (self._agreed_until or self._context.to_venue_time(self._agreed_at)) - _MARGIN

    @property
    def _since(self) -> datetime:
        """The time from which on rows may have changed, although this node's clock may have been ahead or behind."""
        if self._agreed_until is None:
            return self._agreed_at - _MARGIN
        passed = self._context.venue.venue_now() - self._agreed_until
        return min(self._agreed_at, self._context.clock.now() - passed) - _MARGIN

    def _submitted_at(self, order: Order) -> datetime:
        return order.venue_submitted_at or self._context.to_venue_time(order.created_at)

    async def _save_agreement(self, at: datetime, until: datetime) -> None:
        """Store up to when the account agrees with its venue, by this node's clock and by the venue's."""
        await self._context.save_reconciled_at(at, until)
        self._agreed_at, self._agreed_until = at, until
        self._saved_at = self._context.clock.monotonic()
