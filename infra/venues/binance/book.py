"""Binance's rule of a local order book: which update may follow which, and how far down the book is known.

Source: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams, "How to manage a local order book
correctly". Nothing here talks to anybody; `binance_depth` feeds it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from domain.model.depth import MAX_LEVELS
from domain.ports.market_data import VenueGap, VenueUnreachable

SNAPSHOT_LEVELS = 1_000
"""How many levels a side a snapshot is asked for; one that has as many says nothing of what lies below them."""

THIN_LEVELS = 3 * MAX_LEVELS
"""With fewer known levels than this on a side, it is time for another snapshot."""

MAX_HELD = 1_000
"""Updates that are kept while a snapshot is awaited: 100 s of Binance's fastest stream."""

Row = tuple[str, str]
"""A price and the quantity that rests there, in the venue's own digits."""

Change = tuple[float, bool, Row]
"""A row with its price as a number to sort by, and whether anything rests there."""


class DepthError(ValueError):
    """An update or snapshot that isn't one: a field is missing, or holds what it can't."""


@dataclass(frozen=True, slots=True)
class Update:
    """What changed in the book from update `first` to update `last`: new quantities by price, zero for none left."""

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
    first, last = _whole(message, "U"), _whole(message, "u")
    if last < first:
        raise DepthError(f"an update from {first} to {last}")
    return Update(first, last, _whole(message, "E"), _changes(message, "b"), _changes(message, "a"))


def read_snapshot(answer: Mapping[str, Any]) -> Snapshot:
    """Return the answer of `GET /api/v3/depth`; raises `DepthError`."""
    return Snapshot(_whole(answer, "lastUpdateId"), _changes(answer, "bids"), _changes(answer, "asks"))


class BookSide:
    """One side, best price first, down to its `reach`: what lies beyond was never told, and isn't kept."""

    __slots__ = ("_keys", "_rows", "_sign", "reach")

    def __init__(self, changes: Sequence[Change], *, descending: bool) -> None:
        self._sign = -1.0 if descending else 1.0
        self._rows = {self._sign * price: row for price, rests, row in changes if rests}
        self._keys = sorted(self._rows)
        self.reach = self._keys[-1] if len(changes) >= SNAPSHOT_LEVELS and self._keys else inf

    @property
    def is_thin(self) -> bool:
        """Whether few levels are known although the venue may have more."""
        return self.reach != inf and len(self._keys) < THIN_LEVELS

    @property
    def is_used_up(self) -> bool:
        """Whether nothing is known any more of a side that may have levels."""
        return self.reach != inf and not self._keys

    def apply(self, changes: Sequence[Change]) -> None:
        """Set the quantities that were told; a level that isn't there may be told to be gone."""
        keys, rows, sign, reach = self._keys, self._rows, self._sign, self.reach
        for price, rests, row in changes:
            key = sign * price
            if key > reach:
                continue
            if rests:
                if key not in rows:
                    keys.insert(bisect_left(keys, key), key)
                rows[key] = row
            elif rows.pop(key, None) is not None:
                del keys[bisect_left(keys, key)]
        if len(keys) > 2 * SNAPSHOT_LEVELS:
            self._cut()

    def top(self, levels: int) -> list[Row]:
        """Return the best `levels` rows, fewer where fewer are known."""
        rows = self._rows
        return [rows[key] for key in self._keys[:levels]]

    def within(self, reach: float) -> list[tuple[float, float]]:
        """Return the levels down to `reach` as numbers that can be compared."""
        keys = self._keys[: bisect_right(self._keys, reach)]
        return [(key, float(self._rows[key][1])) for key in keys]

    def agrees_with(self, other: "BookSide") -> bool:
        """Tell whether both hold the same quantities as far as both reach."""
        reach = min(self.reach, other.reach)
        return self.within(reach) == other.within(reach)

    def _cut(self) -> None:
        for key in self._keys[SNAPSHOT_LEVELS:]:
            del self._rows[key]
        del self._keys[SNAPSHOT_LEVELS:]
        self.reach = self._keys[-1]


class Sides:
    """Both sides of a snapshot, and what has been applied to them."""

    __slots__ = ("asks", "bids")

    def __init__(self, snapshot: Snapshot) -> None:
        self.bids = BookSide(snapshot.bids, descending=True)
        self.asks = BookSide(snapshot.asks, descending=False)

    @property
    def is_thin(self) -> bool:
        """Whether one of them is."""
        return self.bids.is_thin or self.asks.is_thin

    def apply(self, update: Update) -> None:
        """Apply an update that follows on what is held; raises `VenueGap` where nothing known is left of a side."""
        self.bids.apply(update.bids)
        self.asks.apply(update.asks)
        if self.bids.is_used_up or self.asks.is_used_up:
            raise VenueGap("the price ran past the levels of the last snapshot")

    def agrees_with(self, other: "Sides") -> bool:
        """Tell whether both hold the same book as far as both reach."""
        return self.bids.agrees_with(other.bids) and self.asks.agrees_with(other.asks)


