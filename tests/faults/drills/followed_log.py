"""A user's event log as a subscriber gets it who comes back by cursor: each event once, in order."""

from typing import Any

from tests.faults.model.remaining import Violations


class FollowedLog:
    """What has come so far; `cursor` is where to go on."""

    def __init__(self, cursor: str) -> None:
        self.cursor = cursor
        self._sequence: int | None = None
        self._violations: Violations = []

    def take(self, event: dict[str, Any]) -> None:
        """Take the next event."""
        sequence = int(event["sequence"])
        if self._sequence is not None and sequence != self._sequence + 1:
            self._violations.append(f"after event {self._sequence} came {sequence}, {event['kind']}")
        self.cursor, self._sequence = event["cursor"], sequence

    def violations(self, head: str) -> Violations:
        """Return what didn't come once and in order, or hasn't come to the log's head."""
        late = [] if self.cursor == head else [f"events after {self._sequence} never came: the head is {head}"]
        return self._violations + late
