"""What a node's use of Hazelcast comes to, for metrics."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from domain.core.clock import Clock

LOSS_REASONS: Final = ("listening", "overrun", "reported", "missing", "old")
"""Why listeners were told that messages may be lost: the node began to listen (again); the ring buffer has dropped what
it hadn't read yet; a sender couldn't send; a sender's numbers have a gap; messages came that are too old."""


@dataclass
class HazelcastCounts:
    """Counts since the node's start. `skipped` operations weren't tried, since the cluster was away."""

    clock: Clock
    connections: int = 0
    operations: int = 0
    failed: int = 0
    skipped: int = 0
    registrations: int = 0
    losses: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(LOSS_REASONS, 0)))
    _away_seconds: float = 0.0
    _away_since: float | None = None

    @property
    def away_seconds(self) -> float:
        """How long the node has gone without Hazelcast: not connected, or after an operation that failed."""
        now = self.clock.monotonic()
        return self._away_seconds + (0.0 if self._away_since is None else now - self._away_since)

    def set_away(self, *, away: bool) -> None:
        """Note whether the node goes without Hazelcast from now on."""
        now = self.clock.monotonic()
        if away and self._away_since is None:
            self._away_since = now
        elif not away and self._away_since is not None:
            self._away_seconds += now - self._away_since
            self._away_since = None
