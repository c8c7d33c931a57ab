"""Optimizations of a strategy's parameters: what is searched for, the parts of a period, and the trials."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from domain.model.backtests import DEFAULT_SETTINGS, RunSettings
from domain.model.definitions import StrategyDefinition
from domain.model.markets import Market, Timeframe
from domain.model.reports import PerformanceMetrics
from domain.model.trading import ParameterValue


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
class Optimization:
    """A search for a strategy's best parameters, by backtests on candles from `period_start` to before `period_end`.

    There are at most `trials`, of all `folds` together. `parameters` are those with a value of their own, which aren't
    searched. The markets are as they were at the request, so that all workers compute with the same ones. Fees are in
    percent, the equity in quote.
    """

    id: UUID
    user_id: UUID
    job_id: UUID
    created_at: datetime
    strategy_version_id: UUID | None
    definition: StrategyDefinition
    parameters: tuple[ParameterValue, ...]
    market: Market
    timeframe: Timeframe
    period_start: datetime
    period_end: datetime
    initial_equity: Decimal
    taker_fee_percent: Decimal
    maker_fee_percent: Decimal
    slippage_bps: Decimal
    latency_milliseconds: int
    objective: OptimizationObjective
    trials: int
    folds: int
    seed: int
    other_markets: tuple[Market, ...] = ()
    settings: RunSettings = DEFAULT_SETTINGS

    @property
    def markets(self) -> tuple[Market, ...]:
        """All markets that each trial trades, in the order of the request."""
        return (self.market, *self.other_markets)


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


@dataclass(frozen=True, slots=True)
class FoldTrials:
    """What the trials of a fold have come to together.

    `best` is the one with the highest score, the earliest of equal ones; None without any. `ended` is how many have a
    result, and `sharpe_variance` the variance of the daily Sharpe ratios of those that have one.
    """

    best: Trial | None = None
    ended: int = 0
    sharpe_variance: float = 0.0


@dataclass(frozen=True, slots=True)
class TrialPage:
    """Selects at most `limit` trials, of one fold or of all, between two numbers that are not included.

    They are in the order of their numbers, or `by_score`, the highest first and those without one last. `backwards`
    asks for the last ones of them, in the same order.
    """

    limit: int
    fold: int | None = None
    by_score: bool = False
    after: int | None = None
    before: int | None = None
    backwards: bool = False
