"""Candles from a second to a month, and tickers over any window, agree with each other."""

from datetime import UTC, datetime
from typing import Any

import pytest

from infra.sandbox.api.endpoints import ROUTES
from infra.sandbox.api.params import Params
from infra.sandbox.candles import DAY_MS, MINUTE_MS, SECOND_MS, month_start, span_start
from infra.sandbox.errors import ExchangeError
from infra.sandbox.orders import Side
from infra.sandbox.state.store import Account
from tests.support.exchange import BTC, InMemoryExchange, units

SUMMED = (5, 7, 8, 9, 10)
"""Columns of a candle that add up: volumes, trades, the takers' share."""


@pytest.fixture(scope="module")
def small() -> InMemoryExchange:
    exchange = InMemoryExchange()
    for step in range(100):
        now = exchange.exchange.clock.now_ms()
        exchange.market.trade(units(60_000 + step % 7), units("0.01") + step, now, buyer_is_maker=step % 2 == 0)
    return exchange


@pytest.fixture(scope="module")
def ann(small: InMemoryExchange) -> Account:
    return small.account("ann", BTC=1)


def klines(small: InMemoryExchange, account: Account, interval: str, **params: object) -> list[list[Any]]:
    return list(small.ask(account, "GET", "klines", interval=interval, **params))


def check_sum(whole: list[Any], parts: list[list[Any]]) -> None:
    """Assert that `parts` are the candle `whole` cut into pieces."""
    assert (whole[1], whole[4]) == (parts[0][1], parts[-1][4])
    assert float(whole[2]) == max(float(part[2]) for part in parts)
    assert float(whole[3]) == min(float(part[3]) for part in parts)
    for column in SUMMED:
        assert units(whole[column]) == sum(units(part[column]) for part in parts)


def test_seconds_add_up_to_their_minutes_traded_or_long_ago(small: InMemoryExchange, ann: Account) -> None:
    now_minute = span_start(small.exchange.clock.now_ms(), MINUTE_MS)
    for minute in (now_minute, now_minute - 5 * MINUTE_MS, now_minute - 400 * DAY_MS):
        (whole,) = klines(small, ann, "1m", startTime=minute, endTime=minute)
        parts = klines(small, ann, "1s", startTime=minute, endTime=minute + MINUTE_MS - 1)
        assert [part[0] for part in parts] == list(range(minute, parts[-1][0] + 1, SECOND_MS))
        check_sum(whole, parts)
        assert parts == klines(small, ann, "1s", startTime=minute, endTime=parts[-1][6])
        assert parts[0][6] == minute + SECOND_MS - 1


def test_months_are_calendar_months_made_of_their_days(small: InMemoryExchange, ann: Account) -> None:
    months = klines(small, ann, "1M", limit=14)
    assert len(months) == 14
    for month in months:
        opened = datetime.fromtimestamp(month[0] / 1000, UTC)
        assert (opened.day, opened.hour) == (1, 0)
        assert month[6] == month_start(month[0], 1) - 1
    days = klines(small, ann, "1d", startTime=months[-2][0], endTime=months[-2][6])
    assert len(days) in {28, 29, 30, 31}
    check_sum(months[-2], days)
    assert klines(small, ann, "1M", startTime=months[3][0], limit=2) == months[3:5]
    assert klines(small, ann, "1M", startTime=10**17) == []


def test_three_days_count_from_the_epoch_and_weeks_from_mondays(small: InMemoryExchange, ann: Account) -> None:
    assert all(row[0] % (3 * DAY_MS) == 0 for row in klines(small, ann, "3d", limit=5))
    for row in klines(small, ann, "1w", limit=5):
        assert datetime.fromtimestamp(row[0] / 1000, UTC).weekday() == 0


def test_the_candles_of_a_chart_are_the_same(small: InMemoryExchange, ann: Account) -> None:
    assert small.ask(ann, "GET", "uiKlines", interval="1h", limit=5) == klines(small, ann, "1h", limit=5)


