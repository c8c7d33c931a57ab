from datetime import timedelta
from decimal import Decimal

import pytest

from domain.backtest.bars import Bars
from domain.backtest.engine import NoBars, UnsupportedDefinition, run_backtest
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.model.definitions import EntryAdd, ExitDistance, ExitTarget, OrderStyle, Sizing
from domain.model.orders import OrderRole, OrderType, TimeInForce
from domain.rules.costs import FeeCurrency, TradingCosts
from domain.trading.exit_plan import plan_exit
from tests.support.backtests import START, a_plan, a_spot_market, bars_at, signalled

D = Decimal
ENTER, EXIT = 1, 2
QUIET = (100, 100, 100, 100)


def run(plan: BacktestPlan, bars: Bars) -> BacktestResult:
    return run_backtest(plan, bars)


def fills(result: BacktestResult) -> list[tuple[int, OrderRole, Decimal]]:
    return [(fill.bar, fill.role, fill.price) for fill in result.fills]


def percent(value: str) -> ExitDistance:
    return ExitDistance(percent=D(value))


def limit(**changes: object) -> OrderStyle:
    return OrderStyle(OrderType.LIMIT, **changes)  # type: ignore[arg-type]


def test_an_example_computed_by_hand() -> None:
    """1,000 USDT; 0.1 % fees of what a fill brings; 10 basis points of slippage; half the equity an entry.

    Bar 1 opens at 100: it buys at 100.10 for 500: 4.995 BTC (lot 0.001; 500 / 100.10 = 4.99500...), costs 499.9995, the
    fee is 0.004995 BTC, 4.990005 BTC are left. Bar 3 opens at 110: it sells 4.990 at 109.89 for 548.3511, fee
    0.5483511. Cash: 1000 - 499.9995 + 548.3511 - 0.5483511 = 1047.8032489; 0.000005 BTC stay as dust.
    """
    bars = bars_at((99, 99, 99, 99, ENTER), (100, 106, 99, 105), (105, 109, 104, 109, EXIT), (110, 111, 107, 108))
    costs = TradingCosts(taker_fee=D("0.001"), maker_fee=D("0.001"), slippage_bps=D(10))
    result = run(a_plan(signalled(sizing=Sizing(equity_percent=D(50))), costs), bars)
    (trip,) = result.round_trips
    assert fills(result) == [(1, OrderRole.ENTRY, D("100.10")), (3, OrderRole.EXIT, D("109.89"))]
    assert (trip.quantity, trip.entry_price, trip.exit_price) == (D("4.995"), D("100.10"), D("109.89"))
    assert trip.fees == D("0.004995") * D("100.10") + D("0.5483511")
    assert trip.profit == D("9.79") * D("4.990") - trip.fees
    assert (trip.opened_at, trip.closed_at) == (START + timedelta(minutes=1), START + timedelta(minutes=3))
    assert trip.exit_reason is OrderRole.EXIT
    assert trip.max_adverse_excursion == pytest.approx((100.10 - 99) / 100.10 * 100)
    assert trip.max_favorable_excursion == pytest.approx((110 - 100.10) / 100.10 * 100)
    figures = result.metrics
    assert figures.end_equity == D("1047.8032489") + D("0.000005") * 108
    assert figures.net_profit == figures.end_equity - 1_000
    assert figures.turnover == D("499.9995") + D("548.3511")
    assert figures.slippage == D("0.10") * D("4.995") + D("0.11") * D("4.990")
    assert figures.market_change_percent == pytest.approx((108 - 99) / 99 * 100)


def test_a_signal_is_acted_on_at_the_open_of_the_next_bar() -> None:
    result = run(a_plan(), bars_at((99, 120, 80, 90, ENTER), (100, 100, 100, 100), (101, 101, 101, 101)))
    assert fills(result) == [(1, OrderRole.ENTRY, D(100))]
    assert result.round_trips[0].closed_at is None
    assert result.metrics.end_equity == D(1_001)


def test_a_signal_on_the_last_bar_leads_to_nothing() -> None:
    assert not run(a_plan(), bars_at(QUIET, (*QUIET, ENTER))).fills


