"""GraphQL over HTTP: POST, GET for queries, and server-sent events for streams."""

from functools import lru_cache
from typing import Final

from graphql import GraphQLError, OperationType
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from domain.core.errors import FaultCode, RequestFault
from domain.core.presence import set_client
from domain.users.request_rates import RequestRate, RequestRateExceeded
from infra.web.connections.direct_writes import find_presence
from infra.web.context import ConnectionInfo, bearer_token
from infra.web.dependencies import TransportDependencies
from infra.web.encoding import encode_json_bytes
from infra.web.errors import PersistedQueryNotFound, RequestErrors, errors_from_fault, public_errors, reason_of
from infra.web.execution import Payload
from infra.web.http.compression import compress_response
from infra.web.http.conditional import validated
from infra.web.http.messages import HttpRequest, HttpResponse, raw_headers
from infra.web.http.negotiation import EVENT_STREAM, JSON, RESPONSE_JSON, negotiate
from infra.web.http.sse import SseResponse
from infra.web.requests import GraphQLRequest, parse_body, parse_query_string
from infra.web.shared_answers import shared_data
from schema.common.errors import public_error

_REMEMBERED: Final = 256
"""Of how many content types it is known whether they are JSON."""

_SMALL_BODY_BYTES: Final = 8 * 1024
"""What is read at once; a larger body is read in the turn of its address, since it may take milliseconds."""

_NOT_STORED: Final = ((b"cache-control", b"no-store"), (b"vary", b"accept"))
_JSON_HEADERS: Final = (*_NOT_STORED, (b"content-type", f"{JSON}; charset=utf-8".encode()))
_RESPONSE_JSON_HEADERS: Final = (*_NOT_STORED, (b"content-type", f"{RESPONSE_JSON}; charset=utf-8".encode()))
_STATUS = {FaultCode.RATE_LIMITED: 429, FaultCode.UNAVAILABLE: 503}


class HttpError(Exception):
    """A request that is answered with a status before any GraphQL is read."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.headers = headers or {}
        super().__init__(message)


class GraphQLHttpHandler:
    """Answers the HTTP requests of the GraphQL path."""

    def __init__(self, dependencies: TransportDependencies) -> None:
        self._dependencies = dependencies
        self._settings = dependencies.settings

    async def handle(self, request: HttpRequest) -> ASGIApp:
        """Return the response; errors of every kind are reported in the shape of GraphQL."""
        media_type = negotiate(request.header(b"accept"))
        try:
            connection = ConnectionInfo.from_scope(request.scope)
            return await self._execute(request, *await self._read(request, media_type, connection), connection)
        except HttpError as error:
            fault = RequestFault(FaultCode.INVALID, str(error))
            return self._refusal(errors_from_fault(fault), media_type, error.status, error.headers)
        except RequestFault as fault:
            status = _STATUS.get(fault.code, 400)
            return self._refusal(errors_from_fault(fault), media_type, status, fault_headers(fault))
        except RequestErrors as errors:
            is_apollos_miss = isinstance(errors, PersistedQueryNotFound) and media_type != EVENT_STREAM
            return self._refusal(errors, media_type, 200 if is_apollos_miss else None)
        except ClientDisconnect:
            return HttpResponse(b"", 400, [])
        except Exception as error:  # noqa: BLE001  # nothing internal leaks, wherever it comes from
            masked = public_error(GraphQLError("", path=["request"], original_error=error))
            return _response({"errors": [{**masked, "path": None}]}, media_type, 500)

    def _refusal(
        self, errors: RequestErrors, media_type: str | None, status: int | None, headers: dict[str, str] | None = None
    ) -> HttpResponse:
        public = public_errors(errors)
        self._dependencies.metrics.refused.labels(reason_of(public)).inc()
        return _response({"errors": public}, media_type, status, headers)

    async def _execute(
        self, http: HttpRequest, request: GraphQLRequest, media_type: str, connection: ConnectionInfo
    ) -> ASGIApp:
        operations, metrics = self._dependencies.operations, self._dependencies.metrics
        prepared = await operations.prepare(
            request.query, request.operation_name, connection.network, request.document_id
        )
        if http.method == "GET" and prepared.type is OperationType.MUTATION:
            raise HttpError(405, "GET answers queries only; use POST.", {"allow": "POST"})
        if prepared.is_subscription and media_type != EVENT_STREAM:
            raise HttpError(406, f"A subscription needs `Accept: {EVENT_STREAM}`, or the WebSocket.")
        context = await self._dependencies.contexts(bearer_token(http.header(b"authorization")), connection)
        rate = await operations.admit(prepared, context)
        metrics.operations_of(prepared.type.value, "sse" if media_type == EVENT_STREAM else "http").inc()
        if prepared.type is OperationType.MUTATION:
            set_client(find_presence(http.scope))
        if media_type == EVENT_STREAM:
            return SseResponse(self._dependencies, prepared, request, context, rate)
        payload = await operations.execute(prepared, request.variables, context, rate)
        response = _response(payload, media_type, headers=rate_headers(rate))
        if http.method == "GET" and (data := shared_data(payload)) is not None:
            response = validated(response, bytes(data), http.header(b"if-none-match"))
        if prepared.type is OperationType.QUERY:
            turn = operations.fair_use.compression(context.client)
            await compress_response(response, http.header(b"accept-encoding"), self._settings.gzip_min_bytes, turn)
        return response

    async def _read(
        self, http: HttpRequest, media_type: str | None, connection: ConnectionInfo
    ) -> tuple[GraphQLRequest, str]:
        """Return the request and the media type of its answer; one that can't be served counts for the address."""
        try:
            return await self._parse(http, connection.network), _acceptable(media_type)
        except (HttpError, RequestFault):
            await self._dependencies.operations.count_unreadable(connection.network)
            raise

    async def _parse(self, http: HttpRequest, network: str) -> GraphQLRequest:
        if http.method == "GET":
            return parse_query_string(QueryParams(http.scope["query_string"]))
        if http.method != "POST":
            raise HttpError(405, "Use POST, or GET for queries.", {"allow": "GET, POST"})
        if not _is_json(http.header(b"content-type") or ""):
            raise HttpError(415, f"Send the request as {JSON}; charset=utf-8.", {"accept-post": JSON})
        if (http.header(b"content-encoding") or "identity").strip().lower() not in {"", "identity"}:
            raise HttpError(415, "Send the body as it is, without a content-encoding.", {"accept-encoding": "identity"})
        body = await http.body(self._settings.max_body_bytes)
        if body is None:
            raise HttpError(413, f"The body has more than {self._settings.max_body_bytes // 1024} KiB.")
        if len(body) <= _SMALL_BODY_BYTES:
            return parse_body(body)
        async with self._dependencies.operations.fair_use.loop.turn(network):
            return parse_body(body)


