"""`r3edge archive`: market data of old months in files: move them there, check them, and bring them back."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.exit_codes import FAILED
from infra.cli.options import DataDirectory, command_settings, run_command
from infra.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from domain.model.archive import Batch, LostFile
    from domain.ports.archive import ArchiveStorage, StoredFile
    from infra.postgres.archive.archiver import RunResult
    from infra.postgres.archive.restoring import FileCheck
    from infra.postgres.pool import Pool

archive_app = typer.Typer(
    help="Market data of old months, in the folder or bucket of R3EDGE_ARCHIVE.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Month = Annotated[str, typer.Argument(help="The month, such as 2025-03.", show_default=False)]
OneTable = Annotated[str | None, typer.Option("--table", help="This table alone, such as trades.")]
LostName = Annotated[
    str, typer.Argument(metavar="FILE", help="The name of the file, as verify and errors have it.", show_default=False)
]
Days = Annotated[int, typer.Option("--older-than-days", min=1, help="Only files written so many days ago or more.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
OneMonth = Annotated[str | None, typer.Option("--month", help="Archive this month alone, restored before or not.")]


@archive_app.command("run")
def run(month: OneMonth = None, table: OneTable = None, data_dir: DataDirectory = None) -> None:
    """Write old months to files, and drop rows whose files were written an hour ago or more."""
    of_month = None if month is None else _parse_month(month)
    result = run_command(run_archive(command_settings(data_dir), of_month, table))
    print("\n".join(run_lines(result)))
    if result.failed:
        raise SystemExit(FAILED)


@archive_app.command("verify")
def verify(data_dir: DataDirectory = None) -> None:
    """Read all files, and compare them with what the database knows of them: hash, rows and sums."""
    settings = command_settings(data_dir)
    checked = run_command(check_files(settings))
    print("\n".join([*check_lines(checked), *orphan_lines(run_command(read_orphans(settings)))]))
    if any(check.error is not None for check in checked):
        raise SystemExit(FAILED)


@archive_app.command("restore")
def restore(month: Month, table: OneTable = None, data_dir: DataDirectory = None) -> None:
    """Bring a month back into the database, where it stays until `r3edge archive run --month` archives it again."""
    rows = run_command(restore_archived(command_settings(data_dir), _parse_month(month), table))
    print(f"{month}: {rows:,} rows are in the database again")


@archive_app.command("give-up")
def give_up(file: LostName, yes: Yes = False, data_dir: DataDirectory = None) -> None:
    """Give up a file that is absent or damaged for good: queries answer without its rows, which are lost."""
    lost = run_command(give_up_lost(command_settings(data_dir), file, ask=not yes))
    print(f"given up: {lost_line(lost)}")


@archive_app.command("sweep")
def sweep(older_than_days: Days = 30, yes: Yes = False, data_dir: DataDirectory = None) -> None:
    """Delete the files in the archive that the database doesn't name, if they were written long ago."""
    swept = run_command(delete_orphans(command_settings(data_dir), older_than_days, ask=not yes))
    print(f"deleted: {_files_of(swept)}" if swept else f"there is none older than {older_than_days} days")


@archive_app.command("status")
def status(data_dir: DataDirectory = None) -> None:
    """Print which months are archived, and how far, and which files were given up."""
    settings = command_settings(data_dir)
    batches, pending = run_command(read_status(settings))
    lines = [*map(batch_line, batches), *(f"given up  {lost_line(each)}" for each in run_command(read_lost(settings)))]
    print("\n".join(lines) or "nothing is archived")
    if pending:
        print(f"events of {pending:,} erased users are still in the archive: a run erases them, or a worker in an hour")


def run_lines(result: "RunResult") -> list[str]:
    """Return what a run did: a line for each month that was written, dropped, or left for an error."""
    lines = [f"written  {batch_line(batch)}" for batch in result.written]
    lines += [f"dropped  {batch_line(batch)}" for batch in result.dropped]
    if any(batch.dropped_at is None for batch in result.written):
        lines.append("what was written now is dropped from the database by a run an hour later, or by a worker")
    lines += [f"failed   {failure.table}  {failure.month:%Y-%m}: {failure.error}" for failure in result.failed]
    return lines or ["nothing is to be archived now"]


