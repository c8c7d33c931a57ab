"""The activity log: what users did, recorded in the same transaction."""

from datetime import datetime
from uuid import UUID

from domain.core.clock import IdGenerator
from domain.model.events import NewEvent, UserEventKind
from domain.model.users import Activity
from domain.ports.unit_of_work import UnitOfWork


async def record_activity(
    transaction: UnitOfWork,
    ids: IdGenerator,
    at: datetime,
    user_id: UUID,
    action: str,
    subject: tuple[str, str] | None = None,
    detail: str | None = None,
) -> None:
    """Record that the user did `action` (a mutation's name) to `subject` (its type's name and its key)."""
    subject_type, subject_id = subject or (None, None)
    activity = Activity(ids.next_id(), user_id, at, action, subject_type, subject_id, detail)
    await transaction.users.add_activity(activity)
    transaction.events.append([NewEvent(user_id, at, UserEventKind.ACTIVITY, activity, action)])
