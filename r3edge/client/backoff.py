"""How long to wait before trying again: longer each time, and never for all clients the same."""

import random
from typing import Final

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 30.0


class Backoff:
    """Delays that double up to a maximum, each random between a half and the whole of it."""

    def __init__(self, first_seconds: float = FIRST_SECONDS, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._first = first_seconds
        self._longest = longest_seconds
        self._failures = 0

    def reset(self) -> None:
        """Begin with the shortest again: it has worked meanwhile."""
        self._failures = 0

    def next_delay(self) -> float:
        """Return for how many seconds to wait now."""
        longest = min(self._first * 2.0 ** min(self._failures, 30), self._longest)
        self._failures += 1
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  # a pause, not a secret
