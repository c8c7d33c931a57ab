"""A backtest of several markets whose hash a process prints: `python -m tests.support.hashed_backtest`."""

from decimal import Decimal

from domain.backtest.engine import run_markets
from domain.backtest.market_bars import MarketBars
from domain.model.definitions import EntryAdd, ExitDistance, ExitTarget, NamedPart, Sizing, StrategyDefinition
from domain.model.markets import MarketSymbol
from domain.rules.costs import TradingCosts
from tests.support.backtests import a_plan, a_spot_market, bars_of
from tests.support.candles import random_candles


def backtest_hash() -> str:
    """Return the hash of a backtest that uses parts, rules of other timeframes, further entries and targets."""
    percent, names = ExitDistance(percent=Decimal("0.4")), ("BTC", "ETH", "SOL")
    definition = StrategyDefinition(
        Sizing(equity_percent=Decimal(40)),
        let=(NamedPart("fast", "ema(close, 3)"), NamedPart("slow", 'tf("5m").ema(close, 2)')),
        enter_long="crosses_above(fast, slow) or rsi(close, 3) < 25",
        exit_long="crosses_below(fast, slow) and position.bars > 3",
        stop_loss=percent,
        targets=(ExitTarget(percent, Decimal(50)),),
        adds=(EntryAdd(rule="rsi(close, 3) < 30", count=2), EntryAdd(below=percent)),
    )
    markets = [
        MarketBars(
            a_spot_market(symbol=MarketSymbol("sandbox", f"{name}/USDT"), base=name),
            bars_of(random_candles(600, seed, tick=0.01)),
        )
        for seed, name in enumerate(names)
    ]
    plan = a_plan(definition, TradingCosts(Decimal("0.001"), Decimal("0.001"), Decimal(2)))
    result = run_markets(plan, markets, int(markets[0].bars.opened[0]))
    assert len(result.fills) > len(names) * 10
    return result.hash


if __name__ == "__main__":
    print(backtest_hash())  # noqa: T201  # for the test that has started it
