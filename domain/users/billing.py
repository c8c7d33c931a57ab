"""Takes over which plan a user has from a billing system, by its events: each once, in the order of their times."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError
from domain.core.validation import normalise_email
from domain.model.plans import PlanChange, PlanChangeSource
from domain.model.users import ActivityAuthor, User
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity
from domain.users.plans import FARTHEST, describe, require_available

MOST_AHEAD: Final = timedelta(minutes=5)
"""How far the billing system's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class BillingEvent:
    """At `occurred_at` it was decided that a user (an id or an email) has a plan (None: the default) from a time on.

    `digest` is a hash of the whole event, by which another one with the same id is noticed.
    """

    id: str
    occurred_at: datetime
    user: UUID | str
    plan_name: str | None
    effective_at: datetime | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class BillingOutcome:
    """What an event has decided; `is_repeated` if it did so before, and has changed nothing now."""

    change: PlanChange
    is_repeated: bool = False


class BillingService:
    """Applies events whose signature was verified.

    With `verifies_emails` an email means the user who has proved that it is theirs: else who registers with the address
    of somebody would get what that one pays for. A server that sends no mail can't ask for the proof.
    """

    def __init__(self, database: Database, clock: Clock, ids: IdGenerator, *, verifies_emails: bool) -> None:
        self._verifies_emails = verifies_emails
        self._database = database
        self._clock = clock
        self._ids = ids

    async def apply(self, event: BillingEvent) -> BillingOutcome:
        """Store what the event decides, once; one that is older than another decision changes nothing of the present.

        Raises INVALID (times), NOT_FOUND (user, plan), and CONFLICT if the plan is archived, or another event came with
        the same id.
        """
        now = self._clock.now()
        _validate_times(event, now)
        async with self._database.transaction() as transaction:
            user = await self._find(transaction, event.user)
            if not await transaction.users.lock(user.id):
                raise _no_such_user()
            known = await transaction.plans.change_of_event(event.id)
            if known is None:
                if event.plan_name is not None:
                    await require_available(transaction, event.plan_name, ("data", "plan"))
                stored = await self._store(transaction, event, user.id, now)
                if stored is not None:
                    return BillingOutcome(stored)
                known = await transaction.plans.change_of_event(event.id)  # of another user, at this moment
        if known is None or known[1] != event.digest:
            message = "Another event came with this webhook-id; give each event an id of its own."
            raise InputError(ErrorCode.CONFLICT, message)
        return BillingOutcome(known[0], is_repeated=True)

    async def _find(self, transaction: UnitOfWork, named: UUID | str) -> User:
        if isinstance(named, UUID):
            user = await transaction.users.get(named)
        else:
            found = await transaction.users.get_by_email(normalise_email(named))
            user = found[0] if found is not None else None
            if user is not None and self._verifies_emails and user.email_verified_at is None:
                message = "No user has verified this email (yet); a user's id serves without that."
                raise InputError(ErrorCode.NOT_FOUND, message, ("data", "user"))
        if user is None:
            raise _no_such_user()
        return user

    async def _store(
        self, transaction: UnitOfWork, event: BillingEvent, user_id: UUID, now: datetime
    ) -> PlanChange | None:
        effective_at = event.effective_at or min(event.occurred_at, now)
        change = PlanChange(
            self._ids.next_id(),
            user_id,
            event.plan_name,
            event.occurred_at,
            effective_at,
            PlanChangeSource.BILLING,
            event_id=event.id,
        )
        stored = await transaction.plans.add_change(change, event.digest, at_once=effective_at <= now)
        if stored is not None:
            detail = f"{describe(stored)}, {stored.status.value}"
            await record_activity(
                transaction,
                self._ids,
                now,
                user_id,
                "userPlanChange",
                ("User", str(user_id)),
                detail,
                author=ActivityAuthor.BILLING,
            )
        return stored


def _no_such_user() -> InputError:
    return InputError(ErrorCode.NOT_FOUND, "There is no such user (yet).", ("data", "user"))


def _validate_times(event: BillingEvent, now: datetime) -> None:
    if event.occurred_at > now + MOST_AHEAD:
        message = (
            f"timestamp is {event.occurred_at:%Y-%m-%dT%H:%M:%SZ}, and it is {now:%Y-%m-%dT%H:%M:%SZ} here: set the "
            "clock of the billing system, else what is decided later would count for less."
        )
        raise InputError(ErrorCode.INVALID, message, ("timestamp",))
    if event.effective_at is not None and event.effective_at > now + FARTHEST:
        message = f"effectiveAt is {event.effective_at:%Y-%m-%d}; name a time in the next ten years."
        raise InputError(ErrorCode.INVALID, message, ("data", "effectiveAt"))