def test_an_exit_wins_over_an_entry_on_the_same_candle() -> None:
    plan = a_plan(signalled(enter_long="volume > 0", exit_long="volume == 2"))
    result = run(plan, bars_at((*QUIET, EXIT), QUIET, (*QUIET, ENTER), (*QUIET, EXIT), QUIET, QUIET))
    assert [bar for bar, _, _ in fills(result)] == [3, 4]


def test_the_stop_counts_in_the_bar_of_the_entry() -> None:
    result = run(a_plan(signalled(stop_loss=percent("2"))), bars_at((*QUIET, ENTER), (100, 103, 97, 102)))
    assert fills(result) == [(1, OrderRole.ENTRY, D(100)), (1, OrderRole.STOP_LOSS, D(98))]


def test_a_bar_that_reaches_both_stop_and_target_ends_at_the_stop() -> None:
    definition = signalled(stop_loss=percent("2"), take_profit=percent("2"))
    result = run(a_plan(definition), bars_at((*QUIET, ENTER), QUIET, (100, 103, 97, 102)))
    assert fills(result)[1] == (2, OrderRole.STOP_LOSS, D(98))


def test_what_the_open_has_reached_comes_before_the_rest_of_the_bar() -> None:
    definition = signalled(stop_loss=percent("2"), take_profit=percent("2"))
    result = run(a_plan(definition), bars_at((*QUIET, ENTER), QUIET, (103, 103, 97, 97)))
    assert fills(result)[1] == (2, OrderRole.TAKE_PROFIT, D(103))


def test_an_exit_at_the_open_comes_before_a_stop_that_the_bar_reaches_later() -> None:
    definition = signalled(stop_loss=percent("2"))
    result = run(a_plan(definition), bars_at((*QUIET, ENTER), (*QUIET, EXIT), (101, 101, 97, 97)))
    assert fills(result)[1] == (2, OrderRole.EXIT, D(101))


def test_a_gap_beyond_the_stop_fills_at_the_open() -> None:
    definition = signalled(stop_loss=percent("2"))
    result = run(a_plan(definition), bars_at((*QUIET, ENTER), QUIET, (95, 96, 94, 95)))
    assert fills(result)[1] == (2, OrderRole.STOP_LOSS, D(95))


def test_a_target_within_a_bar_fills_at_its_price() -> None:
    definition = signalled(take_profit=percent("2"))
    result = run(a_plan(definition), bars_at((*QUIET, ENTER), QUIET, (100, 105, 100, 104)))
    assert fills(result)[1] == (2, OrderRole.TAKE_PROFIT, D(102))


def test_stops_and_targets_slip_like_every_market_order() -> None:
    definition = signalled(stop_loss=percent("2"))
    result = run(
        a_plan(definition, TradingCosts(slippage_bps=D(100))), bars_at((*QUIET, ENTER), QUIET, (100, 100, 90, 91))
    )
    # It buys at 101; the stop is at 98.98, and 1 % of that worse is 97.9902.
    assert fills(result) == [(1, OrderRole.ENTRY, D(101)), (2, OrderRole.STOP_LOSS, D("97.99"))]


def test_a_trailing_stop_follows_the_highest_price_of_earlier_bars() -> None:
    definition = signalled(trailing_stop=percent("2"))
    bars = bars_at((*QUIET, ENTER), QUIET, (100, 110, 100, 110), (110, 120, 109, 119), (119, 119, 117, 118), QUIET)
    assert fills(run(a_plan(definition), bars))[1] == (4, OrderRole.TRAILING_STOP, D("117.60"))


def test_a_trailing_stop_that_a_bar_has_moved_is_reached_by_its_close_alone() -> None:
    definition = signalled(trailing_stop=percent("2"))
    inside = bars_at((*QUIET, ENTER), QUIET, (100, 110, 99, 109), (109, 109, 109, 109))
    assert len(run(a_plan(definition), inside).fills) == 1
    below = bars_at((*QUIET, ENTER), QUIET, (100, 110, 99, 105), (105, 105, 105, 105))
    assert fills(run(a_plan(definition), below))[1] == (2, OrderRole.TRAILING_STOP, D("107.80"))


def test_a_trailing_stop_that_the_bar_of_the_entry_has_moved_is_filled_at_its_price() -> None:
    """The price has passed it on its way from the high to the close, whatever the open was."""
    bars = bars_at((*QUIET, ENTER), (100, 110, 99, 105), (105, 105, 105, 105))
    result = run(a_plan(signalled(trailing_stop=percent("2"))), bars)
    assert fills(result)[1] == (1, OrderRole.TRAILING_STOP, D("107.80"))


