"""Optimizations of a strategy's parameters: what is searched for, the parts of a period, and the trials."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from domain.core.money import ZERO
from domain.model.definitions import StrategyDefinition
from domain.model.markets import Market, Timeframe
from domain.model.reports import PerformanceMetrics


class OptimizationObjective(StrEnum):
    """Which metric a search makes as large as it can."""

    NET_PROFIT = "NET_PROFIT"
    SHARPE = "SHARPE"
    SORTINO = "SORTINO"
    CALMAR = "CALMAR"
    PROFIT_FACTOR = "PROFIT_FACTOR"


@dataclass(frozen=True, slots=True)
class Fold:
    """A part of the past to fit parameters on, from `start` to before `split`, and the part that judges them.

    The out-of-sample part follows at once: from `split` to before `end`. `number` counts from 0, the oldest.
    """

    number: int
    start: datetime
    split: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class ReturnMoments:
    """The moments of daily returns: how many there are, mean over deviation (not annualised), skewness and kurtosis.

    The kurtosis is not the excess: that of a normal distribution is 3.
    """

    days: int
    sharpe: float
    skewness: float
    kurtosis: float


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The result of a trial: the metrics of both parts of its fold, and the objective's value in the first.

    The metrics are None if the backtest couldn't be run, which `message` then explains. `score` is None if the
    objective has no value: without a round trip, or in too short a period. `moments` are those of the in-sample
    part; None if it has too few days, or the equity never changed.
    """

    in_sample: PerformanceMetrics | None = None
    out_of_sample: PerformanceMetrics | None = None
    score: float | None = None
    moments: ReturnMoments | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class OptimizationSetup:
    """The backtest whose parameters are searched, on the candles that open from `start` to before `end`.

    The `market` is as it was when the search was asked for, so that all workers compute with the same one. Fees are
    fractions of a fill. `parameters` are those with a value of their own, which aren't searched.
    """

    definition: StrategyDefinition
    market: Market
    timeframe: Timeframe
    start: datetime
    end: datetime
    initial_equity: Decimal
    taker_fee: Decimal
    maker_fee: Decimal
    slippage_bps: Decimal = ZERO
    latency_milliseconds: int = 0
    parameters: Mapping[str, Decimal] = field(default_factory=dict)
    strategy_version_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Optimization:
    """A search for a strategy's best parameters: at most `trials` of them, on all `folds` together."""

    id: UUID
    user_id: UUID
    job_id: UUID
    created_at: datetime
    setup: OptimizationSetup
    objective: OptimizationObjective
    trials: int
    folds: int = 1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ClaimedTrial:
    """A trial that a worker has claimed; `attempts` counts the claims so far, but for those that were given back."""

    trial: "Trial"
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of parameters, tried on one fold. `number` counts all trials from 0; no `result` while it runs."""

    number: int
    fold: int
    parameters: Mapping[str, Decimal]
    result: TrialResult | None = None
