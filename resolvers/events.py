"""The viewer's event log as subscriptions: orders, everything, and the progress of a job."""

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
from domain.model.event_cursors import encode_event_cursor
from domain.model.events import EventCursor, UserEvent
from domain.model.orders import ACTIVE, Fill, Order, OrderEvent, OrderEventKind
from domain.model.reports import Job, Report
from domain.model.trading import Account, Position, Signal, TradingSession
from domain.model.users import Activity, ApiScope
from domain.ports.orders import OrderFilter
from resolvers.context import RequestContext
from resolvers.ids import uuid_in

SNAPSHOT_PAGE = 500
JOB_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class OrderStep:
    """One step of an order's life with its place in the log, and the order and the fill as stored with it."""

    cursor: str
    sequence: int
    at: datetime
    kind: OrderEventKind
    order: Order
    fill: Fill | None
    reason: str | None


def order_step(event: UserEvent) -> OrderStep:
    """Return the step that an event of the log tells, which must be one of an order."""
    told = event.subject
    assert isinstance(told, OrderEvent)
    return OrderStep(cursor(event), event.sequence, event.at, told.kind, told.order, told.fill, told.reason)


def cursor(event: UserEvent) -> str:
    """Return the place in the log after the event."""
    return encode_event_cursor(EventCursor(event.user_id, event.sequence, event.at))


State = Order | Position | Signal | TradingSession | Account | Job | Report | Activity
"""What an event is about, as it stood then."""


def state(event: UserEvent) -> State | None:
    """Return what the event is about, as it stood then: of an order's step, the order."""
    return event.subject.order if isinstance(event.subject, OrderEvent) else event.subject


def fill(event: UserEvent) -> Fill | None:
    """Return the execution that the event tells; None for one that tells none."""
    return event.subject.fill if isinstance(event.subject, OrderEvent) else None


async def current(context: RequestContext, told: State) -> object | None:
    """Return the same thing as it is now; None where it is gone."""
    return await context.node_loaders[type(told).__name__](str(told.id))


class LogSource:
    """Everything in the log after a place; a `ResumableSource`.

    What an operation has loaded is forgotten at each event, so that what hangs on it is told as it is then.
    """

    def __init__(self, context: RequestContext, start: EventCursor, *, orders_only: bool = False) -> None:
        self._context = context
        self._start = encode_event_cursor(start)
        self._stream: EventSubscription = context.services.events.follow(start, orders_only=orders_only)

    @property
    def cursor(self) -> str | None:
        """The place after the last event that was given out; before the first, where the stream began."""
        return self._stream.cursor or self._start

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> UserEvent:
        """Return the next event."""
        event = await anext(self._stream)
        self._context.forget()
        return event

    async def aclose(self) -> None:
        """Stop listening."""
        await self._stream.aclose()


class OrderSource:
    """The steps of the orders that fit, perhaps with a snapshot of the open ones before; a `ResumableSource`."""

    def __init__(self, log: LogSource, wanted: OrderFilter, snapshots: list[OrderStep]) -> None:
        self._log = log
        self._wanted = wanted
        self._snapshots = deque(snapshots)
        self._told = {step.order.id: step.order.revision for step in snapshots}

    @property
    def cursor(self) -> str | None:
        """As a `ResumableSource`; None while snapshots are left, which no cursor would bring back."""
        return None if self._snapshots else self._log.cursor

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> OrderStep:
        """Return the next step."""
        if self._snapshots:
            return self._snapshots.popleft()
        while True:
            step = order_step(await anext(self._log))
            if _fits(step.order, self._wanted) and not self._is_told(step.order):
                return step

    async def aclose(self) -> None:
        """Stop listening."""
        await self._log.aclose()

    def _is_told(self, order: Order) -> bool:
        """Tell whether the snapshot, which was read after the log's head was, says it already."""
        if order.revision <= self._told.get(order.id, 0):
            return True
        self._told.pop(order.id, None)
        return False


