"""GraphQL over HTTP: POST, GET for queries, and server-sent events for streams."""

from graphql import GraphQLError, OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from domain.core.errors import FaultCode, RequestFault
from infra.web.connections import ConnectionRegistry
from infra.web.context import ConnectionInfo, ContextFactory, bearer
from infra.web.documents.documents import RequestErrors
from infra.web.encoding import encode_json
from infra.web.http.compression import compress
from infra.web.http.negotiation import EVENT_STREAM, JSON, RESPONSE_JSON, negotiate
from infra.web.http.requests import GraphQLRequest, read_body, read_query_string
from infra.web.http.sse import EventStream, StreamParts
from infra.web.metrics import WebMetrics
from infra.web.operations import Operations, Payload, is_subscription, public_errors
from infra.web.settings import WebSettings
from schema.errors import public_error

_STATUS = {FaultCode.RATE_LIMITED: 429, FaultCode.UNAVAILABLE: 503}


class HttpError(Exception):
    """A request that is answered with a status before any GraphQL is read."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.headers = headers or {}
        super().__init__(message)


class GraphQLHttp:
    """Answers one HTTP request after another."""

    def __init__(
        self,
        operations: Operations,
        contexts: ContextFactory,
        settings: WebSettings,
        metrics: WebMetrics,
        connections: ConnectionRegistry,
    ) -> None:
        self._operations = operations
        self._contexts = contexts
        self._settings = settings
        self._metrics = metrics
        self._streams = StreamParts(operations, connections, metrics, settings)

    async def answer(self, request: Request) -> ASGIApp:
        """Return the response; whatever is wrong is told in the shape of GraphQL."""
        media_type = negotiate(request.headers.get("accept"))
        try:
            return await self._operate(request, await self._read(request), _acceptable(media_type))
        except HttpError as refusal:
            fault = RequestFault(FaultCode.INVALID, str(refusal))
            return _refused(media_type, refusal.status, fault, refusal.headers)
        except RequestFault as fault:
            return _refused(media_type, _STATUS.get(fault.code, 400), fault, _retry_after(fault))
        except RequestErrors as errors:
            self._metrics.refused.inc()
            return _response({"errors": public_errors(errors)}, media_type)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001  # nothing internal leaks, wherever it comes from
            masked = public_error(GraphQLError("", path=["request"], original_error=error))
            return _response({"errors": [{**masked, "path": None}]}, media_type, 500)

    async def _operate(self, http: Request, request: GraphQLRequest, media_type: str) -> ASGIApp:
        connection = ConnectionInfo.of(http.scope)
        prepared = await self._operations.prepare(request.query, request.operation_name, connection.network)
        if http.method == "GET" and prepared.type is OperationType.MUTATION:
            raise HttpError(405, "GET answers queries only; use POST.", {"allow": "POST"})
        if is_subscription(prepared) and media_type != EVENT_STREAM:
            raise HttpError(406, f"A subscription needs `Accept: {EVENT_STREAM}`, or the WebSocket.")
        context = await self._contexts(bearer(http.headers.get("authorization")), connection)
        self._metrics.operations.labels(prepared.type.value, "sse" if media_type == EVENT_STREAM else "http").inc()
        if media_type == EVENT_STREAM:
            return EventStream(self._streams, prepared, request, context)
        response = _response(await self._operations.execute(prepared, request.variables, context), media_type)
        if prepared.type is OperationType.QUERY:
            await compress(response, http.headers.get("accept-encoding"), self._settings.gzip_min_bytes)
        return response

    async def _read(self, http: Request) -> GraphQLRequest:
        if http.method == "GET":
            return read_query_string(http.query_params)
        if http.method != "POST":
            raise HttpError(405, "Use POST, or GET for queries.", {"allow": "GET, POST"})
        content_type, _, parameters = http.headers.get("content-type", "").partition(";")
        if content_type.strip().lower() != JSON or not _is_utf8(parameters):
            raise HttpError(415, f"Send the request as {JSON}; charset=utf-8.", {"accept-post": JSON})
        if http.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            raise HttpError(415, "Send the body as it is, without a content-encoding.", {"accept-encoding": "identity"})
        return read_body(await self._body(http))

    async def _body(self, http: Request) -> bytes:
        length = http.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._settings.max_body_bytes:
            raise self._too_large()
        body = bytearray()
        async for chunk in http.stream():
            body += chunk
            if len(body) > self._settings.max_body_bytes:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> HttpError:
        limit = self._settings.max_body_bytes // 1024
        return HttpError(413, f"The body has more than {limit} KiB.")


def _acceptable(media_type: str | None) -> str:
    if media_type is None:
        raise HttpError(406, f"Accept {RESPONSE_JSON}, {JSON} or {EVENT_STREAM}.")
    return media_type


def _refused(
    media_type: str | None, status: int, fault: RequestFault, headers: dict[str, str] | None = None
) -> Response:
    payload: Payload = {"errors": [public_error(GraphQLError(fault.message, original_error=fault))]}
    return _response(payload, media_type, status, headers)


def _retry_after(fault: RequestFault) -> dict[str, str]:
    """Return when to try again as HTTP says it too (RFC 9110, 10.2.3)."""
    seconds = fault.extensions.get("retryAfterSeconds")
    return {} if seconds is None else {"retry-after": str(seconds)}


def _response(
    payload: Payload, media_type: str | None, status: int | None = None, headers: dict[str, str] | None = None
) -> Response:
    """Return a response; its status tells whether anything was executed, but for old clients, who expect 200.

    Who asked for a stream would take a 200 for one, and one without events for the end of it.
    """
    if status is None:
        status = 400 if media_type != JSON and "data" not in payload else 200
    content_type = RESPONSE_JSON if media_type == RESPONSE_JSON else JSON
    return Response(
        encode_json(payload),
        status,
        {**(headers or {}), "cache-control": "no-store", "vary": "accept"},
        f"{content_type}; charset=utf-8",
    )


def _is_utf8(parameters: str) -> bool:
    charsets = [part.strip().lower() for part in parameters.split(";") if part.strip().lower().startswith("charset=")]
    return all(charset[8:].strip('"') in {"utf-8", "utf8"} for charset in charsets)
