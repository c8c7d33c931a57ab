"""What subscribers see of a market: paced books and their changes, batches of trades."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.model.depth import Levels, diff, truncate
from domain.model.markets import Depth, MarketSymbol, Trade


class DepthLevels(StrEnum):
    """How many levels a side are shown."""

    L5 = "L5"
    L20 = "L20"
    L100 = "L100"

    @property
    def per_side(self) -> int:
        """The number."""
        return int(self.value[1:])


class DepthCadence(StrEnum):
    """How often the book is shown at most."""

    MS20 = "MS20"
    MS100 = "MS100"
    MS500 = "MS500"
    MS1000 = "MS1000"

    @property
    def seconds(self) -> float:
        """The time from one event to the next."""
        return int(self.value[2:]) / 1000


class DepthMode(StrEnum):
    """Whether every event holds all levels, or what has changed."""

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
        """Return the top of `depth`."""
        cut = truncate(depth, levels.per_side)
        return cls(depth.market, depth.epoch, depth.sequence, cut.bids, cut.asks, depth.venue_time, sent_at)


@dataclass(frozen=True, slots=True)
class DepthDelta:
    """What leads from the top of the book at `previous_sequence` to that at `sequence`; zero removes a level."""

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
        """Return the change of the top `levels`; both are of one epoch."""
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
    """Trades since the batch before; `dropped` counts those that a slow reader missed."""

    trades: tuple[Trade, ...]
    dropped: int = 0
