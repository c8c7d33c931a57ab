"""Replays a recorded Binance stream: its book and trades as they were, with users' orders on top."""

from collections.abc import Iterator
from dataclasses import dataclass
from gzip import open as open_gzip
from pathlib import Path

import msgspec

from infra.sandbox.clock import monotonic_seconds
from infra.sandbox.fixed_point import parse_units
from infra.sandbox.market_data.external_book import ExternalBook
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.market_specs import MARKETS
from infra.sandbox.options import SandboxOptions
from infra.sandbox.orders import Side
from infra.sandbox.streams.publisher import MarketPublisher

NANOSECONDS = 1_000_000_000
PLAYED_KEY = "replay.position"
FINISHED = "finished"
Pairs = list[tuple[str, str]]


class RecordingError(ValueError):
    """Recordings that can't be played."""

    def __init__(self, paths: tuple[Path, ...], reason: str) -> None:
        self.paths = paths
        super().__init__(f"{', '.join(map(str, paths))}: {reason}")


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
class RecordedFrame:
    """A recorded line and when it was received, in nanoseconds from the recording's start."""

    number: int
    at_ns: int
    line: _Line


@dataclass(frozen=True, slots=True)
class RecordingStart:
    """The start of a recording: its market, and the best bid of its first book."""

    symbol: str
    price: int


_decode = msgspec.json.Decoder(_Line).decode


def read_frames(paths: tuple[Path, ...]) -> Iterator[RecordedFrame]:
    """Yield the frames of several recordings in order, read lazily."""
    start = number = 0
    for path in paths:
        with open_gzip(path, "rb") as file:
            for raw in file:
                received, _, message = raw.partition(b" ")
                start = start or int(received)
                yield RecordedFrame(number, int(received) - start, _decode(message))
                number += 1


def find_recording_start(paths: tuple[Path, ...]) -> RecordingStart:
    """Return the market and first price of a recording; raises `RecordingError` if it has no depth snapshot."""
    symbol = ""
    try:
        for frame in read_frames(paths):
            if frame.line.data is not None:
                symbol = frame.line.data.s
            if frame.line.bids and frame.line.asks and symbol in MARKETS:
                return RecordingStart(symbol, parse_units(frame.line.bids[0][0]))
    except (OSError, EOFError, ValueError) as error:
        raise RecordingError(paths, f"isn't a recording of Binance's raw streams ({error})") from None
    raise RecordingError(paths, f"holds no depth snapshot of one of {', '.join(MARKETS)}")


class ReplayPlayer:
    """Plays the recorded frames of one market, from the last run's position."""

    def __init__(
        self, exchange: Exchange, publisher: MarketPublisher, options: SandboxOptions, first: RecordingStart
    ) -> None:
        self.symbol = first.symbol
        self._exchange = exchange
        self._market = exchange.markets[first.symbol]
        self._external_book = ExternalBook(exchange, self._market)
        self._publisher = publisher
        self._speed = options.speed
        self._key = _position_key(options)
        self._frames = read_frames(options.replay)
        self._next: RecordedFrame | None = next(self._frames, None)
        self._snapshot_id = 0
        self._recorded_id = 0
        self._before_snapshot: list[_Data] = []
        self._rewind(int(exchange.store.meta(self._key, "0")))

    @staticmethod
    def is_finished(exchange: Exchange, options: SandboxOptions) -> bool:
        """Return whether this folder has played these recordings to their end."""
        return exchange.store.meta(_position_key(options)) == FINISHED

    def play(self) -> float | None:
        """Play every frame that is due; return seconds until the next, or None after the last."""
        while self._next is not None:
            left = self._next.at_ns / NANOSECONDS / self._speed - (monotonic_seconds() - self._started)
            if left > 0:
                return left
            self._apply(self._next.line)
            self._next = next(self._frames, None)
        return None

    def save(self) -> None:
        """Save how far the recording was played."""
        self._exchange.store.set_meta(self._key, FINISHED if self._next is None else str(self._next.number))

    def _rewind(self, position: int) -> None:
        """Rebuild the book up to `position`, at least up to the first snapshot, and schedule the next frame for now."""
        while self._next is not None and (self._next.number < position or not self._snapshot_id):
            line = self._next.line
            if line.bids or line.asks:
                self._load_snapshot(line)
            elif line.data is not None and line.data.U:
                self._set_levels(line.data)
            self._next = next(self._frames, None)
        self._external_book.uncross()
        offset_seconds = self._next.at_ns / NANOSECONDS / self._speed if self._next else 0.0
        self._started = monotonic_seconds() - offset_seconds

    def _apply(self, line: _Line) -> None:
        data = line.data
        if data is None:
            return
        if data.U:
            self._depth(data)
        elif data.p:
            self._trade(data)
        elif isinstance(data.b, str) and isinstance(data.a, str):
            bid = self._best_with_users(Side.BUY, parse_units(data.b), parse_units(data.B))
            ask = self._best_with_users(Side.SELL, parse_units(data.a), parse_units(data.A))
            self._publisher.best((*bid, *ask), ahead=max(0, data.u - self._recorded_id))

    def _depth(self, data: _Data) -> None:
        self._set_levels(data)
        self._external_book.uncross()
        self._exchange.flush()
        self._publisher.depth(data.u - data.U + 1)

    def _load_snapshot(self, line: _Line) -> None:
        self._snapshot_id = self._recorded_id = line.lastUpdateId
        self._set_side(Side.BUY, line.bids)
        self._set_side(Side.SELL, line.asks)
        for data in self._before_snapshot:
            self._set_levels(data)
        self._before_snapshot.clear()

    def _set_levels(self, data: _Data) -> None:
        """Apply a depth update. Updates that the snapshot includes are skipped."""
        if not self._snapshot_id:
            self._before_snapshot.append(data)
        elif data.u > self._snapshot_id:
            self._recorded_id = data.u
            self._set_side(Side.BUY, data.b)
            self._set_side(Side.SELL, data.a)

    def _set_side(self, side: Side, pairs: str | Pairs) -> None:
        for price, quantity in pairs if isinstance(pairs, list) else []:
            self._market.book.set_liquidity(side, parse_units(price), parse_units(quantity))

    def _trade(self, data: _Data) -> None:
        """Publish a recorded trade, and fill the resting orders that it reached."""
        taker = Side.SELL if data.m else Side.BUY
        self._external_book.trade(taker, parse_units(data.p), parse_units(data.q), self._exchange.clock.now_ms())
        self._exchange.flush()

    def _best_with_users(self, side: Side, price: int, quantity: int) -> tuple[int, int]:
        """Return a recorded best level with the users' orders at it, or better than it."""
        resting = self._market.book.side(side)
        best = resting.best()
        if best is not None and best != price and resting.reaches(best, price) and resting.level(best).queue:
            return best, resting.level(best).total
        level = resting.get(price)
        return price, quantity + (sum(entry.left for entry in level.queue) if level else 0)


def _position_key(options: SandboxOptions) -> str:
    return f"{PLAYED_KEY}:{','.join(path.name for path in options.replay)}"
