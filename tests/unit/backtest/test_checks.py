from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.backtest import checks
from domain.backtest.bars import Bars
from domain.backtest.checks import check_look_ahead, check_warm_up, run_checks
from domain.backtest.engine import run_backtest, run_markets
from domain.backtest.market_bars import MarketBars
from domain.backtest.monte_carlo import monte_carlo
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.indicators.candle_arrays import SeriesKey
from domain.model.definitions import ExitDistance
from domain.model.markets import MarketSymbol
from domain.model.orders import OrderRole
from domain.model.reports import PositionSide, RoundTrip
from tests.support.backtests import START, a_plan, a_spot_market, bars_of, signalled
from tests.support.candles import random_candles

D = Decimal
BARS = bars_of(random_candles(900, 3, tick=0.01))


def crossing(**changes: object) -> BacktestPlan:
    values: dict[str, object] = {
        "enter_long": "crosses_above(ema(close, 5), ema(close, 13))",
        "exit_long": "rsi(close, 7) > 70",
        "stop_loss": ExitDistance(percent=D(1)),
    }
    return a_plan(signalled(**(values | changes)))


def ready(*bars: Bars) -> list[MarketBars]:
    """Return the bars as those of the plan's market, and of others."""
    symbols = (MarketSymbol("sandbox", f"{base}/USDT") for base in ("BTC", "ETH", "SOL"))
    return [MarketBars(a_spot_market(symbol=symbol), one) for symbol, one in zip(symbols, bars, strict=False)]


def test_a_run_over_truncated_candles_makes_the_same_trades() -> None:
    plan = crossing()
    result = run_backtest(plan, BARS)
    assert len(result.round_trips) > 5
    checked = check_look_ahead(plan, ready(BARS), 0, result)
    assert (checked.runs, checked.different) == (5, ())


def test_rules_of_other_markets_are_checked_without_what_comes_later_there() -> None:
    other = bars_of(random_candles(900, 4, tick=0.01)).candles
    bars = Bars(BARS.timeframe, BARS.opened, replace(BARS.candles, others={SeriesKey("ETH/USDT"): other}))
    plan = crossing(enter_long='market("ETH/USDT").close > shift(market("ETH/USDT").close, 1)')
    assert check_look_ahead(plan, ready(bars), 0, run_backtest(plan, bars)).different == ()


def test_several_markets_with_one_budget_are_checked_at_the_same_times() -> None:
    """The second one begins later, so that the first cut lies before it."""
    plan = replace(crossing(), max_open_positions=1)
    markets = ready(BARS, bars_of(random_candles(600, 9, tick=0.01), start=START + timedelta(minutes=300)))
    start = int(BARS.opened[0])
    result = run_markets(plan, markets, start)
    assert all(trades.round_trips for trades in result.markets)
    found = run_checks(plan, markets, start, result)
    assert (found.look_ahead.runs, found.look_ahead.different) == (5, ())
    assert {check.function for check in found.warm_up} == {"ema(5)", "ema(13)", "rsi(7)"}
    assert found.monte_carlo is not None
    assert found.monte_carlo.trips == sum(trip.closed_at is not None for trip in result.round_trips)


def test_a_look_ahead_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if what is known of each run came from all candles."""
    plan = crossing()
    honest = run_backtest(plan, BARS)

    def cheating(plan: BacktestPlan, markets: list[MarketBars], start: int) -> BacktestResult:
        result = run_markets(plan, markets, start)
        (market,) = result.markets
        return replace(result, markets=(replace(market, rows=market.rows[len(markets[0].bars) // 400 :]),))

    monkeypatch.setattr(checks, "run_markets", cheating)
    checked = check_look_ahead(plan, ready(BARS), 0, honest, cuts=3)
    assert checked.different == (START + timedelta(minutes=450), START + timedelta(minutes=675))


def test_functions_that_remember_their_start_are_off_by_less_than_the_tolerance() -> None:
    exact, loose = (crossing().compiled, a_plan(replace(crossing().definition, warm_up_tolerance=D("0.01"))).compiled)
    found = {check.function: check for check in check_warm_up(exact, [BARS.candles])}
    assert set(found) == {"ema(5)", "ema(13)", "rsi(7)"}
    assert all(check.samples == 50 for check in found.values())
    assert all(check.deviation <= 1e-9 for check in found.values())
    assert exact.warm_up > loose.warm_up
    off = max(check.deviation for check in check_warm_up(loose, [BARS.candles]))
    assert 1e-9 < off <= 0.01


def test_too_few_candles_check_nothing() -> None:
    assert {check.samples for check in check_warm_up(crossing().compiled, [BARS.candles.first(20)])} == {0}


# -- Monte Carlo ------------------------------------------------------------------------------------------------------


def trips(*profits: int) -> list[RoundTrip]:
    return [
        RoundTrip(
            opened_at=START + timedelta(minutes=number),
            closed_at=START + timedelta(minutes=number + 1),
            side=PositionSide.LONG,
            quantity=D(1),
            entry_price=D(100),
            exit_price=D(100 + profit),
            profit=D(profit),
            profit_percent=float(profit),
            fees=D(0),
            exit_reason=OrderRole.EXIT,
        )
        for number, profit in enumerate(profits)
    ]


def test_another_order_ends_at_the_same_equity_by_another_drawdown() -> None:
    """All losses first: no other order falls deeper, and nearly all fall less deep."""
    found = monte_carlo(trips(*[-10] * 10, *[20] * 10), D(1_000))
    assert found is not None
    assert found.actual_drawdown == pytest.approx(10)
    assert found.deeper_percent == 0
    assert 0 < found.drawdown.low < found.drawdown.median < found.drawdown.high < 10
    assert found.profit.low < 10 < found.profit.high
    assert 0 <= found.loss_percent < 10


def test_the_same_seed_gives_the_same_and_another_one_nearly() -> None:
    sample = trips(*range(-20, 30))
    first = monte_carlo(sample, D(1_000), seed=1)
    assert first == monte_carlo(sample, D(1_000), seed=1)
    other = monte_carlo(sample, D(1_000), seed=2)
    assert first is not None
    assert other is not None
    assert first != other
    assert first.drawdown.median == pytest.approx(other.drawdown.median, rel=0.1)


def test_many_trips_are_drawn_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.backtest.monte_carlo._MOST_NUMBERS", 100)
    found = monte_carlo(trips(*range(-20, 30)), D(1_000), runs=25)
    assert found is not None
    assert found.runs == 25


def test_a_few_trips_say_nothing() -> None:
    assert monte_carlo(trips(1, 2, 3), D(1_000)) is None
    assert monte_carlo([], D(1_000)) is None
