"""Several markets with one budget, and candles of a shorter timeframe to look inside of a bar."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.backtest.bars import Bars
from domain.backtest.engine import run_backtest, run_markets
from domain.backtest.market_bars import MarketBars
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.indicators.candle_arrays import SeriesKey
from domain.model.definitions import EntryAdd, ExitDistance, OrderStyle, Sizing, StrategyDefinition
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.model.orders import OrderRole, OrderType
from domain.rules.costs import TradingCosts
from tests.support.backtests import START, a_plan, a_spot_market, bars_at, bars_of, signalled
from tests.support.candles import random_candles

D = Decimal
ENTER, EXIT = 1, 2
QUIET = (100, 100, 100, 100)
START_MS = int(START.timestamp()) * 1000


def a_market(base: str, **changes: object) -> Market:
    return a_spot_market(symbol=MarketSymbol("sandbox", f"{base}/USDT"), base=base, **changes)


def run(plan: BacktestPlan, *bars: Bars, start: int = START_MS) -> BacktestResult:
    markets = [MarketBars(a_market(base), series) for base, series in zip(("BTC", "ETH", "SOL"), bars, strict=False)]
    return run_markets(plan, markets, start)


def trades(result: BacktestResult) -> list[tuple[str, int, OrderRole]]:
    return [(fill.market.symbol, fill.bar, fill.role) for fill in result.fills]


def test_markets_share_the_cash() -> None:
    """The second entry is sized by what the first has left, less the margin of a moving book; the third finds none."""
    plan = a_plan(signalled(sizing=Sizing(equity_percent=D(60))))
    entering = bars_at((*QUIET, ENTER), QUIET, QUIET)
    result = run(plan, entering, entering, entering)
    bought = [(fill.market.symbol, fill.quantity) for fill in result.fills]
    assert bought == [("BTC/USDT", D(6)), ("ETH/USDT", D("3.996")), ("SOL/USDT", D("0.003"))]
    assert result.metrics.end_equity == 1_000


def test_equity_counts_what_other_markets_hold() -> None:
    plan = a_plan(signalled(sizing=Sizing(equity_percent=D(10))))
    risen = bars_at((*QUIET, ENTER), QUIET, (200, 200, 200, 200), (200, 200, 200, 200))
    later = bars_at(QUIET, QUIET, (*QUIET, ENTER), QUIET)
    result = run(plan, risen, later)
    assert [fill.quantity for fill in result.fills] == [D(1), D("1.1")]
    assert result.metrics.end_equity == 1_100


def test_no_more_positions_are_open_than_allowed() -> None:
    plan = replace(a_plan(), max_open_positions=1)
    first = bars_at((*QUIET, ENTER), QUIET, (*QUIET, EXIT), QUIET, QUIET, QUIET)
    second = bars_at((*QUIET, ENTER), QUIET, (*QUIET, ENTER), (*QUIET, ENTER), QUIET, QUIET)
    result = run(plan, first, second)
    # At the close of bar 2 the position is still open, as a trading session would find it; at that of bar 3 it isn't.
    assert trades(result) == [
        ("BTC/USDT", 1, OrderRole.ENTRY),
        ("BTC/USDT", 3, OrderRole.EXIT),
        ("ETH/USDT", 4, OrderRole.ENTRY),
    ]
    assert result.message is not None
    assert "2 entry signals led to no order; the last one because: as many positions are open" in result.message


def test_candles_that_begin_or_are_missing_at_other_times_are_taken_as_they_are() -> None:
    whole = bars_at((*QUIET, ENTER), QUIET, (*QUIET, EXIT), QUIET, QUIET)
    shorter = bars_at((*QUIET, ENTER), (101, 101, 101, 101), (103, 103, 103, 103))
    late = Bars(shorter.timeframe, shorter.opened + 120_000, replace(shorter.candles, opened_at=None))
    result = run(a_plan(), whole, late)
    assert trades(result) == [
        ("BTC/USDT", 1, OrderRole.ENTRY),
        ("ETH/USDT", 1, OrderRole.ENTRY),
        ("BTC/USDT", 3, OrderRole.EXIT),
    ]
    assert result.metrics.end_equity == D(1_000) + D("0.990") * 2


def test_a_market_without_any_candle_changes_nothing() -> None:
    whole = bars_at((*QUIET, ENTER), QUIET, (*QUIET, EXIT), QUIET)
    for bars in ((whole, whole.first(0)), (whole.first(0), whole)):
        result = run(a_plan(), *bars)
        assert [fill.bar for fill in result.fills] == [1, 3]
        assert (result.metrics.end_equity, result.metrics.market_change_percent) == (1_000, 0)


@settings(max_examples=30, deadline=None)
@example([235, 235], 2, 0)
@given(st.lists(st.integers(0, 1_000), min_size=2, max_size=3), st.sampled_from([None, 1, 2]), st.sampled_from([0, 1]))
def test_one_budget_pays_for_all_and_adds_up(seeds: list[int], most: int | None, latency: int) -> None:
    definition = StrategyDefinition(
        Sizing(equity_percent=D(45)),
        enter_long="crosses_above(ema(close, 3), ema(close, 8))",
        exit_long="position.bars > 9",
        stop_loss=ExitDistance(percent=D("0.5")),
        adds=(EntryAdd(below=ExitDistance(percent=D("0.2"))),),
    )
    plan = replace(
        a_plan(definition, TradingCosts(D("0.001"), D("0.001"), D(2)), latency_milliseconds=latency * 60_000),
        max_open_positions=most,
    )
    bars = [bars_of(random_candles(300, seed, tick=0.01)) for seed in seeds]
    result = run(plan, *bars)
    assert run(plan, *bars).hash == result.hash
    cash, base, is_open = plan.initial_equity, dict.fromkeys((trade.market for trade in result.markets), D(0)), 0
    for fill in result.fills:
        cash -= fill.side.sign * fill.price * fill.quantity + fill.fee_quote
        base[fill.market] += fill.side.sign * fill.quantity - fill.fee_base
        assert cash >= 0
        assert base[fill.market] >= 0
    held = zip(base.values(), bars, strict=True)
    worth = sum((amount * D(str(round(series.candles.close[-1], 2))) for amount, series in held), D(0))
    assert result.metrics.end_equity == cash + worth
    for trip in result.round_trips:
        at = trip.opened_at
        is_open = sum(
            other.opened_at <= at and (other.closed_at is None or other.closed_at > at) for other in result.round_trips
        )
        assert most is None or latency or is_open <= most
    cut = run(plan, *(series.first(200) for series in bars))
    assert [fill for fill in result.fills if fill.bar < 200] == list(cut.fills)


def test_one_market_of_several_is_as_one_alone() -> None:
    walk = bars_of(random_candles(400, 5, tick=0.01))
    plan = a_plan(signalled(enter_long="close > shift(close, 1)", exit_long="rsi(close, 3) > 60"))
    quiet = bars_of(random_candles(400, 6, tick=0.01))
    silent = replace(quiet.candles, close=quiet.candles.close * 0 + 100.0)
    alone = run_backtest(plan, walk)
    both = run(plan, walk, Bars(quiet.timeframe, quiet.opened, silent))
    assert both.markets[0].rows == alone.markets[0].rows


def test_rules_read_the_candles_of_other_markets() -> None:
    leader = bars_at(QUIET, (101, 101, 101, 101), QUIET, QUIET)
    bars = bars_at(QUIET, QUIET, QUIET, QUIET)
    candles = replace(bars.candles, others={SeriesKey("ETH/USDT"): leader.candles})
    plan = a_plan(signalled(enter_long='market("ETH/USDT").close > 100'))
    result = run_backtest(plan, Bars(bars.timeframe, bars.opened, candles))
    assert [fill.bar for fill in result.fills] == [2]


# -- inside of a bar --------------------------------------------------------------------------------------------------


def detailed(
    plan: BacktestPlan, bars: Bars, *minutes: Sequence[float], missing: int = 0
) -> list[tuple[int, OrderRole, Decimal, int]]:
    """Run on bars of five minutes, of which the minutes are those of bar 2 after the first `missing` ones."""
    detail = bars_at(*minutes)
    detail = Bars(Timeframe.M1, detail.opened + 600_000 + missing * 60_000, replace(detail.candles, opened_at=None))
    market = MarketBars(a_market("BTC"), bars, detail)
    result = run_markets(plan, [market], START_MS)
    return [(fill.bar, fill.role, fill.price, (fill.at - START_MS) // 60_000) for fill in result.fills]


def five_minutes(*prices: Sequence[float]) -> Bars:
    return bars_of(replace(bars_at(*prices).candles, opened_at=None, timeframe=None), Timeframe.M5)


def both(**changes: object) -> BacktestPlan:
    percent = ExitDistance(percent=D(2))
    return a_plan(signalled(stop_loss=percent, take_profit=percent, **changes), timeframe=Timeframe.M5)


def test_a_shorter_timeframe_says_what_a_bar_has_reached_first() -> None:
    bars = five_minutes((*QUIET, ENTER), QUIET, (100, 103, 97, 102), QUIET)
    rise_first = [(100, 101, 100, 101), (101, 103, 101, 103), (103, 103, 97, 97)]
    fall_first = [(100, 100, 97, 97), (97, 103, 97, 103), (103, 103, 102, 102)]
    assert detailed(both(), bars, *rise_first)[1] == (2, OrderRole.TAKE_PROFIT, D(102), 12)
    assert detailed(both(), bars, *fall_first)[1] == (2, OrderRole.STOP_LOSS, D(98), 11)
    assert run_backtest(both(), bars).fills[1].role is OrderRole.STOP_LOSS


def test_a_minute_that_opens_beyond_a_stop_fills_there() -> None:
    bars = five_minutes((*QUIET, ENTER), QUIET, (100, 103, 96, 102), QUIET)
    assert detailed(both(), bars, QUIET, (97, 97, 96, 97), (97, 103, 97, 102))[1] == (
        2,
        OrderRole.STOP_LOSS,
        D(97),
        11,
    )


def test_a_further_entry_is_made_in_the_minute_that_reaches_it() -> None:
    plan = both(adds=(EntryAdd(below=ExitDistance(percent=D(1))),), sizing=Sizing(quote_amount=D(200)))
    bars = five_minutes((*QUIET, ENTER), QUIET, (100, 103, 98.5, 102), QUIET)
    minutes = [QUIET, (100, 100, 98.5, 99), (99, 103, 99, 102)]
    assert [fill[1:] for fill in detailed(plan, bars, *minutes)][1:] == [
        (OrderRole.ENTRY, D(99), 12),
        (OrderRole.TAKE_PROFIT, D("101.48"), 13),
    ]


def test_the_minutes_of_the_entry_bar_count_from_its_fill_on() -> None:
    bars = five_minutes(QUIET, (*QUIET, ENTER), (100, 103, 97, 102), QUIET)
    minutes = [(100, 103, 100, 103), (103, 103, 97, 97), (97, 102, 97, 102)]
    assert detailed(both(), bars, *minutes)[1] == (2, OrderRole.TAKE_PROFIT, D(102), 11)


@pytest.mark.parametrize("seed", [1, 2])
def test_bars_are_never_left_out_because_of_their_details(seed: int) -> None:
    """The details of a series that are that series itself change nothing."""
    bars = bars_of(random_candles(400, seed, tick=0.01))
    plan = a_plan(
        signalled(enter_long="close > shift(close, 1)", stop_loss=ExitDistance(percent=D("0.3"))),
    )
    market = MarketBars(a_market("BTC"), bars, bars)
    assert run_markets(plan, [market], START_MS).fills == run_backtest(plan, bars).fills


def test_a_further_entry_that_rests_keeps_its_cash_from_other_markets() -> None:
    adds = (EntryAdd(rule="volume == 3"),)
    plan = a_plan(signalled(sizing=Sizing(equity_percent=D(100)), adds=adds, order=OrderStyle(OrderType.LIMIT)))
    dip = (100, 100, 99, 100)
    first = bars_at((*QUIET, ENTER), dip, (*QUIET, 3), QUIET, QUIET, dip, QUIET)
    second = bars_at(QUIET, QUIET, QUIET, (*QUIET, ENTER), dip, QUIET, QUIET)
    result = run(plan, first, second)
    assert trades(result) == [("BTC/USDT", 1, OrderRole.ENTRY), ("BTC/USDT", 5, OrderRole.ENTRY)]
    assert sum(fill.value for fill in result.fills) == 1_000


def test_a_position_that_closes_gives_back_what_its_resting_further_entry_has_kept() -> None:
    adds = (EntryAdd(rule="volume == 3"),)
    order = OrderStyle(OrderType.LIMIT)
    plan = a_plan(signalled(sizing=Sizing(equity_percent=D(100)), adds=adds, order=order))
    dip = (100, 100, 99, 100)
    first = bars_at((*QUIET, ENTER), dip, (*QUIET, 3), (*QUIET, EXIT), QUIET, QUIET, QUIET, QUIET)
    second = bars_at(QUIET, QUIET, QUIET, QUIET, QUIET, (*QUIET, ENTER), dip, QUIET)
    result = run(plan, first, second)
    assert [(fill.market.symbol, fill.bar, fill.value) for fill in result.fills] == [
        ("BTC/USDT", 1, 500),
        ("BTC/USDT", 4, 500),
        ("ETH/USDT", 6, 500),
    ]


def test_an_entry_that_no_candle_of_the_detail_has_filled_takes_no_profit_before_it() -> None:
    """The bar has been below the limit in a minute that is missing, which may have come after the high."""
    bars = five_minutes(QUIET, (*QUIET, ENTER), (100, 103, 99, 100), QUIET)
    plan = replace(both(), definition=replace(both().definition, order=OrderStyle(OrderType.LIMIT)))
    assert detailed(plan, bars, (100, 103, 100, 103)) == [(2, OrderRole.ENTRY, D(100), 15)]


def test_a_stop_above_the_price_is_filled_at_the_price_though_the_first_candle_of_the_detail_is_missing() -> None:
    bars = five_minutes(QUIET, (*QUIET, ENTER), QUIET, QUIET)
    plan = replace(both(), costs=TradingCosts(slippage_bps=D(500)))
    assert detailed(plan, bars, QUIET, missing=1) == [
        (2, OrderRole.ENTRY, D(105), 10),
        (2, OrderRole.STOP_LOSS, D(95), 12),
    ]


def test_the_whole_bar_counts_where_minutes_are_missing_that_have_reached_its_low_or_high() -> None:
    falls = five_minutes((*QUIET, ENTER), QUIET, (100, 100, 90, 99), QUIET)
    rises = five_minutes((*QUIET, ENTER), QUIET, (100, 110, 100, 101), QUIET)
    assert detailed(both(), falls, QUIET, QUIET)[1:] == [(2, OrderRole.STOP_LOSS, D(98), 15)]
    assert detailed(both(), rises, QUIET, QUIET)[1:] == [(2, OrderRole.TAKE_PROFIT, D(102), 15)]
    # None of the minutes that are there has the low, so that the stop may have come before the high.
    falls = five_minutes((*QUIET, ENTER), QUIET, (100, 103, 90, 99), QUIET)
    assert detailed(both(), falls, (100, 103, 100, 103))[1:] == [(2, OrderRole.STOP_LOSS, D(98), 15)]


RISES, DIPS = (100, 103, 100, 100), (100, 100, 98.5, 100)
"""A minute that reaches a take-profit at 102, and one that reaches a further entry at 99."""


def of_minutes(market: Market, minutes: Sequence[Sequence[float]], kept: int | None = None) -> MarketBars:
    """Return bars of five minutes, the first of which signals an entry, with the first `kept` minutes or all."""
    detail = bars_at(*minutes)
    rows = [minutes[index : index + 5] for index in range(0, len(minutes), 5)]
    bars = five_minutes(
        *(
            (row[0][0], max(one[1] for one in row), min(one[2] for one in row), row[-1][3], 0 if index else ENTER)
            for index, row in enumerate(rows)
        )
    )
    return MarketBars(market, bars, detail.first(len(minutes) if kept is None else kept))


def laddered(equity: int) -> BacktestPlan:
    definition = signalled(
        take_profit=ExitDistance(percent=D(2)),
        adds=(EntryAdd(below=ExitDistance(percent=D(1))),),
    )
    return a_plan(definition, equity=equity, timeframe=Timeframe.M5)


@pytest.mark.parametrize("has_minutes", [True, False])
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(("rise", "dip", "is_paid"), [(14, 10, False), (10, 13, True)])
def test_markets_go_through_their_minutes_in_the_order_of_time(
    rise: int, dip: int, is_paid: bool, is_first: bool, has_minutes: bool
) -> None:
    """A further entry is paid with what another market has sold before, and not with what it sells in a later minute.

    Of a market without minutes it isn't known before the end of the bar that it has sold.
    """
    rising, dipping = [QUIET] * 20, [QUIET] * 20
    rising[rise], dipping[dip] = RISES, DIPS
    seller = of_minutes(a_market("BTC"), rising, None if has_minutes else 5)
    buyer = of_minutes(a_market("ETH"), dipping)
    result = run_markets(laddered(100), [seller, buyer] if is_first else [buyer, seller], START_MS)
    times = [fill.at for fill in result.fills]
    assert times == sorted(times)
    further = [(fill.at - START_MS) // 60_000 for fill in result.fills[2:] if fill.role is OrderRole.ENTRY]
    assert further == ([dip + 1] if is_paid and has_minutes else [])
    sold = [(fill.at - START_MS) // 60_000 for fill in result.fills if fill.role is OrderRole.TAKE_PROFIT]
    assert sold[0] == (rise + 1 if has_minutes else 15)


@pytest.mark.parametrize("is_detailed", [True, False])
def test_a_further_entry_knows_no_close_of_the_bar_that_it_is_made_in(is_detailed: bool) -> None:
    """Its size is a share of the equity, in which the other market's coins count at their last close before the bar."""
    definition = signalled(sizing=Sizing(equity_percent=D(40)), adds=(EntryAdd(below=ExitDistance(percent=D(1))),))
    plan = a_plan(definition, timeframe=Timeframe.M5)
    dipping = [QUIET] * 20
    dipping[12] = DIPS
    bought = []
    for close in (100, 500):
        other = [*[QUIET] * 12, *[(close, close, close, close)] * 8]
        pair = [of_minutes(a_market("BTC"), other), of_minutes(a_market("ETH"), dipping)]
        if not is_detailed:
            pair = [MarketBars(one.market, one.bars) for one in pair]
        result = run_markets(plan, pair, START_MS)
        bought.append([fill.quantity for fill in result.fills if fill.market.symbol == "ETH/USDT"])
    assert len(bought[0]) == 2
    assert bought[0] == bought[1]
