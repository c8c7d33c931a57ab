from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtest import holding
from domain.backtest.bars import Bars, PriceTicks, price_ticks
from domain.backtest.engine import run_backtest
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.core.clock import from_milliseconds
from domain.model.definitions import EntryAdd, ExitDistance, ExitTarget, OrderStyle, Sizing, StrategyDefinition
from domain.model.markets import Market
from domain.model.order_side import OrderSide
from domain.model.orders import Fill, OrderType
from domain.performance.round_trips import RoundTripInput, round_trips
from domain.rules.costs import FeeCurrency, TradingCosts
from domain.rules.protection import ProtectionState
from tests.support.backtests import a_plan, a_spot_market, bars_of
from tests.support.candles import random_candles

D = Decimal


def distances(*choices: str) -> st.SearchStrategy[ExitDistance | None]:
    percents = [ExitDistance(percent=D(choice)) for choice in choices]
    return st.sampled_from([None, *percents, ExitDistance(absolute=D("2.345")), ExitDistance(atr_multiple=D("1.5"))])


definitions = st.builds(
    StrategyDefinition,
    sizing=st.sampled_from([Sizing(quote_amount=D(300)), Sizing(equity_percent=D(100)), Sizing(equity_percent=D(7))]),
    enter_long=st.sampled_from(
        ["crosses_above(ema(close, 3), ema(close, 8))", "close > shift(close, 1)", "rsi(close, 3) < 40"]
    ),
    exit_long=st.sampled_from(
        [
            None,
            "crosses_below(ema(close, 3), ema(close, 8))",
            "rsi(close, 3) > 70",
            "position.bars >= 5 or position.profit_percent > 0.2",
        ]
    ),
    stop_loss=distances("0.3", "1"),
    take_profit=distances("0.4", "1"),
    trailing_stop=distances("0.2", "0.8"),
    targets=st.sampled_from(
        [(), (ExitTarget(ExitDistance(percent=D("0.3")), D(40)), ExitTarget(ExitDistance(percent=D("0.5")), D(60)))]
    ),
    max_holding_bars=st.sampled_from([None, 1, 7]),
    adds=st.sampled_from(
        [
            (),
            (),
            (EntryAdd(below=ExitDistance(percent=D("0.2")), count=2, size_factor=D("1.5")),),
            (EntryAdd(above=ExitDistance(percent=D("0.1"))), EntryAdd(below=ExitDistance(atr_multiple=D("0.5")))),
            (EntryAdd(rule="rsi(close, 3) < 30", count=2), EntryAdd(on_entry_signal=True)),
            (EntryAdd(rule="position.profit_percent < -0.1", above=None, below=ExitDistance(percent=D("0.05"))),),
        ]
    ),
    order=st.sampled_from(
        [
            OrderStyle(),
            OrderStyle(OrderType.LIMIT),
            OrderStyle(OrderType.LIMIT, offset_bps=D(5), give_up_after_seconds=150),
            OrderStyle(OrderType.LIMIT, offset_bps=D(2), post_only=True),
        ]
    ),
)
costs = st.builds(
    TradingCosts,
    taker_fee=st.sampled_from([D(0), D("0.001"), D("0.00075")]),
    maker_fee=st.sampled_from([D(0), D("0.0002")]),
    slippage_bps=st.sampled_from([D(0), D("1.5"), D(10)]),
    fee_currency=st.sampled_from(FeeCurrency),
)
walks = st.tuples(st.integers(0, 10_000), st.sampled_from([0.0, 1.0]))
plans = st.builds(a_plan, definitions, costs, latency_milliseconds=st.sampled_from([0, 60_000, 180_000]))


def bars_of_walk(walk: tuple[int, float]) -> Bars:
    seed, gap = walk
    return bars_of(random_candles(420, seed, tick=0.01, gap=gap))


@settings(max_examples=60, deadline=None)
@given(plans, walks, st.integers(300, 419))
def test_what_comes_later_changes_nothing_before(plan: BacktestPlan, walk: tuple[int, float], count: int) -> None:
    bars = bars_of_walk(walk)
    whole, part = run_backtest(plan, bars), run_backtest(plan, bars.first(count))
    assert [fill for fill in whole.fills if fill.bar < count] == list(part.fills)


@settings(max_examples=60, deadline=None)
@given(plans, walks)
def test_cash_and_coins_are_the_equity_and_fees_add_up(plan: BacktestPlan, walk: tuple[int, float]) -> None:
    bars = bars_of_walk(walk)
    result = run_backtest(plan, bars)
    cash, base = plan.initial_equity, D(0)
    for fill in result.fills:
        cash -= fill.side.sign * fill.price * fill.quantity + fill.fee_quote
        base += fill.side.sign * fill.quantity - fill.fee_base
        assert cash >= 0
        assert base >= 0
    last = D(str(round(bars.candles.close[-1], 2)))
    assert result.metrics.end_equity == cash + base * last
    fees = sum((fill.fee_quote + fill.fee_base * fill.price for fill in result.fills), D(0))
    assert result.metrics.fees == fees == sum((trip.fees for trip in result.round_trips), D(0))


