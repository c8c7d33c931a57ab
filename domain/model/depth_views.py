"""The views of a market that subscribers get: snapshots and deltas of its book, batches of trades."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.model.depth import Levels, diff, truncate
from domain.model.markets import Depth, MarketSymbol, Trade


class DepthLevels(StrEnum):
    """The number of levels per side."""

    L5 = "L5"
    L20 = "L20"
    L100 = "L100"

    @property
    def per_side(self) -> int:
        """The number of levels of each side."""
        return int(self.value[1:])


class DepthCadence(StrEnum):
    """The least time between two events of a book."""

    MS20 = "MS20"
    MS100 = "MS100"
    MS500 = "MS500"
    MS1000 = "MS1000"

    @property
    def seconds(self) -> float:
        """The least time between two events, in seconds."""
        return int(self.value[2:]) / 1000


class DepthMode(StrEnum):
    """Whether events hold all levels or only the changes."""

    SNAPSHOTS = "SNAPSHOTS"
    DELTAS = "DELTAS"


@dataclass(frozen=True, slots=True)
class DepthSnapshot:
    """The top of the book as it was sent."""

    market: MarketSymbol
    epoch: str
    sequence: int
    bids: Levels
    asks: Levels
    venue_time: datetime | None
    sent_at: datetime

    @classmethod
    def of(cls, depth: Depth, levels: DepthLevels, sent_at: datetime) -> "DepthSnapshot":
        """Return the top of `depth`, down to as many levels as asked for."""
        cut = truncate(depth, levels.per_side)
        return cls(depth.market, depth.epoch, depth.sequence, cut.bids, cut.asks, depth.venue_time, sent_at)


@dataclass(frozen=True, slots=True)
class DepthDelta:
    """The changes of the top of the book from `previous_sequence` to `sequence`; a quantity of zero removes a level."""

    market: MarketSymbol
    epoch: str
    sequence: int
    previous_sequence: int
    bids: Levels
    asks: Levels
    venue_time: datetime | None
    sent_at: datetime

    @classmethod
    def between(cls, previous: Depth, current: Depth, levels: DepthLevels, sent_at: datetime) -> "DepthDelta":
        """Return the changes of the top `levels` of two books of one epoch."""
        bids, asks = diff(previous, current, levels.per_side)
        return cls(
            current.market,
            current.epoch,
            current.sequence,
            previous.sequence,
            bids,
            asks,
            current.venue_time,
            sent_at,
        )


@dataclass(frozen=True, slots=True)
class TradeBatch:
    """The trades since the last batch; `dropped` counts those that a slow reader missed."""

    trades: tuple[Trade, ...]
    dropped: int = 0
