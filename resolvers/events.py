"""Subscriptions to the viewer's event log: order events, all events, and the progress of a job."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from domain.core.errors import ErrorCode, InputError
from domain.core.pagination import KeysetPage
from domain.events.stream import EventSubscription
from domain.model.alerts import FiredAlert
from domain.model.events import EventCursor, UserEvent, encode_event_cursor
from domain.model.jobs import Job
from domain.model.orders import ACTIVE, Fill, Order, OrderEvent, OrderEventKind
from domain.model.report_schedules import ScheduledReport
from domain.model.reports import Report
from domain.model.trading import Account, Position, Signal, TradingSession
from domain.model.trading_state import Halt, HaltLevel
from domain.model.users import Activity, ApiScope
from domain.ports.orders import OrderFilter
from resolvers.context import RequestContext
from resolvers.ids import uuid_in
from resolvers.services import ENGINE_KEY

SNAPSHOT_PAGE = 500
JOB_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class OrderEventItem:
    """An event of an order, with its place in the log and the order and the fill as they were stored with it."""

    cursor: str
    sequence: int
    at: datetime
    kind: OrderEventKind
    order: Order
    fill: Fill | None
    reason: str | None


def order_event_item(event: UserEvent) -> OrderEventItem:
    """Return the item for an event of the log, which must be an event of an order."""
    stored = event.subject
    assert isinstance(stored, OrderEvent)
    return OrderEventItem(
        cursor(event), event.sequence, event.at, stored.kind, stored.order, stored.fill, stored.reason
    )


def cursor(event: UserEvent) -> str:
    """Return the cursor after the event."""
    return encode_event_cursor(EventCursor(event.user_id, event.sequence, event.at))


_HALTED = {
    HaltLevel.ENGINE: "Engine",
    HaltLevel.USER: "User",
    HaltLevel.ACCOUNT: "Account",
    HaltLevel.TRADING_SESSION: "TradingSession",
}

State = (
    Order | Position | Signal | TradingSession | Account | Halt | Job | Report | ScheduledReport | Activity | FiredAlert
)
"""The object of an event, as it was when the event happened."""


def state(event: UserEvent) -> State | None:
    """Return the object of the event, as it was when the event happened: for an event of an order, the order."""
    return event.subject.order if isinstance(event.subject, OrderEvent) else event.subject


def fill(event: UserEvent) -> Fill | None:
    """Return the fill of the event; None if it has none."""
    return event.subject.fill if isinstance(event.subject, OrderEvent) else None


async def current(context: RequestContext, stored: State) -> object | None:
    """Return the same object as it is now, or what a halt halts; None if it no longer exists."""
    if isinstance(stored, Halt):
        type_name = _HALTED[stored.level]
        return await context.node_loaders[type_name](ENGINE_KEY if type_name == "Engine" else str(stored.subject_id))
    if isinstance(stored, FiredAlert):
        return await context.node_loaders["AlertRule"](str(stored.id))
    if isinstance(stored, ScheduledReport):
        return await context.node_loaders["Report"](str(stored.report_id))
    return await context.node_loaders[type(stored).__name__](str(stored.id))


class EventLogStream:
    """All events of the log after a place; a `ResumableStream`.

    At each event the operation's loaders forget what they have loaded, so that the fields of the event are read as they
    are after it.
    """

    def __init__(self, context: RequestContext, start: EventCursor, *, orders_only: bool = False) -> None:
        self._context = context
        self._start = encode_event_cursor(start)
        self._stream: EventSubscription = context.services.events.follow(start, orders_only=orders_only)

    @property
    def cursor(self) -> str | None:
        """The cursor after the last event that was returned; before the first, where the subscription started."""
        return self._stream.cursor or self._start

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> UserEvent:
        """Return the next event."""
        event = await anext(self._stream)
        self._context.reset_loaders()
        return event

    async def aclose(self) -> None:
        """Stop listening."""
        await self._stream.aclose()


class OrderEventStream:
    """The events of the orders that match, after a snapshot of the open ones if there is one; a `ResumableStream`."""

    def __init__(self, log: EventLogStream, filter: OrderFilter, snapshots: list[OrderEventItem]) -> None:
        self._log = log
        self._filter = filter
        self._snapshots = deque(snapshots)
        self._snapshot_revisions = {item.order.id: item.order.revision for item in snapshots}

    @property
    def cursor(self) -> str | None:
        """The place in the log; None while snapshots are left, which no cursor would bring back."""
        return None if self._snapshots else self._log.cursor

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> OrderEventItem:
        """Return the next event."""
        if self._snapshots:
            return self._snapshots.popleft()
        while True:
            item = order_event_item(await anext(self._log))
            if _matches(item.order, self._filter) and not self._is_in_snapshot(item.order):
                return item

    async def aclose(self) -> None:
        """Stop listening."""
        await self._log.aclose()

    def _is_in_snapshot(self, order: Order) -> bool:
        """Return whether the snapshot, which was read after the log's head, already has this state of the order."""
        if order.revision <= self._snapshot_revisions.get(order.id, 0):
            return True
        self._snapshot_revisions.pop(order.id, None)
        return False