def test_partial_targets_sell_their_shares_each_at_its_price() -> None:
    halves = (ExitTarget(percent("1"), D(50)), ExitTarget(percent("2"), D(30)), ExitTarget(percent("5"), D(20)))
    bars = bars_at((*QUIET, ENTER), QUIET, (100, 103, 100, 103), (103, 103, 103, 103), (106, 107, 100, 100))
    result = run(a_plan(signalled(targets=halves)), bars)
    assert [(fill.bar, fill.price, fill.quantity) for fill in result.fills[1:]] == [
        (2, D(101), D("0.5")),
        (2, D(102), D("0.3")),
        (4, D(106), D("0.2")),
    ]
    (trip,) = result.round_trips
    assert trip.profit == D("0.5") + D("0.6") + D("1.2")
    assert trip.exit_price == D("102.3")


def test_a_target_whose_part_is_too_little_for_an_order_sells_nothing_and_is_counted() -> None:
    targets = (ExitTarget(percent("1"), D(5)), ExitTarget(percent("2"), D(50)))
    bars = bars_at((*QUIET, ENTER), QUIET, (100, 103, 100, 103), (103, 103, 103, 103))
    result = run(a_plan(signalled(targets=targets), market=a_spot_market(minimum_notional=D(10))), bars)
    assert [fill.price for fill in result.fills[1:]] == [D(102)]
    assert result.message == (
        "Targets that were reached with a part too little for an order, so that nothing was sold: 1."
    )


def test_what_a_backtest_cannot_run_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedDefinition, match=r"ETH/USDT.*there are no candles"):
        run(a_plan(signalled(enter_long='market("ETH/USDT").close > 1')), bars_at(QUIET))


def test_rules_see_longer_candles_once_they_have_closed() -> None:
    rising = [(price, price, price, price) for price in range(100, 110)]
    result = run(a_plan(signalled(enter_long='tf("5m").close == 104')), bars_at(*rising))
    assert fills(result) == [(5, OrderRole.ENTRY, D(105))]


def test_the_longest_holding_time_ends_at_an_open() -> None:
    result = run(
        a_plan(signalled(max_holding_bars=2)), bars_at((*QUIET, ENTER), QUIET, QUIET, (101, 102, 90, 99), QUIET)
    )
    assert fills(result)[1] == (3, OrderRole.EXIT, D(101))


@pytest.mark.parametrize("opened", [90, 110])
def test_the_longest_holding_time_comes_before_what_the_open_reaches(opened: float) -> None:
    """It is decided at the close before, as an exit signal is, and as in a trading session: by the clock."""
    definition = signalled(max_holding_bars=2, stop_loss=percent("2"), take_profit=percent("2"))
    result = run(a_plan(definition), bars_at((*QUIET, ENTER), QUIET, QUIET, (opened,) * 4, QUIET))
    assert fills(result)[1] == (3, OrderRole.EXIT, D(opened))


def test_a_candle_that_is_missing_ends_nothing_early() -> None:
    bars = bars_at((*QUIET, ENTER), QUIET, QUIET, QUIET)
    late = Bars(bars.timeframe, bars.opened.copy(), bars.candles)
    late.opened[2:] += 3_600_000
    assert fills(run(a_plan(signalled(max_holding_bars=5)), late))[1] == (2, OrderRole.EXIT, D(100))


def test_after_a_stop_the_close_of_the_same_bar_can_enter_again() -> None:
    definition = signalled(stop_loss=percent("2"))
    result = run(a_plan(definition), bars_at((*QUIET, ENTER), QUIET, (100, 100, 97, 99, ENTER), (99, 99, 99, 99)))
    assert [bar for bar, _, _ in fills(result)] == [1, 2, 3]


def test_an_order_takes_its_latency_in_whole_bars_to_the_venue() -> None:
    bars = bars_at((*QUIET, ENTER), QUIET, (101, 101, 101, 101, EXIT), (102, 102, 102, 102), (103, 103, 103, 103))
    assert fills(run(a_plan(latency_milliseconds=60_000), bars)) == [
        (2, OrderRole.ENTRY, D(101)),
        (4, OrderRole.EXIT, D(103)),
    ]
    assert [bar for bar, _, _ in fills(run(a_plan(latency_milliseconds=59_999), bars))] == [1, 3]


