"""Backtests that users have asked for, and what they came to."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.model.definitions import StrategyDefinition
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.reports import EquityPoint, PerformanceMetrics, RoundTrip
from domain.model.trading import NO_LIMITS, ParameterValue, RiskLimits


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How a backtest runs, beside its markets and costs; trials of an optimization have the same settings.

    Of several markets at most `max_open_positions` have a position at once; None: all may. `detail_timeframe` is a
    shorter one whose candles say what happened inside of a candle. `risk_limits` are those of an account, in quote.
    """

    max_open_positions: int | None = None
    detail_timeframe: Timeframe | None = None
    risk_limits: RiskLimits = NO_LIMITS
    checks: bool = False


DEFAULT_SETTINGS = RunSettings()


@dataclass(frozen=True, slots=True)
class Backtest:
    """A request to run a definition on the candles that open from `period_start` to before `period_end`.

    The definition and the values of all its parameters are those of the request, whatever becomes of the strategy.
    Fees are in percent, the equity in quote, which all markets have in common.
    """

    id: UUID
    user_id: UUID
    job_id: UUID
    created_at: datetime
    strategy_version_id: UUID | None
    definition: StrategyDefinition
    parameters: tuple[ParameterValue, ...]
    market: MarketSymbol
    timeframe: Timeframe
    period_start: datetime
    period_end: datetime
    initial_equity: Decimal
    taker_fee_percent: Decimal
    maker_fee_percent: Decimal
    slippage_bps: Decimal
    latency_milliseconds: int
    other_markets: tuple[MarketSymbol, ...] = ()
    settings: RunSettings = DEFAULT_SETTINGS

    @property
    def markets(self) -> tuple[MarketSymbol, ...]:
        """All markets that it trades, in the order of the request."""
        return (self.market, *self.other_markets)


@dataclass(frozen=True, slots=True)
class LookAheadCheck:
    """The runs over candles that end early: how many, and the ends of those whose trades until then differ."""

    runs: int
    different: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class WarmUpCheck:
    """How far a function's value after its warm-up alone is off that over all candles before it.

    `deviation` is the greatest one found, as a fraction of the value, or absolute where that is zero; None if there was
    a value over the one and none over the other. `samples` is at how many bars it was computed: none if there are too
    few candles.
    """

    function: str
    candles: int
    samples: int
    deviation: float | None


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The values, in percent, that 5, 50 and 95 of 100 runs are below."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True)
class MonteCarlo:
    """What `runs` runs with the random `seed` have found; all in percent.

    `drawdown` is the greatest drawdown of trips in a random order, `actual_drawdown` that of their own, and
    `deeper_percent` how many orders have a deeper one. `profit` is that of as many trips drawn with replacement, and
    `loss_percent` how many of those draws end with a loss.
    """

    runs: int
    seed: int
    trips: int
    actual_drawdown: float
    drawdown: Quantiles
    deeper_percent: float
    profit: Quantiles
    loss_percent: float


@dataclass(frozen=True, slots=True)
class BacktestChecks:
    """What the bias checks of a backtest have found; `monte_carlo` is None if there are too few round trips."""

    look_ahead: LookAheadCheck
    warm_up: tuple[WarmUpCheck, ...]
    monte_carlo: MonteCarlo | None


@dataclass(frozen=True, slots=True)
class RoundTripSlice:
    """Round trips of a backtest in the order of opening: those from the number `first` on, and how many there are."""

    trips: tuple[RoundTrip, ...] = ()
    first: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True)
class BacktestOutcome:
    """What a backtest came to; `hash` is the same for the same input, `notes` are sentences for its user.

    The metrics count all round trips, of which the first ones are kept. `checks` are None if none were asked for.
    """

    metrics: PerformanceMetrics
    equity_curve: tuple[EquityPoint, ...]
    round_trips: tuple[RoundTrip, ...]
    hash: str
    notes: tuple[str, ...] = ()
    checks: BacktestChecks | None = None