def check_lines(checked: "Sequence[FileCheck]") -> list[str]:
    """Return a line for each file that is wrong, and one about all."""
    wrong = [f"{check.file.name}: {check.error}" for check in checked if check.error is not None]
    rows = sum(check.file.rows for check in checked)
    verdict = f"{len(wrong):,} are wrong" if wrong else "all are as written"
    return [*wrong, f"{len(checked):,} files with {rows:,} rows: {verdict}"]


def orphan_lines(orphans: "Sequence[StoredFile]") -> list[str]:
    """Return a line about the files that nothing names, if there are any."""
    if not orphans:
        return []
    what = "that the database doesn't name; r3edge archive sweep deletes those written long ago"
    return [f"{_files_of(orphans)} {what}, the first is {orphans[0].name}"]


def batch_line(batch: "Batch") -> str:
    """Return a line about a month of a table: its state, files, rows and size."""
    rows = f"{batch.size_bytes / batch.rows:.1f} bytes a row" if batch.rows else "no rows yet"
    return (
        f"{batch.table:<16}  {batch.month:%Y-%m}  {batch.state.value:<10} {batch.rows:>14,} rows  "
        f"{batch.files:>6,} files  {batch.size_bytes / 1e6:>10,.1f} MB  {rows}"
    )


def lost_line(lost: "LostFile") -> str:
    """Return a line about a lost file: what it had, and why it is lost."""
    when = "" if lost.given_up_at is None else f"{lost.given_up_at:%Y-%m-%d}  "
    period = f"{lost.first:%Y-%m-%d %H:%M} to {lost.last:%Y-%m-%d %H:%M} UTC"
    return f"{when}{lost.rows:,} rows ({lost.table}) of {lost.part}, {period}: {lost.reason}"


async def run_archive(settings: Settings, month: datetime | None, table: str | None = None) -> "RunResult":
    """Write the months that the settings say, or one, of all tables or one; raises `BadArgument` and `StartupError`."""
    from domain.model.archive import boundary  # noqa: PLC0415  # other commands start without it
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # as above
    from infra.clock import SystemClock  # noqa: PLC0415  # as above
    from infra.postgres.archive.archivers import Archivers  # noqa: PLC0415  # as above
    from infra.postgres.archive.lock import ArchiveBusy  # noqa: PLC0415  # as above
    from infra.postgres.archive.tables import TABLE_NAMES  # noqa: PLC0415  # as above
    from infra.runtime.archive import boundaries  # noqa: PLC0415  # as above
    from infra.runtime.errors import StartupError  # noqa: PLC0415  # as above

    now = SystemClock().now()
    if month is not None and month >= boundary(now, 0):
        raise BadArgument(f"{month:%Y-%m} hasn't ended yet; a month before {now:%Y-%m} can be archived")
    before = boundaries(settings, now) if month is None else dict.fromkeys(TABLE_NAMES, boundary(now, 0))
    if table is not None:
        if table not in before:
            raise BadArgument(f"{table!r} is no table that is archived; those are {', '.join(before)}")
        before = {table: before[table]}
    async with _opened(settings) as (pool, storage):
        try:
            return await Archivers(pool, storage).run(before, month)
        except ArchiveBusy as error:
            raise StartupError(str(error)) from None


async def check_files(settings: Settings) -> "list[FileCheck]":
    """Return what became of each file; raises `StartupError`."""
    from infra.postgres.archive.restoring import verify_files  # noqa: PLC0415  # other commands start without it

    async with _opened(settings) as (pool, storage):
        return [check async for check in verify_files(pool, storage)]


async def restore_archived(settings: Settings, month: datetime, table: str | None = None) -> int:
    """Bring a month back; return how many rows. Raises `BadArgument` if it isn't archived, and `StartupError`."""
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # other commands start without it
    from infra.postgres.archive.lock import ArchiveBusy  # noqa: PLC0415  # as above
    from infra.postgres.archive.restoring import NotArchived, restore_month  # noqa: PLC0415  # as above
    from infra.runtime.errors import StartupError  # noqa: PLC0415  # as above

    async with _opened(settings) as (pool, storage):
        try:
            return await restore_month(pool, storage, month, table)
        except NotArchived as error:
            raise BadArgument(str(error)) from None
        except ArchiveBusy as error:
            raise StartupError(str(error)) from None


