"""What is asked of a schedule of reports, and what is wrong with it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.core.changes import UNCHANGED, Unchanged
from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.model.markets import MarketSymbol
from domain.model.report_schedules import Recurrence
from domain.model.reports import ReportScope
from domain.ports.unit_of_work import UnitOfWork
from domain.reports.request import nothing_to_report

LAST_HOUR: Final = 23
LAST_DAY: Final = 31


@dataclass(frozen=True, slots=True)
class ScheduleRequest:
    """The schedule to create, as its user describes it."""

    name: str
    scope: ReportScope
    scope_id: UUID
    recurrence: Recurrence
    channel_ids: tuple[UUID, ...] = ()
    benchmark: MarketSymbol | None = None


@dataclass(frozen=True, slots=True)
class ScheduleChanges:
    """Changes of a schedule; a field that isn't given stays as it is."""

    name: str | Unchanged | None = UNCHANGED
    recurrence: Recurrence | Unchanged | None = UNCHANGED
    channel_ids: tuple[UUID, ...] | Unchanged | None = UNCHANGED
    benchmark: MarketSymbol | Unchanged | None = UNCHANGED
    enabled: bool | Unchanged | None = UNCHANGED


def check_recurrence(recurrence: Recurrence) -> None:
    """Raise `InputErrors` with all that is wrong with when reports are to be made."""
    place, errors = ("input", "recurrence", recurrence.cadence.value.lower()), []
    if not 0 <= recurrence.hour <= LAST_HOUR:
        message = f"hour is {recurrence.hour}; it must be from 0 to {LAST_HOUR}."
        errors.append(InputError(ErrorCode.INVALID, message, (*place, "hour")))
    day = recurrence.day_of_month
    if day is not None and not 1 <= day <= LAST_DAY:
        message = f"dayOfMonth is {day}; it must be from 1 to {LAST_DAY}. In shorter months the last day counts."
        errors.append(InputError(ErrorCode.INVALID, message, (*place, "dayOfMonth")))
    if errors:
        raise InputErrors(errors)


async def end_of_subject(
    transaction: UnitOfWork, user_id: UUID, scope: ReportScope, scope_id: UUID
) -> tuple[str, datetime] | None:
    """Return what a report is about and since when that is over; None if it isn't.

    Raises NOT_FOUND for what isn't the user's, and UNSUPPORTED for a backtest.
    """
    if scope is ReportScope.ACCOUNT:
        account = await transaction.accounts.get(user_id, scope_id)
        if account is None:
            raise nothing_to_report()
        return _ended("The account was archived", account.archived_at)
    if scope is ReportScope.TRADING_SESSION:
        session = await transaction.trading_sessions.get(user_id, scope_id)
        if session is None:
            raise nothing_to_report()
        return _ended("The trading session was stopped", session.stopped_at)
    if scope is ReportScope.STRATEGY:
        found = await transaction.strategies.get_many([scope_id])
        if not found or found[0].user_id != user_id:
            raise nothing_to_report()
        return _ended("The strategy was archived", found[0].archived_at)
    if scope is ReportScope.BACKTEST:
        message = "A backtest stays as it is, so one report says it all: ask for it by reportGenerate."
        raise InputError(ErrorCode.UNSUPPORTED, message, ("input", "scope", "backtest"))
    return None


def _ended(what: str, at: datetime | None) -> tuple[str, datetime] | None:
    return None if at is None else (what, at)
