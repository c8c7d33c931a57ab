"""What a venue's error means for the request: a table of its codes, applied before ccxt's own classes of errors.

ccxt's class often claims more or less than the venue does: Bybit's "Order creation timeout" is an InvalidOrder to it,
and every refusal of Coinbase an error that could mean anything.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Verdict(Enum):
    """The outcome of a request that a venue has answered with an error.

    REFUSED: nothing was done. CLOCK: nothing was done because of the request's time, and the same request may be sent
    again. ABSENT: there is no such order, or it has ended. BUSY: nothing was done because this address has sent too
    many requests. CREDENTIALS: the venue doesn't take the key. UNKNOWN: it may have been done.
    """

    REFUSED = "REFUSED"
    CLOCK = "CLOCK"
    ABSENT = "ABSENT"
    BUSY = "BUSY"
    CREDENTIALS = "CREDENTIALS"
    UNKNOWN = "UNKNOWN"


_DUPLICATE = "duplicate"
"""A refusal of a client order id that is in use shows that the venue has such an order: its state is asked for."""


@dataclass(frozen=True, slots=True)
class VenueError:
    """One error of an answer: the venue's code, which for some venues is a text, and its message.

    `scope` goes before the code in the table, where the venue's codes alone don't show what they are about.
    """

    code: str
    message: str = ""
    scope: str = ""


ErrorReader = Callable[[Mapping[str, Any]], Iterable[VenueError]]
"""Yields the errors in the body of an answer; none if the request succeeded."""


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """The verdicts of a venue's codes, by the code or else by the longest beginning of it that is listed.

    `statuses` are those of HTTP statuses below 500; above, the outcome is unknown whatever the body is.
    """

    read: ErrorReader
    codes: Mapping[str, Verdict]
    statuses: Mapping[int, Verdict] = field(default_factory=dict)

    def verdict(self, status: int, body: object) -> tuple[Verdict, VenueError] | None:
        """Return what an answer means, with the error that decides; None leaves it to ccxt."""
        errors = list(self.read(body)) if isinstance(body, Mapping) else []
        found = [(verdict, error) for error in errors if (verdict := self._of(error)) is not None]
        # Of several errors the doubtful one decides.
        doubtful = next((each for each in found if each[0] is Verdict.UNKNOWN), None)
        if doubtful or found:
            return doubtful or found[0]
        by_status = self.statuses.get(status)
        return None if by_status is None else (by_status, VenueError(str(status)))

    def _of(self, error: VenueError) -> Verdict | None:
        matches = [code for code in self.codes if f"{error.scope}{error.code}".startswith(code)]
        verdict = self.codes[max(matches, key=len)] if matches else None
        if verdict is Verdict.REFUSED and _DUPLICATE in f"{error.code} {error.message}".lower():
            return Verdict.UNKNOWN
        return verdict


def same(verdict: Verdict, *codes: str) -> dict[str, Verdict]:
    """Return a table in which all `codes` mean `verdict`."""
    return dict.fromkeys(codes, verdict)


def text(value: object) -> str:
    """Return a code or a message as text; empty for None."""
    return "" if value is None else str(value)
