"""Binance's rule for a local order book: which update may follow which, and down to which depth the book is known.

Source: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams, "How to manage a local order book
correctly". This module does no I/O; `infra.venues.ccxt.binance_depth` feeds it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from domain.model.depth import MAX_LEVELS
from domain.ports.market_data import VenueGap, VenueUnreachable


@dataclass(frozen=True, slots=True)
class BookSettings:
    """How many levels and updates a local book holds.

    A snapshot has `snapshot_levels` a side; if it is full, levels below it are unknown. With fewer than
    `refill_levels` known on a side, another snapshot is due. `shown_levels` a side are shown. `buffered_updates` are
    kept while a snapshot is on its way: 1,000 are 100 s of Binance's fastest stream.
    """

    snapshot_levels: int = 1_000
    refill_levels: int = 3 * MAX_LEVELS
    shown_levels: int = MAX_LEVELS
    buffered_updates: int = 1_000


Row = tuple[str, str]
"""A price and the quantity at it, in the venue's own digits."""

Change = tuple[float, bool, Row]
"""A row, with its price as a number to sort by, and whether its quantity is above zero."""


class DepthError(ValueError):
    """An update or snapshot that can't be read: a field is missing or has an impossible value."""


@dataclass(frozen=True, slots=True)
class Update:
    """The changes of the book from update `first` to `last`: new quantities by price, zero for a removed level."""

    first: int
    last: int
    at_ms: int
    bids: tuple[Change, ...]
    asks: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The best levels of both sides at update `last`."""

    last: int
    bids: tuple[Change, ...]
    asks: tuple[Change, ...]


def read_update(message: Mapping[str, Any]) -> Update:
    """Return a `depthUpdate` event; raises `DepthError`."""
    first, last = _whole_number(message, "U"), _whole_number(message, "u")
    if last < first:
        raise DepthError(f"an update from {first} to {last}")
    return Update(first, last, _whole_number(message, "E"), _changes(message, "b"), _changes(message, "a"))


def read_snapshot(answer: Mapping[str, Any]) -> Snapshot:
    """Return the answer of `GET /api/v3/depth`; raises `DepthError`."""
    return Snapshot(_whole_number(answer, "lastUpdateId"), _changes(answer, "bids"), _changes(answer, "asks"))


class LocalBookSide:
    """One side, best price first, down to its `known_depth`: the levels beyond are unknown, and aren't kept.

    `known_depth` is a signed price (negative for bids), infinite if the whole side is known.
    """

    __slots__ = ("_keys", "_rows", "_settings", "_sign", "known_depth")

    def __init__(self, changes: Sequence[Change], settings: BookSettings, *, descending: bool) -> None:
        self._settings = settings
        self._sign = -1.0 if descending else 1.0
        self._rows = {self._sign * price: row for price, has_quantity, row in changes if has_quantity}
        self._keys = sorted(self._rows)
        is_cut = len(changes) >= settings.snapshot_levels and bool(self._keys)
        self.known_depth = self._keys[-1] if is_cut else inf

    @property
    def needs_snapshot(self) -> bool:
        """Whether few levels are known although the venue may have more."""
        return self.known_depth != inf and len(self._keys) < self._settings.refill_levels

    @property
    def is_exhausted(self) -> bool:
        """Whether no level is known any more although the venue may have some."""
        return self.known_depth != inf and not self._keys

    def apply(self, changes: Sequence[Change]) -> None:
        """Set the changed quantities. Binance may remove a level that isn't there; that changes nothing."""
        keys, rows, sign, known_depth = self._keys, self._rows, self._sign, self.known_depth
        for price, has_quantity, row in changes:
            key = sign * price
            if key > known_depth:
                continue
            if has_quantity:
                if key not in rows:
                    keys.insert(bisect_left(keys, key), key)
                rows[key] = row
            elif rows.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]
        if len(keys) > 2 * self._settings.snapshot_levels:
            self._truncate()

    def top(self, levels: int) -> list[Row]:
        """Return the best `levels` rows, or fewer if fewer are known."""
        rows = self._rows
        return [rows[key] for key in self._keys[:levels]]

    def levels_within(self, depth: float) -> list[tuple[float, float]]:
        """Return the signed prices and quantities down to `depth`, as numbers that can be compared."""
        keys = self._keys[: bisect_right(self._keys, depth)]
        return [(key, float(self._rows[key][1])) for key in keys]

    def matches(self, other: "LocalBookSide") -> bool:
        """Return whether both have the same quantities down to the depth that both know."""
        depth = min(self.known_depth, other.known_depth)
        return self.levels_within(depth) == other.levels_within(depth)

    def _truncate(self) -> None:
        levels = self._settings.snapshot_levels
        for key in self._keys[levels:]:
            del self._rows[key]
        del self._keys[levels:]
        self.known_depth = self._keys[-1]