def test_a_stop_order_with_latency_fills_at_the_open_at_which_it_arrives() -> None:
    definition = signalled(stop_loss=percent("2"))
    bars = bars_at((*QUIET, ENTER), QUIET, QUIET, (100, 100, 97, 97), (96, 96, 96, 96), QUIET)
    assert fills(run(a_plan(definition, latency_milliseconds=60_000), bars))[1] == (4, OrderRole.STOP_LOSS, D(96))
    assert len(run(a_plan(definition, latency_milliseconds=180_000), bars).fills) == 1


def test_a_limit_entry_is_filled_once_the_price_goes_below_it() -> None:
    definition = signalled(order=limit(offset_bps=D(100)))
    touched = bars_at((*QUIET, ENTER), (100, 100, 99, 99.5), (99.5, 99.5, 98.99, 99))
    costs = TradingCosts(taker_fee=D("0.002"), maker_fee=D("0.001"), fee_currency=FeeCurrency.QUOTE)
    result = run(a_plan(definition, costs), touched)
    assert fills(result) == [(2, OrderRole.ENTRY, D(99))]
    assert result.fills[0].fee_quote == D("1.010") * 99 * D("0.001")
    assert result.round_trips[0].opened_at == START + timedelta(minutes=3)


def test_after_a_fill_within_a_bar_its_low_counts_and_its_high_does_not() -> None:
    style = limit(offset_bps=D(100))
    target = signalled(order=style, take_profit=percent("2"))
    high_first = bars_at((*QUIET, ENTER), (100, 120, 98, 99), (99, 99, 99, 99))
    assert len(run(a_plan(target), high_first).fills) == 1
    stop = signalled(order=style, stop_loss=percent("2"))
    assert fills(run(a_plan(stop), bars_at((*QUIET, ENTER), (100, 120, 97, 99))))[1] == (
        1,
        OrderRole.STOP_LOSS,
        D("97.02"),
    )


def test_a_gap_below_a_resting_limit_fills_at_the_limit_and_the_bar_counts_whole() -> None:
    definition = signalled(order=limit(offset_bps=D(100)), stop_loss=percent("2"))
    bars = bars_at((*QUIET, ENTER), QUIET, (95, 96, 94, 96), QUIET)
    assert fills(run(a_plan(definition), bars)) == [(2, OrderRole.ENTRY, D(99)), (2, OrderRole.STOP_LOSS, D(95))]


def test_a_limit_entry_that_gives_up_makes_room_for_the_next_signal() -> None:
    definition = signalled(order=limit(offset_bps=D(100), give_up_after_seconds=60))
    bars = bars_at((*QUIET, ENTER), (*QUIET, ENTER), (100, 100, 98, 98), (98, 98, 98, 98))
    assert fills(run(a_plan(definition), bars)) == [(2, OrderRole.ENTRY, D(99))]


@pytest.mark.parametrize("open_", [98, 100])
@pytest.mark.parametrize(("seconds", "is_filled"), [(60, False), (120, False), (121, True)])
def test_a_limit_entry_that_gives_up_on_its_way_is_never_filled(open_: int, seconds: int, is_filled: bool) -> None:
    """Decided at the open of bar 1, the order is at the venue at that of bar 3."""
    style = limit(offset_bps=D(100), give_up_after_seconds=seconds)
    bars = bars_at((*QUIET, ENTER), QUIET, QUIET, (open_, open_, 97, 98), (98, 98, 98, 98))
    result = run(a_plan(signalled(order=style), latency_milliseconds=120_000), bars)
    assert [fill.bar for fill in result.fills] == ([3] if is_filled else [])


def test_an_exit_signal_cancels_a_resting_entry() -> None:
    bars = bars_at((*QUIET, ENTER), (*QUIET, EXIT), (100, 100, 98, 98), (98, 98, 98, 98))
    assert not run(a_plan(signalled(order=limit(offset_bps=D(100)))), bars).fills


def test_a_limit_entry_for_now_or_never_rests_nowhere() -> None:
    definition = signalled(order=limit(time_in_force=TimeInForce.IOC))
    assert not run(a_plan(definition), bars_at((*QUIET, ENTER), (100, 100, 90, 90), (90, 90, 90, 90))).fills


