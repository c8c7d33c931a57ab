"""Gives out tax exports by links that are good for a short time; a file is written while it is read, never stored."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from domain.core.clock import Clock
from domain.core.pagination import KeysetPage
from domain.model.trading import Account
from domain.ports.personal_data import DownloadLinks
from domain.ports.unit_of_work import Database
from domain.reports.downloads import LinkExpired
from domain.reports.tax_export import TaxExport, TaxRequest

LINK_LIFE: Final = timedelta(minutes=10)
MAX_ACCOUNTS: Final = 100
_MAX_CHARACTERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class FoundExport:
    """An export that a link names, and the accounts that are in it."""

    request: TaxRequest
    accounts: list[Account]


class TaxLinks:
    """Signs links to exports, and writes the export of a link."""

    def __init__(self, database: Database, export: TaxExport, links: DownloadLinks, clock: Clock) -> None:
        self._database = database
        self._export = export
        self._links = links
        self._clock = clock

    def link(self, request: TaxRequest) -> tuple[str, datetime]:
        """Return a token that `find` takes, and until when: a signature, a dot, and the request."""
        expires_at = (self._clock.now() + LINK_LIFE).replace(microsecond=0)
        data = msgspec.json.encode(request)
        signature = self._links.sign(_digest(data), expires_at)
        return f"{signature}.{base64.urlsafe_b64encode(data).rstrip(b'=').decode()}", expires_at

    async def find(self, token: str) -> FoundExport | None:
        """Return the export of a token; None if it is forged or nothing is left of it. Raises `LinkExpired`."""
        signature, _, text = token[:_MAX_CHARACTERS].partition(".")
        signed, request = self._links.read(signature), None
        with suppress(ValueError, msgspec.MsgspecError):
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if signed is not None and signed[0] == _digest(data):
                request = msgspec.json.decode(data, type=TaxRequest)
        if signed is None or request is None:
            return None
        if signed[1] <= self._clock.now():
            raise LinkExpired(signed[1])
        accounts = await self.accounts(request)
        return FoundExport(request, accounts) if accounts else None

    async def accounts(self, request: TaxRequest) -> list[Account]:
        """Return the accounts of an export, archived ones too, oldest first."""
        async with self._database.read_only() as reading:
            found = await reading.accounts.list_page(request.user_id, KeysetPage(limit=MAX_ACCOUNTS))
        return [each for each in reversed(found) if request.account_id in {None, each.id}]

    def pieces(self, found: FoundExport) -> AsyncIterator[bytes]:
        """Yield the file piece by piece."""
        return self._export.pieces(found.request, found.accounts)


def _digest(data: bytes) -> UUID:
    """Return the 128 bits of a request that its link signs."""
    return UUID(bytes=hashlib.sha256(data).digest()[:16])
