"""What may become of an operation, an error class a case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


class ClientError(Exception):
    """The base of all errors of this client."""


class RequestFailed(ClientError):
    """The engine has answered with errors of the request; `errors` are as they came, `data` what there is besides."""

    def __init__(self, errors: Sequence[Mapping[str, Any]], data: Mapping[str, Any] | None = None) -> None:
        self.errors = tuple(errors)
        self.data = data
        self.codes = tuple(str(error.get("extensions", {}).get("code", "INTERNAL")) for error in errors)
        super().__init__("; ".join(f"{error.get('message')}" for error in errors) or "the engine answered nothing")

    def extension(self, name: str) -> Any:  # noqa: ANN401  # as it came
        """Return the first value by that name in the extensions; None if there is none."""
        values = (error.get("extensions", {}).get(name) for error in self.errors)
        return next((value for value in values if value is not None), None)


class InvalidRequest(RequestFailed):
    """The document, a variable or a cursor is wrong; the same request fails again."""


class Unauthenticated(RequestFailed):
    """Nobody is signed in: the token expired, was revoked, or was never one."""


class Forbidden(RequestFailed):
    """The API key lacks a scope, or the user a role."""


class RateLimited(RequestFailed):
    """There were too many requests, and nothing was executed."""

    @property
    def retry_after_seconds(self) -> float | None:
        """When to try again."""
        seconds = self.extension("retryAfterSeconds")
        return None if seconds is None else float(seconds)


class Unavailable(RequestFailed):
    """A part of the engine can't be reached now; a query may be sent again."""


class CursorTooOld(RequestFailed):
    """The events after the cursor are gone: read the present state, and follow from `head` on."""

    @property
    def head(self) -> str | None:
        """The cursor of the log's end."""
        cursor = self.extension("cursor")
        return None if cursor is None else str(cursor)


class SlowReader(RequestFailed):
    """The stream ended since it was read too slowly; `Subscription` goes on after its cursor by itself."""


class OutcomeUnknown(ClientError):
    """No answer came to a mutation, which may have been executed, or may still be.

    Never send it as a new one for that. With its idempotency key the same request may be sent again at any time:
    `idempotency_key` has it, None if there was none.
    """

    def __init__(self, reason: object, idempotency_key: str | None) -> None:
        self.idempotency_key = idempotency_key
        super().__init__(f"it isn't known whether the mutation was executed: {reason}")


class Unreachable(ClientError):
    """No answer came to a query, or the request never reached the engine, however often it was sent."""


class ConnectionRejected(ClientError):
    """The engine ended a connection in a way that trying again doesn't help.

    `code` is that of the WebSocket's close, or the HTTP status of the handshake.
    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"the engine ended the connection with {code} {reason}".rstrip())


@dataclass(frozen=True, slots=True)
class UserError:
    """An error in the input of a mutation."""

    code: str
    message: str
    path: tuple[str, ...] = ()


class MutationRejected(ClientError):
    """The engine has refused a mutation for its input or the state; nothing was executed unless `payload` says so.

    An order that a risk check denied comes so too: `payload` has what else the mutation answered.
    """

    def __init__(self, errors: Sequence[UserError], payload: Mapping[str, Any]) -> None:
        self.errors = tuple(errors)
        self.payload = payload
        super().__init__("; ".join(f"{error.code}: {error.message}" for error in errors))


_BY_CODE: Final[dict[str, type[RequestFailed]]] = {
    "INVALID": InvalidRequest,
    "UNAUTHENTICATED": Unauthenticated,
    "FORBIDDEN": Forbidden,
    "RATE_LIMITED": RateLimited,
    "UNAVAILABLE": Unavailable,
    "CURSOR_TOO_OLD": CursorTooOld,
    "SLOW_READER": SlowReader,
}


def request_failed(errors: Sequence[Mapping[str, Any]], data: Mapping[str, Any] | None = None) -> RequestFailed:
    """Return the errors of an answer, of the class of the first one's code."""
    failed = RequestFailed(errors, data)
    kind = _BY_CODE.get(failed.codes[0], RequestFailed) if failed.codes else RequestFailed
    return kind(errors, data)


def user_errors(payload: Mapping[str, Any]) -> list[UserError]:
    """Return the errors that a mutation's payload has as data."""
    return [
        UserError(str(error.get("code", "")), str(error.get("message", "")), tuple(error.get("path") or ()))
        for error in payload.get("errors") or ()
    ]
