"""Users' events of past months to archive, and all ways to read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.model.events import NewEvent, UserEvent, UserEventKind
from domain.model.orders import OrderEvent, OrderEventKind
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.archive.archives import Archives
from infra.postgres.archive.events.event_archiver import EventArchiver
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from tests.support.events import an_order
from tests.support.postgres import patient_database
from tests.support.users import stored_user

JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)
MARCH = datetime(2024, 3, 1, tzinfo=UTC)
APRIL = datetime(2024, 4, 1, tzinfo=UTC)
NO_GRACE = timedelta(0)
ROWS_A_FILE = 7
"""So few that a user's rows of a month are in several files, and a file has several users."""


class Hours:
    """A clock of which each reading is an hour later."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        self._now += 3_600
        return self._now


def reader(pool: Pool, storage: Any) -> PostgresDatabase:
    """Return a database with an archive of which it asks each time what it has."""
    return patient_database(pool, EmbeddedBus(), SystemClock(), archives=Archives.of(storage, Hours()))


def archiver(pool: Pool, storage: Any, **options: Any) -> EventArchiver:
    """Return an archiver of small files, which drops rows as soon as their files are listed."""
    given: dict[str, Any] = {"grace": NO_GRACE, "rows_a_file": ROWS_A_FILE} | options
    return EventArchiver(pool, storage, **given)


@dataclass(frozen=True, slots=True)
class Logs:
    """Users with events from January to March, and what is in all of their logs."""

    users: tuple[UUID, ...]
    order_ids: dict[UUID, tuple[UUID, ...]]
    before: dict[UUID, list[UserEvent]]


def events_of(user_id: UUID, number: int) -> list[NewEvent]:
    """Return a user's events from January to March: of three orders, and others with awkward texts."""
    found: list[NewEvent] = []
    for month in (JANUARY, FEBRUARY, MARCH):
        order = an_order(user_id)
        for step in range(6 + number):
            at = month + timedelta(days=step, microseconds=step * 333_333 + 1)
            text = f'user {number}: “{step}”,\n\t"x"' if step % 3 else ""
            found.append(NewEvent(user_id, at, UserEventKind.ALERT, None, text))
            if step < 3:
                kind = (OrderEventKind.PENDING, OrderEventKind.SUBMITTED, OrderEventKind.CANCELED)[step]
                found.append(NewEvent(user_id, at, UserEventKind.ORDER, OrderEvent(kind, order)))
    return found


async def store_logs(database: PostgresDatabase, pool: Pool, users: int = 3) -> Logs:
    """Store users and their events."""
    async with pool.acquire() as driver:
        await ensure_months(Connection(driver), "user_events", JANUARY, APRIL)
    ids, orders = [], {}
    for number in range(users):
        user = await stored_user(database)
        ids.append(user.id)
        events = events_of(user.id, number)
        await append(database, events)
        subjects = [event.subject for event in events if isinstance(event.subject, OrderEvent)]
        orders[user.id] = tuple(dict.fromkeys(subject.order.id for subject in subjects))
    return Logs(tuple(ids), orders, {user_id: await stored_log(database, user_id) for user_id in ids})


async def append(database: PostgresDatabase, events: Sequence[NewEvent]) -> None:
    """Append events to the logs."""
    async with database.transaction() as transaction:
        transaction.events.append(events)


async def stored_log(database: PostgresDatabase, user_id: UUID) -> list[UserEvent]:
    """Return what the database has of a user's log."""
    async with database.read_only() as reading:
        return await reading.events.read_after(user_id, 0, None, 100_000)


async def whole_log(
    database: PostgresDatabase, user_id: UUID, page: int = 5, *, orders_only: bool = False
) -> list[UserEvent]:
    """Return a user's log from its beginning, page after page."""
    found: list[UserEvent] = []
    sequence, at = 0, None
    while True:
        events = await database.event_history().read_after(user_id, sequence, at, page, orders_only=orders_only)
        found += events
        if len(events) < page:
            return found
        sequence, at = events[-1].sequence, events[-1].at


async def exported(database: PostgresDatabase, user_id: UUID, page: int = 4) -> list[str]:
    """Return the rows of an export of a user's events."""
    found: list[str] = []
    while True:
        async with database.read_only() as reading:
            rows = await reading.personal_data.rows(user_id, "user_events", found[-1] if found else None, page)
        found += rows
        if len(rows) < page:
            return found


async def answers(database: PostgresDatabase, logs: Logs) -> dict[str, Any]:
    """Return what all readings of the users' logs answer."""
    found: dict[str, Any] = {}
    for number, user_id in enumerate(logs.users):
        found[f"log {number}"] = await whole_log(database, user_id)
        found[f"orders {number}"] = await whole_log(database, user_id, 2, orders_only=True)
        found[f"export {number}"] = await exported(database, user_id)
        history = database.event_history()
        found[f"histories {number}"] = [
            await history.list_for_orders(user_id, [order_id], JANUARY) for order_id in logs.order_ids[user_id]
        ]
        found[f"all histories {number}"] = await history.list_for_orders(user_id, logs.order_ids[user_id], JANUARY)
    return found


async def erase(database: PostgresDatabase, user_id: UUID) -> None:
    """Erase a user, as the engine does it in one transaction."""
    async with database.transaction() as transaction:
        assert await transaction.users.lock(user_id, keep_new_rows_out=True)
        await transaction.personal_data.erase(user_id, datetime.now(UTC))