@pytest.mark.parametrize("size", [None, "1m", "59m", "1h", "23h", "1d", "7d"])
def test_a_ticker_covers_its_window_of_minutes(small: InMemoryExchange, ann: Account, size: str | None) -> None:
    ticker = small.ask(ann, "GET", "ticker", windowSize=size)
    minutes = {"1m": 1, "59m": 59, "1h": 60, "23h": 1380, None: 1440, "1d": 1440, "7d": 10_080}[size]
    spans = small.market.candles(MINUTE_MS, ticker["openTime"], ticker["closeTime"] + 1)
    assert len(spans) == minutes
    assert ticker["count"] == sum(span.trades for span in spans)
    assert units(ticker["volume"]) == sum(span.volume for span in spans)
    assert units(ticker["highPrice"]) == max(span.high for span in spans)
    assert units(ticker["openPrice"]) == spans[0].open


def test_a_trading_day_begins_at_midnight_of_its_time_zone(small: InMemoryExchange, ann: Account) -> None:
    for zone, hours in (("0", 0.0), ("-1:00", -1.0), ("5:45", 5.75), ("14", 14.0)):
        ticker = small.ask(ann, "GET", "ticker/tradingDay", timeZone=zone)
        assert (ticker["openTime"] + hours * 3_600_000) % DAY_MS == 0
        assert ticker["closeTime"] == ticker["openTime"] + DAY_MS - 1
        assert ticker["openTime"] <= small.exchange.clock.now_ms() <= ticker["closeTime"]


def test_a_small_ticker_leaves_out_changes(small: InMemoryExchange, ann: Account) -> None:
    for path in ("ticker", "ticker/tradingDay", "ticker/24hr"):
        mini = small.ask(ann, "GET", path, type="MINI")
        full = small.ask(ann, "GET", path)
        assert "priceChange" in full
        assert "priceChange" not in mini
        assert mini["symbol"] == BTC
    assert len(small.ask(ann, "GET", "ticker", symbol=None, symbols='["BTCUSDT"]')) == 1


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("ticker", {"symbol": None}, -1128),
        ("ticker", {"symbols": '["BTCUSDT"]'}, -1128),
        ("ticker", {"windowSize": "60m"}, -1100),
        ("ticker", {"windowSize": "8d"}, -1100),
        ("ticker", {"windowSize": "1M"}, -1100),
        ("ticker", {"type": "SOME"}, -1139),
        ("ticker/tradingDay", {"timeZone": "15"}, -1100),
        ("ticker/tradingDay", {"timeZone": "5:60"}, -1100),
        ("ticker/tradingDay", {"symbol": None, "symbols": "[1]"}, -1121),
        ("klines", {"interval": "2M"}, -1120),
        ("klines", {}, -1102),
    ],
)
def test_a_window_that_isnt_offered_is_refused(
    small: InMemoryExchange, ann: Account, path: str, params: dict[str, object], code: int
) -> None:
    with pytest.raises(ExchangeError) as caught:
        small.ask(ann, "GET", path, **params)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("path", "params", "weight"),
    [
        ("depth", "limit=100", 5),
        ("depth", "limit=500", 25),
        ("depth", "limit=1000", 50),
        ("depth", "limit=5000", 250),
        ("depth", "limit=" + "9" * 5000, 5),
        ("ticker", "symbol=BTCUSDT", 4),
        ("ticker/tradingDay", 'symbols=["BTCUSDT","ETHUSDT"]', 8),
        ("ticker/24hr", "symbol=BTCUSDT", 2),
        ("ticker/24hr", "", 80),
        ("ticker/price", "", 4),
        ("openOrders", "symbol=BTCUSDT", 6),
        ("openOrders", "", 80),
        ("rateLimit/order", "", 40),
        ("order/amendments", "", 4),
        ("allOrderList", "", 20),
    ],
)
def test_requests_weigh_what_binance_documents(path: str, params: str, weight: int) -> None:
    assert ROUTES["GET", f"/api/v3/{path}"].weigh(Params.of_query(params)) == weight


def test_an_account_can_read_how_many_orders_it_has_placed(small: InMemoryExchange, ann: Account) -> None:
    first, second = small.ask(ann, "GET", "rateLimit/order")
    assert (first["interval"], first["intervalNum"], first["limit"], first["count"]) == ("SECOND", 10, 100, 0)
    assert second["interval"] == "DAY"


def test_the_average_is_of_five_minutes(small: InMemoryExchange, ann: Account) -> None:
    small.set_liquidity(Side.SELL, 61_000, 1)
    assert small.ask(ann, "GET", "avgPrice")["mins"] == 5
