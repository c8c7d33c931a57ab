"""The activity log: what users did, recorded in the same transaction."""

from datetime import datetime
from uuid import UUID

from domain.core.clock import IdGenerator
from domain.model.events import NewEvent, UserEventKind
from domain.model.users import Activity, ActivityAuthor
from domain.ports.unit_of_work import UnitOfWork


async def record_activity(
    transaction: UnitOfWork,
    ids: IdGenerator,
    at: datetime,
    user_id: UUID,
    action: str,
    subject: tuple[str, str] | None = None,
    detail: str | None = None,
    *,
    author: ActivityAuthor = ActivityAuthor.SELF,
    operator_id: UUID | None = None,
    reason: str | None = None,
) -> None:
    """Record that the user did `action` (a mutation's name) to `subject` (its type's name and its key).

    With another `author` it was done to the user; `operator_id` is the operator who did it.
    """
    subject_type, subject_id = subject or (None, None)
    done = (action, subject_type, subject_id, detail)
    activity = Activity(ids.next_id(), user_id, at, *done, author=author, operator_id=operator_id, reason=reason)
    await transaction.users.add_activity(activity)
    transaction.events.append([NewEvent(user_id, at, UserEventKind.ACTIVITY, activity, action)])
