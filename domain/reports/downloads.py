"""Gives out files of reports by links that are good for a short time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.core.clock import Clock
from domain.core.pieces import all_pieces
from domain.model.reports import ReportFile
from domain.model.users import User
from domain.ports.personal_data import DownloadLinks
from domain.ports.unit_of_work import Database

LINK_LIFE: Final = timedelta(minutes=10)

MESSAGE_LINK_LIFE: Final = timedelta(hours=24)
"""How long a link in a message is good: nobody reads a mail within minutes."""


class LinkExpired(Exception):
    """A link was good until `expired_at`."""

    def __init__(self, expired_at: datetime) -> None:
        super().__init__(f"expired at {expired_at.isoformat()}")
        self.expired_at = expired_at


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file, when its report was requested, and by whom."""

    file: ReportFile
    created_at: datetime
    user: User


class ReportDownloads:
    """Signs links to files of reports, and finds the file of a link."""

    def __init__(self, database: Database, links: DownloadLinks, clock: Clock) -> None:
        self._database = database
        self._links = links
        self._clock = clock

    def link(self, file: ReportFile) -> tuple[str, datetime]:
        """Return a token that `find` takes, and until when."""
        return self._signed(file.id, LINK_LIFE)

    def message_link(self, file_id: UUID) -> str:
        """Return a token that `find` takes, for a message that is sent now."""
        return self._signed(file_id, MESSAGE_LINK_LIFE)[0]

    async def find(self, token: str) -> FoundFile | None:
        """Return the file of a token; None if the token is forged, or the file is gone, or its user is disabled.

        Raises `LinkExpired`.
        """
        signed = self._links.read(token)
        if signed is None:
            return None
        content, expires_at = signed
        if expires_at <= self._clock.now():
            raise LinkExpired(expires_at)
        async with self._database.read_only() as reading:
            found = await reading.report_files.get(UUID(bytes=content))
            if found is None:
                return None
            file, created_at, user_id = found
            user = await reading.users.get_active(user_id)
        return None if user is None else FoundFile(file, created_at, user)

    def _signed(self, file_id: UUID, life: timedelta) -> tuple[str, datetime]:
        expires_at = (self._clock.now() + life).replace(microsecond=0)
        return self._links.sign(file_id.bytes, expires_at), expires_at

    def pieces(self, file: ReportFile) -> AsyncIterator[bytes]:
        """Yield the file piece by piece."""

        async def read(number: int) -> bytes | None:
            # No connection is held while a slow client takes a piece.
            async with self._database.read_only() as reading:
                return await reading.report_files.piece(file, number)

        return all_pieces(read)
