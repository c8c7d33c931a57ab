"""Receives a billing system's events: `POST /hooks/billing`, signed as Standard Webhooks says.

https://github.com/standard-webhooks/standard-webhooks
"""

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from domain.core.clock import Clock
from domain.core.errors import ErrorCode, InputError, RequestFault, Unavailable
from domain.users.billing import BillingEvent, BillingOutcome, BillingService
from domain.users.request_rates import RequestLimit, RequestRateExceeded, RequestRates
from infra.outgoing.webhook import signature
from infra.web.context import ConnectionInfo
from infra.web.encoding import encode_json
from infra.web.operation_log import OperationLogEntry
from resolvers.ids import encode_id, uuid_in

BILLING_PATH: Final = "/hooks/billing"
MAX_EVENT_BYTES: Final = 16 * 1024
TOLERANCE_SECONDS: Final = 300
"""How old a signature may be, and how far ahead: what was recorded before isn't accepted again."""

PER_MINUTE: Final = 600
ANSWER_WITHIN_SECONDS: Final = 10.0
PLAN_CHANGED: Final = "plan.changed"

_MAX_ID_CHARACTERS: Final = 200
_MAX_TIMESTAMP_DIGITS: Final = 12
_STATUS: Final = {ErrorCode.NOT_FOUND: 404, ErrorCode.CONFLICT: 409}
_AwareTime = Annotated[datetime, msgspec.Meta(tz=True)]


class _Data(msgspec.Struct, rename="camel"):
    user: str
    plan: str | None
    effective_at: _AwareTime | None = None


class _Type(msgspec.Struct):
    type: str


class _Event(msgspec.Struct):
    type: str
    timestamp: _AwareTime
    data: _Data


class _Refused(Exception):
    """The request is answered with a status and one error."""

    def __init__(
        self, status: int, code: str, message: str, path: Sequence[str] | None = None, retry_after: int | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.path = path
        self.retry_after = retry_after
        super().__init__(message)


class BillingHookRoute(BaseRoute):
    """Routes the path, whatever the method; `secrets` are the present one and earlier ones, as `whsec_…`."""

    def __init__(
        self,
        service: BillingService,
        rates: RequestRates,
        clock: Clock,
        secrets: Sequence[str],
        per_minute: int = PER_MINUTE,
    ) -> None:
        self._service = service
        self._rates = rates
        self._clock = clock
        self._secrets = tuple(secrets)
        self._per_minute = per_minute

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match HTTP by the path."""
        return (Match.FULL, {}) if scope["type"] == "http" and scope["path"] == BILLING_PATH else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
                response = _response(200, await self._answer(Request(scope, receive)))
        except _Refused as refusal:
            response = _refusal(refusal)
        except (TimeoutError, Unavailable):
            message = "The engine can't take the event now; send it again."
            response = _refusal(_Refused(503, "UNAVAILABLE", message, retry_after=5))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> dict[str, object]:
        if request.method != "POST":
            raise _Refused(405, "INVALID", "Send the event by POST.")
        address = ConnectionInfo.from_scope(request.scope).network
        reason = f"{self._per_minute} events a minute are accepted from one address"
        try:
            await self._rates.take(RequestLimit(f"billing:{address}", self._per_minute, reason))
            body = await _read_body(request)
            event = self._verified(request, body)
            return {"ignored": True} if event is None else _shown(await self._service.apply(event))
        except RequestRateExceeded as fault:
            raise _Refused(429, "RATE_LIMITED", fault.message, retry_after=fault.rate.seconds_left) from None
        except InputError as error:
            status = _STATUS.get(error.code, 400)
            raise _Refused(status, error.code.value, error.message, error.path) from None
        except RequestFault as fault:
            if isinstance(fault, Unavailable):
                raise
            raise _Refused(400, fault.code.value, fault.message) from None

    def _verified(self, request: Request, body: bytes) -> BillingEvent | None:
        """Return the event of a request with a right and fresh signature; None for one of another type."""
        event_id, sent_at = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        is_time = sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= _MAX_TIMESTAMP_DIGITS
        given = request.headers.get("webhook-signature", "").split()
        if not (is_time and 0 < len(event_id) <= _MAX_ID_CHARACTERS and event_id.isascii() and event_id.isprintable()):
            raise _Refused(401, "UNAUTHENTICATED", "webhook-id, webhook-timestamp and webhook-signature are needed.")
        expected = [signature(secret, event_id, int(sent_at), body).encode() for secret in self._secrets]
        if not any(hmac.compare_digest(one.encode(), right) for one in given for right in expected):
            raise _Refused(401, "UNAUTHENTICATED", "No signature is that of this body, id and timestamp by our secret.")
        if abs(int(sent_at) - self._clock.now().timestamp()) > TOLERANCE_SECONDS:
            message = f"The signature was made more than {TOLERANCE_SECONDS} s ago or ahead: sign each attempt again."
            raise _Refused(401, "UNAUTHENTICATED", message)
        return _parse(body, event_id)


def _parse(body: bytes, event_id: str) -> BillingEvent | None:
    try:
        if msgspec.json.decode(body, type=_Type).type != PLAN_CHANGED:
            return None
        event = msgspec.json.decode(body, type=_Event)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _Refused(400, "INVALID", f"The body isn't an event: {error}.") from None
    return BillingEvent(
        event_id,
        event.timestamp,
        _user(event.data.user),
        event.data.plan,
        event.data.effective_at,
        hashlib.sha256(body).digest(),
    )


def _user(text: str) -> UUID | str:
    """Return the id that the API or the log writes, or else the text: an email."""
    found = uuid_in(text, "User") or uuid_in(text, "ManagedUser")
    if found is not None:
        return found
    try:
        return UUID(text)
    except ValueError:
        return text


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_EVENT_BYTES:
            raise _Refused(413, "INVALID", f"The event has more than {MAX_EVENT_BYTES:,} bytes.")
    return bytes(body)


def _shown(outcome: BillingOutcome) -> dict[str, object]:
    change = outcome.change
    return {
        "planChange": {
            "id": encode_id("PlanChange", change.id),
            "user": encode_id("User", change.user_id),
            "plan": change.plan_name,
            "effectiveAt": change.effective_at.isoformat(),
            "status": change.status.value,
        },
        "repeated": outcome.is_repeated,
    }


def _refusal(refusal: _Refused) -> Response:
    OperationLogEntry.current().add_error(refusal.code)
    headers = {} if refusal.retry_after is None else {"retry-after": str(refusal.retry_after)}
    if refusal.status == 405:  # noqa: PLR2004  # a status of HTTP
        headers["allow"] = "POST"
    shown = {"code": refusal.code, "message": str(refusal), "path": refusal.path}
    return _response(refusal.status, {"errors": [shown]}, headers)


def _response(status: int, value: object, headers: dict[str, str] | None = None) -> Response:
    all_headers = {**(headers or {}), "cache-control": "no-store"}
    return Response(encode_json(value), status, all_headers, "application/json; charset=utf-8")
