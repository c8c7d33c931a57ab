"""How long to wait before trying again: longer each time, up to a cap, never in step with others."""

import random


class Backoff:
    """Waits that double from `first_seconds` to `cap_seconds`, each shortened by up to half at random."""

    def __init__(self, first_seconds: float = 0.2, cap_seconds: float = 10.0) -> None:
        self._first = first_seconds
        self._cap = cap_seconds
        self._next = first_seconds

    def next_delay(self, at_least: float | None = None) -> float:
        """Return the next wait, `at_least` what the other side asked for."""
        wait = self._next
        self._next = min(self._cap, wait * 2)
        return max(at_least or 0.0, wait * random.uniform(0.5, 1.0))  # noqa: S311  # spreads retries, hides nothing

    def reset(self) -> None:
        """Begin anew: it worked."""
        self._next = self._first
