"""Reports: asked for by users, computed by worker nodes."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.clock import Clock, Ids
from domain.errors import ErrorCode, InputError, Unavailable
from domain.events import NewEvent, UserEventKind
from domain.idempotency import claim
from domain.markets.types import Market, MarketSymbol
from domain.ports import Bus
from domain.reports.compute import NothingToReport, ReportComputer
from domain.reports.types import Job, JobStatus, Report, ReportScope
from domain.storage import Storage, Transaction
from domain.users.activity import record_activity

JOB_KIND = "report"
JOBS_TOPIC = "jobs"
JOB_LEASE_SECONDS = 30.0
POLL_SECONDS = 1.0

Markets = Callable[[], Mapping[MarketSymbol, Market]]


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What a report is to be about; without `start` from the beginning, without `end` up to now."""

    scope: ReportScope
    scope_id: UUID
    start: datetime | None = None
    end: datetime | None = None


class ReportService:
    """Takes requests for reports in."""

    def __init__(self, storage: Storage, bus: Bus, clock: Clock, ids: Ids) -> None:
        self._storage = storage
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def generate(self, user_id: UUID, request: ReportRequest, idempotency_key: str | None) -> Report:
        """Store the report with its job, which a worker takes at once; raises NOT_FOUND, INVALID, CONFLICT."""
        now = self._clock.now()
        report_id, job_id = self._ids.new(), self._ids.new()
        async with self._storage.transaction() as transaction:
            if idempotency_key is not None:
                known = await claim(
                    transaction, self._clock, user_id, "reportGenerate", idempotency_key, request, report_id
                )
                found = await transaction.reports.report(user_id, known) if known else None
                if found is not None:
                    return found
            beginning = await _beginning(transaction, user_id, request)
            start, end = request.start or beginning, min(request.end or now, now)
            if start >= end:
                message = f"The period is empty: from {start.isoformat()} to {end.isoformat()}."
                raise InputError(ErrorCode.INVALID, message, ("input", "from"))
            report = Report(report_id, user_id, request.scope, request.scope_id, start, end, now, job_id)
            job = Job(job_id, user_id, JOB_KIND, now, result_type="Report", result_id=report_id)
            await transaction.reports.add_job(job)
            await transaction.reports.add_report(report)
            transaction.events.append([NewEvent(user_id, now, UserEventKind.JOB, job, job.status.value)])
            await record_activity(transaction, self._ids, now, user_id, "reportGenerate", ("Report", str(report_id)))
        await self._bus.publish(JOBS_TOPIC, b"")
        return report


class ReportWorker:
    """Computes reports, one after another, on a worker node; a worker that dies leaves its job to the next."""

    def __init__(self, storage: Storage, bus: Bus, clock: Clock, name: str, markets: Markets) -> None:
        self._storage = storage
        self._bus = bus
        self._clock = clock
        self._name = name
        self._markets = markets
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Work for ever; cancel to stop."""
        subscription = await self._bus.subscribe(JOBS_TOPIC, lambda _message: self._news.set(), self._news.set)
        try:
            while True:
                self._news.clear()
                if not await self._work_once():
                    await self._wait()
        finally:
            await subscription.close()

    async def _work_once(self) -> bool:
        try:
            async with self._storage.transaction() as transaction:
                job = await transaction.reports.claim_job((JOB_KIND,), self._name, JOB_LEASE_SECONDS)
            if job is not None:
                await self._work(job)
        except Unavailable:
            return False
        return job is not None

    async def _work(self, job: Job) -> None:
        try:
            message = await self._compute(job)
            status = JobStatus.SUCCEEDED
        except NothingToReport as reason:
            message, status = str(reason), JobStatus.FAILED
        now = self._clock.now()
        async with self._storage.transaction() as transaction:
            done = await transaction.reports.finish_job(job.id, status, message, now)
            report = await transaction.reports.report_of_job(job.id)
            if done is not None:
                events = [NewEvent(job.user_id, now, UserEventKind.JOB, done, done.status.value)]
                if report is not None and status is JobStatus.SUCCEEDED:
                    events.append(NewEvent(job.user_id, now, UserEventKind.REPORT, report, None))
                transaction.events.append(events)

    async def _compute(self, job: Job) -> str:
        async with self._storage.reading() as reading:
            report = await reading.reports.report_of_job(job.id)
            if report is None:
                raise NothingToReport("the report is gone")
            result = await ReportComputer(reading, self._markets(), report).compute()
        async with self._storage.transaction() as transaction:
            await transaction.reports.set_result(report.id, result)
        return f"{result.metrics.round_trips} round trips"

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return


async def _beginning(transaction: Transaction, user_id: UUID, request: ReportRequest) -> datetime:
    if request.scope is ReportScope.ACCOUNT:
        account = await transaction.accounts.get(user_id, request.scope_id)
        if account is not None:
            return account.created_at
    elif request.scope is ReportScope.TRADING_SESSION:
        session = await transaction.trading_sessions.get(user_id, request.scope_id)
        if session is not None:
            return session.started_at
    else:
        message = (
            f"A report of a {request.scope.value.lower()} can't be made yet; ask for accounts or trading sessions."
        )
        raise InputError(ErrorCode.UNSUPPORTED, message, ("input", "scope"))
    raise InputError(ErrorCode.NOT_FOUND, "You have nothing like that to report on.", ("input", "scope"))
