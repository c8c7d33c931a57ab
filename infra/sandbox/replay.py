"""A recorded Binance stream played back: its book and trades as they were, users' orders laid over them."""

from collections.abc import Iterator
from dataclasses import dataclass
from gzip import open as open_gzip
from pathlib import Path
from typing import Any

import msgspec

from infra.sandbox.clock import monotonic_seconds
from infra.sandbox.exchange import Exchange
from infra.sandbox.feeds import Feed
from infra.sandbox.options import SandboxOptions
from infra.sandbox.orders import Order, Side
from infra.sandbox.units import parse_units

NANOSECONDS = 1_000_000_000
PLAYED_KEY = "replay.position"
Pairs = list[tuple[str, str]]


class _Data(msgspec.Struct):
    """One message of a recorded stream, by Binance's field names; what `b` and `a` hold depends on the stream."""

    s: str = ""
    E: int = 0
    u: int = 0
    U: int = 0
    b: str | Pairs = ""
    a: str | Pairs = ""
    B: str = ""
    A: str = ""
    p: str = ""
    q: str = ""
    m: bool = False


class _Line(msgspec.Struct):
    """One recorded line: a combined-stream frame, or a REST depth snapshot."""

    stream: str = ""
    data: _Data | None = None
    lastUpdateId: int = 0  # noqa: N815 - Binance's name
    bids: Pairs = []
    asks: Pairs = []


@dataclass(frozen=True, slots=True)
class Frame:
    """A recorded line and when it was received, in nanoseconds from the recording's start."""

    number: int
    at_ns: int
    line: _Line


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """What a recording begins with: its market, and the middle of its first book."""

    symbol: str
    price: int


_decode = msgspec.json.Decoder(_Line).decode


def read_frames(paths: tuple[Path, ...]) -> Iterator[Frame]:
    """Yield the frames of several recordings in order, read as they are asked for."""
    start = number = 0
    for path in paths:
        with open_gzip(path, "rb") as file:
            for raw in file:
                received, _, message = raw.partition(b" ")
                start = start or int(received)
                yield Frame(number, int(received) - start, _decode(message))
                number += 1


def find_first_frame(paths: tuple[Path, ...]) -> FirstFrame | None:
    """Return the market and first price of a recording, None without one."""
    symbol = ""
    for frame in read_frames(paths):
        if frame.line.data is not None:
            symbol = frame.line.data.s
        if frame.line.bids and frame.line.asks:
            return FirstFrame(symbol, parse_units(frame.line.bids[0][0]))
    return None


