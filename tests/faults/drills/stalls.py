"""How long users went without success: the longest gap between two, for each kind of operation and each user."""

from collections import defaultdict
from collections.abc import Callable
from enum import StrEnum
from itertools import pairwise

from tests.faults.model.remaining import Violations


class Kind(StrEnum):
    """What a user does, or sees, all the time; the value is its name in tables."""

    ORDER = "order placed"
    FILL = "fill seen"
    FRAME = "book seen"
    QUERY = "query answered"
    LOGIN = "login"


Who = tuple[Kind, str]


class Stalls:
    """The times of all successes of a run, by a monotonic clock."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._now = monotonic
        self._times: defaultdict[Who, list[float]] = defaultdict(list)

    def expect(self, kind: Kind, user: str) -> None:
        """Count a kind of operation of a user, who has had no success yet."""
        self._times[kind, user] = []

    def note(self, kind: Kind, user: str) -> None:
        """Note a success."""
        self._times[kind, user].append(self._now())

    def without(self, count: int, since: float = float("-inf")) -> Violations:
        """Return who has had fewer successes than `count` since a time, as words."""
        return [
            f"{kind} by {user}"
            for (kind, user), times in self._times.items()
            if sum(time >= since for time in times) < count
        ]

    def longest(self, start: float, end: float) -> dict[Kind, float]:
        """Return the seconds of the longest gap of each kind between two times, over all users."""
        gaps: dict[Kind, float] = {}
        for (kind, _), times in self._times.items():
            points = [start, *(time for time in times if start < time < end), end]
            longest = max(later - earlier for earlier, later in pairwise(points))
            gaps[kind] = max(gaps.get(kind, 0.0), longest)
        return gaps
