"""Results of walk-forward analyses, complete and valid."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domain.model.markets import MarketSymbol, Timeframe
from domain.model.optimizations import ReturnMoments
from domain.model.recommendations import JudgedPart, TrendResult, WalkForward, WalkForwardAnalysis
from domain.model.reports import PerformanceMetrics
from domain.model.trading import ParameterValue

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)


def moments(sharpe: float, **changes: Any) -> ReturnMoments:
    """Return the moments of 500 returns that are nearly normal."""
    return ReturnMoments(**{"days": 500, "sharpe": sharpe, "skewness": 0.1, "kurtosis": 4.0, **changes})


def a_trend_result(sharpe: float | None, **changes: Any) -> TrendResult:
    """Return a result of 400 candles in seven stretches; without a Sharpe ratio, of no trade."""
    growth = 0.0 if sharpe is None else sharpe * 100
    values = {"candles": 400, "stretches": 7, "growth_percent": growth}
    return TrendResult(moments=None if sharpe is None else moments(sharpe), **(values | changes))


def a_result(up: float | None, down: float | None, sideways: float | None, profit: int | None = None) -> WalkForward:
    """Return a result with these Sharpe ratios a candle; the profit is 100 if one is above 0, unless it is given."""
    trends = [up, down, sideways]
    if profit is None:
        profit = 100 if sum(sharpe or 0 for sharpe in trends) > 0 else -100 if any(trends) else 0
    percent = profit / 100
    return WalkForward(
        metrics=PerformanceMetrics(
            currency="USDT",
            start_equity=Decimal(10_000),
            end_equity=Decimal(10_000 + profit),
            net_profit=Decimal(profit),
            max_drawdown=Decimal(5),
            round_trips=0 if trends == [None] * 3 else 9,
            wins=5,
            losses=4,
            longest_win_streak=2,
            longest_loss_streak=2,
            turnover=Decimal(9_000),
            fees=Decimal(9),
            orders_denied=0,
            orders_rejected=0,
            net_profit_percent=percent,
            market_change_percent=-3.25,
        ),
        parts=tuple(JudgedPart(AT, AT, (), growth) for growth in (percent, -0.1, 0.2, 0.0, percent)),
        up=a_trend_result(up),
        down=a_trend_result(down),
        sideways=a_trend_result(sideways),
        parameters=(ParameterValue("fast", Decimal(12)),),
    )


def an_analysis(result: WalkForward | None, key: bytes = b"one", **changes: Any) -> WalkForwardAnalysis:
    """Return an analysis of an hour's candles in the sandbox."""
    values: dict[str, Any] = {
        "market": MarketSymbol("sandbox", "BTC/USDT"),
        "timeframe": Timeframe.H1,
        "definition_hash": key,
        "computed_at": AT,
        "result": result,
        "message": None if result is not None else "It can't be run.",
    }
    return WalkForwardAnalysis(**(values | changes))
