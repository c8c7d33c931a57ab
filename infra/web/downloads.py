"""Gives out archives by signed links: `GET /exports/TOKEN`."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from domain.core.errors import Unavailable
from domain.personal_data.exports import DataExportService
from infra.web.encoding import encode_json
from resolvers.data_exports import EXPORT_PATH

_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class ExportRoute(BaseRoute):
    """Routes requests below the prefix; what comes after it is the link's token, and stands in no log."""

    def __init__(self, exports: DataExportService) -> None:
        self._exports = exports

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match HTTP by the path's beginning."""
        matches = scope["type"] == "http" and scope["path"].startswith(EXPORT_PATH)
        return (Match.FULL, {}) if matches else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "GET":
            return _refusal(405, "INVALID", "Fetch the link by GET.", {"allow": "GET"})
        try:
            export = await self._exports.find(request.scope["path"].removeprefix(EXPORT_PATH))
        except Unavailable as error:
            return _refusal(503, "UNAVAILABLE", error.message)
        if export is None:
            message = "This link isn't valid (any more): ask for another one, by DataExport.path."
            return _refusal(404, "NOT_FOUND", message)
        name = f"r3edge-data-{export.created_at:%Y-%m-%d}.zip"
        headers = {
            **_HEADERS,
            "content-length": str(export.size_bytes),
            "content-disposition": f'attachment; filename="{name}"',
        }
        return StreamingResponse(self._exports.pieces(export), headers=headers, media_type="application/zip")


def _refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    shown = {"errors": [{"code": code, "message": message, "path": None}]}
    return Response(encode_json(shown), status, {**_HEADERS, **(headers or {})}, "application/json; charset=utf-8")
