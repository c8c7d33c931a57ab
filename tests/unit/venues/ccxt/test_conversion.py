from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus, OrderType
from infra.venues.ccxt import conversion as convert
from infra.venues.ccxt.depth_reader import levels
from infra.venues.ccxt.profiles.registry import profile_of
from infra.venues.ccxt.user_stream import execution_report
from tests.support.venues import new_order

MARKET = MarketSymbol("sandbox", "BTC/USDT")
ONE = Decimal(1)


def grid(price: str, quantity: str) -> Market:
    steps = (Decimal(price), Decimal(quantity))
    return Market(MARKET, "BTC", "USDT", True, *steps, ONE, None, None, Decimal(0), Decimal(0))


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.sampled_from(["0.01", "0.00001", "1E-8", "0.5", "10"]))
def test_a_level_is_exact_though_ccxt_holds_it_as_floats(price: int, quantity: int, step: str) -> None:
    market = grid(step, "0.00001")
    exact = (price * Decimal(step), quantity * Decimal("0.00001"))
    (level,), _ = levels([[float(exact[0]), float(exact[1])]], market, {})
    assert (level.price, level.quantity) == exact


def test_levels_that_stay_keep_their_objects_and_empty_ones_go() -> None:
    market = grid("0.01", "0.00001")
    first, known = levels([[1.25, 0.5], [1.2, 0.0]], market, {})
    second, _ = levels([[1.25, 0.5], [1.1, 3.0]], market, known)
    assert len(first) == 1
    assert second[0] is first[0]


def test_precision_in_decimals_becomes_an_increment() -> None:
    data = {
        "symbol": "BTC/USDT",
        "base": "BTC",
        "quote": "USDT",
        "active": None,
        "precision": {"price": "2", "amount": "5"},
        "limits": {"amount": {"min": None, "max": None}, "cost": {"min": None}},
        "maker": 0.001,
        "taker": "0.0015",
    }
    market = convert.market("kraken", data, 2)
    assert (market.price_increment, market.quantity_increment) == (Decimal("0.01"), Decimal("0.00001"))
    assert (market.minimum_quantity, market.active) == (Decimal("0.00001"), True)
    assert (market.maker_fee, market.taker_fee) == (Decimal("0.001"), Decimal("0.0015"))
    assert market.maximum_market_quantity is None
    without_fees = data | {
        "maker": None,
        "taker": None,
        "limits": data["limits"] | {"market": {"min": "0", "max": "120.5"}},
    }
    market = convert.market("kraken", without_fees, 2)
    assert (market.maker_fee, market.taker_fee) == (None, None)
    assert market.maximum_market_quantity == Decimal("120.5")
    assert market.minimum_market_quantity is None


@pytest.mark.parametrize(
    ("venue", "info", "rules"),
    [
        ("binance", {"filters": [{"filterType": "NOTIONAL", "applyMinToMarket": False}]}, (None, False)),
        ("binance", {"filters": [{"filterType": "NOTIONAL", "applyMinToMarket": True}]}, (None, True)),
        ("binance", {"filters": [{"filterType": "MIN_NOTIONAL", "applyToMarket": False}]}, (None, False)),
        ("binance", {"filters": [{"filterType": "LOT_SIZE"}]}, (None, True)),
        ("bybit", {"lotSizeFilter": {"maxMarketOrderQty": "41.5"}}, (Decimal("41.5"), True)),
        ("bybit", {}, (None, True)),
        ("okx", {"maxMktSz": "1000000"}, (None, True)),
    ],
)
def test_rules_for_orders_at_the_markets_price_are_read_where_ccxt_leaves_them(
    venue: str, info: dict[str, object], rules: tuple[Decimal | None, bool]
) -> None:
    profile = profile_of(venue)
    assert profile is not None
    found = profile.market_rules(info)
    assert (found.maximum_market_quantity, found.notional_at_market) == rules


def test_what_an_answer_about_our_order_leaves_out_is_the_orders_own() -> None:
    own = new_order(type=OrderType.STOP, side=OrderSide.SELL, quantity=Decimal(3), stop_price=Decimal(2))
    report = convert.order(MARKET, {"id": "7"}, own)
    assert (report.type, report.side, report.quantity) == (OrderType.STOP, OrderSide.SELL, 3)
    assert (report.status, report.filled_quantity) == (OrderStatus.OPEN, 0)
    assert convert.order(MARKET, {"id": "7", "status": "closed"}, own).filled_quantity == 3