def test_a_post_only_entry_that_would_take_is_rejected() -> None:
    bars = bars_at((*QUIET, ENTER), QUIET, (98, 98, 98, 98), (98, 98, 98, 98))
    taken = run(a_plan(signalled(order=limit()), latency_milliseconds=60_000), bars)
    assert fills(taken) == [(2, OrderRole.ENTRY, D(98))]
    posted = run(a_plan(signalled(order=limit(post_only=True)), latency_milliseconds=60_000), bars)
    assert not posted.fills
    assert posted.metrics.orders_rejected == 1


@pytest.mark.parametrize("name", ["stop_loss", "trailing_stop"])
@pytest.mark.parametrize(("distance", "entries"), [("99.99", 1), ("100", 0), ("250", 0)])
def test_an_entry_whose_stop_would_never_be_reached_is_refused(name: str, distance: str, entries: int) -> None:
    other = {"stop_loss", "trailing_stop"} - {name}
    near = dict.fromkeys(other, ExitDistance(percent=D(2)))
    definition = signalled(**near, **{name: ExitDistance(absolute=D(distance))})
    result = run(a_plan(definition), bars_at((*QUIET, ENTER), QUIET, QUIET))
    assert len([fill for fill in result.fills if fill.role is OrderRole.ENTRY]) == entries
    assert entries or (result.message is not None and "the stop would never be reached" in result.message)


def test_a_further_entry_at_a_price_that_leaves_the_position_without_its_stop_is_refused() -> None:
    adds = (EntryAdd(below=ExitDistance(percent=D(5)), count=2),)
    definition = signalled(stop_loss=ExitDistance(absolute=D("94.5")), adds=adds, exit_long=None)
    bars = bars_at((*QUIET, ENTER), QUIET, (100, 100, 95, 95), (95, 95, 90, 90), (90, 90, 90, 90))
    result = run(a_plan(definition), bars)
    assert [fill.price for fill in result.fills if fill.role is OrderRole.ENTRY] == [D(100), D(95)]


def test_risk_checks_deny_what_live_trading_denies_and_say_why() -> None:
    bars = bars_at((*QUIET, ENTER), (*QUIET, ENTER), QUIET)
    result = run(a_plan(equity=99), bars)
    assert not result.fills
    assert result.metrics.orders_denied == 2
    assert result.message is not None
    assert "2 entry signals led to no order" in result.message
    assert "The order needs 100 USDT" in result.message


def test_a_market_that_is_no_longer_traded_was_when_its_candles_were_made() -> None:
    bars = bars_at((*QUIET, ENTER), QUIET, (*QUIET, EXIT), QUIET)
    halted, traded = (run(a_plan(market=a_spot_market(active=active)), bars) for active in (False, True))
    assert len(halted.fills) == 2
    assert (halted.fills, halted.hash, halted.message) == (traded.fills, traded.hash, None)


def test_an_entry_below_the_lot_is_no_order() -> None:
    result = run(a_plan(market=a_spot_market(quantity_increment=D(10))), bars_at((*QUIET, ENTER), QUIET))
    assert result.metrics.orders_denied == 0
    assert result.message is not None
    assert "below the lot" in result.message


def test_a_market_order_that_has_become_too_dear_is_rejected() -> None:
    plan = a_plan(equity=100, latency_milliseconds=60_000)
    result = run(plan, bars_at((*QUIET, ENTER), QUIET, (101, 101, 101, 101), QUIET))
    assert not result.fills
    assert result.metrics.orders_rejected == 1


def test_a_position_that_has_become_too_small_to_sell_closes_as_dust() -> None:
    plan = a_plan(signalled(stop_loss=percent("2")), market=a_spot_market(minimum_notional=D(98)))
    result = run(plan, bars_at((*QUIET, ENTER), QUIET, (97, 97, 97, 97), (97, 97, 97, 97)))
    (trip,) = result.round_trips
    assert len(result.fills) == 1
    assert (trip.exit_price, trip.closed_at) == (None, START + timedelta(minutes=2))
    assert result.metrics.end_equity == D(997)


