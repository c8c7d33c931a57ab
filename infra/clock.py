"""The machine's own time, and identifiers that sort by it."""

import threading
import time
from datetime import UTC, datetime
from uuid import UUID

import uuid_utils


class SystemClock:
    """The machine's clocks; implements `domain.core.clock.Clock`."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class TimeOrderedIds:
    """UUIDs of version 7 (RFC 9562), strictly increasing within the process; implements `IdGenerator`."""

    def __init__(self) -> None:
        self._newest = 0
        self._lock = threading.Lock()

    def next_id(self) -> UUID:
        """Return a fresh identifier, greater than all that this source made before.

        The library's counter keeps order within a millisecond. While the machine's clock is behind the newest
        identifier (it was set back), the identifiers count on from that one; its random bits keep them unique.
        """
        with self._lock:
            fresh = uuid_utils.uuid7().int
            self._newest = fresh if fresh > self._newest else self._newest + 1
            return UUID(int=self._newest)
