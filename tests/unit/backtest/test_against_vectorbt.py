"""The same strategies on the same candles by vectorbt, an engine that others have written."""

from collections.abc import Callable

import numpy as np
import pytest

from domain.backtest.bars import Bars
from tests.support.backtests import bars_at, bars_of
from tests.support.candles import random_candles
from tests.support.peer_differences import Difference, differences
from tests.support.peer_engines import by_vectorbt
from tests.support.peer_trades import (
    EMA_CROSS,
    RSI_REVERSAL,
    Protection,
    Signals,
    Trade,
    ema_cross,
    marked,
    our_trades,
    paying_from_fills,
    plan_of,
    rsi_reversal,
)
from tests.support.recorded_data import ROOT, recorded_days, recorded_minutes

ENTER, EXIT = 1, 2
QUIET = (100, 100, 100, 100)
STRATEGIES = [pytest.param(EMA_CROSS, ema_cross, id="EMA cross"), pytest.param(RSI_REVERSAL, rsi_reversal, id="RSI")]
PROTECTIONS = [
    pytest.param(lambda stop, _target: Protection(stop), id="stop"),
    pytest.param(Protection, id="stop and target"),
    pytest.param(lambda stop, _target: Protection(trail=stop), id="trailing stop"),
]
FIXED = {Difference.ENTRY_BAR, Difference.EXIT_FIRST, Difference.TARGET_FIRST}
TRAILING = FIXED | {Difference.HIGH_OF_ENTRY, Difference.OPEN_MOVES, Difference.CLOSE_REACHES}


def compare(bars: Bars, rules: tuple[str, str], signals: Callable, protection: Protection) -> None:
    """Hold the trades of a strategy against each other: most are the same, and a known rule is why others aren't."""
    plan = plan_of(bars, protection, rules)
    ours = our_trades(plan, bars)
    theirs = by_vectorbt(bars, signals(bars.candles, plan.compiled.warm_up), protection)
    assert len(ours) > 5
    assert differences(ours, theirs, bars, protection) <= (FIXED if protection.trail is None else TRAILING)
    same = sum(any(trade.is_same(other) for other in theirs) for trade in ours)
    assert same >= len(ours) * 0.65


@pytest.mark.parametrize(("rules", "signals"), STRATEGIES)
@pytest.mark.parametrize("protection", PROTECTIONS)
@pytest.mark.parametrize("gap", [0.0, 0.5])
def test_the_same_trades_on_a_synthetic_series(
    rules: tuple[str, str], signals: Callable, protection: Callable, gap: float
) -> None:
    bars = bars_of(random_candles(3_000, 2, volatility=0.004, tick=0.01, gap=gap))
    compare(bars, rules, signals, protection("2", "3"))


@pytest.mark.parametrize(("rules", "signals"), STRATEGIES)
@pytest.mark.parametrize("protection", PROTECTIONS)
def test_the_same_trades_on_recorded_minutes(rules: tuple[str, str], signals: Callable, protection: Callable) -> None:
    compare(recorded_minutes(), rules, signals, protection("0.5", "0.7"))


@pytest.mark.parametrize(("rules", "signals"), STRATEGIES)
@pytest.mark.parametrize("protection", PROTECTIONS)
def test_the_same_trades_on_recorded_days(rules: tuple[str, str], signals: Callable, protection: Callable) -> None:
    compare(recorded_days(), rules, signals, protection("8", "12"))


def test_each_difference_is_explained_by_its_name() -> None:
    explained = (ROOT / "docs" / "backtesting.md").read_text()
    assert [difference for difference in Difference if f"| {difference} |" not in explained] == []


# -- each rule that differs, on candles that are made for it ----------------------------------------------------------


def both(
    bars: Bars, protection: Protection, **options: object
) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """Return the exits of both engines."""
    theirs = by_vectorbt(bars, marked(bars), protection, **options)
    return exits(our_trades(plan_of(bars, protection), bars)), exits(theirs)


def exits(trades: list[Trade]) -> list[tuple[int, float]]:
    return [(trade.exit_bar, round(trade.exit_price, 4)) for trade in trades]


def test_it_looks_at_no_stop_in_the_bar_of_the_entry() -> None:
    bars = bars_at((*QUIET, ENTER), (100, 103, 97, 102), (102, 102, 102, 102, EXIT), QUIET)
    assert both(bars, Protection("2")) == ([(1, 98)], [(3, 100)])