def test_exits_measured_in_the_average_true_range_use_that_of_the_signal() -> None:
    definition = signalled(stop_loss=ExitDistance(atr_multiple=D(2)))
    plan = a_plan(definition)
    quiet = [(100, 101, 99, 100)] * (plan.compiled.warm_up + 1)
    result = run(plan, bars_at(*quiet, (100, 101, 99, 100, ENTER), (100, 130, 100, 130), (130, 130, 90, 90)))
    assert fills(result)[1][1:] == (OrderRole.STOP_LOSS, D(96))


def test_bars_before_the_start_only_warm_up() -> None:
    bars = bars_at((*QUIET, ENTER), (*QUIET, ENTER), QUIET, (*QUIET, ENTER), QUIET)
    result = run_backtest(a_plan(), bars, start=2)
    assert [bar for bar, _, _ in fills(result)] == [4]
    assert result.equity_curve[0].at == START + timedelta(minutes=2)


def test_nothing_to_run_on_is_an_error() -> None:
    with pytest.raises(NoBars):
        run_backtest(a_plan(), bars_at(QUIET), start=1)


def test_progress_ends_the_run_when_it_raises() -> None:
    def stop(_share: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run_backtest(a_plan(), bars_at((*QUIET, ENTER), QUIET), on_progress=stop)


def test_a_limit_entry_must_leave_the_fee_that_is_taken_in_quote() -> None:
    costs = TradingCosts(maker_fee=D("0.001"), fee_currency=FeeCurrency.QUOTE)
    definition = signalled(sizing=Sizing(quote_amount=D(1_000)), order=OrderStyle(OrderType.LIMIT))
    bars = bars_at((*QUIET, ENTER), (100, 100, 99, 100), QUIET)
    result = run_backtest(a_plan(definition, costs, equity=1_000), bars)
    assert result.fills == ()
    assert result.message is not None
    assert "the order with its fee costs more than the free USDT" in result.message
    (fill,) = run_backtest(a_plan(definition, costs, equity=1_001), bars).fills
    assert fill.fee_quote == 1


def test_an_order_is_rejected_that_is_worth_too_little_when_it_arrives() -> None:
    market = a_spot_market(minimum_notional=D(100))
    plan = a_plan(signalled(sizing=Sizing(quote_amount=D(100))), market=market, latency_milliseconds=60_000)
    fallen = (99, 99, 99, 99)
    assert run_backtest(plan, bars_at((*QUIET, ENTER), QUIET, fallen, fallen)).fills == ()
    assert len(run_backtest(plan, bars_at((*QUIET, ENTER), QUIET, QUIET, QUIET)).fills) == 1


def test_what_is_above_the_greatest_market_order_is_sold_by_several_as_in_live_trading() -> None:
    """A LIMIT order buys 5 at 99.99, which MARKET orders of at most 2 sell: 2, 2 and 1."""
    market = a_spot_market(maximum_market_quantity=D(2), minimum_notional=D(10))
    bars = bars_at((*QUIET, ENTER), (100, 100, 90, 100), (*QUIET, EXIT), (110, 110, 110, 110))
    result = run(a_plan(signalled(sizing=Sizing(quote_amount=D(500)), order=limit()), market=market), bars)
    assert [(fill.role, fill.quantity) for fill in result.fills] == [
        (OrderRole.ENTRY, D(5)), (OrderRole.EXIT, D(2)), (OrderRole.EXIT, D(2)), (OrderRole.EXIT, D(1)),
    ]  # fmt: skip
    (trip,) = result.round_trips
    assert (trip.quantity, trip.exit_price, trip.profit) == (D(5), D(110), D(5) * (D(110) - trip.entry_price))
    sold, left = [], D(5)
    while (plan := plan_exit(left, market, D(110), None)).quantity:
        sold.append(plan.quantity)
        left -= plan.quantity
    assert sold == [fill.quantity for fill in result.fills[1:]]


def test_the_rest_of_a_sale_by_several_orders_that_is_too_little_for_one_stays_as_dust() -> None:
    market = a_spot_market(maximum_market_quantity=D(2), minimum_notional=D(150))
    bars = bars_at((*QUIET, ENTER), (100, 100, 90, 100), (*QUIET, EXIT), (110, 110, 110, 110))
    result = run(a_plan(signalled(sizing=Sizing(quote_amount=D(500)), order=limit()), market=market), bars)
    assert [fill.quantity for fill in result.fills[1:]] == [D(2), D(2)]
    (trip,) = result.round_trips
    assert trip.closed_at is not None
