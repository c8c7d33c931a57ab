"""Plans as operators make them, and which user has which, now or from a time on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.core.changes import Changes
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.core.text import camel_case
from domain.model.plans import Plan, PlanChange, PlanChangeSource, PlanChangeStatus
from domain.model.users import Identity, User
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity
from domain.users.operators import (
    Administrator,
    lock_operator,
    record_administration,
    require_operator,
    validate_reason,
)

HIGHEST_LIMIT: Final = 2**31 - 1
SHOWN_CHANGES: Final = 100
DEFAULT_SECONDS: Final = 5.0
"""How long the default plan is remembered, as identities are."""

FARTHEST: Final = timedelta(days=3_660)
"""How far ahead a change may be scheduled."""

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
_MAY_BE_NONE: Final = {"backtest_candles_per_day", "history_days"}
LIMITS: Final = tuple(field.name for field in fields(Plan) if field.name not in {"name", "is_default", "archived_at"})
_LEAST: Final = {"requests_per_minute": 1, "history_days": 1}
_MOST: Final = {"history_days": 36_500}


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """The plan that a user is to have (None: the default one) from a time on (None: now), and why."""

    plan_name: str | None
    effective_at: datetime | None = None
    reason: str | None = None


class PlanService:
    """Makes and changes plans, and gives them to users.

    `operator` is who asks; None is somebody at the machine, by the command line. Raises `Forbidden` for all others.
    """

    def __init__(self, database: Database, clock: Clock, ids: IdGenerator) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._default: tuple[Plan, float] | None = None

    async def default_plan(self) -> Plan:
        """Return the default plan, that of callers who aren't signed in too; a change shows within seconds."""
        now = self._clock.monotonic()
        if self._default is None or self._default[1] <= now:
            async with self._database.read_only() as reading:
                self._default = (await reading.plans.default(), now + DEFAULT_SECONDS)
        return self._default[0]

    def is_default(self, plan: Plan) -> bool:
        """Return whether `default_plan` would return this plan, without a look at the database."""
        return self._default is not None and self._default[1] > self._clock.monotonic() and self._default[0] == plan

    async def require_operator(self, operator: Identity) -> None:
        """Raise `Forbidden` unless this is an operator."""
        async with self._database.read_only() as reading:
            await require_operator(reading, operator)

    async def list_all(self, operator: Identity | None) -> list[Plan]:
        """Return all plans by name, archived ones too."""
        async with self._database.read_only() as reading:
            if operator is not None:
                await require_operator(reading, operator)
            return await reading.plans.list_all()

    async def count_users(self, operator: Identity | None) -> Mapping[str, int]:
        """Return how many users have each plan."""
        async with self._database.read_only() as reading:
            if operator is not None:
                await require_operator(reading, operator)
            return await reading.plans.count_users()

    async def create(self, operator: Identity | None, plan: Plan, *, make_default: bool = False) -> Plan:
        """Store a new plan, which nobody has; raises INVALID, and CONFLICT if the name is taken."""
        _validate(plan)
        async with self._database.transaction() as transaction:
            await self._begin(transaction, operator)
            if not await transaction.plans.add(plan):
                message = f"There is a plan {plan.name} already; plans keep their names for ever."
                raise InputError(ErrorCode.CONFLICT, message, ("input", "name"))
            if make_default:
                await transaction.plans.set_default(plan.name)
            await self._record(transaction, operator, "planCreate", plan.name)
            return replace(plan, is_default=make_default)

    async def update(
        self, operator: Identity | None, name: str, changes: Changes[Plan], *, make_default: bool = False
    ) -> Plan:
        """Change limits of a plan, for all who have it; raises INVALID, NOT_FOUND, and CONFLICT if it is archived.

        Nothing that users have is taken from them: what exceeds a lower limit goes on, and nothing is added to it.
        """
        async with self._database.transaction() as transaction:
            await self._begin(transaction, operator)
            plan = changes.apply_to(await _plan(transaction, name))
            _validate(plan)
            if make_default and plan.archived_at is not None:
                message = f"The plan {name} is archived; make another one the default."
                raise InputError(ErrorCode.CONFLICT, message, ("input", "name"))
            await transaction.plans.save(plan)
            if make_default:
                await transaction.plans.set_default(name)
            await self._record(transaction, operator, "planUpdate", name)
            return replace(plan, is_default=plan.is_default or make_default)

    async def archive(self, operator: Identity | None, name: str) -> Plan:
        """Archive a plan: nobody is given it any more, and those who have it keep it.

        Raises NOT_FOUND, and CONFLICT for the default plan.
        """
        async with self._database.transaction() as transaction:
            await self._begin(transaction, operator)
            plan = await _plan(transaction, name)
            if plan.is_default:
                message = f"The plan {name} is the default one; make another plan the default first."
                raise InputError(ErrorCode.CONFLICT, message, ("input", "name"))
            if plan.archived_at is None:
                plan = replace(plan, archived_at=self._clock.now())
                await transaction.plans.save(plan)
                await self._record(transaction, operator, "planArchive", name)
            return plan

    async def change(self, operator: Identity | None, user_id: UUID, request: PlanRequest) -> tuple[User, PlanChange]:
        """Give a user a plan, now or from a time on; raises INVALID, NOT_FOUND, and CONFLICT if it is archived.

        A decision replaces earlier ones from the time at which it takes effect.
        """
        now = self._clock.now()
        at_once = request.effective_at is None
        effective_at = _validate_time(request.effective_at, now)
        reason = validate_reason(request.reason)
        async with self._database.transaction() as transaction:
            await self._begin(transaction, operator)
            if not await transaction.users.lock(user_id):
                raise InputError(ErrorCode.NOT_FOUND, "There is no such user.", ("input", "user"))
            if request.plan_name is not None:
                await require_available(transaction, request.plan_name, ("input", "plan"))
            last = await transaction.plans.latest_decision_at(user_id)
            # The billing system's clock may be ahead: what an operator decides counts all the same.
            decided_at = now if last is None or last < now else last + timedelta(microseconds=1)
            change = await transaction.plans.add_change(
                PlanChange(
                    self._ids.next_id(),
                    user_id,
                    request.plan_name,
                    decided_at,
                    effective_at,
                    PlanChangeSource.OPERATOR,
                    reason,
                ),
                at_once=at_once,
            )
            assert change is not None  # it has no event
            await self._record_change(transaction, operator, "userPlanChange", change)
            user = await transaction.users.get(user_id)
            assert user is not None
            return user, change

    async def cancel(self, operator: Identity | None, change_id: UUID) -> PlanChange:
        """Cancel a change that is scheduled; raises NOT_FOUND, and CONFLICT for one that isn't scheduled (any more)."""
        async with self._database.transaction() as transaction:
            await self._begin(transaction, operator)
            change = await transaction.plans.change_by_id(change_id)
            if change is None or not await transaction.users.lock(change.user_id):
                raise InputError(ErrorCode.NOT_FOUND, "There is no such change of a plan.", ("id",))
            change = await transaction.plans.change_by_id(change_id) or change
            if change.status is not PlanChangeStatus.SCHEDULED:
                message = f"The change is {change.status.value}; only one that is SCHEDULED can be cancelled."
                raise InputError(ErrorCode.CONFLICT, message, ("id",))
            await transaction.plans.cancel_change(change_id, self._clock.now())
            await self._record_change(transaction, operator, "userPlanChangeCancel", change)
            return await transaction.plans.change_by_id(change_id) or change

    async def _begin(self, transaction: UnitOfWork, operator: Identity | None) -> None:
        await lock_operator(transaction, Administrator(operator), self._clock.now())

    async def _record(self, transaction: UnitOfWork, operator: Identity | None, action: str, name: str) -> None:
        if operator is not None:
            at, user_id = self._clock.now(), operator.user.id
            await record_activity(transaction, self._ids, at, user_id, action, ("Plan", name), name)

    async def _record_change(
        self, transaction: UnitOfWork, operator: Identity | None, action: str, change: PlanChange
    ) -> None:
        now, administrator = self._clock.now(), Administrator(operator, change.reason)
        await record_administration(
            transaction, self._ids, now, administrator, change.user_id, action, describe(change)
        )


