"""Backtests that users have asked for, and what they came to."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.model.definitions import StrategyDefinition
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.reports import EquityPoint, PerformanceMetrics, RoundTrip
from domain.model.trading import ParameterValue


@dataclass(frozen=True, slots=True)
class Backtest:
    """A request to run a definition on the candles that open from `period_start` to before `period_end`.

    The definition and the values of all its parameters are those of the request, whatever becomes of the strategy.
    Fees are in percent, the equity in quote.
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


@dataclass(frozen=True, slots=True)
class BacktestOutcome:
    """What a backtest came to; `hash` is the same for the same input, `notes` are sentences for its user.

    The metrics count all round trips, of which the first ones are kept.
    """

    metrics: PerformanceMetrics
    equity_curve: tuple[EquityPoint, ...]
    round_trips: tuple[RoundTrip, ...]
    hash: str
    notes: tuple[str, ...] = ()
