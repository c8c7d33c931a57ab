"""The keyset that lists are paged by: where to begin, which way, and how much."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class KeysetPage:
    """A part of a list whose order is that of its ids (UUID version 7: the time of their making), newest first.

    `after` and `before` are ids that are not included: the list continues after (older than) `after` and ends before
    (newer than) `before`. With `backwards` the last `limit` of that are wanted, still given newest first. With
    `oldest_first` the whole list runs the other way. With `dated` its order is that of a time which each list names
    (positions: when they closed), then of the ids; `after_at` and `before_at` are the times of `after` and `before`.
    """

    limit: int
    after: UUID | None = None
    before: UUID | None = None
    backwards: bool = False
    oldest_first: bool = False
    dated: bool = False
    after_at: datetime | None = None
    before_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimeKeysetPage:
    """A part of a list ordered by time, oldest first; `start` is included, `end` is not.

    `after` and `before` (times that are not included) come from cursors. With `backwards` the last `limit` are
    wanted, still given oldest first. Where several things share a time (trades do), `after_id` and `before_id` name
    the one at that time which the cursor stands on; without them all things of that time are excluded.
    """

    limit: int
    start: datetime | None = None
    end: datetime | None = None
    after: datetime | None = None
    before: datetime | None = None
    backwards: bool = False
    after_id: str | None = None
    before_id: str | None = None
