"""How well a strategy did lately on a market, part by part and in each kind of trend."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.model.markets import MarketSymbol, Timeframe
from domain.model.optimizations import ReturnMoments
from domain.model.reports import PerformanceMetrics
from domain.model.trading import ParameterValue

ANALYSIS_VERSION: Final = 1
"""Counts the ways in which analyses were computed; those of an older one are computed again."""


@dataclass(frozen=True, slots=True)
class TrendResult:
    """What a strategy earned while the trend had one direction: in so many candles and separate stretches of them.

    `growth_percent` is compounded over these stretches. `moments` are those of its returns a candle, in which the
    candles of this direction count most; None if it never earned or lost anything.
    """

    candles: int
    stretches: int
    growth_percent: float
    moments: ReturnMoments | None


@dataclass(frozen=True, slots=True)
class JudgedPart:
    """The out-of-sample part of a walk-forward fold: what it earned with the parameters that the part before chose."""

    start: datetime
    end: datetime
    parameters: tuple[ParameterValue, ...]
    growth_percent: float


@dataclass(frozen=True, slots=True)
class WalkForward:
    """A strategy's walk-forward result: its out-of-sample parts one after the other, with the equity carried on.

    `parameters` are the values that the newest candles choose, with which to start it now.
    """

    metrics: PerformanceMetrics
    parts: tuple[JudgedPart, ...]
    up: TrendResult
    down: TrendResult
    sideways: TrendResult
    parameters: tuple[ParameterValue, ...]

    @property
    def candles(self) -> int:
        """How many candles all parts have."""
        return self.up.candles + self.down.candles + self.sideways.candles


@dataclass(frozen=True, slots=True)
class WalkForwardAnalysis:
    """What was found about a definition on a market; without a `result`, `message` says why there is none."""

    market: MarketSymbol
    timeframe: Timeframe
    definition_hash: bytes
    computed_at: datetime
    result: WalkForward | None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class RecommendationRun:
    """A job that evaluates what a user can be recommended on a market."""

    id: UUID
    user_id: UUID
    job_id: UUID
    market: MarketSymbol
    timeframe: Timeframe
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AssumedCosts:
    """What an analysis assumes about trading, apart from the market's own fees."""

    initial_equity: Decimal = Decimal(10_000)
    slippage_bps: Decimal = Decimal(2)
