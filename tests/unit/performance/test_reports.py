from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from domain.model.conversion import CurrencyGraph
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import OrderStatus
from domain.model.prices import Mark, Prices, Valuation
from domain.model.reports import EquityPoint, PositionSide
from domain.performance.equity_curve import downsample, replay
from domain.performance.fills_ledger import ReportData, compute_result
from tests.support.call_count import effort
from tests.support.fill_ledgers import BUY, ETH, ETH_BTC, MARKETS, NOW, SELL, hours, ledger, marks, report_data
from tests.support.orders import D, a_market


def test_a_round_trip_with_fees_in_quote_by_hand() -> None:
    # Buys 2 at 100 for a fee of 0.2, sells 2 at 110 for 0.22: 20 - 0.42.
    fills = ledger((1, BUY, 2, 100, "0.2"), (3, SELL, 2, 110, "0.22"))
    result = compute_result(report_data(fills, exit_reasons={fills[1].order_id: "TAKE_PROFIT"}))

    (trip,) = result.round_trips
    assert (trip.opened_at, trip.closed_at) == (hours(1), hours(3))
    assert (trip.side, trip.quantity, trip.entry_price, trip.exit_price) == (PositionSide.LONG, D(2), D(100), D(110))
    assert (trip.profit, trip.fees, trip.exit_reason) == (D("19.58"), D("0.42"), "TAKE_PROFIT")
    assert trip.profit_percent == pytest.approx(9.79)
    figures = result.metrics
    assert (figures.start_equity, figures.end_equity, figures.net_profit) == (D(1000), D("1019.58"), D("19.58"))
    assert figures.net_profit_percent == pytest.approx(1.958)
    assert (figures.turnover, figures.fees) == (D(420), D("0.42"))
    assert (figures.round_trips, figures.wins, figures.losses, figures.win_rate) == (1, 1, 0, 100.0)
    assert figures.average_holding_seconds == 7200
    assert [(point.at, point.equity) for point in result.equity_curve] == [
        (hours(0), D(1000)),
        (hours(1), D("999.8")),
        (hours(3), D("1019.58")),
    ]


def test_a_fee_in_base_lessens_what_is_held_and_the_rest_below_the_lot_is_dust() -> None:
    # 1 BTC less 0.001 of fee is held; 0.99899 of it is sold, and 0.00001 is worth less than the least notional.
    fills = ledger((1, BUY, 1, 100, "0.001", "BTC"), (2, SELL, "0.99899", 120, 0))
    result = compute_result(report_data(fills))

    (trip,) = result.round_trips
    assert trip.closed_at == hours(2)
    assert trip.fees == D("0.1")
    assert trip.profit == D("0.99899") * 20 - D("0.1")
    # The dust is still held, and is worth its price in the equity: it gained 20 from its cost.
    assert result.metrics.net_profit == trip.profit + D("0.00001") * 20


def test_partial_fills_make_one_round_trip_at_average_prices() -> None:
    fills = ledger((1, BUY, 1, 100), (2, BUY, 3, 104), (3, SELL, 2, 110), (4, SELL, 2, 90))
    (trip,) = compute_result(report_data(fills)).round_trips

    assert (trip.entry_price, trip.exit_price, trip.quantity) == (D(103), D(100), D(4))
    assert trip.profit == D(-12)


def test_a_rest_of_an_order_that_goes_on_is_no_dust() -> None:
    first, second, third = ledger((1, BUY, "0.04", 100), (2, BUY, 1, 100), (3, SELL, "1.04", 101))
    fills = [first, replace(second, order_id=first.order_id), third]

    (trip,) = compute_result(report_data(fills)).round_trips
    assert (trip.quantity, trip.profit) == (D("1.04"), D("1.04"))


def test_markets_and_sessions_keep_their_round_trips_apart() -> None:
    fills = ledger((1, BUY, 1, 100), (2, BUY, 1, 10, 0, "USDT", ETH), (3, SELL, 1, 12, 0, "USDT", ETH), (4, BUY, 1, 90))
    fills[3] = replace(fills[3], trading_session_id=UUID(int=77))
    trips = compute_result(report_data(fills)).round_trips

    assert [(trip.entry_price, trip.closed_at) for trip in trips] == [(D(100), None), (D(10), hours(3)), (D(90), None)]


