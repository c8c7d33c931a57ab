"""Receives signals by webhook: `POST /hooks/signals/SECRET`, as TradingView sends its alerts."""

import asyncio
from typing import Final, NamedTuple

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from domain.core.errors import ErrorCode, FaultCode, InputError, RequestFault, Unavailable
from domain.core.fair_queue import FairQueue, QueueFull
from domain.model.trading import Signal
from domain.trading.webhook_messages import UnknownWebhook, WebhookReceiver
from infra.web.context import ConnectionInfo
from infra.web.encoding import encode_json
from infra.web.operation_log import OperationLogEntry
from resolvers.ids import encode_id
from resolvers.trading import WEBHOOK_PATH

MAX_MESSAGE_BYTES: Final = 8 * 1024

ANSWER_WITHIN_SECONDS: Final = 2.5
"""TradingView gives up after three seconds (https://www.tradingview.com/support/solutions/43000529348)."""

_OUTCOME_WITHIN_SECONDS: Final = 1.0
_AT_ONCE: Final = 32
_AT_ONCE_PER_ADDRESS: Final = 16
_WAITING_PER_ADDRESS: Final = 500
_WAITING_IN_ALL: Final = 2_000
_RETRY_AFTER_SECONDS: Final = 5

_STATUS: Final = {ErrorCode.CONFLICT: 409, ErrorCode.LIMIT_REACHED: 429}
_FAULT_STATUS: Final = {FaultCode.RATE_LIMITED: 429, FaultCode.UNAVAILABLE: 503}


class HookError(NamedTuple):
    """What a request is refused with; `path` names the field of the message."""

    status: int
    code: str
    message: str
    path: tuple[str, ...] | None = None
    headers: tuple[tuple[str, str], ...] = ()


_METHOD: Final = HookError(405, "INVALID", "Send the message by POST.", headers=(("allow", "POST"),))
_TOO_LARGE: Final = HookError(413, "INVALID", f"The message has more than {MAX_MESSAGE_BYTES:,} bytes.")
_UNKNOWN: Final = HookError(404, "NOT_FOUND", "No webhook has this address.")
_TOO_SLOW: Final = HookError(408, "INVALID", f"The message didn't come whole within {ANSWER_WITHIN_SECONDS} s.")
_UNAVAILABLE: Final = HookError(503, "UNAVAILABLE", "The engine can't take the message now; send it again.")


class SignalHookRoute(BaseRoute):
    """Routes requests below the prefix; what comes after it is the secret, and stands in no log."""

    def __init__(self, receiver: WebhookReceiver, answer_within_seconds: float = ANSWER_WITHIN_SECONDS) -> None:
        self._receiver = receiver
        self._answer_within_seconds = answer_within_seconds
        self._queue = FairQueue(
            _AT_ONCE,
            per_client=_AT_ONCE_PER_ADDRESS,
            waiting_per_client=_WAITING_PER_ADDRESS,
            waiting_in_all=_WAITING_IN_ALL,
        )

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match HTTP by the path's beginning."""
        matches = scope["type"] == "http" and scope["path"].startswith(WEBHOOK_PATH)
        return (Match.FULL, {}) if matches else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request in time; one that is cancelled has no answer from here."""
        request = Request(scope, receive)
        answer = await self._answer(request)
        if isinstance(answer, HookError):
            OperationLogEntry.current().add_error(answer.code)
        response = _refusal(answer) if isinstance(answer, HookError) else _accepted(answer)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Signal | HookError:
        if request.method != "POST":
            return _METHOD
        answer: Signal | HookError = _TOO_SLOW
        try:
            async with asyncio.timeout(self._answer_within_seconds):
                body = await _read_body(request)
                if isinstance(body, HookError):
                    return body
                answer = _UNAVAILABLE
                answer = await self._receive(request, body)
                # Stored as it is, whatever comes of the wait: nobody need send it again.
                if isinstance(answer, Signal) and answer.waiting:
                    answer = await self._receiver.outcome(answer, _OUTCOME_WITHIN_SECONDS)
        except (TimeoutError, ClientDisconnect, Unavailable):
            return answer
        return answer

    async def _receive(self, request: Request, body: bytes) -> Signal | HookError:
        address = ConnectionInfo.from_scope(request.scope).network
        secret = request.scope["path"].removeprefix(WEBHOOK_PATH)
        try:
            async with self._queue.turn(address):
                return await self._receiver.receive(secret, body, address)
        except UnknownWebhook:
            return _UNKNOWN
        except QueueFull:
            return _retry_later(429, "RATE_LIMITED", "Too many messages wait already.", _RETRY_AFTER_SECONDS)
        except InputError as error:
            status = _STATUS.get(error.code, 400)
            return HookError(status, error.code.value, error.message, error.path)
        except RequestFault as fault:
            seconds = int(fault.extensions.get("retryAfterSeconds", _RETRY_AFTER_SECONDS))
            return _retry_later(_FAULT_STATUS.get(fault.code, 400), fault.code.value, fault.message, seconds)


async def _read_body(request: Request) -> bytes | HookError:
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MAX_MESSAGE_BYTES:
        return _TOO_LARGE
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_MESSAGE_BYTES:
            return _TOO_LARGE
    return bytes(body)


def _retry_later(status: int, code: str, message: str, seconds: int) -> HookError:
    return HookError(status, code, message, headers=(("retry-after", str(seconds)),))


def _accepted(signal: Signal) -> Response:
    order = None if signal.order_id is None else encode_id("Order", signal.order_id)
    shown = {
        "id": encode_id("Signal", signal.id),
        "action": signal.action,
        "waiting": signal.waiting,
        "missed": signal.missed,
        "reason": signal.reason,
        "order": order,
    }
    return _response(200, {"signal": shown})


def _refusal(error: HookError) -> Response:
    shown = {"code": error.code, "message": error.message, "path": error.path}
    return _response(error.status, {"errors": [shown]}, dict(error.headers))


def _response(status: int, value: object, headers: dict[str, str] | None = None) -> Response:
    return Response(
        encode_json(value),
        status,
        {**(headers or {}), "cache-control": "no-store"},
        "application/json; charset=utf-8",
    )
