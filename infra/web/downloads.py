"""Gives out files by signed links: `GET PREFIX/TOKEN`."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from domain.core.errors import RateLimited, Unavailable
from domain.model.reports import ReportFormat
from domain.model.users import User
from domain.personal_data.exports import DataExportService
from domain.reports.downloads import LinkExpired, ReportDownloads
from domain.reports.tax_links import TaxLinks
from domain.users.request_rates import RequestRates, limit_of_address, limit_of_user
from infra.web.context import ConnectionInfo
from infra.web.encoding import encode_json
from infra.web.http.handler import fault_headers

_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_ZIP: Final = "application/zip"
AT_ONCE: Final = 4
"""How many files of a route are sent to one user at once, by one node."""

TAX_EXPORTS_AT_ONCE: Final = 2
RETRY_AFTER_SECONDS: Final = 5

_CSV: Final = "text/csv; charset=utf-8; header=present"


@dataclass(frozen=True, slots=True)
class Download:
    """A file of a user as it is sent; a page is shown by the browser, and anything else is saved.

    Its size is None if it is written while it is sent.
    """

    user: User
    name: str
    media_type: str
    size_bytes: int | None
    pieces: AsyncIterator[bytes]
    headers: dict[str, str] = field(default_factory=dict)


class NoDownload(Exception):
    """There is no file for this link; the message says why, and where to get another link."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


FindDownload = Callable[[str], Awaitable[Download]]
"""Returns the file of a token; raises `NoDownload`, and `Unavailable`."""


class DownloadRoute(BaseRoute):
    """Routes requests below the prefix; what comes after it is the link's token, and stands in no log.

    A request counts for the user whose file it is, of whom `at_once` are sent at once; one for nothing counts for the
    address, of which so many `per_minute` are accepted.
    """

    def __init__(
        self, prefix: str, find: FindDownload, rates: RequestRates, per_minute: int, at_once: int = AT_ONCE
    ) -> None:
        self._prefix = prefix
        self._find = find
        self._rates = rates
        self._per_minute = per_minute
        self._at_once = at_once
        self._running: Counter[UUID] = Counter()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match HTTP by the path's beginning."""
        matches = scope["type"] == "http" and scope["path"].startswith(self._prefix)
        return (Match.FULL, {}) if matches else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        with ExitStack() as places:
            response = await self._answer(Request(scope, receive), places)
            await response(scope, receive, send)

    async def _answer(self, request: Request, places: ExitStack) -> Response:
        """Return the response to send, which holds one of the user's places if it is a file."""
        if request.method != "GET":
            return _refusal(405, "INVALID", "Fetch the link by GET.", {"allow": "GET"})
        try:
            found = await self._found(request)
            places.enter_context(self._place(found.user.id))
        except RateLimited as fault:
            return _refusal(429, fault.code.value, fault.message, fault_headers(fault))
        except Unavailable as error:
            return _refusal(503, "UNAVAILABLE", error.message)
        except NoDownload as error:
            return _refusal(error.status, error.code, str(error))
        return _response(found)

    async def _found(self, request: Request) -> Download:
        try:
            found = await self._find(request.scope["path"].removeprefix(self._prefix))
        except NoDownload:
            address = ConnectionInfo.from_scope(request.scope).network
            await self._rates.take(limit_of_address(address, self._per_minute))
            raise
        await self._rates.take(limit_of_user(found.user))
        return found

    @contextmanager
    def _place(self, user_id: UUID) -> Iterator[None]:
        """Hold one of the user's places; raises `RateLimited` if there is none."""
        if self._running[user_id] >= self._at_once:
            reason = f"{self._at_once} files of yours are being sent already"
            raise RateLimited(reason, RETRY_AFTER_SECONDS)
        self._running[user_id] += 1
        try:
            yield
        finally:
            self._running[user_id] -= 1
            if not self._running[user_id]:
                del self._running[user_id]


def export_download(exports: DataExportService) -> FindDownload:
    """Return what finds archives of users' data."""

    async def find(token: str) -> Download:
        found = await exports.find(token)
        if found is None:
            message = "This link isn't valid (any more): ask for another one, by DataExport.path."
            raise NoDownload(404, "NOT_FOUND", message)
        name = f"r3edge-data-{found.export.created_at:%Y-%m-%d}.zip"
        return Download(found.user, name, _ZIP, found.size_bytes, exports.pieces(found.export))

    return find


def report_download(reports: ReportDownloads, page_policy: str) -> FindDownload:
    """Return what finds files of reports; `page_policy` is the Content-Security-Policy of pages."""

    async def find(token: str) -> Download:
        try:
            found = await reports.find(token)
        except LinkExpired as error:
            message = (
                f"This link was valid until {error.expired_at.isoformat()}: ask for another one, by Report.downloads."
            )
            raise NoDownload(410, "LINK_EXPIRED", message) from None
        if found is None:
            message = "This link isn't valid, or its report is gone: ask for another one, by Report.downloads."
            raise NoDownload(404, "NOT_FOUND", message)
        file, is_page = found.file, found.file.format is ReportFormat.HTML
        suffix = "html" if is_page else f"{file.format.value.lower()}.zip"
        headers = (
            {
                "content-security-policy": f"{page_policy}; sandbox; frame-ancestors 'none'",
                "referrer-policy": "no-referrer",
            }
            if is_page
            else {}
        )
        return Download(
            found.user,
            f"r3edge-report-{found.created_at:%Y-%m-%d}.{suffix}",
            "text/html; charset=utf-8" if is_page else _ZIP,
            file.size_bytes,
            reports.pieces(file),
            headers,
        )

    return find


def tax_download(taxes: TaxLinks) -> FindDownload:
    """Return what finds tax exports."""

    async def find(token: str) -> Download:
        try:
            found = await taxes.find(token)
        except LinkExpired as error:
            message = f"This link was valid until {error.expired_at.isoformat()}: ask for another one, by taxExport."
            raise NoDownload(410, "LINK_EXPIRED", message) from None
        if found is None:
            raise NoDownload(404, "NOT_FOUND", "This link isn't valid: ask for another one, by taxExport.")
        name = f"r3edge-taxes-{found.request.currency}.csv"
        return Download(found.user, name, _CSV, None, taxes.pieces(found))

    return find


def _response(found: Download) -> Response:
    disposition = "attachment" if found.media_type in {_ZIP, _CSV} else "inline"
    headers = {
        **_HEADERS,
        **found.headers,
        **({} if found.size_bytes is None else {"content-length": str(found.size_bytes)}),
        "content-disposition": f'{disposition}; filename="{found.name}"',
    }
    return StreamingResponse(found.pieces, headers=headers, media_type=found.media_type)


def _refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    shown = {"errors": [{"code": code, "message": message, "path": None}]}
    return Response(encode_json(shown), status, {**_HEADERS, **(headers or {})}, "application/json; charset=utf-8")
