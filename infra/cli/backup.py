"""`r3edge backup`: backups of the embedded PostgreSQL, and its recovery to a moment."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.exit_codes import FAILED
from infra.cli.options import DataDirectory, command_settings, run_command
from infra.settings import Settings

if TYPE_CHECKING:
    from domain.ports.restores import RestoreMark
    from infra.backup.folder import Backup, BackupFolder
    from infra.backup.recovery import Recovered
    from infra.postgres.pool import Pool

backup_app = typer.Typer(help="Backups in the folder of R3EDGE_BACKUPS.", no_args_is_help=True, rich_markup_mode=None)

Keep = Annotated[int | None, typer.Option(min=1, help="Delete all but the newest so many, and the log before them.")]
To = Annotated[str | None, typer.Option(help="The moment, such as 2026-11-30T21:04:00Z; without it all of the log.")]
Name = Annotated[str | None, typer.Option("--backup", help="Begin with this one, not with the newest that can do it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
Moment = Annotated[str, typer.Argument(help="The moment, such as 2026-11-30T21:04:00Z.", show_default=False)]


@backup_app.command("create")
def create(keep: Keep = None, data_dir: DataDirectory = None) -> None:
    """Back the embedded database up, while the engine runs or doesn't."""
    backup, removed = run_command(make_backup(command_settings(data_dir), keep))
    print(backup_line(backup))
    if removed:
        print(f"{removed} older backups were deleted")


@backup_app.command("list")
def list_(data_dir: DataDirectory = None) -> None:
    """Print the backups, and up to when the log reaches."""
    print("\n".join(folder_lines(backup_folder(command_settings(data_dir)))))


@backup_app.command("verify")
def verify(data_dir: DataDirectory = None) -> None:
    """Read all backups and the log since the oldest, and compare them with their checksums."""
    errors = run_command(check_backups(command_settings(data_dir)))
    print("\n".join(errors) or "all is as it was written, and nothing is missing")
    if errors:
        raise SystemExit(FAILED)


@backup_app.command("restore")
def restore(to: To = None, name: Name = None, yes: Yes = False, data_dir: DataDirectory = None) -> None:
    """Put the database back as it was at a moment, and halt trading until you resume it. The engine must be stopped."""
    settings = command_settings(data_dir)
    if not yes:
        typer.confirm(
            f"Restore the database in {settings.data_dir}? What happened after that moment is lost", abort=True
        )
    recovered, mark = run_command(restore_database(settings, to, name))
    print("\n".join(restored_lines(recovered, mark)))


@backup_app.command("mark-restored")
def mark_restored(moment: Moment, data_dir: DataDirectory = None) -> None:
    """Make a database safe that you have restored yourself: that of R3EDGE_DATABASE_URL, before any node starts."""
    print("\n".join(mark_lines(run_command(mark_database(command_settings(data_dir), moment)))))


def backup_folder(settings: Settings) -> "BackupFolder":
    """Return the folder of backups; ends the command if there is none."""
    from infra.backup.folder import BackupFolder  # noqa: PLC0415  # other commands start without it

    if settings.backups is None:
        print("r3edge: there are no backups: R3EDGE_BACKUPS must name their folder", file=sys.stderr)
        raise SystemExit(FAILED)
    return BackupFolder(Path(settings.backups))


def backup_line(backup: "Backup") -> str:
    """Return a line about a backup."""
    ended_at = f"{backup.ended_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{backup.name}  {backup.size_bytes / 1e6:>10,.1f} MB  any moment from {ended_at} on"


def folder_lines(folder: "BackupFolder") -> list[str]:
    """Return a line for each backup, and one about the log."""
    from infra.backup.folder import size_bytes  # noqa: PLC0415  # other commands start without it
    from infra.backup.wal import newest_segment  # noqa: PLC0415  # as above

    lines = [backup_line(backup) for backup in folder.backups()]
    newest = newest_segment(folder.wal)
    if not lines or newest is None:
        return ["there is no backup; make one with: r3edge backup create"]
    at = datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    return [*lines, f"the log: {size_bytes(folder.wal) / 1e6:,.1f} MB, copied until {at:%Y-%m-%d %H:%M:%S} UTC"]


def restored_lines(recovered: "Recovered", mark: "RestoreMark") -> list[str]:
    """Return what a recovery has done, and what is to be done now."""
    lines = [f"restored to {recovered.restored_to:%Y-%m-%d %H:%M:%S} UTC, from the backup {recovered.backup.name}"]
    if recovered.replaced is not None:
        lines.append(f"the database before it is kept in {recovered.replaced}; delete it once you need it no more")
    if recovered.sandboxes:
        lines.append(f"sandboxes brought back: {', '.join(recovered.sandboxes)}")
    return lines + mark_lines(mark)


def mark_lines(mark: "RestoreMark") -> list[str]:
    """Return what was marked in a restored database, and what is to be done now."""
    return [
        f"{mark.accounts} accounts ask their venues for what they did since, before they send anything",
        f"{len(mark.users)} users are told and have to sign in again; {mark.login_sessions} login sessions were ended",
        f"{mark.skipped_messages} channels and mails go on without what waited, which may have been sent",
        "trading is halted, but for exits: start the engine, look at the alerts, then: r3edge resume engine",
    ]


