"""How far the subscriptions to event logs are behind, counted for a node's metrics."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from domain.core.metrics import LatencyHistogram
from domain.model.events import UserEvent

LAG_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
"""The upper bounds by which lags are counted."""


def _histogram() -> LatencyHistogram:
    return LatencyHistogram(LAG_SECONDS)


@dataclass(slots=True)
class FollowerCounts:
    """How many subscriptions are `open`, and the `lag` of what they read once they had read all before it."""

    open: int = 0
    lag: LatencyHistogram = field(default_factory=_histogram)

    def observe(self, events: Sequence[UserEvent], now: datetime) -> None:
        """Count events that were read now."""
        for event in events:
            self.lag.observe(max((now - event.at).total_seconds(), 0.0))