@pytest.mark.parametrize("data", [{}, {"id": None}, {"id": ""}])
def test_an_answer_without_an_order_id_is_none(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no order id"):
        convert.order(MARKET, data, new_order())


@pytest.mark.parametrize("status", ["canceled", "expired"])
def test_an_order_that_ended_without_a_report_of_its_fills_is_not_taken_for_unfilled(status: str) -> None:
    with pytest.raises(ValueError, match="isn't reported"):
        convert.order(MARKET, {"id": "7", "status": status}, new_order())


def test_an_order_of_others_in_quote_has_no_quantity_of_zero() -> None:
    data = {"id": "7", "side": "buy", "type": "market", "status": "open"}
    with pytest.raises(ValueError, match="no quantity in base"):
        convert.order(MARKET, data)
    assert convert.order(MARKET, data | {"filled": "1", "remaining": "2"}).quantity == 3


def test_a_balance_without_its_total_is_the_sum_of_its_parts_and_never_nothing() -> None:
    (found,) = convert.balances({"BTC": {"total": None, "free": "1", "used": "2"}})
    assert (found.total, found.free) == (3, 1)
    with pytest.raises(ValueError, match="isn't reported"):
        convert.balances({"BTC": {"total": None, "free": "1", "used": None}})


def test_the_venues_own_status_goes_before_ccxts() -> None:
    bybit = profile_of("bybit")
    assert bybit is not None
    data = {"id": "7", "status": "closed", "filled": "1", "info": {"orderStatus": "PartiallyFilledCanceled"}}
    report = convert.order(MARKET, data, new_order(quantity=Decimal(3)), bybit.reading)
    assert (report.status, report.filled_quantity) == (OrderStatus.CANCELED, 1)


def test_a_candle_is_closed_once_its_end_is_past() -> None:
    row = [1_723_075_200_000, "1", "2", "0.5", "1.5", "10"]
    opened = datetime(2024, 8, 8, tzinfo=UTC)
    assert not convert.candle(MARKET, Timeframe.M1, row, opened.replace(second=59)).closed
    assert convert.candle(MARKET, Timeframe.M1, row, opened.replace(minute=1)).closed


def test_trades_of_one_millisecond_are_in_the_order_of_their_numbers() -> None:
    rows = [
        {"id": name, "timestamp": 1, "price": "1", "amount": "1", "side": "buy"} for name in ("100", "99", "9", "101")
    ]
    trades = convert.sort_trades(convert.trade(MARKET, row) for row in rows)
    assert [trade.venue_trade_id for trade in trades] == ["9", "99", "100", "101"]


def test_a_report_of_a_cancel_names_the_order_and_not_the_cancel() -> None:
    report = {
        "e": "executionReport", "s": "BTCUSDT", "c": "cancel-1", "C": "mine", "S": "SELL", "o": "STOP_LOSS_LIMIT",
        "q": "1.00000000", "p": "10.50000000", "P": "11.00000000", "x": "CANCELED", "X": "CANCELED", "i": 7,
        "z": "0.25000000", "T": 1_723_075_200_000,
    }  # fmt: skip
    order = execution_report(report, MARKET)
    assert (order.client_order_id, order.venue_order_id, order.status) == ("mine", "7", OrderStatus.CANCELED)
    assert (order.type, order.price, order.stop_price) == (OrderType.STOP_LIMIT, Decimal("10.5"), Decimal(11))
    assert (order.filled_quantity, order.fills) == (Decimal("0.25"), ())


def test_a_report_of_a_trade_carries_its_fill() -> None:
    report = {
        "e": "executionReport", "s": "BTCUSDT", "c": "mine", "C": "", "S": "BUY", "o": "MARKET", "q": "2", "p": "0",
        "P": "0", "x": "TRADE", "X": "PARTIALLY_FILLED", "i": 7, "z": "1", "T": 1_723_075_200_000, "t": 55,
        "L": "61000.10000000", "l": "1.00000000", "n": "0.00100000", "N": "BTC", "m": False,
    }  # fmt: skip
    order = execution_report(report, MARKET)
    (fill,) = order.fills
    assert (order.status, order.price, order.type) == (OrderStatus.PARTIALLY_FILLED, None, OrderType.MARKET)
    assert (fill.venue_trade_id, fill.price, fill.quantity, fill.fee) == ("55", Decimal("61000.1"), 1, Decimal("0.001"))
    assert (fill.fee_currency, fill.maker, fill.client_order_id) == ("BTC", False, "mine")


@pytest.mark.parametrize("nonsense", ["NaN", "Infinity", "-0.5", "0", "1e", "", None])
@pytest.mark.parametrize("name", ["price", "amount"])
def test_a_fill_that_can_not_be_is_not_read(name: str, nonsense: str | None) -> None:
    row = {"id": "1", "order": "7", "timestamp": 1, "price": "1", "amount": "1", "side": "buy", "fee": None}
    assert convert.fill(MARKET, row, None).quantity == 1
    with pytest.raises((ValueError, ArithmeticError)):
        convert.fill(MARKET, row | {name: nonsense}, None)


@pytest.mark.parametrize(
    ("data", "shown"), [(-0.3639031169954318, "-0.36"), ("0.4625638180632295", "0.46"), ("12", "12"), (None, None)]
)
def test_the_change_of_the_day_is_rounded_to_hundredths(data: object, shown: str | None) -> None:
    ticker = convert.ticker(MARKET, {"percentage": data}, datetime.now(UTC))
    assert ticker.change_percent_24h == (None if shown is None else Decimal(shown))


@pytest.mark.parametrize("wrong", [{"price": None}, {"price": "0"}, {"amount": "-1"}, {"price": "NaN"}, {"id": None}])
def test_a_trade_that_cannot_be_is_refused_instead_of_becoming_the_low_of_its_candle(wrong: dict[str, object]) -> None:
    data = {"id": "7", "timestamp": 1_723_161_600_000, "price": "100.5", "amount": "0.25", "side": "buy"}
    assert convert.trade(MARKET, data).price == Decimal("100.5")
    with pytest.raises(ValueError, match=r"above zero|finite|without an id"):
        convert.trade(MARKET, data | wrong)


@pytest.mark.parametrize(("column", "wrong"), [(1, None), (3, "0"), (4, "-1"), (5, "-1")])
def test_a_candle_without_a_price_or_with_a_negative_volume_is_refused(column: int, wrong: str | None) -> None:
    row: list[object] = [1_723_161_600_000, "2", "3", "1", "2", "10"]
    row[column] = wrong
    with pytest.raises(ValueError, match=r"above zero|no volume"):
        convert.candle(MARKET, Timeframe.M1, row, datetime(2024, 8, 9, tzinfo=UTC))