async def order_events(
    context: RequestContext, after: str | None, account: str | None, trading_session: str | None
) -> OrderSource:
    """Return the steps of the user's orders after a cursor; without one, the open orders and every step from now on.

    Raises `Unauthenticated`, INVALID and CURSOR_TOO_OLD for a cursor that can't be used, and NOT_FOUND for an account
    or a trading session that isn't the user's.
    """
    user = context.require_user(ApiScope.READ)
    wanted = OrderFilter(
        account_id=await require_owned_id(context, "Account", account),
        trading_session_id=await require_owned_id(context, "TradingSession", trading_session),
        statuses=tuple(ACTIVE),
    )
    # The head comes first: what happens before the orders are read is told by the snapshot, and again by the log.
    start = await context.services.events.start(user.id, after)
    snapshots = await _snapshots(context, start, wanted) if after is None else []
    return OrderSource(LogSource(context, start, orders_only=True), wanted, snapshots)


async def events(context: RequestContext, after: str | None) -> LogSource:
    """Return everything in the user's log after a cursor, or from now on; raises as `order_events`."""
    user = context.require_user(ApiScope.READ)
    return LogSource(context, await context.services.events.start(user.id, after))


async def job_progress(context: RequestContext, id: str) -> AsyncIterator[Job]:
    """Return the job as it is now and whenever it has changed, until it has ended; raises NOT_FOUND."""
    user = context.require_user(ApiScope.READ)
    start = await context.services.events.head(user.id)
    job_id = uuid_in(id, "Job")
    job = await _job(context, user.id, job_id) if job_id else None
    if job is None:
        raise InputError(ErrorCode.NOT_FOUND, "There is no job with this id.", ("id",))
    return _progress(context, job, LogSource(context, start))


async def _progress(context: RequestContext, job: Job, log: LogSource) -> AsyncIterator[Job]:
    try:
        yield job
        while not job.status.is_final:
            await _news_of(log, job.id)
            now = await _job(context, job.user_id, job.id)
            if now is None:
                return
            if now != job:
                yield now
            job = now
    finally:
        await log.aclose()


async def _news_of(log: LogSource, job_id: UUID) -> None:
    """Return when the log tells of the job, or after a while: its progress isn't in the log."""
    try:
        async with asyncio.timeout(JOB_POLL_SECONDS):
            async for event in log:
                if isinstance(event.subject, Job) and event.subject.id == job_id:
                    return
    except TimeoutError:
        return


async def _job(context: RequestContext, user_id: UUID, job_id: UUID) -> Job | None:
    context.forget()
    async with context.services.database.read_only() as reading:
        return await reading.reports.get_job(user_id, job_id)


async def require_owned_id(context: RequestContext, type_name: str, id: str | None) -> UUID | None:
    """Return the UUID in the id of something of the user's; None where no id is given."""
    if id is None:
        return None
    key = uuid_in(id, type_name)
    if key is None or await context.node_loaders[type_name](str(key)) is None:
        argument = type_name[0].lower() + type_name[1:]
        raise InputError(ErrorCode.NOT_FOUND, f"There is nothing of yours with this id: {argument}.", (argument,))
    return key


async def _snapshots(context: RequestContext, head: EventCursor, wanted: OrderFilter) -> list[OrderStep]:
    """Return a SNAPSHOT step for each open order that fits, oldest first."""
    at, place = context.services.clock.now(), encode_event_cursor(head)
    orders = await _open_orders(context, head.user_id, wanted)
    return [OrderStep(place, head.sequence, at, OrderEventKind.SNAPSHOT, order, None, None) for order in orders]


async def _open_orders(context: RequestContext, user_id: UUID, wanted: OrderFilter) -> list[Order]:
    found: list[Order] = []
    async with context.services.database.read_only() as reading:
        while True:
            window = KeysetPage(SNAPSHOT_PAGE, after=found[-1].id if found else None)
            orders = await reading.orders.list_page(user_id, window, wanted)
            found += orders
            if len(orders) < SNAPSHOT_PAGE:
                return found[::-1]


def _fits(order: Order, wanted: OrderFilter) -> bool:
    """Tell whether the order is of the wanted account and trading session."""
    return wanted.account_id in {None, order.account_id} and wanted.trading_session_id in {
        None,
        order.trading_session_id,
    }
