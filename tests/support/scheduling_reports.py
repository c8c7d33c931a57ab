"""A user with schedules of reports, and the nodes that make and deliver them; the clock is the test's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from domain.core.pagination import KeysetPage
from domain.model.jobs import Job
from domain.model.report_schedules import Recurrence, ReportCadence, ReportSchedule
from domain.model.reports import Report, ReportScope
from domain.model.trading import Account
from domain.reports.downloads import ReportDownloads
from domain.reports.schedule_requests import ScheduleRequest
from domain.reports.schedule_service import ReportScheduleService
from domain.reports.scheduler import ReportScheduler
from infra.clock import TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.security import HmacLinks
from resolvers.reports import REPORT_PATH
from tests.support.fill_ledgers import MARKETS
from tests.support.mail_server import open_mail_server
from tests.support.notifying import Notifying, open_notifying
from tests.support.reporting import report_worker
from tests.support.trading import new_account

DAILY = Recurrence(ReportCadence.DAILY, 13)
PUBLIC = "https://trade.example.com"
IDS = TimeOrderedIds()


@dataclass
class ReportScheduling:
    """The user of a `Notifying`, with an account; it is noon, UTC."""

    database: PostgresDatabase
    notifying: Notifying
    account: Account

    @property
    def user_id(self) -> Any:
        """The user."""
        return self.notifying.user.id

    @property
    def now(self) -> datetime:
        """The time."""
        return self.notifying.clock.now()

    @property
    def service(self) -> ReportScheduleService:
        """What manages schedules."""
        return ReportScheduleService(self.database, MARKETS.get, self.notifying.clock, IDS)

    @property
    def downloads(self) -> ReportDownloads:
        """What signs and opens links."""
        return ReportDownloads(self.database, HmacLinks(bytes(32), "reports"), self.notifying.clock)

    def scheduler(self) -> ReportScheduler:
        """Return what makes reports on a node."""
        return ReportScheduler(self.database, EmbeddedBus(), self.notifying.clock, IDS)

    async def create(self, recurrence: Recurrence = DAILY, **changes: Any) -> ReportSchedule:
        """Create a schedule of reports on the account."""
        request = ScheduleRequest("my days", ReportScope.ACCOUNT, self.account.id, recurrence)
        return await self.service.create(self.user_id, replace(request, **changes), None)

    def pass_time(self, **time: float) -> None:
        """Move the clock."""
        self.notifying.clock.move(timedelta(**time).total_seconds())

    async def compute(self) -> bool:
        """Have a worker compute a report that waits; False if there is none."""
        return await report_worker(self.database, lambda: MARKETS).work_once()

    async def deliver(self, holder: str = "node:1") -> None:
        """Have a node deliver what is due."""
        deliverer = self.notifying.deliverer(
            holder, lambda id_: f"{PUBLIC}{REPORT_PATH}{self.downloads.message_link(id_)}"
        )
        await deliverer.deliver_due()

    async def run(self) -> None:
        """Make, compute and deliver what is due."""
        await self.scheduler().run_due()
        while await self.compute():
            pass
        await self.scheduler().run_due()
        await self.deliver()

    async def stored(self, schedule: ReportSchedule) -> ReportSchedule:
        """Return a schedule as it is stored now."""
        async with self.database.read_only() as reading:
            found = await reading.report_schedules.get(self.user_id, schedule.id)
        assert found is not None
        return found

    async def reports(self) -> list[Report]:
        """Return the user's reports, oldest first."""
        async with self.database.read_only() as reading:
            found = await reading.reports.list_reports(self.user_id, KeysetPage(limit=100))
        return found[::-1]

    async def job(self, report: Report) -> Job:
        """Return the job of a report."""
        async with self.database.read_only() as reading:
            found = await reading.jobs.get(self.user_id, report.job_id)
        assert found is not None
        return found


@asynccontextmanager
async def open_report_scheduling(database: PostgresDatabase) -> AsyncIterator[ReportScheduling]:
    """Provide a user with an account, a receiver and a mail server."""
    async with open_mail_server() as mails, open_notifying(database, mails) as notifying:
        account = new_account(notifying.user.id, created_at=notifying.clock.now() - timedelta(days=60))
        async with database.transaction() as transaction:
            await transaction.accounts.add(account, b"")
        yield ReportScheduling(database, notifying, account)
