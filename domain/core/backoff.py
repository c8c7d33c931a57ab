"""Exponential back-off with jitter, so that many clients that fail together don't retry together."""

import random


class Backoff:
    """Delays that double from `first_seconds` to `cap_seconds`, each shortened by up to half at random."""

    def __init__(self, first_seconds: float = 0.2, cap_seconds: float = 10.0) -> None:
        self._first = first_seconds
        self._cap = cap_seconds
        self._next = first_seconds

    def next_delay(self, at_least: float | None = None) -> float:
        """Return how many seconds to wait before the next attempt, `at_least` as many as the server asked for."""
        delay = self._next
        self._next = min(self._cap, delay * 2)
        return max(at_least or 0.0, delay * random.uniform(0.5, 1.0))  # noqa: S311  # spreads retries, hides nothing

    def reset(self) -> None:
        """Start again at `first_seconds`, after a success."""
        self._next = self._first