def describe(change: PlanChange) -> str:
    """Return in words which plan from when on."""
    return f"{change.plan_name or 'the default plan'} from {change.effective_at:%Y-%m-%d %H:%M:%S} UTC"


async def require_available(transaction: UnitOfWork, name: str, path: Sequence[str]) -> None:
    """Raise NOT_FOUND unless there is a plan of that name, and CONFLICT if it is archived."""
    plan = await transaction.plans.get(name) if _NAME.fullmatch(name) else None
    if plan is None:
        names = ", ".join(one.name for one in await transaction.plans.list_all() if one.archived_at is None)
        raise InputError(ErrorCode.NOT_FOUND, f"There is no plan {name[:40]!r}; there are {names}.", path)
    if plan.archived_at is not None:
        raise InputError(ErrorCode.CONFLICT, f"The plan {name} is archived; choose another one.", path)


async def _plan(transaction: UnitOfWork, name: str) -> Plan:
    plan = await transaction.plans.get(name, lock=True) if _NAME.fullmatch(name) else None
    if plan is None:
        raise InputError(ErrorCode.NOT_FOUND, f"There is no plan {name[:40]!r}.", ("input", "name"))
    return plan


def _validate(plan: Plan) -> None:
    errors = []
    if not _NAME.fullmatch(plan.name):
        message = f"{plan.name[:60]!r} is no name of a plan: 1 to 40 of a to z, 0 to 9 and -, not - at the ends."
        errors.append(InputError(ErrorCode.INVALID, message, ("input", "name")))
    for name in LIMITS:
        value, least, most = getattr(plan, name), _LEAST.get(name, 0), _MOST.get(name, HIGHEST_LIMIT)
        if value is None and name in _MAY_BE_NONE:
            continue
        if value is None or not least <= value <= most:
            message = f"{camel_case(name)} is {'null' if value is None else value}; it must be {least} to {most:,}."
            errors.append(InputError(ErrorCode.INVALID, message, ("input", "limits", camel_case(name))))
    if errors:
        raise InputErrors(errors)


def _validate_time(effective_at: datetime | None, now: datetime) -> datetime:
    if effective_at is None:
        return now
    if not now < effective_at <= now + FARTHEST:
        given = f"{effective_at:%Y-%m-%dT%H:%M:%SZ}"
        message = f"effectiveAt is {given}; leave it out for now, or name a time in the next ten years."
        raise InputError(ErrorCode.INVALID, message, ("input", "effectiveAt"))
    return effective_at