def test_it_looks_at_no_target_in_the_bar_of_the_entry() -> None:
    bars = bars_at((*QUIET, ENTER), (100, 103, 100, 100), (*QUIET, EXIT), QUIET)
    assert both(bars, Protection(target="2")) == ([(1, 102)], [(3, 100)])


def test_a_stop_that_comes_later_wins_over_its_exit_at_the_open() -> None:
    bars = bars_at((*QUIET, ENTER), (*QUIET, EXIT), (101, 101, 97, 97))
    assert both(bars, Protection("2")) == ([(2, 101)], [(2, 98)])


def test_a_target_that_comes_later_wins_over_its_exit_at_the_open() -> None:
    bars = bars_at((*QUIET, ENTER), (*QUIET, EXIT), (101, 103, 101, 101))
    assert both(bars, Protection(target="2")) == ([(2, 101)], [(2, 102)])


def test_it_takes_the_stop_where_the_open_is_beyond_the_target() -> None:
    bars = bars_at((*QUIET, ENTER), QUIET, (103, 103, 97, 97))
    assert both(bars, Protection("2", "2")) == ([(2, 103)], [(2, 98)])


def test_a_stop_before_a_target_and_a_gap_beyond_the_stop_are_the_same() -> None:
    assert both(bars_at((*QUIET, ENTER), QUIET, (100, 103, 97, 102)), Protection("2", "2")) == ([(2, 98)], [(2, 98)])
    assert both(bars_at((*QUIET, ENTER), QUIET, (95, 96, 94, 95)), Protection("2")) == ([(2, 95)], [(2, 95)])


def test_its_trailing_stop_leaves_the_high_of_the_bar_of_the_entry_out() -> None:
    bars = bars_at((*QUIET, ENTER), (100, 110, 100, 109), (109, 109, 106, 106), (106, 106, 106, 106))
    assert both(bars, Protection(trail="2")) == ([(2, 107.8)], [(3, 106)])


def test_its_trailing_stop_is_moved_after_the_bar_whose_open_moves_it() -> None:
    bars = bars_at((*QUIET, ENTER), QUIET, (110, 110, 107, 109), (109, 109, 108, 109))
    assert both(bars, Protection(trail="2")) == ([(2, 107.8)], [])


def test_its_trailing_stop_is_reached_after_the_bar_whose_close_reaches_it() -> None:
    bars = bars_at((*QUIET, ENTER), QUIET, (100, 110, 99, 105), (104, 104, 104, 104))
    assert both(bars, Protection(trail="2")) == ([(2, 107.8)], [(3, 104)])


def test_by_default_it_fills_at_the_close_of_the_signal() -> None:
    bars = bars_at((*QUIET, ENTER), (104, 104, 104, 104), (104, 104, 104, 104, EXIT), (90, 90, 90, 90))
    signals = marked(bars)
    theirs = by_vectorbt(bars, signals, Protection(), entries=signals.enter, exits=signals.exit, price=np.inf)
    ours = our_trades(plan_of(bars, Protection()), bars)
    assert [(trade.entry_bar, trade.entry_price) for trade in ours + theirs] == [(1, 104), (0, 100)]
    assert exits(ours) + exits(theirs) == [(3, 90), (2, 104)]


def test_by_default_its_stop_is_measured_from_the_close_of_the_bar_of_the_entry() -> None:
    bars = bars_at((*QUIET, ENTER), (100, 100, 99, 99), (99, 99, 97.5, 98))
    assert both(bars, Protection("2"), stop_entry_price="Close") == ([(2, 98)], [])


def test_by_default_it_acts_on_no_candle_with_an_entry_and_an_exit() -> None:
    bars = bars_at((*QUIET, ENTER), (*QUIET, EXIT), (101, 101, 101, 101))
    always = Signals(np.ones(3, np.bool_), marked(bars).exit)
    ours = our_trades(plan_of(bars, Protection(), ("volume >= 0", "volume == 2")), bars)
    assert exits(ours) == [(2, 101)]
    assert exits(by_vectorbt(bars, always, Protection(), upon_long_conflict="ignore")) == []


def test_its_fees_are_paid_from_cash() -> None:
    bars = bars_at((*QUIET, ENTER), (*QUIET, EXIT), (110, 110, 110, 110))
    plan = plan_of(bars, Protection())
    assert [trade.profit for trade in our_trades(paying_from_fills(plan), bars)] == [9.78011]
    assert [round(trade.profit, 9) for trade in by_vectorbt(bars, marked(bars), Protection())] == [9.79]
    assert [trade.profit for trade in our_trades(plan, bars)] == [9.79]
