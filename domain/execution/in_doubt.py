"""Resolves what isn't known of an order by querying the venue, never by sending the request again."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.core.backoff import Backoff
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.execution.account_context import AccountContext
from domain.execution.balance_refresh import BalanceRefresher
from domain.execution.execution_reports import ReportHandler
from domain.execution.fill_owners import FillOwner, FillOwners
from domain.model.orders import CancelCode, Order, OrderStatus
from domain.ports.execution_client import OrderReport
from domain.ports.leases import StaleLease
from domain.ports.market_data import VenueUnreachable
from domain.rules.missing_fills import give_up_fills
from domain.rules.order_lifecycle import Transition, confirm_absent, is_missing_fills, mark_in_doubt, reject_cancel
from domain.rules.order_replacement import UncanceledStep, uncanceled_step
from domain.rules.refused_cancels import is_cancel_refused

_FILLS_MARGIN = timedelta(seconds=5)
"""How long before an order was sent its fills are looked for, since clocks differ."""

_ATTEMPTS_FOR_FILLS = 3
"""How many reports of CANCELED or EXPIRED with missing fills are ignored before one is applied without them."""

_MAXIMUM_QUICK_ATTEMPTS = 40
"""After so many attempts queries get rare, and missing fills are given up with an alert: the order is then FILLED."""

_NEVER_SENT = frozenset({OrderStatus.PENDING, OrderStatus.DENIED})
_WITHOUT_OUTCOME = frozenset({OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT, OrderStatus.PENDING_CANCEL})

_QUICK_QUERIES = 9
"""How many quick queries fit into the time after which an absence counts."""


HeldAgain = Callable[[Order, str], Awaitable[None]]
"""Called with a triggered trailing stop that the venue doesn't have and the engine holds again, and why."""


@dataclass(slots=True)
class PendingQuery:
    """An order to be queried. `sent_at` is when the last request about it was sent, `next_at` when to query next.

    Both are in monotonic seconds, as is `since`, from which on the order is in doubt: a wall clock may be set back.
    `cancel_refusal` is the venue's reason if it refused to cancel the order. `alert_at` is when the user is alerted of
    the doubt; `obstacle` is what the last attempt has failed by.
    """

    order_id: UUID
    since: float
    sent_at: float
    next_at: float
    backoff: Backoff
    attempts: int = field(default=0, kw_only=True)
    cancel_refusal: str | None = field(default=None, kw_only=True)
    alert_at: float | None = field(default=None, kw_only=True)
    obstacle: str = field(default="the venue has not answered", kw_only=True)


