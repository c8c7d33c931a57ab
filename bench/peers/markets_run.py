"""Ten markets at once by this engine, with one budget: an EMA cross with a trailing stop and a ladder of entries."""

import sys
from dataclasses import replace
from decimal import Decimal

from bench.peers.engine_run import DEFINITION, a_market, a_plan, bars_of, outcome_of
from bench.peers.measuring import Outcome, measure, show
from bench.peers.series import MARKETS, random_walk
from domain.backtest.engine import run_markets
from domain.backtest.market_bars import MarketBars
from domain.model.definitions import EntryAdd, ExitDistance

LADDER = replace(
    DEFINITION,
    stop_loss=None,
    trailing_stop=ExitDistance(percent=Decimal(2)),
    adds=(EntryAdd(below=ExitDistance(percent=Decimal("0.3")), count=3),),
)


def main(candles: int, runs: int) -> None:
    """Measure it on so many candles in all."""
    each = candles // MARKETS
    markets = [a_market(f"COIN{number}") for number in range(MARKETS)]
    bars = [bars_of(random_walk(each, seed)) for seed in range(MARKETS)]
    plan = a_plan(LADDER, markets[0])
    start = int(bars[0].opened[0])

    def run() -> Outcome:
        given = [MarketBars(market, candles_of) for market, candles_of in zip(markets, bars, strict=True)]
        return replace(outcome_of(run_markets(plan, given, start)), spans=())

    show(measure(f"this engine, {MARKETS} markets", each * MARKETS, runs, run))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
