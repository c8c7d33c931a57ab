"""The same strategies on the same candles by backtesting.py, an engine that others have written."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.backtest.bars import Bars
from domain.model.definitions import OrderStyle, Sizing
from domain.model.orders import OrderType
from tests.support.backtests import bars_at, bars_of
from tests.support.candles import random_candles
from tests.support.peer_differences import Difference, differences
from tests.support.peer_engines import backtesting_py, by_backtesting_py, run_strategy
from tests.support.peer_trades import (
    EMA_CROSS,
    RSI_REVERSAL,
    Protection,
    Trade,
    ema_cross,
    marked,
    our_trades,
    paying_from_fills,
    plan_of,
    rsi_reversal,
)
from tests.support.recorded_data import recorded_days, recorded_minutes

D = Decimal
ENTER, EXIT = 1, 2
QUIET = (100, 100, 100, 100)
STRATEGIES = [pytest.param(EMA_CROSS, ema_cross, id="EMA cross"), pytest.param(RSI_REVERSAL, rsi_reversal, id="RSI")]


def both(bars: Bars, protection: Protection) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """Return the exits of both engines on candles that are made for a test."""
    return exits(our_trades(plan_of(bars, protection), bars)), exits(by_backtesting_py(bars, marked(bars), protection))


def exits(trades: list[Trade]) -> list[tuple[int, float]]:
    return [(trade.exit_bar, round(trade.exit_price, 4)) for trade in trades]


def compare(bars: Bars, rules: tuple[str, str], signals: Callable, protection: Protection) -> set[Difference]:
    """Return by which rules the trades of a strategy differ."""
    plan = plan_of(bars, protection, rules)
    ours = our_trades(plan, bars)
    theirs = by_backtesting_py(bars, signals(bars.candles, plan.compiled.warm_up), protection)
    assert len(ours) > 5
    assert len({trade.role for trade in ours}) > 1
    return differences(ours, theirs, bars, protection)


@pytest.mark.parametrize(("rules", "signals"), STRATEGIES)
@pytest.mark.parametrize(("target", "gap"), [(None, 0.0), ("3", 0.5)])
def test_the_same_trades_on_a_synthetic_series(
    rules: tuple[str, str], signals: Callable, target: str | None, gap: float
) -> None:
    bars = bars_of(random_candles(3_000, 1, volatility=0.004, tick=0.01, gap=gap))
    assert not compare(bars, rules, signals, Protection("2", target))


@pytest.mark.parametrize(("rules", "signals"), STRATEGIES)
@pytest.mark.parametrize("target", [None, "0.7"])
def test_the_same_trades_on_recorded_minutes(rules: tuple[str, str], signals: Callable, target: str | None) -> None:
    assert not compare(recorded_minutes(), rules, signals, Protection("0.5", target))


@pytest.mark.parametrize(("rules", "signals"), STRATEGIES)
@pytest.mark.parametrize("target", [None, "12"])
def test_the_same_trades_on_recorded_days(rules: tuple[str, str], signals: Callable, target: str | None) -> None:
    assert not compare(recorded_days(), rules, signals, Protection("8", target))


@pytest.mark.parametrize(("rules", "signals"), STRATEGIES)
def test_trailing_stops_on_recorded_minutes_are_the_same(rules: tuple[str, str], signals: Callable) -> None:
    assert not compare(recorded_minutes(), rules, signals, Protection(trail="0.6"))


@pytest.mark.parametrize(("rules", "signals"), STRATEGIES)
def test_trailing_stops_on_recorded_days_differ_by_what_a_bar_itself_moves(
    rules: tuple[str, str], signals: Callable
) -> None:
    found = compare(recorded_days(), rules, signals, Protection(trail="9"))
    assert Difference.CLOSE_REACHES in found
    assert found <= {Difference.CLOSE_REACHES, Difference.OPEN_MOVES}


# -- each rule that differs, on candles that are made for it: the first bar is one that its strategies don't see -------


def test_it_counts_a_stop_in_the_bar_of_the_entry_too() -> None:
    ours, theirs = both(bars_at(QUIET, (*QUIET, ENTER), (100, 103, 97, 102), QUIET), Protection("2"))
    assert ours == theirs == [(2, 98)]


def test_it_carries_out_an_exit_at_an_open_before_a_stop_too() -> None:
    ours, theirs = both(bars_at(QUIET, (*QUIET, ENTER), (*QUIET, EXIT), (101, 101, 97, 97)), Protection("2"))
    assert ours == theirs == [(3, 101)]


def test_it_takes_the_stop_where_the_open_is_beyond_the_target() -> None:
    bars = bars_at(QUIET, (*QUIET, ENTER), QUIET, (103, 103, 97, 97))
    assert both(bars, Protection("2", "2")) == ([(3, 103)], [(3, 98)])


def test_its_trailing_stop_is_moved_after_the_bar_whose_open_moves_it() -> None:
    bars = bars_at(QUIET, (*QUIET, ENTER), QUIET, (110, 110, 107, 109), (109, 109, 108, 109))
    assert both(bars, Protection(trail="2")) == ([(3, 107.8)], [])


def test_its_trailing_stop_is_reached_after_the_bar_whose_close_reaches_it() -> None:
    bars = bars_at(QUIET, (*QUIET, ENTER), QUIET, (100, 110, 99, 105), (104, 104, 104, 104))
    assert both(bars, Protection(trail="2")) == ([(3, 107.8)], [(4, 104)])


class TestStrategiesOfItsOwn:
    """What a strategy of backtesting.py does by itself, which the tests above tell it to do as we do."""

    @staticmethod
    def exits(bars: Bars, options: dict[str, object] | None = None, **order: float) -> list[Trade]:
        """Return the trades of a strategy that gives one order at the first close, and exits at a volume of 2."""

        class Strategy(backtesting_py().Strategy):  # type: ignore[misc]  # the library has no types
            def init(self) -> None:
                self.is_ordered = False

            def next(self) -> None:
                if self.position and self.data.Volume[-1] == EXIT:
                    self.position.close()
                elif not self.is_ordered:
                    self.is_ordered = True
                    self.buy(**({"size": 1} | order))

        return run_strategy(bars, Strategy, **(options or {}))

    def test_its_stop_is_measured_from_the_close_of_the_signal(self) -> None:
        bars = bars_at(QUIET, (*QUIET, ENTER), (101, 101, 98.5, 99), (99, 99, 99, 99, EXIT), QUIET)
        assert exits(our_trades(plan_of(bars, Protection("2")), bars)) == [(2, 98.98)]
        assert exits(self.exits(bars, sl=100 * 0.98)) == [(4, 100)]

    def test_its_limit_is_filled_by_a_touch(self) -> None:
        bars = bars_at(QUIET, (*QUIET, ENTER), (100, 101, 100, 101), (101, 101, 101, 101, EXIT), (101, 101, 101, 101))
        plan = plan_of(bars, Protection(), order=OrderStyle(OrderType.LIMIT))
        assert our_trades(plan, bars) == []
        assert exits(self.exits(bars, limit=100)) == [(4, 101)]

    def test_its_limit_is_filled_at_an_open_below_it(self) -> None:
        bars = bars_at(QUIET, (*QUIET, ENTER), (101, 102, 101, 102), (98, 99, 98, 99, EXIT), (99, 99, 99, 99))
        plan = plan_of(bars, Protection(), order=OrderStyle(OrderType.LIMIT, offset_bps=D(100)))
        assert [trade.entry_price for trade in our_trades(plan, bars)] == [99.99]
        assert [trade.entry_price for trade in self.exits(bars, limit=99.99)] == [98]

    def test_its_share_of_the_equity_is_of_whole_units_at_the_fill(self) -> None:
        bars = bars_at(QUIET, (*QUIET, ENTER), (110, 110, 110, 110, EXIT), (110, 110, 110, 110))
        plan = paying_from_fills(plan_of(bars, Protection(), sizing=Sizing(equity_percent=D(50))))
        plan = replace(plan, market=replace(plan.market, maximum_quantity=None))
        assert [trade.quantity for trade in our_trades(plan, bars)] == [45454.545]
        assert [trade.quantity for trade in self.exits(bars, size=0.5)] == [45409]

    def test_its_fees_are_paid_from_cash(self) -> None:
        bars = bars_at(QUIET, (*QUIET, ENTER), (*QUIET, EXIT), (110, 110, 110, 110))
        plan = plan_of(bars, Protection())
        assert [trade.profit for trade in our_trades(paying_from_fills(plan), bars)] == [9.78011]
        assert [round(trade.profit, 9) for trade in self.exits(bars)] == [9.79]
        assert [trade.profit for trade in our_trades(plan, bars)] == [9.79]

    def test_it_can_close_what_is_open_at_the_end(self) -> None:
        bars = bars_at(QUIET, (*QUIET, ENTER), QUIET, (102, 102, 102, 102))
        assert our_trades(plan_of(bars, Protection()), bars) == []
        assert self.exits(bars) == []
        assert exits(self.exits(bars, {"finalize_trades": True})) == [(3, 102)]
