"""Accepts requests for reports; `domain.reports.handler` computes them."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError
from domain.events.idempotency import reserve
from domain.jobs.queue import add_job, notify_workers
from domain.model.jobs import Job, JobKind
from domain.model.markets import Market, MarketSymbol
from domain.model.reports import Report, ReportScope
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.reports.backtest_report import backtest_period
from domain.reports.request import ReportRequest, nothing_to_report
from domain.users.activity import record_activity

EARLIEST = datetime(2009, 1, 1, tzinfo=UTC)
"""Before the first trade of any market."""


MarketLookup = Callable[[MarketSymbol], Market | None]


class ReportService:
    """Accepts requests for reports."""

    def __init__(
        self, database: Database, market: MarketLookup, bus: MessageBus, clock: Clock, ids: IdGenerator
    ) -> None:
        self._database = database
        self._market = market
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def generate(self, user_id: UUID, request: ReportRequest, idempotency_key: str | None) -> Report:
        """Store the report and its job, which a worker will claim.

        Raises NOT_FOUND, INVALID, CONFLICT, and LIMIT_REACHED if the user has too many open jobs.
        """
        if request.benchmark is not None and self._market(request.benchmark) is None:
            message = f"There is no market {request.benchmark}; `markets` lists all of them."
            raise InputError(ErrorCode.NOT_FOUND, message, ("input", "benchmark"))
        now = self._clock.now()
        report_id, job_id = self._ids.next_id(), self._ids.next_id()
        async with self._database.transaction() as transaction:
            if idempotency_key is not None:
                earlier_id = await reserve(
                    transaction, self._clock, user_id, "reportGenerate", idempotency_key, request, report_id
                )
                found = await transaction.reports.get_report(user_id, earlier_id) if earlier_id else None
                if found is not None:
                    return found
            start, end = await _period(transaction, user_id, request, now)
            report = Report(
                report_id, user_id, request.scope, request.scope_id, start, end, now, job_id, request.benchmark
            )
            job = Job(job_id, user_id, JobKind.REPORT, now, result_type="Report", result_id=report_id)
            await add_job(transaction, job)
            await transaction.reports.add_report(report)
            await record_activity(transaction, self._ids, now, user_id, "reportGenerate", ("Report", str(report_id)))
        await notify_workers(self._bus)
        return report


async def _period(
    transaction: UnitOfWork, user_id: UUID, request: ReportRequest, now: datetime
) -> tuple[datetime, datetime]:
    """Return the period of the report; raises NOT_FOUND, INVALID and CONFLICT."""
    if request.scope is ReportScope.BACKTEST:
        return await backtest_period(transaction, user_id, request)
    return _period_since(await _beginning(transaction, user_id, request), request, now)


def _period_since(beginning: datetime, request: ReportRequest, now: datetime) -> tuple[datetime, datetime]:
    """Return the requested period, without the future; raises INVALID."""
    for name, moment in (("from", request.start), ("to", request.end)):
        if moment is not None and moment < EARLIEST:
            message = f"{moment.isoformat()} is before {EARLIEST.isoformat()}, when nothing was traded yet."
            raise InputError(ErrorCode.INVALID, message, ("input", name))
    start, end = request.start or beginning, min(request.end or now, now)
    if start >= end:
        message = f"The period is empty: from {start.isoformat()} to {end.isoformat()}."
        raise InputError(ErrorCode.INVALID, message, ("input", "from" if start >= now else "to"))
    return start, end


async def _beginning(transaction: UnitOfWork, user_id: UUID, request: ReportRequest) -> datetime:
    if request.scope is ReportScope.ACCOUNT:
        account = await transaction.accounts.get(user_id, request.scope_id)
        if account is not None:
            return account.created_at
    elif request.scope is ReportScope.TRADING_SESSION:
        session = await transaction.trading_sessions.get(user_id, request.scope_id)
        if session is not None:
            return session.started_at
    elif request.scope is ReportScope.STRATEGY:
        strategies = await transaction.strategies.get_many([request.scope_id])
        if strategies and strategies[0].user_id == user_id:
            return strategies[0].created_at
    elif request.scope is ReportScope.USER and request.scope_id == user_id:
        user = await transaction.users.get(user_id)
        if user is not None:
            return user.created_at
    raise nothing_to_report()
