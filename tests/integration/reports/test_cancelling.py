"""A report that is cancelled while it is computed leaves neither figures nor files."""

import asyncio
import threading

from domain.jobs.queue import JobService
from domain.jobs.runner import JobRunner
from domain.model.jobs import JobStatus
from domain.model.report_documents import ReportDocument
from domain.reports.file_maker import ReportFileMaker
from domain.reports.handler import COMPUTED, ReportHandler
from domain.reports.service import ReportService
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.report_files.writer import ReportFileWriter
from tests.support.fill_ledgers import BUY, MARKETS, SELL
from tests.support.reporting import hour, job_and_result, request_report, store_fills
from tests.support.trading import World
from tests.support.waiting import read_until


class HeldWriter(ReportFileWriter):
    """A writer whose page takes until it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()

    def page(self, document: ReportDocument) -> bytes:
        self.begun.set()
        self.let_go.wait(60)
        return super().page(document)


async def test_a_cancelled_report_leaves_nothing(
    database: PostgresDatabase, service: ReportService, world: World
) -> None:
    await store_fills(database, world, (hour(1), BUY, 1, 100), (hour(2), SELL, 1, 130))
    report = await request_report(service, world)
    bus, clock, ids, writer = EmbeddedBus(), SystemClock(), TimeOrderedIds(), HeldWriter()
    handler = ReportHandler(database, clock, lambda: MARKETS, ReportFileMaker(database, writer, ids))
    running = asyncio.create_task(JobRunner(database, bus, clock, "one", [handler]).run())
    try:
        await asyncio.to_thread(writer.begun.wait, 60)
        await read_until(
            lambda: job_and_result(database, report),
            lambda found: found[0].progress >= COMPUTED,
            "the figures are there",
        )
        await JobService(database, bus, clock, ids).cancel(world.user.id, report.job_id)
    finally:
        writer.let_go.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    job, result = await job_and_result(database, report)
    assert (job.status, result) == (JobStatus.CANCELED, None)
    async with database.read_only() as reading:
        assert await reading.report_files.of_reports([report.id]) == []
