"""Binance's own Python client works on the sandbox as it does on Binance."""

import asyncio
from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import uuid4

import pytest
from binance.error import ClientError
from binance.spot import Spot

from tests.support.sandbox import SandboxProcess, session_sandbox
from tests.support.waiting import eventually

BTC = "BTCUSDT"
ETH = "ETHUSDT"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with session_sandbox() as process:
        yield process


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[Spot]:
    """Return a client of an account of its own."""
    keys = asyncio.run(sandbox.create_account(uuid4().hex, {"USDT": "1000000", "BTC": "140", "ETH": "50"}))
    client = Spot(api_key=keys.api_key, api_secret=keys.secret, base_url=sandbox.url)
    yield client
    client.session.close()


def price(client: Spot, share: str, symbol: str = BTC) -> str:
    """Return a share of the last price, on the market's tick."""
    last = Decimal(client.ticker_price(symbol)["price"])
    return str((last * Decimal(share)).quantize(Decimal("0.01"), ROUND_DOWN))


def resting(client: Spot, **params: object) -> dict[str, Any]:
    """Place an order that buys 0.1 BTC well below the price."""
    order = {"timeInForce": "GTC", "quantity": "0.1", "price": price(client, "0.8")}
    return client.new_order(BTC, "BUY", "LIMIT", **order | params)


def pair(client: Spot, prefix: str = "") -> dict[str, str]:
    """Return the parameters of two orders that sell, one well above the price, one well below."""
    legs = {
        "aboveType": "LIMIT_MAKER", "abovePrice": price(client, "1.2"), "belowType": "STOP_LOSS_LIMIT",
        "belowStopPrice": price(client, "0.8"), "belowPrice": price(client, "0.79"), "belowTimeInForce": "GTC",
    }  # fmt: skip
    return {prefix + name[0].upper() + name[1:] if prefix else name: value for name, value in legs.items()}


def working(client: Spot, share: str) -> dict[str, str]:
    return {
        "workingType": "LIMIT",
        "workingSide": "BUY",
        "workingPrice": price(client, share),
        "workingQuantity": "0.1",
    }


def test_market_data_is_read(client: Spot) -> None:
    assert client.ping() == {}
    assert client.time()["serverTime"] > 0
    (symbol,) = client.exchange_info(symbol=BTC)["symbols"]
    assert all(symbol[name] for name in ("icebergAllowed", "ocoAllowed", "otoAllowed", "allowTrailingStop"))
    assert all(symbol[name] for name in ("cancelReplaceAllowed", "amendAllowed"))
    assert client.depth(BTC, limit=5)["bids"]
    assert isinstance(client.trades(BTC), list)
    assert isinstance(client.historical_trades(BTC), list)
    assert isinstance(client.agg_trades(BTC), list)
    for interval in ("1s", "1m", "3d", "1w", "1M"):
        assert len(client.klines(BTC, interval, limit=3)) == 3
    assert len(client.ui_klines(BTC, "1h", limit=3)) == 3
    assert float(client.avg_price(BTC)["price"]) > 0
    assert client.book_ticker(BTC)["symbol"] == BTC


def test_tickers_of_a_day_a_window_and_a_trading_day_are_read(client: Spot) -> None:
    assert client.ticker_24hr(BTC)["symbol"] == BTC
    assert client.rolling_window_ticker(BTC, windowSize="4h")["count"] >= 0
    assert [found["symbol"] for found in client.rolling_window_ticker(symbols=[BTC, ETH])] == [BTC, ETH]
    assert client.trading_day_ticker(BTC)["openTime"] % 86_400_000 == 0
    assert len(client.ticker_price(symbols=[BTC, ETH])) == 2


def test_an_order_is_placed_found_and_cancelled(client: Spot) -> None:
    assert client.new_order_test(BTC, "BUY", "MARKET", quantity="0.1") == {}
    placed = resting(client, newClientOrderId="mine")
    assert client.get_order(BTC, origClientOrderId="mine")["orderId"] == placed["orderId"]
    assert len(client.get_open_orders()) == 1
    assert client.cancel_order(BTC, orderId=placed["orderId"], cancelRestrictions="ONLY_NEW")["status"] == "CANCELED"
    assert client.get_orders(BTC)[0]["status"] == "CANCELED"


def test_a_market_order_fills_with_its_trades_and_fees(client: Spot) -> None:
    filled = client.new_order(BTC, "BUY", "MARKET", quoteOrderQty="1000")
    assert filled["status"] == "FILLED"
    assert {trade["orderId"] for trade in client.my_trades(BTC)} == {filled["orderId"]}
    assert client.account(omitZeroBalances="true")["balances"]
    assert client.query_commission_rates(BTC)["standardCommission"]["taker"] == "0.00100000"


