"""A strategy with parameters to search, and a random walk of two months of hours to search on."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np

from domain.backtest.bars import Bars
from domain.indicators.candle_arrays import CandleArrays
from domain.model.definitions import Sizing, StrategyDefinition, StrategyParameter
from domain.model.markets import Timeframe
from domain.model.optimizations import Optimization, OptimizationObjective
from tests.support.backtests import START, a_spot_market, bars_of

D = Decimal
DAYS = 60
DEFINITION = StrategyDefinition(
    Sizing(equity_percent=D(50)),
    (StrategyParameter("fast", D(5), D(2), D(10)), StrategyParameter("slow", D(20), D(11), D(40))),
    enter_long="crosses_above(sma(close, fast), sma(close, slow))",
    exit_long="crosses_below(sma(close, fast), sma(close, slow))",
)
OPTIMIZATION = Optimization(
    id=UUID(int=1),
    user_id=UUID(int=2),
    job_id=UUID(int=3),
    created_at=START,
    strategy_version_id=None,
    definition=DEFINITION,
    parameters=(),
    market=a_spot_market(),
    timeframe=Timeframe.H1,
    period_start=START + timedelta(days=5),
    period_end=START + timedelta(days=DAYS),
    initial_equity=D(10_000),
    taker_fee_percent=D("0.1"),
    maker_fee_percent=D("0.1"),
    slippage_bps=D(0),
    latency_milliseconds=0,
    objective=OptimizationObjective.SHARPE,
    trials=12,
    folds=1,
    seed=1,
)


def hourly_walk(seed: int = 1) -> Bars:
    """Return the candles of a random walk from `START` on."""
    count, random = DAYS * 24, np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.01, count))), 2)
    opened = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opened, close) + 0.05, np.minimum(opened, close) - 0.05
    return bars_of(CandleArrays(opened, high, low, close, np.ones(count), gapless=True), Timeframe.H1)
