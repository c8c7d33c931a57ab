"""Errors of a caller, each with the code that the API shows."""

from collections.abc import Sequence
from enum import StrEnum


class ErrorCode(StrEnum):
    """What is wrong with the input of a mutation; shown in its payload."""

    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    LIMIT_REACHED = "LIMIT_REACHED"
    UNSUPPORTED = "UNSUPPORTED"
    EMAIL_TAKEN = "EMAIL_TAKEN"
    PASSWORD_TOO_WEAK = "PASSWORD_TOO_WEAK"  # noqa: S105  # a code, not a password
    CREDENTIALS_REJECTED = "CREDENTIALS_REJECTED"
    TWO_FACTOR_REQUIRED = "TWO_FACTOR_REQUIRED"
    USER_DISABLED = "USER_DISABLED"
    CONFIRMATION_REQUIRED = "CONFIRMATION_REQUIRED"
    STRATEGY_INVALID = "STRATEGY_INVALID"
    ORDER_DENIED = "ORDER_DENIED"
    ORDER_REJECTED = "ORDER_REJECTED"
    ORDER_NOT_SENT = "ORDER_NOT_SENT"


class FaultCode(StrEnum):
    """What is wrong with a request as a whole; shown as `extensions.code` of a top-level error."""

    INVALID = "INVALID"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    RATE_LIMITED = "RATE_LIMITED"
    LIMIT_REACHED = "LIMIT_REACHED"
    UNAVAILABLE = "UNAVAILABLE"
    CURSOR_TOO_OLD = "CURSOR_TOO_OLD"
    SLOW_READER = "SLOW_READER"


class InputError(Exception):
    """One error in a mutation's input.

    `path` starts at the argument, such as `("input", "quantity")`; a list index is written as a string. The message
    says what was wrong, with which value, and what would be right.
    """

    def __init__(self, code: ErrorCode, message: str, path: Sequence[str] | None = None) -> None:
        self.code = code
        self.message = message
        self.path = tuple(path) if path is not None else None
        super().__init__(message)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code.value!r}, message={self.message!r}, path={self.path!r})"


class InputErrors(Exception):
    """All errors in a mutation's input, at least one."""

    def __init__(self, errors: Sequence[InputError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(error.message for error in errors))


class RequestFault(Exception):
    """A fault of the request itself; `extensions` are shown with the code, so that a client can act on them."""

    def __init__(self, code: FaultCode, message: str, extensions: dict[str, str | int | float] | None = None) -> None:
        self.code = code
        self.message = message
        self.extensions = extensions or {}
        super().__init__(message)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code.value!r}, message={self.message!r})"


class Unauthenticated(RequestFault):
    """The request needs a user, and none is signed in."""

    def __init__(self) -> None:
        super().__init__(
            FaultCode.UNAUTHENTICATED,
            "Sign in first: send a token of userLogin or an API key as `Authorization: Bearer …`.",
        )


class Forbidden(RequestFault):
    """The user or the API key isn't allowed to do this."""

    def __init__(self, message: str) -> None:
        super().__init__(FaultCode.FORBIDDEN, message)


class Unavailable(RequestFault):
    """Something that the request depends on can't be reached; the same request may succeed later."""

    def __init__(self, message: str) -> None:
        super().__init__(FaultCode.UNAVAILABLE, message)


class RateLimited(RequestFault):
    """The caller has exceeded a limit; the same request may succeed after `retry_after_seconds`."""

    def __init__(self, reason: str, retry_after_seconds: int) -> None:
        message = f"{reason}; try again in {retry_after_seconds:,} s."
        super().__init__(FaultCode.RATE_LIMITED, message, {"retryAfterSeconds": retry_after_seconds})
