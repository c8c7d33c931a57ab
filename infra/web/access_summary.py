"""Keeps the access log short in a flood: of many lines for one stranger's address, all but the first become one.

An address has so many lines a second of requests that were refused, and so many of those that were served; the rest of
the second is one line with the counts. Requests of users are never summed up: their plans bound them.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from infra.log_lines import LineLog

log = LineLog("r3edge.access")

EVENT: Final = "http_summed"
SECONDS: Final = 1.0
REFUSED_LINES: Final = 20
SERVED_LINES: Final = 100
"""How many lines an address has in `SECONDS` of requests that were refused, and of others."""

MOST_ADDRESSES: Final = 200
"""Of how many addresses lines are written in `SECONDS`; all others count as one address."""

_FIRST_REFUSAL: Final = 400
_FIRST_SERVER_ERROR: Final = 500
_LEAST_CLOSE_CODE: Final = 1000


@dataclass(slots=True)
class _Second:
    refused: int = 0
    served: int = 0
    summed: Counter[str] = field(default_factory=Counter)


class AccessSummary:
    """Counts the lines of every address, a second at a time."""

    def __init__(self) -> None:
        self._seconds: dict[str, _Second] = {}

    def has_line(self, network: str, status: int, operation: Mapping[str, object]) -> bool:
        """Return whether a request has a line of its own; if not, it is counted for the sum.

        `status` is that of HTTP, the close code of a socket, or 0 for an operation on one.
        """
        if "user_id" in operation or _FIRST_SERVER_ERROR <= status < _LEAST_CLOSE_CODE:
            return True
        second, is_refused = self._second(network), is_refusal(status, operation)
        if is_refused:
            second.refused += 1
        else:
            second.served += 1
        if second.refused <= REFUSED_LINES if is_refused else second.served <= SERVED_LINES:
            return True
        second.summed[str(status or operation.get("errors", "served"))] += 1
        return False

    def add(self, network: str, outcome: str) -> None:
        """Count a request for the sum alone."""
        self._second(network).summed[outcome] += 1

    def _second(self, network: str) -> _Second:
        if not self._seconds:
            asyncio.get_running_loop().call_later(SECONDS, self.write)
        if network not in self._seconds and len(self._seconds) >= MOST_ADDRESSES:
            network = ""
        return self._seconds.setdefault(network, _Second())

    def write(self) -> None:
        """Write the sums of the second that has ended: a line for each address that has one, which isn't named."""
        seconds, self._seconds = self._seconds, {}
        for second in seconds.values():
            if second.summed:
                counts = ",".join(f"{outcome}:{count}" for outcome, count in second.summed.most_common())
                log.info(EVENT, {"requests": second.summed.total(), "statuses": counts})


def is_refusal(status: int, operation: Mapping[str, object]) -> bool:
    """Return whether a request was refused: by its status, or by errors in the answer to somebody without a token."""
    return "errors" in operation or _FIRST_REFUSAL <= status < _FIRST_SERVER_ERROR