@settings(max_examples=40, deadline=None)
@given(definitions, walks, st.sampled_from([0, 60_000]))
def test_without_slippage_every_fill_of_a_market_order_is_a_price_of_its_candle(
    definition: StrategyDefinition, walk: tuple[int, float], latency: int
) -> None:
    bars = bars_of_walk(walk)
    plan = a_plan(replace(definition, order=OrderStyle()), latency_milliseconds=latency)
    for fill in run_backtest(plan, bars).fills:
        assert bars.candles.low[fill.bar] - 1e-6 <= float(fill.price) <= bars.candles.high[fill.bar] + 1e-6


@settings(max_examples=40, deadline=None)
@given(plans, walks)
def test_leaving_bars_out_leaves_no_exit_out(plan: BacktestPlan, walk: tuple[int, float]) -> None:
    """Every bar of a position, stepped one by one, gives the same fills."""
    bars = bars_of_walk(walk)

    def every_bar(_state: ProtectionState, _prices: PriceTicks, start: int, end: int, *_levels: int | None) -> int:
        return min(start, end)

    fast = run_backtest(plan, bars)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holding, "next_candidate", every_bar)
        slow = run_backtest(plan, bars)
    assert fast.fills == slow.fills
    assert fast.hash == slow.hash


@settings(max_examples=40, deadline=None)
@given(plans, walks)
def test_a_report_of_the_same_fills_has_the_same_round_trips(plan: BacktestPlan, walk: tuple[int, float]) -> None:
    bars = bars_of_walk(walk)
    result = run_backtest(plan, bars)
    market = plan.market
    data = RoundTripInput(
        [_fill(index, result, market) for index in range(len(result.fills))],
        {market.symbol: market},
        {UUID(int=index + 1): fill.role for index, fill in enumerate(result.fills) if fill.side is OrderSide.SELL},
    )
    unmeasured = {"max_adverse_excursion": None, "max_favorable_excursion": None}
    expected = [replace(trip, **unmeasured) for trip in round_trips(data)]  # type: ignore[arg-type]
    assert [replace(trip, **unmeasured) for trip in result.round_trips] == expected  # type: ignore[arg-type]


def _fill(index: int, result: BacktestResult, market: Market) -> Fill:
    fill, number = result.fills[index], UUID(int=index + 1)
    return Fill(
        id=number,
        user_id=number,
        account_id=number,
        order_id=number,
        market=market.symbol,
        venue_trade_id=str(index),
        side=fill.side,
        at=from_milliseconds(fill.at),
        price=fill.price,
        quantity=fill.quantity,
        fee=fill.fee_base or fill.fee_quote,
        fee_currency=market.base if fill.fee_base else market.quote,
        maker=None,
    )


@settings(max_examples=30, deadline=None)
@given(plans, walks)
def test_the_same_input_gives_the_same_hash_and_other_fills_another(
    plan: BacktestPlan, walk: tuple[int, float]
) -> None:
    bars = bars_of_walk(walk)
    result = run_backtest(plan, bars)
    assert run_backtest(plan, bars).hash == result.hash
    if result.fills:
        dearer = replace(plan, costs=replace(plan.costs, slippage_bps=plan.costs.slippage_bps + 20))
        assert run_backtest(dearer, bars).hash != result.hash


@settings(max_examples=30, deadline=None)
@given(plans, walks)
def test_the_equity_curve_has_the_greatest_drawdown_between_any_two_bars(
    plan: BacktestPlan, walk: tuple[int, float]
) -> None:
    bars = bars_of_walk(walk)
    result = run_backtest(plan, bars)
    assert len(result.equity_curve) == len(bars) + 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("domain.backtest.result.EVEN_POINTS", 5)
        sparse = run_backtest(plan, bars)
    assert len(sparse.equity_curve) < 15
    assert sparse.metrics.max_drawdown_percent == pytest.approx(result.metrics.max_drawdown_percent)
    assert float(sparse.metrics.max_drawdown) == pytest.approx(float(result.metrics.max_drawdown))


@given(st.integers(0, 10_000))
def test_prices_off_the_grid_never_reach_what_the_candle_did_not(seed: int) -> None:
    candles = random_candles(40, seed, gap=1.0)
    ticks = price_ticks(candles, D("0.01"))
    assert (ticks.low <= ticks.open).all()
    assert (ticks.open <= ticks.high).all()
    assert (ticks.low <= ticks.close).all()
    assert (ticks.close <= ticks.high).all()
    wide = ticks.high - ticks.low > 1
    assert (ticks.low[wide] * 0.01 >= candles.low[wide] - 1e-6).all()
    assert (ticks.high[wide] * 0.01 <= candles.high[wide] + 1e-6).all()


def test_a_market_without_an_increment_has_the_finest_one_that_floats_can_count() -> None:
    market = a_spot_market(price_increment=D(0))
    result = run_backtest(a_plan(market=market), bars_of(random_candles(50, 1)))
    assert result.metrics.end_equity == 1_000