def test_orders_are_replaced_in_one_step_with_each_outcome(client: Spot) -> None:
    old = resting(client)
    order = {"timeInForce": "GTC", "quantity": "0.2", "price": price(client, "0.7")}
    answer = client.cancel_and_replace(BTC, "BUY", "LIMIT", "STOP_ON_FAILURE", cancelOrderId=old["orderId"], **order)
    assert (answer["cancelResult"], answer["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    with pytest.raises(ClientError) as caught:
        client.cancel_and_replace(BTC, "BUY", "LIMIT", "STOP_ON_FAILURE", cancelOrderId=old["orderId"], **order)
    assert (caught.value.status_code, caught.value.error_code) == (400, -2022)
    assert caught.value.error_data["newOrderResult"] == "NOT_ATTEMPTED"
    with pytest.raises(ClientError) as caught:
        client.cancel_and_replace(BTC, "BUY", "LIMIT", "ALLOW_FAILURE", cancelOrderId=old["orderId"], **order)
    assert (caught.value.status_code, caught.value.error_code) == (409, -2021)
    assert caught.value.error_data["newOrderResult"] == "SUCCESS"
    with pytest.raises(ClientError) as caught:
        client.cancel_and_replace(
            BTC, "BUY", "LIMIT_MAKER", "ALLOW_FAILURE", cancelOrderId=old["orderId"], quantity="0.1",
            price=price(client, "1.1"),
        )  # fmt: skip
    assert (caught.value.status_code, caught.value.error_code) == (400, -2022)
    assert caught.value.error_data["newOrderResponse"]["code"] == -2010


def test_one_order_cancels_the_other(client: Spot) -> None:
    placed = client.new_oco_order(BTC, "SELL", "0.1", **pair(client), listClientOrderId="list")
    number = placed["orderListId"]
    assert client.get_oco_order(origClientOrderId="list")["orderListId"] == number
    assert [found["orderListId"] for found in client.get_oco_open_orders()] == [number]
    assert [found["orderListId"] for found in client.get_oco_orders()] == [number]
    assert client.cancel_oco_order(BTC, orderListId=number)["listOrderStatus"] == "ALL_DONE"
    assert client.get_open_orders() == []


def test_one_order_triggers_another_or_a_pair(client: Spot) -> None:
    chain = client.new_oto_order(
        BTC, **working(client, "1.01"), workingTimeInForce="GTC", pendingType="MARKET", pendingSide="SELL",
        pendingQuantity="0.05",
    )  # fmt: skip
    first, second = chain["orderReports"]
    assert (first["status"], second["status"]) == ("FILLED", "PENDING_NEW")
    assert client.get_order(BTC, orderId=second["orderId"])["status"] == "FILLED"
    bracket = client.new_otoco_order(
        BTC, **working(client, "1.01"), workingTimeInForce="GTC", pendingSide="SELL", pendingQuantity="0.05",
        **pair(client, "pending"),
    )  # fmt: skip
    assert [report["status"] for report in bracket["orderReports"]] == ["FILLED", "PENDING_NEW", "PENDING_NEW"]
    assert {order["status"] for order in client.get_open_orders(BTC)} == {"NEW"}
    cancelled = client.cancel_open_orders(BTC)
    assert [part["contingencyType"] for part in cancelled] == ["OTO"]


def test_a_stop_of_a_pair_triggers_and_ends_the_other(sandbox: SandboxProcess, client: Spot) -> None:
    last = Decimal(client.ticker_price("SOLUSDT")["price"])
    above, below = (str((last * Decimal(share)).quantize(Decimal("0.01"))) for share in ("1.05", "0.95"))
    client.new_order("SOLUSDT", "BUY", "MARKET", quantity="10")
    placed = client.new_oco_order(
        "SOLUSDT", "SELL", "5", aboveType="LIMIT_MAKER", abovePrice=above, belowType="STOP_LOSS", belowStopPrice=below
    )
    asyncio.run(sandbox.move_price("SOL/USDT", str(last * Decimal("0.9"))))

    def statuses() -> list[str]:
        return [client.get_order("SOLUSDT", orderId=order["orderId"])["status"] for order in placed["orders"]]

    asyncio.run(eventually(lambda: statuses()[0] != "NEW", "the stop triggers"))
    assert statuses() == ["FILLED", "EXPIRED"]


def test_trailing_stops_icebergs_and_amendments(client: Spot) -> None:
    stop = client.new_order(BTC, "SELL", "STOP_LOSS", quantity="0.1", trailingDelta=500)
    assert client.get_order(BTC, orderId=stop["orderId"])["trailingDelta"] == 500
    iceberg = resting(client, icebergQty="0.01")
    assert client.get_order(BTC, orderId=iceberg["orderId"])["icebergQty"] == "0.01000000"
    change = {"symbol": BTC, "orderId": iceberg["orderId"], "newQty": "0.05"}
    answer = client.sign_request("PUT", "/api/v3/order/amend/keepPriority", change)
    assert answer["amendedOrder"]["qty"] == "0.05000000"
    listed = client.sign_request("GET", "/api/v3/order/amendments", {"symbol": BTC, "orderId": iceberg["orderId"]})
    assert [row["newQty"] for row in listed] == ["0.05000000"]


def test_a_trade_with_itself_is_prevented(client: Spot) -> None:
    maker = resting(client, price=price(client, "0.999"))  # nobody gets there before the taker
    taker = client.new_order(
        BTC, "SELL", "LIMIT", timeInForce="IOC", quantity="140", price=price(client, "0.99"),
        selfTradePreventionMode="EXPIRE_BOTH",
    )  # fmt: skip
    assert taker["status"] == "EXPIRED_IN_MATCH"
    (prevented,) = client.query_prevented_matches(BTC, orderId=taker["orderId"])
    assert prevented["makerOrderId"] == maker["orderId"]


def test_the_counts_of_orders_are_reported(client: Spot) -> None:
    resting(client)
    client.new_oco_order(BTC, "SELL", "0.1", **pair(client))
    ten_seconds, a_day = client.get_order_rate_limit()
    assert (ten_seconds["limit"], a_day["count"]) == (100, 3)


def test_errors_are_those_of_binance(client: Spot) -> None:
    for code, call in (
        (-1121, lambda: client.depth("NOSUCH")),
        (-1013, lambda: resting(client, price="1")),
        (-2010, lambda: resting(client, quantity="50")),
        (-2011, lambda: client.cancel_order(BTC, orderId=999_999)),
        (-2013, lambda: client.get_order(BTC, orderId=999_999)),
        (-2018, lambda: client.get_oco_order(orderListId=999_999)),
        (-1145, lambda: client.cancel_order(BTC, orderId=1, cancelRestrictions="NO")),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.error_code == code
