"""What a check of the installation finds."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How it stands with what was checked.

    SKIPPED: it is not used here, or could not be looked at. WARNING: it works, and should be changed. ERROR: the engine
    doesn't start, doesn't trade, or isn't safe.
    """

    OK = "OK"
    SKIPPED = "SKIPPED"
    WARNING = "WARNING"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result: `check` is its name, such as `database.fsync`; `advice` is what to do, if there is something."""

    check: str
    status: Status
    message: str
    advice: str | None = None


Check = Callable[[], Awaitable[Sequence[Finding]]]


def ok(check: str, message: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Status.OK, message)


def skipped(check: str, message: str) -> Finding:
    """Return that there was nothing to check."""
    return Finding(check, Status.SKIPPED, message)


def warning(check: str, message: str, advice: str) -> Finding:
    """Return that something should be changed, and how."""
    return Finding(check, Status.WARNING, message, advice)


def error(check: str, message: str, advice: str) -> Finding:
    """Return that something must be changed, and how."""
    return Finding(check, Status.ERROR, message, advice)
