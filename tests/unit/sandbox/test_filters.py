"""A market's filters are enforced as `exchangeInfo` lists them, and an administrator can change them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.sandbox.errors import ExchangeError
from infra.sandbox.matching.market_filters import FIELDS, FilterError, filters_json, with_filters
from infra.sandbox.matching.market_specs import MARKETS
from infra.sandbox.orders import Side
from infra.sandbox.state.store import Account, Store
from tests.support.exchange import BTC, InMemoryExchange, units

BUY: dict[str, object] = {"type": "LIMIT", "side": "BUY", "timeInForce": "GTC", "quantity": "1", "price": "59000"}
MARKET: dict[str, object] = {"type": "MARKET", "side": "BUY", "quantity": "1"}
STOP: dict[str, object] = {"type": "STOP_LOSS", "side": "SELL", "quantity": "1", "stopPrice": "50000"}


@pytest.fixture
def small() -> InMemoryExchange:
    exchange = InMemoryExchange()
    exchange.set_liquidity(Side.BUY, 59_999, 50)
    exchange.set_liquidity(Side.SELL, 60_001, 50)
    return exchange


@pytest.fixture
def ann(small: InMemoryExchange) -> Account:
    return small.account("ann", USDT=1_000_000, BTC=10)


def change(small: InMemoryExchange, kind: str, **values: object) -> None:
    small.market.spec = with_filters(small.market.spec, [{"filterType": kind} | values])


@pytest.mark.parametrize(
    ("kind", "values", "order"),
    [
        ("PRICE_FILTER", {"tickSize": "0.10"}, BUY | {"price": "59000.05"}),
        ("PRICE_FILTER", {"maxPrice": "58000"}, BUY),
        ("PRICE_FILTER", {"minPrice": "59500"}, BUY),
        ("PERCENT_PRICE_BY_SIDE", {"bidMultiplierUp": "0.9"}, BUY),
        ("PERCENT_PRICE_BY_SIDE", {"bidMultiplierDown": "0.999"}, BUY),
        ("PERCENT_PRICE_BY_SIDE", {"askMultiplierUp": "1.1"}, BUY | {"side": "SELL", "price": "67000"}),
        ("PERCENT_PRICE_BY_SIDE", {"askMultiplierDown": "1.05"}, BUY | {"side": "SELL", "price": "60500"}),
        ("LOT_SIZE", {"minQty": "2"}, BUY),
        ("LOT_SIZE", {"maxQty": "0.5"}, MARKET),
        ("LOT_SIZE", {"stepSize": "0.3"}, BUY),
        ("LOT_SIZE", {"minQty": "0.6"}, BUY | {"icebergQty": "0.5"}),
        ("MARKET_LOT_SIZE", {"minQty": "2"}, MARKET),
        ("MARKET_LOT_SIZE", {"maxQty": "0.5"}, MARKET),
        ("MARKET_LOT_SIZE", {"stepSize": "0.3"}, MARKET),
        ("NOTIONAL", {"minNotional": "70000"}, BUY),
        ("NOTIONAL", {"minNotional": "70000"}, MARKET),
        ("NOTIONAL", {"maxNotional": "50000"}, BUY),
        ("NOTIONAL", {"maxNotional": "50000", "applyMaxToMarket": True}, MARKET),
        ("ICEBERG_PARTS", {"limit": 2}, BUY | {"icebergQty": "0.4"}),
        ("MAX_NUM_ORDERS", {"maxNumOrders": 0}, BUY),
        ("MAX_NUM_ALGO_ORDERS", {"maxNumAlgoOrders": 0}, STOP),
        ("MAX_NUM_ICEBERG_ORDERS", {"maxNumIcebergOrders": 0}, BUY | {"icebergQty": "0.5"}),
        ("MAX_POSITION", {"maxPosition": "10.5"}, BUY),
        (
            "MAX_POSITION", {"maxPosition": "10.5"},
            {"type": "MARKET", "side": "BUY", "quoteOrderQty": "60000"},
        ),
        ("TRAILING_DELTA", {"maxTrailingBelowDelta": 50}, STOP | {"stopPrice": None, "trailingDelta": 100}),
        ("TRAILING_DELTA", {"minTrailingAboveDelta": 200}, {
            "type": "TAKE_PROFIT", "side": "SELL", "quantity": "1", "trailingDelta": 100,
        }),
    ],
)  # fmt: skip
def test_an_order_outside_of_a_changed_filter_is_refused(
    small: InMemoryExchange, ann: Account, kind: str, values: dict[str, object], order: dict[str, object]
) -> None:
    assert small.ask(ann, "POST", "order/test", **order) == {}
    change(small, kind, **values)
    with pytest.raises(ExchangeError, match=f"Filter failure: {kind}$") as caught:
        small.ask(ann, "POST", "order", **order)
    assert caught.value.code == -1013


@pytest.mark.parametrize(
    ("kind", "values", "order"),
    [
        ("NOTIONAL", {"minNotional": "70000", "applyMinToMarket": False}, MARKET),
        ("NOTIONAL", {"maxNotional": "50000"}, MARKET),
        ("MARKET_LOT_SIZE", {"maxQty": "0.5"}, BUY),
        ("MAX_POSITION", {"maxPosition": "5"}, BUY | {"side": "SELL", "price": "61000"}),
        ("MAX_NUM_ALGO_ORDERS", {"maxNumAlgoOrders": 0}, BUY),
        ("PRICE_FILTER", {"maxPrice": "0"}, BUY),
    ],
)
def test_a_filter_concerns_only_its_kind_of_order(
    small: InMemoryExchange, ann: Account, kind: str, values: dict[str, object], order: dict[str, object]
) -> None:
    change(small, kind, **values)
    small.ask(ann, "POST", "order", **order)


def test_prices_are_averaged_over_the_minutes_that_a_filter_says(small: InMemoryExchange, ann: Account) -> None:
    small.market.trade(units(66_000), units("0.001"), small.exchange.clock.now_ms(), buyer_is_maker=False)
    change(small, "PERCENT_PRICE_BY_SIDE", bidMultiplierUp="1", avgPriceMins=0)
    with pytest.raises(ExchangeError, match="PERCENT_PRICE_BY_SIDE"):
        small.ask(ann, "POST", "order/test", **BUY | {"price": "66000.01"})
    small.ask(ann, "POST", "order/test", **BUY | {"price": "66000"})


def test_open_orders_stay_when_a_filter_changes(small: InMemoryExchange, ann: Account) -> None:
    small.ask(ann, "POST", "order", **BUY)
    change(small, "LOT_SIZE", minQty="2")
    change(small, "MAX_NUM_ORDERS", maxNumOrders=1)
    small.take_liquidity(Side.SELL, 1_000, 59_999)
    small.take_liquidity(Side.SELL, "0.5", 59_000)
    assert small.ask(ann, "GET", "openOrders")[0]["status"] == "PARTIALLY_FILLED"
    small.check_invariants([ann])


def test_a_symbol_allows_only_its_modes_of_self_trade_prevention(small: InMemoryExchange, ann: Account) -> None:
    small.market.spec = replace(small.market.spec, self_trade_modes=small.market.spec.self_trade_modes[:2])
    with pytest.raises(ExchangeError, match="does not allow the specified self-trade") as caught:
        small.ask(ann, "POST", "order", **BUY | {"selfTradePreventionMode": "EXPIRE_BOTH"})
    assert caught.value.code == -1013


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"filterType": "NO_SUCH"}, "isn't one of"),
        ({}, "isn't one of"),
        ({"filterType": "LOT_SIZE", "size": "1"}, "has no 'size'"),
        ({"filterType": "LOT_SIZE", "minQty": 1}, "a text such as"),
        ({"filterType": "LOT_SIZE", "minQty": "-1"}, "a text such as"),
        ({"filterType": "LOT_SIZE", "stepSize": "0"}, "can't be 0"),
        ({"filterType": "LOT_SIZE", "maxQty": "100000000000000"}, "up to"),
        ({"filterType": "MAX_NUM_ORDERS", "maxNumOrders": "5"}, "a whole number"),
        ({"filterType": "MAX_NUM_ORDERS", "maxNumOrders": True}, "a whole number"),
        ({"filterType": "NOTIONAL", "applyMinToMarket": 1}, "true or false"),
        ({"filterType": "NOTIONAL", "avgPriceMins": 61}, "from 0 to 60"),
    ],
)
def test_a_filter_that_cant_be_is_refused_with_what_would_be_right(given: dict[str, Any], message: str) -> None:
    with pytest.raises(FilterError, match=message):
        with_filters(MARKETS[BTC], [given])


def test_changed_filters_are_published_and_survive_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    before = InMemoryExchange(store)
    before.exchange.change_filters(before.market, [{"filterType": "LOT_SIZE", "minQty": "0.5"}])
    given = filters_json(before.market.spec)
    assert {
        "filterType": "LOT_SIZE",
        "minQty": "0.50000000",
        "maxQty": "9000.00000000",
        "stepSize": "0.00001000",
    } in given
    store.close()
    assert filters_json(InMemoryExchange(Store(tmp_path / "state")).market.spec) == given


@given(st.sampled_from(sorted(MARKETS)), st.sampled_from(sorted(FIELDS)))
def test_filters_survive_being_read_and_set(symbol: str, kind: str) -> None:
    spec = MARKETS[symbol]
    given = [given for given in filters_json(spec) if given["filterType"] == kind]
    assert with_filters(spec, given) == spec
