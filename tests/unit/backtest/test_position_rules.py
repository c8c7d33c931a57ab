from decimal import Decimal

import pytest

from domain.backtest.bars import Bars
from domain.backtest.engine import run_backtest
from domain.backtest.holding import Holding
from domain.core.clock import from_milliseconds
from domain.model.markets import Candle, MarketSymbol
from domain.model.orders import OrderRole
from domain.rules.position_facts import position_facts
from domain.strategies.expressions import PositionFacts
from tests.support.backtests import a_plan, bars_at, bars_of, signalled
from tests.support.candles import random_candles

D = Decimal
ENTER = 1
QUIET = (100, 100, 100, 100)


def exits(rule: str, *prices: tuple[float, ...], **plan: int) -> list[tuple[int, OrderRole]]:
    bars = bars_at((*QUIET, ENTER), *prices)
    result = run_backtest(a_plan(signalled(exit_long=rule), **plan), bars)  # type: ignore[arg-type]
    return [(fill.bar, fill.role) for fill in result.fills[1:]]


def test_an_exit_rule_counts_the_bars_of_the_position() -> None:
    assert exits("position.bars >= 2", *[QUIET] * 6) == [(4, OrderRole.EXIT)]
    assert exits("position.bars >= 0", *[QUIET] * 6) == [(2, OrderRole.EXIT)]


def test_an_exit_rule_sees_the_profit_and_the_entry_price() -> None:
    rise = [QUIET, (101, 101, 101, 101), (103, 103, 103, 103), (104, 104, 104, 104)]
    assert exits("position.profit_percent > 2", *rise) == [(4, OrderRole.EXIT)]
    assert exits("close > position.entry_price + 2 or volume == 2", *rise) == [(4, OrderRole.EXIT)]


def test_the_exit_of_a_rule_takes_its_latency_to_the_venue() -> None:
    assert exits("position.bars >= 1", *[QUIET] * 7, latency_milliseconds=60_000) == [(5, OrderRole.EXIT)]


def test_a_rule_that_names_the_position_enters_nothing() -> None:
    plan = a_plan(signalled(enter_long="position.bars >= 0 or volume == 1"))
    assert not run_backtest(plan, bars_at((*QUIET, ENTER), QUIET)).fills


def test_a_stop_comes_before_the_exit_rule_of_the_same_bar() -> None:
    definition = signalled(exit_long="position.bars >= 1", stop_loss=None)
    assert [fill.bar for fill in run_backtest(a_plan(definition), bars_at((*QUIET, ENTER), *[QUIET] * 4)).fills] == [
        1,
        3,
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rules_see_what_live_trading_computes_of_the_position(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[int, PositionFacts] = {}
    facts_at = Holding._facts  # what the rules are asked with

    def facts(holding: Holding, bar: int) -> PositionFacts:
        seen[bar] = facts_at(holding, bar)
        return seen[bar]

    monkeypatch.setattr(Holding, "_facts", facts)
    bars = bars_of(random_candles(60, seed, tick=0.01))
    plan = a_plan(signalled(enter_long="close > shift(close, 1)", exit_long="position.bars >= 3"))
    trips = run_backtest(plan, bars).round_trips
    assert len(trips) > 3
    for trip in trips:
        first = bars.index_of(trip.opened_at)
        for bar in range(first, first + 3):
            expected = position_facts(trip.opened_at, trip.entry_price, D(1), candle_at(bars, bar))
            assert seen[bar].bars == expected.bars
            assert seen[bar].entry_price == expected.entry_price
            assert seen[bar].profit_percent == pytest.approx(expected.profit_percent, abs=1e-12)


def candle_at(bars: Bars, bar: int) -> Candle:
    prices = (D(str(round(float(bars.candles.series(name)[bar]), 2))) for name in ("open", "high", "low", "close"))
    opened = from_milliseconds(int(bars.opened[bar]))
    return Candle(MarketSymbol("sandbox", "BTC/USDT"), bars.timeframe, opened, *prices, volume=D(0), closed=True)
