"""The input of a backtest: a strategy made ready to run, its market, and what trading costs."""

from dataclasses import dataclass
from decimal import Decimal

from domain.model.definitions import StrategyDefinition
from domain.model.markets import Market, Timeframe
from domain.model.trading import NO_LIMITS, RiskLimits
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import CompiledStrategy


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """What a backtest runs, apart from the candles.

    `latency_milliseconds` is the time from a decision until its order is at the venue. `initial_equity` is in the
    market's quote currency. Of several markets at most `max_open_positions` have a position at once; None: all may.
    Entries must keep the `risk_limits`, which are in quote.
    """

    definition: StrategyDefinition
    compiled: CompiledStrategy
    market: Market
    timeframe: Timeframe
    costs: TradingCosts
    initial_equity: Decimal
    latency_milliseconds: int = 0
    max_open_positions: int | None = None
    risk_limits: RiskLimits = NO_LIMITS

    @property
    def latency_bars(self) -> int:
        """How many whole bars an order takes to the venue: candles tell nothing of shorter times."""
        return self.latency_milliseconds // (self.timeframe.seconds * 1000)
