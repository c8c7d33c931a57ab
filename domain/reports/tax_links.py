"""Gives out tax exports by links that are good for a short time; a file is written while it is read, never stored."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from domain.core.clock import Clock
from domain.core.pagination import KeysetPage
from domain.model.trading import Account
from domain.model.users import User
from domain.ports.personal_data import DownloadLinks
from domain.ports.unit_of_work import Database
from domain.reports.downloads import LinkExpired
from domain.reports.tax_export import TaxExport, TaxRequest

LINK_LIFE: Final = timedelta(minutes=10)
MAX_ACCOUNTS: Final = 100


@dataclass(frozen=True, slots=True)
class FoundExport:
    """An export that a link names, the accounts that are in it, and whose they are."""

    request: TaxRequest
    accounts: list[Account]
    user: User


class TaxLinks:
    """Signs links to exports, and writes the export of a link."""

    def __init__(self, database: Database, export: TaxExport, links: DownloadLinks, clock: Clock) -> None:
        self._database = database
        self._export = export
        self._links = links
        self._clock = clock

    def link(self, request: TaxRequest) -> tuple[str, datetime]:
        """Return a token that `find` takes, which has the request, and until when."""
        expires_at = (self._clock.now() + LINK_LIFE).replace(microsecond=0)
        return self._links.sign(msgspec.json.encode(request), expires_at), expires_at

    async def find(self, token: str) -> FoundExport | None:
        """Return the export of a token; None if it is forged, or its user is disabled or has no such account.

        Raises `LinkExpired`.
        """
        signed = self._links.read(token)
        if signed is None:
            return None
        content, expires_at = signed
        if expires_at <= self._clock.now():
            raise LinkExpired(expires_at)
        try:
            request = msgspec.json.decode(content, type=TaxRequest)
        except msgspec.MsgspecError:  # signed by another version, within the minutes that a link is good for
            return None
        async with self._database.read_only() as reading:
            user = await reading.users.get_active(request.user_id)
            if user is None:
                return None
            newest_first = await reading.accounts.list_page(user.id, KeysetPage(limit=MAX_ACCOUNTS))
        accounts = [each for each in reversed(newest_first) if request.account_id in {None, each.id}]
        return FoundExport(request, accounts, user) if accounts else None

    def pieces(self, found: FoundExport) -> AsyncIterator[bytes]:
        """Yield the file piece by piece."""
        return self._export.pieces(found.request, found.accounts)