async def order_events(
    context: RequestContext, after: str | None, account: str | None, trading_session: str | None
) -> OrderEventStream:
    """Return the events of the user's orders after a cursor; without one, the open orders and every event from now on.

    Raises `Unauthenticated`, INVALID or CURSOR_TOO_OLD for a cursor that can't be used, and NOT_FOUND for an account
    or a trading session that isn't the user's.
    """
    user = context.require_user(ApiScope.READ)
    selected = OrderFilter(
        account_id=await require_owned_id(context, "Account", account),
        trading_session_id=await require_owned_id(context, "TradingSession", trading_session),
        statuses=tuple(ACTIVE),
    )
    # The head comes first: what happens before the orders are read is in the snapshot, and again in the log.
    start = await context.services.events.start(user.id, after)
    snapshots = await _snapshots(context, start, selected) if after is None else []
    return OrderEventStream(EventLogStream(context, start, orders_only=True), selected, snapshots)


async def events(context: RequestContext, after: str | None) -> EventLogStream:
    """Return all events of the user's log after a cursor, or from now on; raises as `order_events` does."""
    user = context.require_user(ApiScope.READ)
    return EventLogStream(context, await context.services.events.start(user.id, after))


async def job_progress(context: RequestContext, id: str) -> AsyncIterator[Job]:
    """Return the job as it is now and after each change, until it has ended; raises NOT_FOUND."""
    user = context.require_user(ApiScope.READ)
    start = await context.services.events.head(user.id)
    job_id = uuid_in(id, "Job")
    job = await _job(context, user.id, job_id) if job_id else None
    if job is None:
        raise InputError(ErrorCode.NOT_FOUND, "There is no job with this id.", ("id",))
    return _progress(context, job, EventLogStream(context, start))


async def _progress(context: RequestContext, job: Job, log: EventLogStream) -> AsyncIterator[Job]:
    try:
        yield job
        while not job.status.is_final:
            await _wait_for_job_event(log, job.id)
            now = await _job(context, job.user_id, job.id)
            if now is None:
                return
            if now != job:
                yield now
            job = now
    finally:
        await log.aclose()


async def _wait_for_job_event(log: EventLogStream, job_id: UUID) -> None:
    """Wait for an event of the job, at most `JOB_POLL_SECONDS`: its progress isn't in the log."""
    try:
        async with asyncio.timeout(JOB_POLL_SECONDS):
            async for event in log:
                if isinstance(event.subject, Job) and event.subject.id == job_id:
                    return
    except TimeoutError:
        return


async def _job(context: RequestContext, user_id: UUID, job_id: UUID) -> Job | None:
    context.reset_loaders()
    async with context.reads.read_only() as reading:
        return await reading.jobs.get(user_id, job_id)


async def require_owned_id(context: RequestContext, type_name: str, id: str | None) -> UUID | None:
    """Return the UUID in the id of an object of the user; None if no id is given. Raises NOT_FOUND for any other id."""
    if id is None:
        return None
    key = uuid_in(id, type_name)
    if key is None or await context.node_loaders[type_name](str(key)) is None:
        argument = type_name[0].lower() + type_name[1:]
        raise InputError(ErrorCode.NOT_FOUND, f"There is nothing of yours with this id: {argument}.", (argument,))
    return key


async def _snapshots(context: RequestContext, head: EventCursor, filter: OrderFilter) -> list[OrderEventItem]:
    """Return a SNAPSHOT event for each open order that matches, oldest first."""
    at, head_cursor = context.services.clock.now(), encode_event_cursor(head)
    orders = await _open_orders(context, head.user_id, filter)
    return [
        OrderEventItem(head_cursor, head.sequence, at, OrderEventKind.SNAPSHOT, order, None, None) for order in orders
    ]


async def _open_orders(context: RequestContext, user_id: UUID, filter: OrderFilter) -> list[Order]:
    found: list[Order] = []
    async with context.reads.read_only() as reading:
        while True:
            page = KeysetPage(SNAPSHOT_PAGE, after=found[-1].id if found else None)
            orders = await reading.orders.list_page(user_id, page, filter)
            found += orders
            if len(orders) < SNAPSHOT_PAGE:
                return found[::-1]


def _matches(order: Order, filter: OrderFilter) -> bool:
    """Return whether the order belongs to the account and the trading session of the filter."""
    return filter.account_id in {None, order.account_id} and filter.trading_session_id in {
        None,
        order.trading_session_id,
    }