class LocalBook:
    """One market's book, at `update_id`, which is None before the first snapshot.

    Updates are held while a snapshot is awaited, the first one or a further one. A further snapshot makes the book
    reach down to its depth again, and must agree with it. What raises `VenueGap` leaves a book that must be ended.

    `ask_after` and `audit_at` are the caller's notes: seconds of its clock from which to ask for another snapshot when
    the book is thin, and in any case.
    """

    def __init__(self) -> None:
        self.update_id: int | None = None
        self.ask_after = 0.0
        self.audit_at = inf
        self.ended_by: VenueGap | VenueUnreachable | None = None
        self._at_ms: int | None = None
        self._told: int | None = None
        self._bridged = True
        self._sides: Sides | None = None
        self._held: list[Update] | None = []
        self._snapshot: Snapshot | None = None

    @property
    def is_thin(self) -> bool:
        """Whether few levels are known of a side that may have more."""
        return self._sides is not None and self._sides.is_thin

    @property
    def awaits_snapshot(self) -> bool:
        """Whether a snapshot was asked for and isn't part of the book yet."""
        return self._held is not None

    def ask(self) -> None:
        """Begin to hold updates for a further snapshot, which is asked for now."""
        self._held = []

    def give_up(self) -> None:
        """Hold no more updates: no further snapshot came."""
        self._held = self._snapshot = None

    def end(self, reason: VenueGap | VenueUnreachable) -> None:
        """Show nothing any more: what is held may be half of something, or wrong."""
        self.ended_by = self.ended_by or reason

    def take(self, update: Update) -> bool:
        """Take the next update; tell whether the book has changed. Repeats change nothing; a skip is a `VenueGap`."""
        if self._told is not None and update.last <= self._told:
            return False
        if self._told is not None and not self._follows(update):
            raise VenueGap(f"update {self._told} was followed by {update.first}")
        self._told, self._bridged = update.last, True
        self._hold(update)
        if self._sides is None:
            return False
        self._sides.apply(update)
        self.update_id, self._at_ms = update.last, update.at_ms
        self._settle()
        return True

    def load(self, snapshot: Snapshot) -> bool:
        """Take the snapshot that was asked for; False where it is older than what is held, and another is needed."""
        held = self._held or []
        oldest = held[0].first - 1 if held else self.update_id
        if oldest is not None and snapshot.last < oldest:
            return False
        if self._sides is None:
            self._begin(snapshot)
        else:
            self._snapshot = snapshot
            self._settle()
        return True

    def limit(self) -> dict[str, Any]:
        """Return the book as it stands, in ccxt's form and under its name; raises what ended it, where it has."""
        if self.ended_by is not None:
            raise self.ended_by
        assert self._sides is not None
        return {
            "book": self,
            "nonce": self.update_id,
            "timestamp": self._at_ms,
            "bids": self._sides.bids.top(MAX_LEVELS),
            "asks": self._sides.asks.top(MAX_LEVELS),
        }

    def _follows(self, update: Update) -> bool:
        """Tell whether nothing is missing before the update; the first after a snapshot may begin before its end."""
        assert self._told is not None
        return update.first == self._told + 1 or (not self._bridged and update.first <= self._told)

    def _hold(self, update: Update) -> None:
        if self._held is None:
            return
        if len(self._held) >= MAX_HELD:
            raise VenueGap(f"no snapshot of the book came within {MAX_HELD} updates")
        self._held.append(update)

    def _begin(self, snapshot: Snapshot) -> None:
        """Make the first snapshot the book, with the updates that came after it."""
        sides, at_ms, last = _replayed(snapshot, self._held or [])
        self._sides, self._at_ms, self.update_id = sides, at_ms, last
        if self._told is None or self._told < snapshot.last:
            self._told, self._bridged = snapshot.last, False
        self._held = None

    def _settle(self) -> None:
        """Put a further snapshot under the book once the book has come as far as it."""
        snapshot, held = self._snapshot, self._held
        if snapshot is None or held is None or self.update_id is None or snapshot.last > self.update_id:
            return
        sides, _, _ = _replayed(snapshot, held)
        if self._sides is None or not sides.agrees_with(self._sides):
            raise VenueGap(f"the book at update {self.update_id} is not what the venue's snapshot says")
        self._sides, self._held, self._snapshot = sides, None, None


def _replayed(snapshot: Snapshot, held: Sequence[Update]) -> tuple[Sides, int | None, int]:
    sides, at_ms, last = Sides(snapshot), None, snapshot.last
    for update in held:
        if update.last > snapshot.last:
            sides.apply(update)
            at_ms, last = update.at_ms, update.last
    return sides, at_ms, last


def _whole(message: Mapping[str, Any], name: str) -> int:
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
