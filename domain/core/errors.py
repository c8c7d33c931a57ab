"""What a caller can have got wrong, as errors with a code."""

from collections.abc import Sequence
from enum import StrEnum


class ErrorCode(StrEnum):
    """What is wrong with the input of a mutation; told in its payload."""

    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    LIMIT_REACHED = "LIMIT_REACHED"
    UNSUPPORTED = "UNSUPPORTED"
    EMAIL_TAKEN = "EMAIL_TAKEN"
    PASSWORD_TOO_WEAK = "PASSWORD_TOO_WEAK"  # noqa: S105  # a code, not a password
    CREDENTIALS_REJECTED = "CREDENTIALS_REJECTED"
    STRATEGY_INVALID = "STRATEGY_INVALID"
    ORDER_DENIED = "ORDER_DENIED"
    ORDER_REJECTED = "ORDER_REJECTED"


class FaultCode(StrEnum):
    """What is wrong with a request as a whole; told as a top-level error in `extensions.code`."""

    INVALID = "INVALID"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    RATE_LIMITED = "RATE_LIMITED"
    UNAVAILABLE = "UNAVAILABLE"
    CURSOR_TOO_OLD = "CURSOR_TOO_OLD"
    SLOW_READER = "SLOW_READER"


class InputError(Exception):
    """One thing that is wrong with a mutation's input.

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
    """All that is wrong with a mutation's input, at least one thing."""

    def __init__(self, errors: Sequence[InputError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(error.message for error in errors))


class RequestFault(Exception):
    """A fault of the request itself, with what the caller needs to go on (`extensions` beside the code)."""

    def __init__(self, code: FaultCode, message: str, extensions: dict[str, str | int | float] | None = None) -> None:
        self.code = code
        self.message = message
        self.extensions = extensions or {}
        super().__init__(message)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code.value!r}, message={self.message!r})"


class Unauthenticated(RequestFault):
    """Nobody is signed in where somebody must be."""

    def __init__(self) -> None:
        super().__init__(
            FaultCode.UNAUTHENTICATED,
            "Sign in first: send a token of userLogin or an API key as `Authorization: Bearer …`.",
        )


class Forbidden(RequestFault):
    """Somebody is signed in and may not do this."""

    def __init__(self, what: str) -> None:
        super().__init__(FaultCode.FORBIDDEN, what)


class Unavailable(RequestFault):
    """A part that the request needs can't be reached now; the same request may succeed later."""

    def __init__(self, what: str) -> None:
        super().__init__(FaultCode.UNAVAILABLE, what)


class RateLimited(RequestFault):
    """The caller asks for more than it may; the same request may succeed after a while."""

    def __init__(self, what: str, retry_after_seconds: int) -> None:
        message = f"{what}; try again in {retry_after_seconds:,} s."
        super().__init__(FaultCode.RATE_LIMITED, message, {"retryAfterSeconds": retry_after_seconds})
