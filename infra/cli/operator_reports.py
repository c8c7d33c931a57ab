"""Writes the numbers of a period over all users for `r3edge report --all-users`."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from domain.administration.operator_report import read_operator_report, report_period
from domain.core.errors import RequestFault
from infra.cli.arguments import BadArgument
from infra.cli.report_files import open_report_database
from infra.clock import SystemClock
from infra.report_files.operator_page import operator_page
from infra.settings import Settings


async def write_operator_report(
    settings: Settings, start: datetime | None, end: datetime | None, folder: Path
) -> tuple[Path, ...]:
    """Write a page and JSON into the folder, and return their paths; raises `BadArgument`."""
    try:
        period = report_period(_utc(start), _utc(end), SystemClock().now())
    except RequestFault as error:
        raise BadArgument(f"--from and --to: {error}") from None
    async with open_report_database(settings) as database, database.snapshot() as reading:
        report = await read_operator_report(reading, *period)
    files = {
        "operators.html": operator_page(report),
        "operators.json": msgspec.json.format(msgspec.json.encode(report)),
    }
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        for name, content in files.items():
            await asyncio.to_thread((folder / name).write_bytes, content)
    except OSError as error:
        raise BadArgument(f"{folder} can't be written: {error.strerror}") from None
    return tuple(folder / name for name in files)


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)
