"""Bars and plans for backtests."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from domain.backtest.bars import Bars
from domain.backtest.plan import BacktestPlan
from domain.indicators.candle_arrays import CandleArrays
from domain.model.definitions import Sizing, StrategyDefinition
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import compile_definition

START = datetime(2024, 3, 4, tzinfo=UTC)
D = Decimal


def a_spot_market(**changes: object) -> Market:
    """Return a market with a tick of 0.01, a lot of 0.001 and no other limit."""
    values: dict[str, object] = {
        "symbol": MarketSymbol("sandbox", "BTC/USDT"),
        "base": "BTC",
        "quote": "USDT",
        "active": True,
        "price_increment": D("0.01"),
        "quantity_increment": D("0.001"),
        "minimum_quantity": D("0.001"),
        "maximum_quantity": None,
        "minimum_notional": None,
        "maker_fee": None,
        "taker_fee": None,
    }
    return Market(**(values | changes))  # type: ignore[arg-type]


def bars_of(candles: CandleArrays, timeframe: Timeframe = Timeframe.M1, start: datetime = START) -> Bars:
    """Return bars without a gap from `start` on."""
    first = int(start.timestamp()) * 1000
    return Bars(timeframe, first + np.arange(len(candles), dtype=np.int64) * timeframe.seconds * 1000, candles)


def bars_at(*prices: Sequence[float]) -> Bars:
    """Return minute bars of (open, high, low, close); with a volume beside them, which rules in tests look at."""
    rows = np.array([[*row, 0.0][:5] for row in prices], dtype=np.float64)
    return bars_of(CandleArrays(*(np.ascontiguousarray(column) for column in rows.T)))


def a_plan(
    definition: StrategyDefinition | None = None,
    costs: TradingCosts | None = None,
    market: Market | None = None,
    equity: Decimal | int = 1_000,
    latency_milliseconds: int = 0,
    timeframe: Timeframe = Timeframe.M1,
) -> BacktestPlan:
    """Return a plan; without a definition that of `signalled`."""
    definition = definition or signalled()
    return BacktestPlan(
        definition,
        compile_definition(definition),
        market or a_spot_market(),
        timeframe,
        costs or TradingCosts(),
        D(equity),
        latency_milliseconds,
    )


def signalled(**changes: object) -> StrategyDefinition:
    """Return a definition that enters with 100 USDT at a volume of 1, and exits at a volume of 2."""
    values: dict[str, object] = {
        "sizing": Sizing(quote_amount=D(100)),
        "enter_long": "volume == 1",
        "exit_long": "volume == 2",
    }
    return StrategyDefinition(**(values | changes))  # type: ignore[arg-type]
