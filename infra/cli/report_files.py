"""Computes a report for `r3edge report`, with or without a running engine, and writes its files."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from domain.core.errors import InputError
from domain.jobs.runner import JobRunner
from domain.model.jobs import JobStatus
from domain.model.markets import MarketSymbol
from domain.model.reports import Report, ReportFile, ReportFormat, ReportScope
from domain.ports.unit_of_work import UnitOfWork
from domain.reports.file_maker import ReportFileMaker
from domain.reports.handler import ReportHandler
from domain.reports.request import ReportRequest
from domain.reports.service import ReportService
from infra.cli.arguments import BadArgument, unknown_name
from infra.cli.progress import ProgressReporter, show_progress
from infra.cli.strategy_store import found_strategy, found_user_id
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.report_files.writer import ReportFileWriter
from infra.runtime.command_resources import open_command_resources
from infra.settings import Settings
from resolvers.ids import encode_id, uuid_in

_PURPOSE: Final = "r3edge report"
_STEPS: Final = 100
_POLL_SECONDS: Final = 0.1
_MOST_ACCOUNTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about, as it was written: None for what was left out. Names and ids are the user's."""

    user: str | None = None
    account: str | None = None
    session: str | None = None
    strategy: str | None = None
    backtest: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    benchmark: str | None = None


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """The files that were written, and what a reader must know about the figures."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...]


async def write_report(settings: Settings, subject: Subject, folder: Path) -> WrittenReport:
    """Have the report computed, here or by a running engine, and write its files; raises `BadArgument`."""
    check_subject(subject)
    async with open_report_database(settings) as database:
        try:
            async with database.read_only() as reading:
                user_id = await found_user_id(reading, subject.user)
                request = await report_request(reading, user_id, subject)
                markets = {market.symbol: market for market in await reading.market_data.markets()}
            ids, clock = TimeOrderedIds(), SystemClock()
            report = await ReportService(database, markets.get, EmbeddedBus(), clock, ids).generate(
                user_id, request, None
            )
        except InputError as error:
            raise BadArgument(str(error)) from None
        handler = ReportHandler(database, clock, lambda: markets, ReportFileMaker(database, ReportFileWriter(), ids))
        runner = JobRunner(database, EmbeddedBus(), clock, f"{_PURPOSE} {ids.next_id()}", [handler])
        with show_progress() as progress:
            await _until_ended(database, report, runner, progress)
        return await _write(database, report, folder)


async def _until_ended(
    database: PostgresDatabase, report: Report, runner: JobRunner, progress: ProgressReporter
) -> None:
    """Work off jobs until that of the report has ended, which a worker of a running engine may compute."""
    progress.start("computing", _STEPS)
    work = asyncio.create_task(runner.run())
    try:
        while True:
            async with database.read_only() as reading:
                job = await reading.jobs.get(report.user_id, report.job_id)
            if job is None or job.status in {JobStatus.FAILED, JobStatus.CANCELED}:
                raise BadArgument("the report was cancelled" if job is None else job.message or job.status.lower())
            progress.reach(job.progress)
            if job.status is JobStatus.SUCCEEDED:
                return
            await asyncio.wait([work], timeout=_POLL_SECONDS)
            if work.done():
                work.result()
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def _write(database: PostgresDatabase, report: Report, folder: Path) -> WrittenReport:
    async with database.read_only() as reading:
        files = await reading.report_files.of_reports([report.id])
        result = await reading.reports.get_result(report.id)
    paths = tuple(folder / _file_name(file.format) for file in files)
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        for file, path in zip(files, paths, strict=True):
            await asyncio.to_thread(path.write_bytes, b"")
            number = 0
            while (piece := await _piece(database, file, number)) is not None:
                await asyncio.to_thread(_append, path, piece)
                number += 1
    except OSError as error:
        raise BadArgument(f"{folder} can't be written: {error.strerror}") from None
    return WrittenReport(paths, () if result is None else tuple(note.message for note in result.metrics.notes))


def _file_name(format: ReportFormat) -> str:
    return "report.html" if format is ReportFormat.HTML else f"{format.value.lower()}.zip"


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


async def _piece(database: PostgresDatabase, file: ReportFile, number: int) -> bytes | None:
    async with database.read_only() as reading:
        return await reading.report_files.piece(file, number)


def check_subject(subject: Subject) -> None:
    """Raise `BadArgument` if a report isn't about one thing, or its benchmark is no market."""
    named = ("account", "session", "strategy", "backtest")
    given = [f"--{name}" for name in named if getattr(subject, name) is not None]
    if len(given) > 1:
        raise BadArgument(f"{' and '.join(given)}: a report is about one of them")
    if subject.benchmark is not None and ":" not in subject.benchmark:
        raise BadArgument(f"--benchmark is {subject.benchmark!r}; write a market as sandbox:BTC/USDT")


async def report_request(reading: UnitOfWork, user_id: UUID, subject: Subject) -> ReportRequest:
    """Return what is asked for, by the names and ids of the user; raises `BadArgument`."""
    scope, scope_id = ReportScope.USER, user_id
    if subject.account is not None:
        scope, scope_id = ReportScope.ACCOUNT, await _account_id(reading, user_id, subject.account)
    elif subject.session is not None:
        scope, scope_id = ReportScope.TRADING_SESSION, _id(subject.session, "TradingSession", "--session")
    elif subject.strategy is not None:
        scope, scope_id = ReportScope.STRATEGY, (await found_strategy(reading, user_id, subject.strategy)).id
    elif subject.backtest is not None:
        scope, scope_id = ReportScope.BACKTEST, _id(subject.backtest, "Backtest", "--backtest")
    benchmark = None if subject.benchmark is None else MarketSymbol.parse(subject.benchmark)
    return ReportRequest(scope, scope_id, _utc(subject.start), _utc(subject.end), benchmark)


async def _account_id(reading: UnitOfWork, user_id: UUID, name_or_id: str) -> UUID:
    if (account_id := uuid_in(name_or_id, "Account")) is not None:
        return account_id
    ids = await reading.reports.accounts_of_user(user_id, SystemClock().now(), _MOST_ACCOUNTS)
    accounts = await reading.accounts.get_many(ids)
    found = [account for account in accounts if account.name == name_or_id.strip()]
    if not found:
        raise unknown_name("account", name_or_id, [account.name for account in accounts])
    if len(found) > 1:
        listed = ", ".join(encode_id("Account", account.id) for account in found)
        raise BadArgument(f"the user has {len(found)} accounts {name_or_id!r}; their ids are {listed}")
    return found[0].id


def _id(text: str, type_name: str, option: str) -> UUID:
    found = uuid_in(text, type_name)
    if found is None:
        raise BadArgument(f"{option} is {text!r}, which is no id of the API's type {type_name}")
    return found


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)


@asynccontextmanager
async def open_report_database(settings: Settings) -> AsyncGenerator[PostgresDatabase]:
    """Provide the database of the running engine, or the command's own for as long as this takes."""
    async with open_command_resources(settings, _PURPOSE) as resources:
        pool = await resources.pool()
        archives = await resources.archives(pool)
        database = PostgresDatabase(pool, EmbeddedBus(), SystemClock(), archives=archives)
        try:
            yield database
        finally:
            await database.close()