class LocalBookSides:
    """Both sides of a snapshot, with the updates that have been applied to them."""

    __slots__ = ("asks", "bids")

    def __init__(self, snapshot: Snapshot, settings: BookSettings) -> None:
        self.bids = LocalBookSide(snapshot.bids, settings, descending=True)
        self.asks = LocalBookSide(snapshot.asks, settings, descending=False)

    @property
    def needs_snapshot(self) -> bool:
        """Whether either side needs a new snapshot."""
        return self.bids.needs_snapshot or self.asks.needs_snapshot

    def apply(self, update: Update) -> None:
        """Apply the update that follows; raises `VenueGap` if no known level is left on a side."""
        self.bids.apply(update.bids)
        self.asks.apply(update.asks)
        if self.bids.is_exhausted or self.asks.is_exhausted:
            raise VenueGap("the price ran past the levels of the last snapshot")

    def matches(self, other: "LocalBookSides") -> bool:
        """Return whether both hold the same book down to the depth that both know."""
        return self.bids.matches(other.bids) and self.asks.matches(other.asks)


class LocalBook:
    """One market's book, at `update_id`, which is None before the first snapshot.

    Updates are buffered while a snapshot is on its way, the first or a later one. A later snapshot restores the depth
    to which the book is known, and must match it. After a method has raised `VenueGap` the book must be invalidated.

    `refill_after` and `audit_at` are set by the caller, in seconds of its clock: the time from which a book with few
    levels may request another snapshot, and the time at which any book does.
    """

    def __init__(self, settings: BookSettings | None = None) -> None:
        self.update_id: int | None = None
        self.refill_after = 0.0
        self.audit_at = inf
        self.invalidated_by: VenueGap | VenueUnreachable | None = None
        self._settings = settings or BookSettings()
        self._at_ms: int | None = None
        self._last_update_id: int | None = None
        self._has_bridged = True
        self._sides: LocalBookSides | None = None
        self._buffer: list[Update] | None = []
        self._snapshot: Snapshot | None = None

    @property
    def needs_snapshot(self) -> bool:
        """Whether few levels are known of a side that may have more."""
        return self._sides is not None and self._sides.needs_snapshot

    @property
    def awaits_snapshot(self) -> bool:
        """Whether a snapshot was requested and isn't part of the book yet."""
        return self._buffer is not None

    def request_snapshot(self) -> None:
        """Start to buffer updates for a later snapshot, which the caller requests now."""
        self._buffer = []

    def cancel_snapshot(self) -> None:
        """Stop buffering updates: no later snapshot will come."""
        self._buffer = self._snapshot = None

    def invalidate(self, reason: VenueGap | VenueUnreachable) -> None:
        """Show nothing from now on: the book may be incomplete or wrong. The first reason is kept."""
        self.invalidated_by = self.invalidated_by or reason

    def apply_update(self, update: Update) -> bool:
        """Apply the next update; return whether the book has changed.

        A repeated update changes nothing. Raises `VenueGap` if updates are missing before this one.
        """
        if self._last_update_id is not None and update.last <= self._last_update_id:
            return False
        if self._last_update_id is not None and not self._follows(update):
            raise VenueGap(f"update {self._last_update_id} was followed by {update.first}")
        self._last_update_id, self._has_bridged = update.last, True
        self._buffer_update(update)
        if self._sides is None:
            return False
        self._sides.apply(update)
        self.update_id, self._at_ms = update.last, update.at_ms
        self._merge_snapshot()
        return True

    def apply_snapshot(self, snapshot: Snapshot) -> bool:
        """Apply the requested snapshot; return False if it is older than the buffer, so that another is needed."""
        buffer = self._buffer or []
        oldest = buffer[0].first - 1 if buffer else self.update_id
        if oldest is not None and snapshot.last < oldest:
            return False
        if self._sides is None:
            self._start(snapshot)
        else:
            self._snapshot = snapshot
            self._merge_snapshot()
        return True

    def limit(self) -> dict[str, Any]:
        """Return the present book in ccxt's form, which calls this method by this name; raises `invalidated_by`."""
        if self.invalidated_by is not None:
            raise self.invalidated_by
        assert self._sides is not None
        return {
            "book": self,
            "nonce": self.update_id,
            "timestamp": self._at_ms,
            "bids": self._sides.bids.top(self._settings.shown_levels),
            "asks": self._sides.asks.top(self._settings.shown_levels),
        }

    def _follows(self, update: Update) -> bool:
        """Return whether no update is missing; only the first after a snapshot may overlap the snapshot's end."""
        assert self._last_update_id is not None
        return update.first == self._last_update_id + 1 or (
            not self._has_bridged and update.first <= self._last_update_id
        )

    def _buffer_update(self, update: Update) -> None:
        if self._buffer is None:
            return
        if len(self._buffer) >= self._settings.buffered_updates:
            raise VenueGap(f"no snapshot of the book came within {self._settings.buffered_updates} updates")
        self._buffer.append(update)

    def _start(self, snapshot: Snapshot) -> None:
        """Make the first snapshot the book, with the updates that came after it."""
        sides, at_ms, last = self._replay(snapshot, self._buffer or [])
        self._sides, self._at_ms, self.update_id = sides, at_ms, last
        if self._last_update_id is None or self._last_update_id < snapshot.last:
            self._last_update_id, self._has_bridged = snapshot.last, False
        self._buffer = None

    def _merge_snapshot(self) -> None:
        """Replace the book by a later snapshot with the updates after it, once the book has reached the snapshot."""
        snapshot, buffer = self._snapshot, self._buffer
        if snapshot is None or buffer is None or self.update_id is None or snapshot.last > self.update_id:
            return
        sides, _, _ = self._replay(snapshot, buffer)
        if self._sides is None or not sides.matches(self._sides):
            raise VenueGap(f"the book at update {self.update_id} is not what the venue's snapshot says")
        self._sides, self._buffer, self._snapshot = sides, None, None

    def _replay(self, snapshot: Snapshot, updates: Sequence[Update]) -> tuple[LocalBookSides, int | None, int]:
        sides, at_ms, last = LocalBookSides(snapshot, self._settings), None, snapshot.last
        for update in updates:
            if update.last > snapshot.last:
                sides.apply(update)
                at_ms, last = update.at_ms, update.last
        return sides, at_ms, last


def _whole_number(message: Mapping[str, Any], name: str) -> int:
    value = message.get(name)
    if type(value) is not int or value < 0:
        raise DepthError(f"{name} is {value!r}"[:100])
    return value


def _changes(message: Mapping[str, Any], name: str) -> tuple[Change, ...]:
    rows = message.get(name)
    if type(rows) is not list:
        raise DepthError(f"{name} is {rows!r}"[:100])
    try:
        return tuple(map(_change, rows))
    except (LookupError, TypeError, ValueError) as error:
        raise DepthError(f"{name}: {error}"[:100]) from None


def _change(row: Sequence[Any]) -> Change:
    price_text, quantity_text = row[0], row[1]
    price, quantity = float(price_text), float(quantity_text)
    if not (0.0 < price < inf and 0.0 <= quantity < inf and type(price_text) is type(quantity_text) is str):
        raise DepthError(f"a level of {row!r}")
    return price, quantity > 0.0, (price_text, quantity_text)
