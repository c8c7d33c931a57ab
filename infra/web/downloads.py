"""Gives out files by signed links: `GET PREFIX/TOKEN`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from domain.core.errors import Unavailable
from domain.model.reports import ReportFormat
from domain.personal_data.exports import DataExportService
from domain.reports.downloads import LinkExpired, ReportDownloads
from domain.reports.tax_links import TaxLinks
from infra.web.encoding import encode_json

_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_ZIP: Final = "application/zip"
_CSV: Final = "text/csv; charset=utf-8; header=present"


@dataclass(frozen=True, slots=True)
class Download:
    """A file as it is sent; a page is shown by the browser, and anything else is saved.

    Its size is None if it is written while it is sent.
    """

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
    """Routes requests below the prefix; what comes after it is the link's token, and stands in no log."""

    def __init__(self, prefix: str, find: FindDownload) -> None:
        self._prefix = prefix
        self._find = find

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match HTTP by the path's beginning."""
        matches = scope["type"] == "http" and scope["path"].startswith(self._prefix)
        return (Match.FULL, {}) if matches else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "GET":
            return _refusal(405, "INVALID", "Fetch the link by GET.", {"allow": "GET"})
        try:
            found = await self._find(request.scope["path"].removeprefix(self._prefix))
        except Unavailable as error:
            return _refusal(503, "UNAVAILABLE", error.message)
        except NoDownload as error:
            return _refusal(error.status, error.code, str(error))
        disposition = "attachment" if found.media_type in {_ZIP, _CSV} else "inline"
        headers = {
            **_HEADERS,
            **found.headers,
            **({} if found.size_bytes is None else {"content-length": str(found.size_bytes)}),
            "content-disposition": f'{disposition}; filename="{found.name}"',
        }
        return StreamingResponse(found.pieces, headers=headers, media_type=found.media_type)


def export_download(exports: DataExportService) -> FindDownload:
    """Return what finds archives of users' data."""

    async def find(token: str) -> Download:
        export = await exports.find(token)
        if export is None or export.size_bytes is None:
            message = "This link isn't valid (any more): ask for another one, by DataExport.path."
            raise NoDownload(404, "NOT_FOUND", message)
        name = f"r3edge-data-{export.created_at:%Y-%m-%d}.zip"
        return Download(name, _ZIP, export.size_bytes, exports.pieces(export))

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
        return Download(name, _CSV, None, taxes.pieces(found))

    return find


def _refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    shown = {"errors": [{"code": code, "message": message, "path": None}]}
    return Response(encode_json(shown), status, {**_HEADERS, **(headers or {})}, "application/json; charset=utf-8")