def _acceptable(media_type: str | None) -> str:
    if media_type is None:
        raise HttpError(406, f"Accept {RESPONSE_JSON}, {JSON} or {EVENT_STREAM}.")
    return media_type


def rate_headers(rate: RequestRate | None) -> dict[str, str]:
    """Return the headers that show how many requests are left (draft-ietf-httpapi-ratelimit-headers-07)."""
    if rate is None:
        return {}
    return {
        "ratelimit-limit": str(rate.limit),
        "ratelimit-remaining": str(rate.remaining),
        "ratelimit-reset": str(rate.seconds_left),
    }


def fault_headers(fault: RequestFault) -> dict[str, str]:
    """Return the headers that repeat when to try again (RFC 9110, 10.2.3), and which limit was exceeded."""
    seconds = fault.extensions.get("retryAfterSeconds")
    headers = {} if seconds is None else {"retry-after": str(seconds)}
    # Who goes on beyond the limit must connect again for each further answer, which takes its turn among connections.
    ending = {"connection": "close"}
    return {**headers, **rate_headers(fault.rate), **ending} if isinstance(fault, RequestRateExceeded) else headers


def _response(
    payload: Payload, media_type: str | None, status: int | None = None, headers: dict[str, str] | None = None
) -> HttpResponse:
    """Return a response whose status says whether anything was executed, except for `application/json`.

    Old clients, which accept that alone, expect 200. A client that accepts an event stream gets 400 too: it would take
    a 200 for a stream that has ended without events.
    """
    if status is None:
        status = 400 if media_type != JSON and "data" not in payload else 200
    own = _RESPONSE_JSON_HEADERS if media_type == RESPONSE_JSON else _JSON_HEADERS
    return HttpResponse(encode_json_bytes(payload), status, [*raw_headers(headers or {}), *own])


@lru_cache(_REMEMBERED)
def _is_json(content_type: str) -> bool:
    media_type, _, parameters = content_type.partition(";")
    return media_type.strip().lower() == JSON and _is_utf8(parameters)


def _is_utf8(parameters: str) -> bool:
    charsets = [part.strip().lower() for part in parameters.split(";") if part.strip().lower().startswith("charset=")]
    return all(charset[8:].strip('"') in {"utf-8", "utf8"} for charset in charsets)