async def make_backup(settings: Settings, keep: int | None) -> "tuple[Backup, int]":
    """Make a backup; return it and how many older ones were deleted. Raises `StartupError` and `BackupsUnusable`."""
    from infra.backup.base_backups import create_backup, keep_newest  # noqa: PLC0415  # other commands start without
    from infra.runtime.command_resources import open_command_resources  # noqa: PLC0415  # as above

    _require_embedded(settings)
    folder = backup_folder(settings)
    async with open_command_resources(settings, "r3edge backup") as resources:
        dsn = await resources.dsn()
        backup = await create_backup(folder, dsn, settings.data_dir.expanduser().absolute())
    return backup, 0 if keep is None else keep_newest(folder, keep)


async def check_backups(settings: Settings) -> list[str]:
    """Return what is wrong with the backups; raises `BackupsUnusable`."""
    from infra.backup.base_backups import verify_backups  # noqa: PLC0415  # other commands start without it
    from infra.backup.folder import BackupsUnusable  # noqa: PLC0415  # as above

    folder = backup_folder(settings)
    if not folder.backups():
        raise BackupsUnusable(f"there is no backup in {folder.path}")
    return await verify_backups(folder)


async def restore_database(settings: Settings, to: str | None, name: str | None) -> "tuple[Recovered, RestoreMark]":
    """Restore the embedded database and mark it; raises `BackupsUnusable`, `BadArgument` and `DataDirInUse`."""
    from infra.backup.recovery import Recovered, finish, put_back, recover, timeline_of  # noqa: PLC0415  # other commands start without it
    from infra.clock import SystemClock  # noqa: PLC0415  # as above
    from infra.postgres.migrate import migrate  # noqa: PLC0415  # as above
    from infra.postgres.pool import close_pool, create_pool  # noqa: PLC0415  # as above
    from infra.runtime.data_dir import DataDir  # noqa: PLC0415  # as above

    _require_embedded(settings)
    moment, folder = None if to is None else _past(to), backup_folder(settings)
    start = folder.to_restore(moment)
    if name is not None:
        start = (_named(folder, name), start[1])
    held = DataDir.hold(settings.data_dir, "r3edge backup restore")
    try:
        replaced, sandboxes = await put_back(folder, start[0], held.folder)
        server, restored_to = await recover(folder, start, held.folder, moment, replaced)
        try:
            folder.note_restore(restored_to, SystemClock().now(), await timeline_of(server.dsn))
            await migrate(server.dsn)
            pool = await create_pool(server.dsn, init_size=1, max_size=2)
            mark = await _mark(pool, restored_to)
            await close_pool(pool)
            finish(held.folder)
        finally:
            await server.stop()
    finally:
        held.release()
    return Recovered(start[0], restored_to, replaced, sandboxes), mark


async def mark_database(settings: Settings, moment: str) -> "RestoreMark":
    """Mark the settings' database as restored; raises `BadArgument` and `StartupError`."""
    from infra.runtime.command_resources import open_command_resources  # noqa: PLC0415  # other commands start without

    restored_to = _past(moment)
    async with open_command_resources(settings, "r3edge backup") as resources:
        return await _mark(await resources.pool(), restored_to)


async def _mark(pool: "Pool", restored_to: datetime) -> "RestoreMark":
    from domain.administration.restored_database import mark_restored as mark  # noqa: PLC0415  # as above
    from domain.trading.halts import HaltService  # noqa: PLC0415  # as above
    from infra.clock import SystemClock, TimeOrderedIds  # noqa: PLC0415  # as above
    from infra.embedded.bus import EmbeddedBus  # noqa: PLC0415  # as above
    from infra.postgres.database import PostgresDatabase  # noqa: PLC0415  # as above

    bus, clock = EmbeddedBus(), SystemClock()
    database = PostgresDatabase(pool, bus, clock)
    try:
        return await mark(database, clock, HaltService(database, bus, clock, TimeOrderedIds()), restored_to)
    finally:
        await database.close()


def _require_embedded(settings: Settings) -> None:
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # as above

    if settings.database_url is not None:
        raise BadArgument(
            "R3EDGE_DATABASE_URL names a database of your own: back it up by its own means (deploy/postgres), "
            "and after restoring it run: r3edge backup mark-restored TIME"
        )


def _named(folder: "BackupFolder", name: str) -> "Backup":
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # as above

    for backup in folder.backups():
        if backup.name == name:
            return backup
    raise BadArgument(f"there is no backup {name!r}; r3edge backup list prints their names")


def _past(text: str) -> datetime:
    """Return a moment that has passed, in UTC unless it says otherwise; raises `BadArgument`."""
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # as above
    from infra.clock import SystemClock  # noqa: PLC0415  # as above

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadArgument(f"{text!r} is no moment; write it as 2026-11-30T21:04:00Z") from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if moment > SystemClock().now():
        raise BadArgument(f"{text} hasn't come yet")
    return moment.astimezone(UTC)