def test_an_open_round_trip_is_listed_and_not_counted() -> None:
    result = compute_result(report_data(ledger((1, BUY, 1, 100)), marks=marks((0, 100), (5, 130))))

    (trip,) = result.round_trips
    assert (trip.closed_at, trip.exit_price, trip.profit) == (None, None, D(0))
    assert (result.metrics.round_trips, result.metrics.win_rate, result.metrics.expectancy) == (0, None, None)
    assert result.metrics.net_profit == D(30)
    assert result.metrics.exposure_percent == pytest.approx(80)
    assert result.metrics.market_change_percent == pytest.approx(30)


def test_what_is_sold_beyond_a_position_is_no_round_trip() -> None:
    fills = ledger((1, BUY, 1, 100), (2, SELL, 3, 110), (3, BUY, 2, 105))
    trips = compute_result(
        report_data(fills, holdings={"USDT": D(1000), "BTC": D(5)}, marks=marks((0, 100)))
    ).round_trips

    assert [(trip.side, trip.quantity, trip.entry_price, trip.exit_price, trip.profit) for trip in trips] == [
        (PositionSide.LONG, D(1), D(100), D(110), D(10)),
        (PositionSide.LONG, D(2), D(105), None, D(0)),
    ]


def test_a_position_from_before_the_period_is_closed_and_not_turned_into_a_short_one() -> None:
    earlier, fills = ledger((-5, BUY, 1, 100), (-4, SELL, 1, 90), (-2, BUY, 1, 80)), ledger((2, SELL, 1, 95, 1))
    fills = [replace(fill, id=UUID(int=50), order_id=UUID(int=51)) for fill in fills]
    result = compute_result(
        report_data(fills, earlier=earlier, holdings={"USDT": D(910), "BTC": D(1)}, marks=marks((0, 85)))
    )

    (trip,) = result.round_trips
    assert (trip.side, trip.opened_at, trip.closed_at, trip.profit) == (PositionSide.LONG, hours(-2), hours(2), D(14))
    # Of the period itself there is what happened since its start alone.
    assert (result.metrics.start_equity, result.metrics.net_profit, result.metrics.fees) == (D(995), D(9), D(1))


def test_an_empty_period_has_one_point_and_no_figures() -> None:
    result = compute_result(report_data([]))

    assert result.equity_curve == (EquityPoint(NOW, D(1000), 0.0),)
    assert result.round_trips == ()
    figures = result.metrics
    assert (figures.start_equity, figures.end_equity, figures.net_profit, figures.max_drawdown) == (1000, 1000, 0, 0)
    empty = ("market_change_percent", "cagr", "sharpe", "sqn", "win_rate", "profit_factor", "exposure_percent")
    assert [getattr(figures, name) for name in empty] == [None] * len(empty)


def test_a_currency_that_is_held_and_not_traded_has_its_worth_and_one_that_nothing_prices_has_none() -> None:
    holdings = {"USDT": D(100), "BTC": D(2), "SHIB": D(1_000_000)}
    result = compute_result(report_data([], holdings=holdings, marks=marks((0, 50), (1, 60))))

    assert [point.equity for point in result.equity_curve] == [D(200), D(220)]


def test_a_market_in_another_quote_is_valued_in_the_currency_of_the_report() -> None:
    # Earns 0.1 BTC on ETH/BTC, when BTC stands at 200 USDT, and pays a fee of 0.01 BTC when it stands at 100.
    fills = ledger((1, BUY, 1, "0.5", "0.01", "BTC", ETH_BTC), (3, SELL, 1, "0.6", 0, "BTC", ETH_BTC))
    prices = marks((0, 100), (2, 200)) + marks((0, 50), market=ETH)
    result = compute_result(report_data(fills, holdings={"BTC": D(1)}, marks=sorted(prices, key=lambda mark: mark.at)))

    (trip,) = result.round_trips
    assert trip.profit == D("0.09") * 200
    assert result.metrics.fees == D("0.01") * 100
    assert result.metrics.turnover == D("0.5") * 100 + D("0.6") * 200
    assert result.metrics.end_equity == D("1.09") * 200


