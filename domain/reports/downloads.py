"""Gives out files of reports by links that are good for a short time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.core.clock import Clock
from domain.model.reports import ReportFile
from domain.ports.personal_data import DownloadLinks
from domain.ports.unit_of_work import Database

LINK_LIFE: Final = timedelta(minutes=10)


class LinkExpired(Exception):
    """A link was good until `expired_at`."""

    def __init__(self, expired_at: datetime) -> None:
        super().__init__(f"expired at {expired_at.isoformat()}")
        self.expired_at = expired_at


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file, and when its report was requested."""

    file: ReportFile
    created_at: datetime


class ReportDownloads:
    """Signs links to files of reports, and finds the file of a link."""

    def __init__(self, database: Database, links: DownloadLinks, clock: Clock) -> None:
        self._database = database
        self._links = links
        self._clock = clock

    def link(self, file: ReportFile) -> tuple[str, datetime]:
        """Return a token that `find` takes, and until when."""
        expires_at = (self._clock.now() + LINK_LIFE).replace(microsecond=0)
        return self._links.sign(file.id, expires_at), expires_at

    async def find(self, token: str) -> FoundFile | None:
        """Return the file of a token; None if the token is forged or the file is gone. Raises `LinkExpired`."""
        signed = self._links.read(token)
        if signed is None:
            return None
        file_id, expires_at = signed
        if expires_at <= self._clock.now():
            raise LinkExpired(expires_at)
        async with self._database.read_only() as reading:
            found = await reading.report_files.get(file_id)
        return None if found is None else FoundFile(*found)

    async def pieces(self, file: ReportFile) -> AsyncIterator[bytes]:
        """Yield the file piece by piece."""
        number = 0
        while True:
            # No connection is held while a slow client takes a piece.
            async with self._database.read_only() as reading:
                piece = await reading.report_files.piece(file, number)
            if piece is None:
                return
            yield piece
            number += 1
