"""Ladders: the rules of `domain.rules.ladder`, in the bars that reach them."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.backtest.bars import Bars
from domain.backtest.engine import run_backtest
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.model.definitions import EntryAdd, ExitDistance, ExitTarget, OrderStyle, Sizing
from domain.model.orders import OrderRole, OrderType
from domain.rules.costs import TradingCosts
from tests.support.backtests import a_plan, bars_at, signalled

D = Decimal
ENTER, EXIT, ADD = 1, 2, 3
QUIET = (100, 100, 100, 100)


def percent(value: str) -> ExitDistance:
    return ExitDistance(percent=D(value))


def ladder(*adds: EntryAdd, **changes: object) -> BacktestPlan:
    return a_plan(signalled(sizing=Sizing(quote_amount=D(300)), adds=adds, **changes))


def fills(plan: BacktestPlan, bars: Bars) -> list[tuple[int, OrderRole, Decimal, Decimal]]:
    return [(fill.bar, fill.role, fill.price, fill.quantity) for fill in run_backtest(plan, bars).fills]


def the_trip(plan: BacktestPlan, bars: Bars) -> BacktestResult:
    result = run_backtest(plan, bars)
    assert len(result.round_trips) == 1
    return result


def test_an_example_computed_by_hand() -> None:
    """300 USDT in three equal parts, each 2 % below the one before, and out at 1 % above their average.

    It buys 1.000 BTC at 100, 1.020 at 98 (100 / 98 = 1.0204), 1.041 at 96.04 (100 / 96.04 = 1.0412). They cost 100 +
    99.96 + 99.97764 = 299.93764 for 3.061, on average 97.986814766...; 1 % above that is 98.966683, so the take-profit
    is at 98.96. Bar 4 reaches it: 3.061 * 98.96 = 302.91656, a profit of 2.97892.
    """
    plan = ladder(EntryAdd(below=percent("2"), count=2), take_profit=percent("1"))
    bars = bars_at((*QUIET, ENTER), QUIET, (99, 99, 97, 97), (97, 97, 96, 96), (96, 99, 96, 99))
    assert fills(plan, bars) == [
        (1, OrderRole.ENTRY, D(100), D(1)),
        (2, OrderRole.ENTRY, D(98), D("1.02")),
        (3, OrderRole.ENTRY, D("96.04"), D("1.041")),
        (4, OrderRole.TAKE_PROFIT, D("98.96"), D("3.061")),
    ]
    result = the_trip(plan, bars)
    (trip,) = result.round_trips
    assert result.metrics.net_profit == D("302.91656") - D("299.93764")
    assert abs(trip.profit - result.metrics.net_profit) < D("1e-15")  # an average price has 18 decimals
    assert trip.quantity == D("3.061")
    assert float(trip.entry_price) == pytest.approx(299.93764 / 3.061)


def test_a_fall_through_several_levels_makes_all_of_them_and_then_the_stop() -> None:
    """Each is surely passed on the way down; the stop is measured from the average of all."""
    plan = ladder(EntryAdd(below=percent("2"), count=2), stop_loss=percent("5"))
    bought = fills(plan, bars_at((*QUIET, ENTER), QUIET, (100, 100, 90, 91)))
    assert [(bar, role, price) for bar, role, price, _ in bought] == [
        (1, OrderRole.ENTRY, D(100)),
        (2, OrderRole.ENTRY, D(98)),
        (2, OrderRole.ENTRY, D("96.04")),
        (2, OrderRole.STOP_LOSS, D("93.09")),
    ]


def test_a_level_below_the_stop_is_never_reached() -> None:
    plan = ladder(EntryAdd(below=percent("3")), stop_loss=percent("2"))
    assert [fill[1] for fill in fills(plan, bars_at((*QUIET, ENTER), QUIET, (100, 100, 90, 91)))] == [
        OrderRole.ENTRY,
        OrderRole.STOP_LOSS,
    ]


def test_after_an_entry_on_the_way_down_the_high_of_the_bar_does_not_count() -> None:
    plan = ladder(EntryAdd(below=percent("2")), take_profit=percent("3"))
    bought = fills(plan, bars_at((*QUIET, ENTER), QUIET, (100, 110, 97, 98)))
    assert [fill[1] for fill in bought] == [OrderRole.ENTRY, OrderRole.ENTRY]


def test_a_rise_enters_further_and_the_stop_follows_the_average() -> None:
    plan = ladder(EntryAdd(above=percent("2"), count=2), stop_loss=percent("1"))
    bars = bars_at((*QUIET, ENTER), QUIET, (100, 103, 100, 103), (103, 103, 99, 99))
    bought = fills(plan, bars)
    assert [(bar, role, price) for bar, role, price, _ in bought] == [
        (1, OrderRole.ENTRY, D(100)),
        (2, OrderRole.ENTRY, D(102)),
        (3, OrderRole.STOP_LOSS, D("99.98")),
    ]


def test_a_gap_enters_at_the_open_once_and_measures_the_next_level_from_there() -> None:
    plan = ladder(EntryAdd(below=percent("2"), count=2))
    bought = fills(plan, bars_at((*QUIET, ENTER), QUIET, (95, 95, 94, 94), (94, 94, 93, 93)))
    assert [(bar, price) for bar, _, price, _ in bought] == [(1, D(100)), (2, D(95)), (3, D("93.10"))]


def test_a_rule_enters_further_at_the_next_open() -> None:
    plan = ladder(EntryAdd(rule="volume == 3", count=2))
    bought = fills(plan, bars_at((*QUIET, ENTER), (*QUIET, ADD), (101, 101, 101, 101), QUIET, (*QUIET, ADD), QUIET))
    assert [(bar, price) for bar, _, price, _ in bought] == [(1, D(100)), (2, D(101)), (5, D(100))]


def test_a_rule_holds_only_as_far_from_the_last_entry_as_its_add_asks() -> None:
    plan = ladder(EntryAdd(below=percent("1"), rule="volume == 3"))
    bars = bars_at((*QUIET, ENTER), (*QUIET, ADD), (99.5, 99.5, 99.5, 99.5, ADD), (99, 99, 99, 99, ADD), QUIET)
    assert [(bar, price) for bar, _, price, _ in fills(plan, bars)] == [(1, D(100)), (4, D(100))]


def test_another_entry_signal_enters_further_if_the_ladder_asks_for_it() -> None:
    signals = bars_at((*QUIET, ENTER), (*QUIET, ENTER), QUIET, (*QUIET, ENTER), QUIET)
    assert [fill[0] for fill in fills(ladder(EntryAdd(on_entry_signal=True)), signals)] == [1, 2]
    assert [fill[0] for fill in fills(ladder(), signals)] == [1]


def test_a_rule_of_an_add_sees_the_position() -> None:
    plan = ladder(EntryAdd(rule="position.profit_percent < -1"))
    bars = bars_at((*QUIET, ENTER), QUIET, (99.5, 99.5, 99.5, 99.5), (98, 98, 98, 98), (97, 97, 97, 97), QUIET)
    assert [(bar, price) for bar, _, price, _ in fills(plan, bars)] == [(1, D(100)), (4, D(97))]


def test_an_exit_wins_over_a_further_entry_on_the_same_candle() -> None:
    plan = ladder(EntryAdd(rule="volume >= 2"))
    assert [fill[1] for fill in fills(plan, bars_at((*QUIET, ENTER), (*QUIET, EXIT), QUIET, QUIET))] == [
        OrderRole.ENTRY,
        OrderRole.EXIT,
    ]


def test_the_shares_of_a_ladder_follow_its_size_factors() -> None:
    plan = ladder(EntryAdd(below=percent("1"), size_factor=D(2)))
    bars = bars_at((*QUIET, ENTER), QUIET, (100, 100, 98, 98))
    assert [quantity for *_, quantity in fills(plan, bars)] == [D(1), D("2.02")]


def test_targets_that_were_reached_stay_so_when_the_position_grows() -> None:
    halves = (ExitTarget(percent("1"), D(50)), ExitTarget(percent("4"), D(50)))
    plan = ladder(EntryAdd(below=percent("2")), targets=halves)
    bars = bars_at((*QUIET, ENTER), QUIET, (100, 101, 100, 100), (100, 100, 97, 98), (100, 101, 100, 101), QUIET)
    assert [(bar, role) for bar, role, _, _ in fills(plan, bars)] == [
        (1, OrderRole.ENTRY),
        (2, OrderRole.TAKE_PROFIT),
        (3, OrderRole.ENTRY),
    ]


def test_a_limit_order_of_a_further_entry_rests_below_its_level() -> None:
    style = OrderStyle(OrderType.LIMIT, offset_bps=D(100))
    plan = ladder(EntryAdd(below=percent("2")), order=style)
    # The entry rests at 99; the add is due at 97.02 and rests 1 % below that, at 96.04.
    in_one = bars_at((*QUIET, ENTER), (100, 100, 98, 98), (98, 98, 96, 96))
    assert [(bar, price) for bar, _, price, _ in fills(plan, in_one)] == [(1, D(99)), (2, D("96.04"))]
    later = bars_at((*QUIET, ENTER), (100, 100, 98, 98), (98, 98, 97, 97), (97, 97, 95, 95))
    assert [(bar, price) for bar, _, price, _ in fills(plan, later)] == [(1, D(99)), (3, D("96.04"))]
    gap = bars_at((*QUIET, ENTER), (100, 100, 98, 98), (98, 98, 97, 97), (95, 95, 95, 95))
    assert [(bar, price) for bar, _, price, _ in fills(plan, gap)] == [(1, D(99)), (3, D("96.04"))]


def test_an_exit_cancels_the_resting_order_of_a_further_entry() -> None:
    style = OrderStyle(OrderType.LIMIT, offset_bps=D(100))
    plan = ladder(EntryAdd(rule="volume == 3"), order=style)
    bars = bars_at((*QUIET, ENTER), (100, 100, 98, 98, ADD), (98, 98, 98, 98, EXIT), (98, 98, 90, 90), (90, 90, 90, 90))
    assert [(bar, role) for bar, role, _, _ in fills(plan, bars)] == [(1, OrderRole.ENTRY), (3, OrderRole.EXIT)]


def test_after_a_rejected_further_entry_the_next_level_counts_again() -> None:
    style = OrderStyle(OrderType.LIMIT, post_only=True)
    plan = replace(ladder(EntryAdd(below=percent("2"), count=2), order=style), latency_milliseconds=60_000)
    # Entered at 100; both adds are due at 98. The first one's limit is above the open at which it arrives.
    bars = bars_at(
        (*QUIET, ENTER),
        QUIET,
        (100, 100, 99, 99),
        (99, 99, 97, 97),
        (96, 96, 96, 96),
        (97, 97, 97, 97),
        (96, 96, 90, 90),
    )
    result = run_backtest(plan, bars)
    assert [(fill.bar, fill.price) for fill in result.fills] == [(2, D(100)), (6, D(96))]
    assert result.metrics.orders_rejected == 1


def test_a_further_entry_takes_its_latency_too() -> None:
    plan = replace(ladder(EntryAdd(below=percent("2"))), latency_milliseconds=60_000)
    bars = bars_at((*QUIET, ENTER), QUIET, QUIET, (100, 100, 97, 97), (96, 96, 96, 96), QUIET)
    assert [(bar, price) for bar, _, price, _ in fills(plan, bars)] == [(2, D(100)), (4, D(96))]


def test_levels_by_the_average_true_range_follow_it() -> None:
    plan = ladder(EntryAdd(below=ExitDistance(atr_multiple=D(2))))
    quiet = [(100, 101, 99, 100)] * (plan.compiled.warm_up + 1)
    bars = bars_at(*quiet, (100, 101, 99, 100, ENTER), (100, 101, 99, 100), (100, 101, 95, 95))
    assert [price for _, _, price, _ in fills(plan, bars)] == [D(100), D(96)]


def test_what_cannot_be_bought_further_is_counted() -> None:
    plan = replace(ladder(EntryAdd(below=percent("2"))), initial_equity=D(200))
    result = run_backtest(plan, bars_at((*QUIET, ENTER), QUIET, (100, 100, 97, 97)))
    assert len(result.fills) == 1
    assert result.metrics.orders_denied == 1


def test_slippage_that_puts_the_next_level_above_the_price_leads_to_an_entry_at_the_price() -> None:
    """The first entry slips from 100 to 105, 2 % below which the price already is: no candle has seen 102.9."""
    plan = replace(ladder(EntryAdd(below=percent("2"))), costs=TradingCosts(slippage_bps=D(500)))
    filled = run_backtest(plan, bars_at((*QUIET, ENTER), QUIET, QUIET)).fills
    assert [(fill.bar, fill.arrival_price, fill.price) for fill in filled] == [(1, D(100), D(105))] * 2
