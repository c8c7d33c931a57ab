"""The port of schedules of reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.report_schedules import ReportSchedule


@dataclass(frozen=True, slots=True)
class UnfinishedReport:
    """A schedule whose last report will not come: its job has ended without one, with this message."""

    user_id: UUID
    schedule_id: UUID
    report_id: UUID
    message: str | None


class ReportScheduleRepository(Protocol):
    """Schedules of reports, and how each stands."""

    async def add(self, schedule: ReportSchedule) -> None:
        """Insert a schedule."""
        ...

    async def get(self, user_id: UUID, schedule_id: UUID) -> ReportSchedule | None:
        """Return a schedule of the user."""
        ...

    async def get_for_update(self, user_id: UUID, schedule_id: UUID) -> ReportSchedule | None:
        """Return a schedule of the user, and lock it until the transaction ends."""
        ...

    async def list_of_user(self, user_id: UUID) -> list[ReportSchedule]:
        """Return the user's schedules, oldest first."""
        ...

    async def save(self, schedule: ReportSchedule) -> None:
        """Store a schedule that has changed."""
        ...

    async def postpone(self, schedule_id: UUID, until: datetime, error: str, at: datetime) -> None:
        """Have a schedule, which this version may not be able to read, wait until a time, and say why."""
        ...

    async def delete(self, schedule_id: UUID) -> None:
        """Delete a schedule; its reports stay."""
        ...

    async def due(self, now: datetime, limit: int) -> Sequence[tuple[UUID, UUID]]:
        """Return users and their schedules that are due, those that have waited longest first, of enabled users."""
        ...

    async def has_report(self, schedule_id: UUID, period: str) -> bool:
        """Return whether there is a report of that period."""
        ...

    async def unfinished(self, limit: int) -> Sequence[UnfinishedReport]:
        """Return schedules whose last report's job was cancelled, has failed, or is gone."""
        ...
