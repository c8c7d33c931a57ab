"""The strategy by this engine. A run begins with the definition and the candles' arrays, and ends with all figures."""

import sys
from decimal import Decimal

from bench.peers.measuring import Outcome, measure, show
from bench.peers.series import CASH, FAST, FEE, LOT, SLOW, STAKE, START, STOP, TICK, Series, load
from domain.backtest.bars import Bars
from domain.backtest.engine import run_backtest
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.indicators.candle_arrays import CandleArrays
from domain.model.definitions import ExitDistance, Sizing, StrategyDefinition
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.rules.costs import FeeCurrency, TradingCosts
from domain.strategies.compiled import compile_definition

DEFINITION = StrategyDefinition(
    Sizing(quote_amount=Decimal(STAKE)),
    enter_long=f"crosses_above(ema(close, {FAST}), ema(close, {SLOW}))",
    exit_long=f"crosses_below(ema(close, {FAST}), ema(close, {SLOW}))",
    stop_loss=ExitDistance(percent=Decimal(str(STOP)) * 100),
)


def a_market(base: str = "BTC") -> Market:
    """Return a market against USDT with the grid of the series."""
    return Market(
        symbol=MarketSymbol("sandbox", f"{base}/USDT"),
        base=base,
        quote="USDT",
        active=True,
        price_increment=Decimal(str(TICK)),
        quantity_increment=Decimal(f"{LOT:f}"),
        minimum_quantity=Decimal(f"{LOT:f}"),
        maximum_quantity=Decimal(9_000),
        minimum_notional=Decimal(5),
        maker_fee=Decimal(str(FEE)),
        taker_fee=Decimal(str(FEE)),
    )


def bars_of(series: Series) -> Bars:
    """Return the candles of a series."""
    candles = CandleArrays(series.open, series.high, series.low, series.close, series.volume, gapless=True)
    return Bars(Timeframe.M1, series.opened, candles)


def a_plan(definition: StrategyDefinition, market: Market) -> BacktestPlan:
    """Return the plan of a definition, whose fees are taken in quote as the other engines take them."""
    fee = Decimal(str(FEE))
    costs = TradingCosts(fee, fee, fee_currency=FeeCurrency.QUOTE)
    return BacktestPlan(definition, compile_definition(definition), market, Timeframe.M1, costs, Decimal(CASH))


def main(path: str, runs: int) -> None:
    """Measure it on the candles of a file."""
    series, market = load(path), a_market()

    def run() -> Outcome:
        return outcome_of(run_backtest(a_plan(DEFINITION, market), bars_of(series), START))

    show(measure("this engine", len(series.opened), runs, run))


def outcome_of(result: BacktestResult) -> Outcome:
    """Return what a backtest has found; the bars of its trades are those of one market, each with two fills."""
    rows = result.markets[0].rows
    spans = [(entry.bar, exit_.bar) for entry, exit_ in zip(rows[::2], rows[1::2], strict=False)]
    closed = sum(trip.closed_at is not None for trip in result.round_trips)
    return Outcome(float(result.metrics.end_equity), closed, spans)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