class ReplayPlayer:
    """Plays recorded frames of one market, from where the last run stopped."""

    def __init__(self, exchange: Exchange, feeds: dict[str, Feed], options: SandboxOptions) -> None:
        first = find_first_frame(options.replay)
        assert first is not None
        self.symbol = first.symbol
        self._exchange = exchange
        self._market = exchange.markets[first.symbol]
        self._feed = feeds[first.symbol]
        self._speed = options.speed
        self._key = f"{PLAYED_KEY}:{','.join(path.name for path in options.replay)}"
        self._frames = read_frames(options.replay)
        self._next: Frame | None = next(self._frames, None)
        self._ahead: dict[int, int] = {}
        self._snapshot_id = 0
        self._offset: int | None = None
        self._rewind(int(exchange.store.meta(self._key, "0")))

    def play(self, *, silent: bool) -> float | None:
        """Play every frame that is due; return seconds until the next, or None after the last."""
        while self._next is not None:
            left = self._next.at_ns / NANOSECONDS / self._speed - (monotonic_seconds() - self._started)
            if left > 0:
                return left
            self._apply(self._next.line, silent=silent)
            self._next = next(self._frames, None)
        self.save()
        return None

    def save(self) -> None:
        """Keep how far the recording was played."""
        if self._next is not None:
            self._exchange.store.set_meta(self._key, str(self._next.number))

    def _rewind(self, position: int) -> None:
        """Rebuild the book up to `position`, at least up to the first snapshot, and take the next frame as now."""
        while self._next is not None and (self._next.number < position or not self._snapshot_id):
            line = self._next.line
            if line.bids or line.asks:
                self._load_snapshot(line)
            elif line.data is not None and line.data.U:
                self._set_levels(line.data)
            self._next = next(self._frames, None)
        offset_seconds = self._next.at_ns / NANOSECONDS / self._speed if self._next else 0.0
        self._started = monotonic_seconds() - offset_seconds

    def _apply(self, line: _Line, *, silent: bool) -> None:
        data = line.data
        if data is None:
            return
        if data.U:
            self._depth(data, silent=silent)
        elif data.p:
            self._trade(data)
        elif not silent:
            self._best(data)

    def _depth(self, data: _Data, *, silent: bool) -> None:
        self._set_levels(data)
        self._uncross()
        self._exchange.flush()
        if not silent:
            self._feed.depth(data.u - data.U + 1)

    def _load_snapshot(self, line: _Line) -> None:
        self._snapshot_id = line.lastUpdateId
        for side, pairs in ((Side.BUY, line.bids), (Side.SELL, line.asks)):
            for price, quantity in pairs:
                self._set(side, parse_units(price), parse_units(quantity))

    def _set_levels(self, data: _Data) -> None:
        """Apply a depth update; those before the snapshot are part of it."""
        if data.u <= self._snapshot_id or not self._snapshot_id:
            return
        for side, pairs in ((Side.BUY, data.b), (Side.SELL, data.a)):
            for price, quantity in pairs:
                self._set(side, parse_units(price), parse_units(quantity))

    def _set(self, side: Side, price: int, quantity: int) -> None:
        self._market.book.set_house(side, price, quantity)

    def _trade(self, data: _Data) -> None:
        """Publish a recorded trade, and fill the resting orders that it reached."""
        price, quantity = parse_units(data.p), parse_units(data.q)
        taker = Side.SELL if data.m else Side.BUY
        self._market.trade(price, quantity, self._exchange.clock.now_ms(), buyer_is_maker=data.m)
        self._market.end_taker()
        for order, filled in self._reached(taker.other, price, quantity):
            self._exchange.matcher.house_passes(self._market, order, filled)
        self._exchange.flush()

    def _reached(self, side: Side, price: int, quantity: int) -> list[tuple[Order, int]]:
        """Return the resting orders of `side` that a trade at `price` fills, and how much of each.

        One that it went past is filled whole; one at the very price once what stood before it has been traded.
        """
        reached: list[tuple[Order, int]] = []
        resting = self._market.book.side(side)
        for level_price, level in resting:
            if not resting.reaches(level_price, price):
                break
            for entry in level.queue:
                filled = entry.left
                if level_price == price:
                    passed = min(entry.ahead, quantity)
                    entry.ahead -= passed
                    filled = min(entry.left, quantity - passed)
                if filled > 0:
                    reached.append((entry.order, filled))
        return reached

    def _uncross(self) -> None:
        """Fill users' orders that the recorded book has moved through, as far as it holds."""
        book = self._market.book
        while (bid := book.bids.best()) is not None and (ask := book.asks.best()) is not None and bid >= ask:
            users, house = (Side.BUY, ask) if book.bids.level(bid).queue else (Side.SELL, bid)
            level = book.side(users).level(bid if users is Side.BUY else ask)
            if not level.queue:
                book.set_house(Side.BUY, bid, 0)
                continue
            opposite = book.side(users.other).level(house)
            order, filled = level.queue[0].order, min(level.queue[0].left, opposite.house)
            if filled == 0:
                break
            book.set_house(users.other, house, opposite.house - filled)
            self._exchange.matcher.house_passes(self._market, order, filled)

    def _best(self, data: _Data) -> None:
        self._feed.best()