def test_a_fee_in_a_third_currency_counts_where_it_can_be_priced() -> None:
    fills = ledger((1, BUY, 1, 100, "0.01", "ETH"), (2, SELL, 1, 100, "0.01", "BNB"))
    result = compute_result(report_data(fills, marks=marks((0, 10), market=ETH)))

    assert result.metrics.fees == D("0.1")
    assert result.metrics.net_profit == D("-0.1")
    (trip,) = result.round_trips
    assert (trip.profit, trip.fees) == (D("-0.1"), D("0.1"))
    assert (result.metrics.wins, result.metrics.losses) == (0, 1)
    assert ("NO_MARKET", "BNB") in {(note.code, note.subject) for note in result.metrics.notes}


def test_the_rate_that_a_fill_was_recorded_with_goes_before_the_prices_of_the_report() -> None:
    (bought,) = ledger((1, BUY, 1, 100, "0.01", "ETH"))
    result = compute_result(report_data([replace(bought, fee_rate=D(2000))], marks=marks((0, 10), market=ETH)))
    assert result.round_trips[0].fees == 20


def test_the_ways_to_a_price_are_found_once_for_however_many_fills() -> None:
    coins = [MarketSymbol("sandbox", f"C{number}/{quote}") for number in range(1_000) for quote in ("USDT", "BTC")]
    listed = [a_market(symbol=coin, base=coin.symbol.split("/")[0], quote=coin.symbol.split("/")[1]) for coin in coins]
    known = Prices([Mark(NOW, coin, D(2)) for coin in coins], [])
    valuation = Valuation(CurrencyGraph(listed), "USDT", known, NOW)
    assert valuation.rate("BTC", "C7", NOW) == D("0.5")
    assert effort(lambda: [valuation.rate("BTC", "C7", NOW) for _ in range(100)]) < 100 * 100


def test_slippage_is_what_fills_cost_above_the_arrival_prices_of_their_orders() -> None:
    fills = ledger((1, BUY, 2, 101), (2, SELL, 2, 99), (3, BUY, 1, 99), (4, SELL, 1, 50))
    arrivals = dict(zip((fill.order_id for fill in fills), (D(100), D(100), D(100)), strict=False))
    assert compute_result(report_data(fills, arrival_prices=arrivals)).metrics.slippage == 2 + 2 - 1
    assert compute_result(report_data(fills)).metrics.slippage is None


def test_denied_and_rejected_orders_are_counted() -> None:
    counts = {OrderStatus.DENIED: 3, OrderStatus.REJECTED: 2, OrderStatus.FILLED: 9}
    figures = compute_result(report_data([], order_counts=counts)).metrics

    assert (figures.orders_denied, figures.orders_rejected) == (3, 2)


@pytest.mark.parametrize("markets", [MARKETS, {}], ids=["listed", "unlisted"])
def test_what_is_held_after_fills_follows_from_what_was_held_before_them(markets: dict[MarketSymbol, Market]) -> None:
    fills = ledger((1, BUY, 2, 100, "0.002", "BTC"), (2, SELL, 1, 110, "0.11"))

    assert replay({"USDT": D(1000)}, fills, markets) == {"USDT": D("909.89"), "BTC": D("0.998")}


def test_a_thinned_curve_keeps_its_ends() -> None:
    curve = [EquityPoint(NOW + timedelta(hours=hour), Decimal(hour), 0.0) for hour in range(1000)]
    for points in (2, 3, 7, 999):
        thin = downsample(curve, points)
        assert len(thin) == points
        assert (thin[0], thin[-1]) == (curve[0], curve[-1])
        assert list(thin) == sorted(thin, key=lambda point: point.at)
    assert downsample(curve, 1) == (curve[-1],)
    assert downsample(curve, 1000) == tuple(curve)


def test_ten_times_the_fills_are_ten_times_the_work() -> None:
    few, many = _busy(300), _busy(3_000)

    assert effort(lambda: compute_result(many)) < 13 * effort(lambda: compute_result(few))
    assert compute_result(many).metrics.round_trips == 1_500


def _busy(fills: int) -> ReportData:
    rows = [(n / 10, (BUY, SELL)[n % 2], "0.1", 100 + n % 7, "0.001") for n in range(fills)]
    return report_data(ledger(*rows), marks=marks(*((n, 100 + n % 5) for n in range(fills // 10))))