async def give_up_lost(settings: Settings, name: str, *, ask: bool) -> "LostFile":
    """Give up a file, after a question; raises `BadArgument` if it isn't lost, and `StartupError`."""
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # other commands start without it
    from infra.postgres.archive.lock import ArchiveBusy  # noqa: PLC0415  # as above
    from infra.postgres.lost_archive_files import NotLost, give_up_file  # noqa: PLC0415  # as above
    from infra.runtime.errors import StartupError  # noqa: PLC0415  # as above

    def confirm(lost: "LostFile") -> None:
        if ask:
            typer.confirm(f"Give up {lost_line(lost)}\nThey are then lost for good?", abort=True)

    async with _opened(settings) as (pool, storage):
        try:
            return await give_up_file(pool, storage, name, confirm)
        except NotLost as error:
            raise BadArgument(str(error)) from None
        except ArchiveBusy as error:
            raise StartupError(str(error)) from None


async def read_orphans(settings: Settings) -> "list[StoredFile]":
    """Return the files that the database doesn't name; raises `StartupError`."""
    from infra.postgres.archive.orphans import find_orphans  # noqa: PLC0415  # other commands start without it

    async with _opened(settings) as (pool, storage):
        return await find_orphans(pool, storage)


async def delete_orphans(settings: Settings, older_than_days: int, *, ask: bool) -> "list[StoredFile]":
    """Delete the files that the database doesn't name, after a question, and return them; raises `StartupError`."""
    from infra.clock import SystemClock  # noqa: PLC0415  # other commands start without it
    from infra.postgres.archive.lock import ArchiveBusy  # noqa: PLC0415  # as above
    from infra.postgres.archive.orphans import LEAST_AGE, AnotherArchive, sweep_orphans  # noqa: PLC0415  # as above
    from infra.runtime.errors import StartupError  # noqa: PLC0415  # as above

    def confirm(orphans: "Sequence[StoredFile]") -> None:
        if ask:
            print("\n".join(f"{file.written_at:%Y-%m-%d}  {file.name}" for file in orphans))
            question = f"Delete {_files_of(orphans)}? If another database has its archive there, they may be its files"
            typer.confirm(question, abort=True)

    before = SystemClock().now() - max(timedelta(days=older_than_days), LEAST_AGE)
    async with _opened(settings) as (pool, storage):
        try:
            return await sweep_orphans(pool, storage, before, confirm)
        except (AnotherArchive, ArchiveBusy) as error:
            raise StartupError(str(error)) from None


async def read_lost(settings: Settings) -> "list[LostFile]":
    """Return the files that were given up; raises `StartupError`."""
    from infra.postgres.connection import Connection  # noqa: PLC0415  # as above
    from infra.postgres.lost_archive_files import lost_files  # noqa: PLC0415  # other commands start without it

    async with _opened(settings) as (pool, _), pool.acquire() as driver:
        return await lost_files(Connection(driver))


async def read_status(settings: Settings) -> "tuple[list[Batch], int]":
    """Return all batches, by their months, and of how many erased users events are there; raises `StartupError`."""
    from infra.postgres.archive.events.erasure import pending_erasures  # noqa: PLC0415  # as above
    from infra.postgres.archive.manifest import Manifest  # noqa: PLC0415  # other commands start without it
    from infra.postgres.connection import Connection  # noqa: PLC0415  # as above

    async with _opened(settings) as (pool, _), pool.acquire() as driver:
        connection = Connection(driver)
        return await Manifest(connection).batches(), await pending_erasures(connection)


def _opened(settings: Settings) -> "AbstractAsyncContextManager[tuple[Pool, ArchiveStorage]]":
    from contextlib import asynccontextmanager  # noqa: PLC0415  # other commands start without it

    from infra.runtime.archive import STATEMENT_SECONDS, archive_storage  # noqa: PLC0415  # as above
    from infra.runtime.command_resources import open_command_resources  # noqa: PLC0415  # as above
    from infra.runtime.errors import StartupError  # noqa: PLC0415  # as above

    @asynccontextmanager
    async def opened() -> "AsyncIterator[tuple[Pool, ArchiveStorage]]":
        storage = archive_storage(settings)
        if storage is None:
            raise StartupError("there is no archive: R3EDGE_ARCHIVE must name its folder, or s3://bucket/prefix")
        async with open_command_resources(settings, "r3edge archive") as resources:
            yield await resources.pool(STATEMENT_SECONDS), storage

    return opened()


def _files_of(files: "Sequence[StoredFile]") -> str:
    return f"{len(files):,} files with {sum(file.size_bytes for file in files) / 1e6:,.1f} MB"


def _parse_month(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no month; write it as 2025-03") from None
