import asyncio
from decimal import Decimal

import pytest
from ccxt.base.errors import InsufficientFunds, InvalidOrder, OrderNotFound

from tests.support.ccxt_client import Client, Connect
from tests.support.sandbox import SandboxProcess

MARKET = "BTC/USDT"


async def far_price(client: Client) -> str:
    return client.price_to_precision(MARKET, Decimal((await client.fetch_ticker(MARKET))["last"]) * Decimal("0.9"))


async def eventually_filled(client: Client, order_id: str) -> None:
    async with asyncio.timeout(60):
        while (await client.fetch_order(order_id, MARKET))["status"] != "closed":  # noqa: ASYNC110 - polled over HTTP
            await asyncio.sleep(0.05)


async def test_a_market_order_fills_and_pays_its_fee_in_what_it_receives(trader: Client) -> None:
    order = await trader.create_order(MARKET, "market", "buy", "0.01", None, {"newClientOrderId": "first"})
    assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", "0.01000000", "first")
    trades = await trader.fetch_my_trades(MARKET)
    assert sum(Decimal(trade["amount"]) for trade in trades) == Decimal("0.01")
    assert {trade["fee"]["currency"] for trade in trades} == {"BTC"}
    balance = await trader.fetch_balance()
    fees = sum(Decimal(trade["fee"]["cost"]) for trade in trades)
    assert Decimal(balance["BTC"]["free"]) == Decimal("5.01") - fees
    assert Decimal(balance["USDT"]["free"]) == Decimal(1_000_000) - sum(Decimal(trade["cost"]) for trade in trades)


async def test_a_market_order_by_cost_spends_no_more_than_it(trader: Client) -> None:
    order = await trader.create_order(MARKET, "market", "buy", None, None, {"quoteOrderQty": "500"})
    assert order["status"] == "closed"
    assert Decimal(490) < Decimal(order["cost"]) <= Decimal(500)


async def test_a_limit_order_rests_is_found_by_its_client_id_and_is_cancelled(trader: Client) -> None:
    placed = await trader.create_order(
        MARKET, "limit", "buy", "0.02", await far_price(trader), {"newClientOrderId": "rest"}
    )
    assert placed["status"] == "open"
    found = await trader.fetch_order(None, MARKET, {"origClientOrderId": "rest"})
    assert (found["id"], found["status"]) == (placed["id"], "open")
    assert [order["id"] for order in await trader.fetch_open_orders(MARKET)] == [placed["id"]]
    locked = Decimal((await trader.fetch_balance())["USDT"]["used"])
    assert locked == Decimal(placed["price"]) * Decimal("0.02")
    cancelled = await trader.cancel_order(None, MARKET, {"origClientOrderId": "rest"})
    assert cancelled["status"] == "canceled"
    assert (await trader.fetch_order(placed["id"], MARKET))["status"] == "canceled"
    assert Decimal((await trader.fetch_balance())["USDT"]["used"]) == 0
    with pytest.raises(OrderNotFound):
        await trader.cancel_order(placed["id"], MARKET)
    with pytest.raises(OrderNotFound):
        await trader.fetch_order(None, MARKET, {"origClientOrderId": "never"})


@pytest.mark.parametrize("time_in_force", ["IOC", "FOK"])
async def test_an_order_that_may_not_rest_expires_unfilled_away_from_the_market(
    trader: Client, time_in_force: str
) -> None:
    order = await trader.create_order(
        MARKET, "limit", "buy", "0.02", await far_price(trader), {"timeInForce": time_in_force}
    )
    assert (order["status"], Decimal(order["filled"])) == ("expired", 0)


async def test_post_only_rests_behind_the_touch_and_is_refused_through_it(trader: Client) -> None:
    price = await far_price(trader)
    order = await trader.create_order(MARKET, "limit", "buy", "0.02", price, {"postOnly": True})
    assert order["status"] == "open"
    with pytest.raises(InvalidOrder, match="immediately match"):
        await trader.create_order(MARKET, "limit", "sell", "0.02", price, {"postOnly": True})


@pytest.mark.parametrize(
    ("kind", "side", "trigger", "price", "moved"),
    [
        ("STOP_LOSS", "sell", "0.98", None, "0.975"),
        ("STOP_LOSS", "buy", "1.02", None, "1.025"),
        ("TAKE_PROFIT", "sell", "1.02", None, "1.025"),
        ("STOP_LOSS_LIMIT", "sell", "0.98", "0.95", "0.975"),
        ("TAKE_PROFIT_LIMIT", "buy", "0.98", "1.0", "0.975"),
    ],
)
async def test_a_stop_waits_for_its_price_and_then_fills(
    sandbox: SandboxProcess, trader: Client, kind: str, side: str, trigger: str, price: str | None, moved: str
) -> None:
    last = Decimal((await trader.fetch_ticker(MARKET))["last"])
    at = {"stopPrice": trader.price_to_precision(MARKET, last * Decimal(trigger))}
    limit = trader.price_to_precision(MARKET, last * Decimal(price)) if price else None
    order = await trader.create_order(MARKET, kind, side, "0.02", limit, at)
    assert (await trader.fetch_order(order["id"], MARKET))["status"] == "open"
    await sandbox.move_price("BTCUSDT", str(last * Decimal(moved)))
    await eventually_filled(trader, order["id"])


async def test_refusals_reach_ccxt_as_what_they_are(trader: Client) -> None:
    with pytest.raises(InsufficientFunds):
        await trader.create_order(MARKET, "market", "buy", "50")
    price = await far_price(trader)
    await trader.create_order(MARKET, "limit", "buy", "0.01", price, {"newClientOrderId": "twice"})
    with pytest.raises(InvalidOrder, match="Duplicate order sent"):
        await trader.create_order(MARKET, "limit", "buy", "0.01", price, {"newClientOrderId": "twice"})
    await trader.cancel_order(None, MARKET, {"origClientOrderId": "twice"})
    again = await trader.create_order(MARKET, "limit", "buy", "0.01", price, {"newClientOrderId": "twice"})
    assert again["status"] == "open"


async def test_two_users_trade_with_each_other(sandbox: SandboxProcess, connect: Connect, trader: Client) -> None:
    other_keys = await sandbox.create_account("other", {"BTC": "140"})
    async with connect(other_keys) as other:
        await other.load_markets()
        book = await trader.fetch_order_book(MARKET, 5)
        inside = trader.price_to_precision(MARKET, Decimal(repr(book["bids"][0][0])) * Decimal("1.0"))
        bid = await trader.create_order(MARKET, "limit", "buy", "0.5", inside)
        # Far more than others may have there before the bid, or above it.
        await other.create_order(MARKET, "limit", "sell", "140", await far_price(other), {"timeInForce": "IOC"})
        filled = await trader.fetch_order(bid["id"], MARKET)
        assert filled["status"] == "closed"
        assert {trade["takerOrMaker"] for trade in await trader.fetch_my_trades(MARKET)} <= {"maker", "taker"}