class InDoubtResolver:
    """Queries orders one by one, at first at once and then with growing delays, until nothing about them is open."""

    def __init__(
        self,
        context: AccountContext,
        retry_cancel: Callable[[UUID], None],
        held_again: HeldAgain,
        *,
        cancel_foreign: bool = False,
    ) -> None:
        self._context = context
        self._retry_cancel = retry_cancel
        self._held_again = held_again
        self._queries: dict[UUID, PendingQuery] = {}
        self._wakeup = Wakeup()
        self.report_handler = ReportHandler(context, self.enqueue_later, cancel_foreign=cancel_foreign)
        self.fill_owners = FillOwners(context, self.report_handler)
        self.balances = BalanceRefresher(context, self.report_handler)

    @property
    def is_idle(self) -> bool:
        """Whether no query is pending."""
        return not self._queries

    def enqueue(self, order_id: UUID, *, sent_at: float | None = None, cancel_refusal: str | None = None) -> None:
        """Query the order now; `sent_at` is when the last request about it was sent, in monotonic seconds."""
        now = self._context.clock.monotonic()
        before = self._queries.get(order_id)
        last_sent_at = sent_at if sent_at is not None else before.sent_at if before else now
        query = self._query(order_id, last_sent_at, now, cancel_refusal)
        if before is not None:
            query.since = before.since
        self._queries[order_id] = query
        self._wakeup.set()

    def enqueue_later(self, order_id: UUID) -> None:
        """Query the order a little later, unless the venue reports what is missing by itself before."""
        if order_id not in self._queries:
            now = self._context.clock.monotonic()
            self._queries[order_id] = self._query(order_id, now, now + self._context.timings.first_query_delay)
            self._wakeup.set()

    async def run(self) -> None:
        """Resolve pending queries when they are due, until cancelled."""
        while True:
            self._wakeup.clear()
            for query in self._due_queries():
                await self._resolve_or_reschedule(query)
            await self._alert_of_doubts()
            await self._wait()

    async def resolve_now(self, order_id: UUID) -> None:
        """Query the order once at once; `run` goes on with it if anything is still open.

        Raises `VenueUnreachable` if the venue doesn't answer.
        """
        now = self._context.clock.monotonic()
        if order_id not in self._queries:
            self._queries[order_id] = self._query(order_id, now, now)
        await self._resolve(self._queries[order_id])

    def _query(self, order_id: UUID, sent_at: float, next_at: float, cancel_refusal: str | None = None) -> PendingQuery:
        timings = self._context.timings
        backoff = Backoff(timings.first_query_delay * 2, timings.longest_query_delay)
        since = min(sent_at, self._context.clock.monotonic())
        return PendingQuery(order_id, since, sent_at, next_at, backoff, cancel_refusal=cancel_refusal)

    async def _resolve_or_reschedule(self, query: PendingQuery) -> None:
        try:
            await self._resolve(query)
            if not self._queries:
                await self.balances.refresh()  # What the settled orders have moved, in case its messages were lost.
        except (VenueUnreachable, Unavailable) as error:
            query.obstacle = str(error) or "the venue does not answer"
            self._reschedule(query, getattr(error, "retry_after_seconds", None))
        except StaleLease:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the other orders of the account go on
            self._reschedule(query)
            await self._context.alerts.raise_error(f"the query about order {query.order_id}", error)

    async def _resolve(self, query: PendingQuery) -> None:
        query.attempts += 1
        order = await self._read(query.order_id)
        query.alert_at = None if order is None else self._alert_at(query, order)
        if order is None or order.status in _NEVER_SENT or order.is_held:
            self._discard(query)
        elif order.id in self._context.in_flight:
            # Its outcome is being saved at this moment.
            query.attempts -= 1
            query.next_at = self._context.clock.monotonic() + self._context.timings.in_flight_delay
        else:
            await self._query_venue(query, order)

    async def _query_venue(self, query: PendingQuery, order: Order) -> None:
        if order.status is OrderStatus.SUBMITTED:
            reason = "the answer of the venue is not known"
            at = self._context.clock.now()
            changed = await self._context.update(
                order.id,
                lambda current: mark_in_doubt(current, at, reason) if current == order else Transition(current),
            )
            order = changed or order
        report = await self._context.venue.query_order(order)
        if report is None:
            await self._resolve_order_not_found(query, order)
        else:
            await self._resolve_order_found(query, report)

    async def _resolve_order_found(self, query: PendingQuery, report: OrderReport) -> None:
        is_filled = report.status is OrderStatus.FILLED
        enough = _MAXIMUM_QUICK_ATTEMPTS - 1 if is_filled else _ATTEMPTS_FOR_FILLS
        order = await self.report_handler.on_order(report, complete=query.attempts > enough)
        if order is None:
            self._discard(query)
        elif is_missing_fills(order, report):
            await self._resolve_missing_fills(query, order)
        elif order.status is OrderStatus.PENDING_CANCEL:
            await self._resolve_uncanceled_order(query, order)
        else:
            self._discard(query)

    async def _resolve_missing_fills(self, query: PendingQuery, order: Order) -> None:
        if query.attempts < _MAXIMUM_QUICK_ATTEMPTS:
            self._reschedule(query)
            return
        self._discard(query)
        at = self._context.clock.now()
        await self._context.update(order.id, lambda current: give_up_fills(current, at))
        message = f"The venue never reported all fills of order {order.client_order_id}."
        await self._context.alerts.raise_alert(f"fills:{order.id}", message)

    async def _resolve_uncanceled_order(self, query: PendingQuery, order: Order) -> None:
        """Handle an order that rests although its cancel was sent: the cancel is refused, in flight or lost."""
        if query.cancel_refusal is not None:
            at, reason = self._context.clock.now(), query.cancel_refusal
            after = await self._context.update(order.id, lambda current: reject_cancel(current, at, reason))
            self._discard(query)
            await self._alert_of_refused_cancel(after, reason)
            return
        step = uncanceled_step(order, await self._amendment_of(order))
        if step is UncanceledStep.PUT_BACK:
            at, reason = self._context.clock.now(), "its amendment came to nothing"
            await self._context.update(order.id, lambda current: reject_cancel(current, at, reason))
            self._discard(query)
        elif step is UncanceledStep.WAIT or self._may_still_arrive(query):
            self._reschedule(query)
        else:
            # A second cancel does no harm: the client order id is this order's alone.
            self._discard(query)
            self._retry_cancel(order.id)

    async def _alert_of_refused_cancel(self, order: Order | None, reason: str) -> None:
        """Alert once if the engine itself has wanted the cancel: nobody else looks at what became of it."""
        if order is None or not is_cancel_refused(order) or order.cancel_code is CancelCode.REQUESTED:
            return
        message = (
            f"The venue refuses to cancel the order {order.side} {order.quantity} {order.market}: {reason}. It is "
            f"asked again and again. The client order id is {order.client_order_id}."
        )
        with suppress(Unavailable):
            await self._context.alerts.raise_alert(f"cancel:{order.id}", message)

    async def _resolve_order_not_found(self, query: PendingQuery, order: Order) -> None:
        if order.awaits_fills:
            await self._resolve_missing_fills(query, order)
        elif order.status.is_final:
            self._discard(query)
        elif self._may_still_arrive(query) or await self._has_trade(query, order):
            query.obstacle = "the venue does not find it, and it may still arrive or have traded"
            self._reschedule(query)
        else:
            at = self._context.clock.now()
            after = await self._context.update(order.id, lambda current: confirm_absent(current, at))
            if after is None or after.status.is_final:
                self._discard(query)
            elif after.is_held:
                self._discard(query)
                await self._held_again(after, "the venue never received it")
            else:
                self._reschedule(query)

    async def _has_trade(self, query: PendingQuery, order: Order) -> bool:
        """Return whether the venue has a trade that is the order's, or that may be for as long as that is not known."""
        may_be_unknown = self._in_doubt_for(query) < self._context.timings.doubt_limit
        for fill in await self._context.venue.fills(order.market, self._sent_at_earliest(query, order)):
            if fill.client_order_id == order.client_order_id or fill.venue_order_id == order.venue_order_id:
                await self.report_handler.on_fill(replace(fill, client_order_id=order.client_order_id))
                return True
            owner = await self.fill_owners.apply(fill, [order])
            if owner is FillOwner.UNKNOWN and may_be_unknown:
                return True
        current = await self._read(order.id)
        return current is None or current.status is not order.status  # One of the fills was the order's.

    def _sent_at_earliest(self, query: PendingQuery, order: Order) -> datetime:
        """Return the venue's time before which the order wasn't sent, even if this node's clock has been set back."""
        stored = order.venue_submitted_at
        by_wall_clock = stored or self._context.to_venue_time(order.submitted_at or order.created_at)
        by_monotonic_clock = self._context.venue.venue_now() - timedelta(seconds=self._in_doubt_for(query))
        return min(by_wall_clock, by_monotonic_clock) - _FILLS_MARGIN

    def _in_doubt_for(self, query: PendingQuery) -> float:
        """Return for how many seconds this process has not known the outcome of the order's request."""
        return self._context.clock.monotonic() - query.since

    def _alert_at(self, query: PendingQuery, order: Order) -> float | None:
        """Return when the user is to be alerted of the order's doubt, in monotonic seconds; None if there is none."""
        if order.status not in _WITHOUT_OUTCOME:
            return None
        return query.since + self._context.timings.doubt_alert_after

    async def _alert_of_doubts(self) -> None:
        now = self._context.clock.monotonic()
        for query in list(self._queries.values()):
            if query.alert_at is None or query.alert_at > now:
                continue
            query.alert_at = None
            with suppress(Unavailable):
                await self._alert_of_doubt(query)

    async def _alert_of_doubt(self, query: PendingQuery) -> None:
        order = await self._read(query.order_id)
        if order is None or order.status not in _WITHOUT_OUTCOME:
            return
        what = "cancelled" if order.status is OrderStatus.PENDING_CANCEL else "placed"
        seconds = self._context.timings.doubt_alert_after
        message = (
            f"Whether the order {order.side} {order.quantity} {order.market} was {what} has not been known for "
            f"{seconds:g} s: {query.obstacle}. The venue is asked again and again. "
            f"Its client order id is {order.client_order_id}."
        )
        await self._context.alerts.raise_alert(f"doubt:{order.id}:{what}", message)

    async def _amendment_of(self, order: Order) -> Order | None:
        """Return the newest order that replaces this one."""
        async with self._context.database.read_only() as transaction:
            replacements = await transaction.orders.list_replacements([order.id])
        return max(replacements, key=lambda replacement: replacement.id, default=None)

    async def _read(self, order_id: UUID) -> Order | None:
        async with self._context.database.read_only() as transaction:
            orders = await transaction.orders.get_many([order_id])
        return orders[0] if orders else None

    def _may_still_arrive(self, query: PendingQuery) -> bool:
        return self._context.clock.monotonic() - query.sent_at < self._absence_after

    @property
    def _absence_after(self) -> float:
        return max(self._context.timings.absence_after, self._context.venue.absent_after_seconds)

    def _reschedule(self, query: PendingQuery, retry_after_seconds: float | None = None) -> None:
        now, absence_after = self._context.clock.monotonic(), self._absence_after
        delay = query.backoff.next_delay()
        absence_counts_at = query.sent_at + absence_after
        if now < absence_counts_at:
            delay = min(delay, absence_counts_at - now)
        elif retry_after_seconds is None and query.attempts < _MAXIMUM_QUICK_ATTEMPTS:
            delay = min(delay, absence_after / _QUICK_QUERIES)
        query.next_at = now + max(delay, retry_after_seconds or 0)

    def _discard(self, query: PendingQuery) -> None:
        if self._queries.get(query.order_id) is query:
            del self._queries[query.order_id]

    def _due_queries(self) -> list[PendingQuery]:
        now = self._context.clock.monotonic()
        return [query for query in list(self._queries.values()) if query.next_at <= now]

    async def _wait(self) -> None:
        times = [at for query in self._queries.values() for at in (query.next_at, query.alert_at) if at is not None]
        next_at = min(times, default=None)
        seconds = None if next_at is None else max(next_at - self._context.clock.monotonic(), 0)
        await self._wakeup.wait(seconds)
