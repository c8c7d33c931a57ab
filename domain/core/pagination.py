"""Pages of lists: which arguments are legal, what a cursor holds, and what a page tells of its neighbours."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from domain.core.clock import from_milliseconds, to_milliseconds
from domain.core.errors import FaultCode, RequestFault

DEFAULT_PAGE = 50
MAX_PAGE = 100
MAX_SERIES_PAGE = 1000

T = TypeVar("T")
Key = tuple[str, ...]
"""What a cursor stands for: the values of the columns that order the list, as text."""

_MAX_CURSOR_CHARACTERS = 1024
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


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


@dataclass(frozen=True, slots=True)
class CursorScope:
    """What a cursor is good for: one kind of list (`orders`) of one owner (a user's id, empty for public lists)."""

    kind: str
    owner: str = ""

    @property
    def mark(self) -> str:
        """Twelve characters that tell this scope from every other."""
        return hashlib.sha256(f"{self.kind}\0{self.owner}".encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A checked request for a page: `limit` items after and before keys that are not included."""

    scope: CursorScope
    limit: int
    after: Key | None = None
    before: Key | None = None
    backwards: bool = False

    def window(self, *, oldest_first: bool = False) -> KeysetPage:
        """Return what to fetch of a list keyed by id: one item more than the page holds, to see if more follows."""
        after, before = self._key_as(_id, self.after), self._key_as(_id, self.before)
        return KeysetPage(self.limit + 1, after, before, self.backwards, oldest_first)

    def dated_window(self, *, oldest_first: bool = False) -> KeysetPage:
        """Return what to fetch of a list keyed by a time and, among those of one time, by id; one item more."""
        after_at, after = self._dated(self.after)
        before_at, before = self._dated(self.before)
        return KeysetPage(
            self.limit + 1, after, before, self.backwards, oldest_first, dated=True, after_at=after_at,
            before_at=before_at,
        )  # fmt: skip

    def time_window(self, start: datetime | None = None, end: datetime | None = None) -> TimeKeysetPage:
        """Return what to fetch of a list keyed by time: one item more than the page holds, to see if more follows."""
        after, before = self._key_as(_time, self.after), self._key_as(_time, self.before)
        return TimeKeysetPage(self.limit + 1, start, end, after, before, self.backwards)

    def tied_window(self, start: datetime | None = None, end: datetime | None = None) -> TimeKeysetPage:
        """Return what to fetch of a list keyed by time and, among those of one time, by id; one item more."""
        after, after_id = self._tied(self.after)
        before, before_id = self._tied(self.before)
        return TimeKeysetPage(self.limit + 1, start, end, after, before, self.backwards, after_id, before_id)

    def within(self, start: datetime | None, end: datetime | None) -> "PageRequest":
        """Return the request without the cursors that a period leaves out: nothing of the list is on their far side."""
        after, before = self._key_as(_time, _first(self.after)), self._key_as(_time, _first(self.before))
        return replace(
            self,
            after=None if after is not None and start is not None and after < start else self.after,
            before=None if before is not None and end is not None and before >= end else self.before,
        )

    def _tied(self, key: Key | None) -> tuple[datetime | None, str | None]:
        if key is None:
            return None, None
        if len(key) != 2:  # noqa: PLR2004  # a time and an id
            raise invalid_cursor()
        return self._key_as(_time, key[:1]), key[1]

    def _dated(self, key: Key | None) -> tuple[datetime | None, UUID | None]:
        if key is None:
            return None, None
        if len(key) != 2:  # noqa: PLR2004  # a time and an id
            raise invalid_cursor()
        return self._key_as(_moment, key[:1]), self._key_as(_id, key[1:])

    @staticmethod
    def _key_as(read: Callable[[str], T], key: Key | None) -> T | None:
        if key is None:
            return None
        try:
            (text,) = key
            return read(text)
        except (ValueError, OverflowError, OSError):
            raise invalid_cursor() from None


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Where a page lies in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(frozen=True, slots=True)
class Edge(Generic[T]):
    """An item and its place in the list."""

    cursor: str
    node: T


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list; the schema's connections read it by attribute."""

    nodes: tuple[T, ...]
    cursor_of: Callable[[T], str]
    has_next: bool = False
    has_previous: bool = False
    count: Callable[[], Awaitable[int | None]] | None = None

    async def total_count(self) -> int | None:
        """Return how many items the whole list has; None where they aren't counted, or are more than is counted."""
        return None if self.count is None else await self.count()

    @property
    def edges(self) -> tuple[Edge[T], ...]:
        """The items with their cursors, which are only made where they are asked for."""
        return tuple(Edge(self.cursor_of(node), node) for node in self.nodes)

    @property
    def page_info(self) -> PageInfo:
        """What Relay wants to know of the page."""
        ends = (self.cursor_of(self.nodes[0]), self.cursor_of(self.nodes[-1])) if self.nodes else (None, None)
        return PageInfo(self.has_next, self.has_previous, *ends)


def page_request(
    scope: CursorScope,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    maximum: int = MAX_PAGE,
    default: int = DEFAULT_PAGE,
) -> PageRequest:
    """Return the page that a connection's arguments ask for; raise RequestFault (INVALID) for what can't be."""
    if first is not None and last is not None:
        raise RequestFault(FaultCode.INVALID, "Give `first` or `last`, not both.")
    _check_size("first", first, maximum)
    _check_size("last", last, maximum)
    limit = first if first is not None else last if last is not None else default
    return PageRequest(
        scope,
        limit,
        decode_cursor(scope, after) if after is not None else None,
        decode_cursor(scope, before) if before is not None else None,
        backwards=last is not None,
    )


def page_of(request: PageRequest, rows: Sequence[T], key_of: Callable[[T], Key]) -> Page[T]:
    """Return the page of `rows`, which a repository fetched with `request.window()` or `request.time_window()`.

    A cursor stands on an item of the list, so there is one on its far side. Rows come in the list's own order
    whichever way the page goes; the one too many is the farthest from where the page begins.
    """
    more = len(rows) > request.limit
    if request.backwards:
        rows = rows[len(rows) - request.limit :] if more else rows
        has_next, has_previous = request.before is not None, more or request.after is not None
    else:
        rows = rows[: request.limit]
        has_next, has_previous = more or request.before is not None, request.after is not None
    return Page(tuple(rows), lambda row: encode_cursor(request.scope, key_of(row)), has_next, has_previous)


def slice_page(request: PageRequest, rows: Sequence[T], key_of: Callable[[T], Key]) -> Page[T]:
    """Return the page of a short list that is all in memory, by the keys that its rows have."""
    keys = [key_of(row) for row in rows]
    start = _index(keys, request.after) + 1 if request.after is not None else 0
    end = _index(keys, request.before) if request.before is not None else len(rows)
    part = rows[start:end]
    wanted = part[-request.limit - 1 :] if request.backwards else part[: request.limit + 1]

    async def count() -> int:
        return len(rows)

    return replace(page_of(request, wanted, key_of), count=count)


def id_key(id: UUID) -> Key:
    """Return the key of a list that is ordered by id."""
    return (str(id),)


def dated_key(at: datetime, id: UUID) -> Key:
    """Return the key of a list that is ordered by a time, and by id among what has the same time."""
    return at.isoformat(), str(id)


def time_key(at: datetime) -> Key:
    """Return the key of a list that is ordered by a time of whole milliseconds."""
    return (str(to_milliseconds(at)),)


def encode_cursor(scope: CursorScope, key: Key) -> str:
    """Return an opaque cursor for the place `key` in the list `scope`."""
    text = json.dumps([scope.mark, *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_cursor(scope: CursorScope, cursor: str) -> Key:
    """Return the place that `cursor` stands for; raise RequestFault (INVALID) where it isn't one of this list."""
    if len(cursor) > _MAX_CURSOR_CHARACTERS:
        raise invalid_cursor()
    try:
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise invalid_cursor() from None
    if not isinstance(parts, list) or not all(map(_is_key_part, parts)) or parts[:1] != [scope.mark]:
        raise invalid_cursor()
    return tuple(parts[1:])


def invalid_cursor() -> RequestFault:
    """Return the fault of a cursor that can't be used here."""
    return RequestFault(
        FaultCode.INVALID, "The cursor is not one of this list. Use a cursor that the same field gave to the same user."
    )


def _check_size(name: str, size: int | None, maximum: int) -> None:
    if size is not None and not 0 <= size <= maximum:
        raise RequestFault(FaultCode.INVALID, f"`{name}` is {size}; it must be from 0 to {maximum:,}.")


def _index(keys: list[Key], key: Key) -> int:
    try:
        return keys.index(key)
    except ValueError:
        raise invalid_cursor() from None


def _first(key: Key | None) -> Key | None:
    return None if key is None else key[:1]


def _is_key_part(part: object) -> bool:
    """Tell whether a cursor of ours can hold this: anybody can write one, with text that no database takes."""
    return isinstance(part, str) and not _UNSTORABLE.search(part)


def _id(text: str) -> UUID:
    return UUID(text)


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def _time(text: str) -> datetime:
    return from_milliseconds(int(text))
