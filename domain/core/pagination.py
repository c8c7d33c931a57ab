"""Keyset pagination: valid arguments, cursors, what to fetch for a page, and the page with its neighbours."""

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
"""A place in a list: the values of the columns that it is ordered by, as text."""

_MAX_CURSOR_CHARACTERS = 1024
_GREATEST_NUMBER = 2**31 - 1
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class KeysetPage:
    """The arguments of a keyset query: at most `limit` items of a list that is ordered by id, newest first.

    Ids are of UUID version 7, so their order is that of creation. `after` and `before` are ids that are not included:
    the page has items after (older than) `after` and before (newer than) `before`. `backwards` asks for the last
    `limit` of them, still returned newest first. `oldest_first` reverses the whole list. A `dated` list is ordered by a
    time of its own (positions: when they closed), then by id; `after_at` and `before_at` are the times of `after` and
    `before`.
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
    """The arguments of a keyset query: at most `limit` items of a list that is ordered by time, oldest first.

    `start` is included, `end` is not. `after` and `before` (not included) come from cursors. `backwards` asks for the
    last `limit` items, still returned oldest first. If several items can have the same time (as trades do), `after_id`
    and `before_id` say which of them the cursor is at; without them all items of that time are excluded.
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
    """The list that a cursor is valid for: its kind (`orders`) and its owner (a user's id, empty for public lists)."""

    kind: str
    owner: str = ""

    @property
    def digest(self) -> str:
        """Twelve characters that identify the scope."""
        return hashlib.sha256(f"{self.kind}\0{self.owner}".encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A validated request for a page: `limit` items between the keys `after` and `before`, which are not included."""

    scope: CursorScope
    limit: int
    after: Key | None = None
    before: Key | None = None
    backwards: bool = False

    def keyset_page(self, *, oldest_first: bool = False) -> KeysetPage:
        """Return the query for a list ordered by id: one item more than the page has, to know whether more follow."""
        after, before = self._key_as(_id, self.after), self._key_as(_id, self.before)
        return KeysetPage(self.limit + 1, after, before, self.backwards, oldest_first)

    def dated_keyset_page(self, *, oldest_first: bool = False) -> KeysetPage:
        """Return the query for a list ordered by a time, then by id; one item more than the page has."""
        after_at, after = self._dated(self.after)
        before_at, before = self._dated(self.before)
        return KeysetPage(
            self.limit + 1, after, before, self.backwards, oldest_first, dated=True, after_at=after_at,
            before_at=before_at,
        )  # fmt: skip

    def time_keyset_page(self, start: datetime | None = None, end: datetime | None = None) -> TimeKeysetPage:
        """Return the query for a list ordered by unique times; one item more than the page has."""
        after, before = self._key_as(_time, self.after), self._key_as(_time, self.before)
        return TimeKeysetPage(self.limit + 1, start, end, after, before, self.backwards)

    def tied_time_keyset_page(self, start: datetime | None = None, end: datetime | None = None) -> TimeKeysetPage:
        """Return the query for a list of items that may share a time, ordered by time, then by id; one item more."""
        after, after_id = self._tied(self.after)
        before, before_id = self._tied(self.before)
        return TimeKeysetPage(self.limit + 1, start, end, after, before, self.backwards, after_id, before_id)

    def numbers(self) -> tuple[int | None, int | None]:
        """Return the keys `after` and `before` of a list ordered by whole numbers from 0."""
        return self._key_as(_number, self.after), self._key_as(_number, self.before)

    def drop_cursors_outside(self, start: datetime | None, end: datetime | None) -> "PageRequest":
        """Return the request without cursors that lie outside of the period: they exclude nothing of it."""
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
    """The position of a page in its list, as Relay defines it."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(frozen=True, slots=True)
class Edge(Generic[T]):
    """An item and the cursor of its place in the list."""

    cursor: str
    node: T


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list; the schema's connections read it by attribute."""

    nodes: tuple[T, ...]
    cursor_of: Callable[[T], str]
    has_next: bool = False
    has_previous: bool = False
    count: Callable[[], Awaitable[int | None]] | None = None

    async def total_count(self) -> int | None:
        """Return how many items the whole list has; None if it isn't counted, or has more than is counted."""
        return None if self.count is None else await self.count()

    @property
    def edges(self) -> tuple[Edge[T], ...]:
        """The items with their cursors, which are only encoded if they are asked for."""
        return tuple(Edge(self.cursor_of(node), node) for node in self.nodes)

    @property
    def page_info(self) -> PageInfo:
        """The position of the page in its list."""
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
    """Return the request of a connection's arguments; raise `RequestFault` (INVALID) if they contradict each other."""
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


def build_page(
    request: PageRequest,
    rows: Sequence[T],
    key_of: Callable[[T], Key],
    count: Callable[[], Awaitable[int | None]] | None = None,
) -> Page[T]:
    """Return the page of `rows`, which were fetched with one of the request's keyset pages.

    A cursor is at an item of the list, so there is at least that one beyond it. Rows are in the list's own order in
    both directions; the one too many is the farthest from where the page begins.
    """
    more = len(rows) > request.limit
    if request.backwards:
        rows = rows[len(rows) - request.limit :] if more else rows
        has_next, has_previous = request.before is not None, more or request.after is not None
    else:
        rows = rows[: request.limit]
        has_next, has_previous = more or request.before is not None, request.after is not None
    return Page(tuple(rows), lambda row: encode_cursor(request.scope, key_of(row)), has_next, has_previous, count)


def slice_page(request: PageRequest, rows: Sequence[T], key_of: Callable[[T], Key]) -> Page[T]:
    """Return the page of a list that is wholly in memory, by the keys of its rows."""
    has_cursor = request.after is not None or request.before is not None
    keys = [key_of(row) for row in rows] if has_cursor else []
    start = _index(keys, request.after) + 1 if request.after is not None else 0
    end = _index(keys, request.before) if request.before is not None else len(rows)
    between = rows[start:end]
    fetched = between[-request.limit - 1 :] if request.backwards else between[: request.limit + 1]

    async def count() -> int:
        return len(rows)

    return build_page(request, fetched, key_of, count)


def id_key(id: UUID) -> Key:
    """Return the key of a list that is ordered by id."""
    return (str(id),)


def dated_key(at: datetime, id: UUID) -> Key:
    """Return the key of a list that is ordered by a time, then by id."""
    return at.isoformat(), str(id)


def time_key(at: datetime) -> Key:
    """Return the key of a list that is ordered by a time of whole milliseconds."""
    return (str(to_milliseconds(at)),)


def encode_cursor(scope: CursorScope, key: Key) -> str:
    """Return an opaque cursor of the place `key` in the list `scope`."""
    text = json.dumps([scope.digest, *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_cursor(scope: CursorScope, cursor: str) -> Key:
    """Return the key that `cursor` holds; raise `RequestFault` (INVALID) if it isn't a cursor of this list."""
    if len(cursor) > _MAX_CURSOR_CHARACTERS:
        raise invalid_cursor()
    try:
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise invalid_cursor() from None
    if not isinstance(parts, list) or not all(map(_is_key_part, parts)) or parts[:1] != [scope.digest]:
        raise invalid_cursor()
    return tuple(parts[1:])


def invalid_cursor() -> RequestFault:
    """Return the fault of a cursor that isn't valid here."""
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
    """Return whether it may be part of a key; a forged cursor can hold text that PostgreSQL can't store."""
    return isinstance(part, str) and not _UNSTORABLE.search(part)


def _id(text: str) -> UUID:
    return UUID(text)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > _GREATEST_NUMBER:
        raise ValueError(text)
    return int(text)


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def _time(text: str) -> datetime:
    return from_milliseconds(int(text))
