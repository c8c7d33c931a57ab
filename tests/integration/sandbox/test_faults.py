"""The exchange fails as requested, and loses nothing when it is killed."""

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from typing import Any

import pytest
import websockets
from binance.spot import Spot
from ccxt.base.errors import AuthenticationError, DDoSProtection, ExchangeNotAvailable, InvalidNonce, NetworkError

from tests.support.ccxt_client import Client, Connect
from tests.support.sandbox import SandboxKeys, SandboxProcess, running_sandbox

MARKET = "BTC/USDT"
Connection = websockets.ClientConnection


async def place_market(client: Client, client_id: str) -> dict[str, str]:
    order: dict[str, str] = await client.create_order(
        MARKET, "market", "buy", "0.01", None, {"newClientOrderId": client_id}
    )
    return order


async def find(client: Client, client_id: str) -> dict[str, str]:
    order: dict[str, str] = await client.fetch_order(None, MARKET, {"origClientOrderId": client_id})
    return order


async def test_a_swallowed_answer_leaves_the_order_placed(sandbox: SandboxProcess, trader: Client) -> None:
    await sandbox.inject_faults(swallowOrders=1)
    with pytest.raises(NetworkError):
        await place_market(trader, "swallowed")
    assert (await find(trader, "swallowed"))["status"] == "closed"


async def test_a_dropped_request_leaves_no_order(sandbox: SandboxProcess, trader: Client) -> None:
    await sandbox.inject_faults(dropOrders=1)
    with pytest.raises(NetworkError):
        await place_market(trader, "dropped")
    assert await trader.fetch_orders(MARKET) == []


async def test_a_hanging_answer_times_out_and_the_order_stands(sandbox: SandboxProcess, trader: Client) -> None:
    await sandbox.inject_faults(hangOrders=1)
    trader.timeout = 2_000  # long enough for the order to arrive
    with pytest.raises(NetworkError):
        await place_market(trader, "hanging")
    trader.timeout = 10_000
    assert (await find(trader, "hanging"))["status"] == "closed"


@pytest.mark.parametrize(
    ("status", "error"), [(503, ExchangeNotAvailable), (429, DDoSProtection), (418, DDoSProtection)]
)
async def test_it_answers_with_the_requested_status(
    sandbox: SandboxProcess, trader: Client, status: int, error: type[Exception]
) -> None:
    await sandbox.inject_faults(answerStatus=status, answerCount=1)
    with pytest.raises(error):
        await place_market(trader, "refused")
    assert (await place_market(trader, "accepted"))["status"] == "closed"


async def test_answers_can_be_late(sandbox: SandboxProcess, trader: Client) -> None:
    await sandbox.inject_faults(delayMs=400, delayCount=1)
    began = time.monotonic()
    await trader.fetch_time()
    assert time.monotonic() - began >= 0.4


async def test_a_clock_that_is_off_refuses_requests_until_the_client_corrects_for_it(
    sandbox: SandboxProcess, trader: Client
) -> None:
    await sandbox.inject_faults(driftMs=30_000)
    with pytest.raises(InvalidNonce):
        await trader.fetch_balance()
    trader.options["adjustForTimeDifference"] = True
    await trader.load_time_difference()
    await trader.fetch_balance()


@asynccontextmanager
async def user_stream(sandbox: SandboxProcess, keys: SandboxKeys) -> AsyncIterator[Connection]:
    """Open the user data stream without a client library, to see each message as it comes."""
    values = {"apiKey": keys.api_key, "timestamp": str(time.time_ns() // 1_000_000)}
    payload = "&".join(f"{name}={value}" for name, value in sorted(values.items()))
    values["signature"] = hmac.digest(keys.secret.encode(), payload.encode(), "sha256").hex()
    async with websockets.connect(f"{sandbox.websocket_url}/ws-api/v3") as socket:
        request = {"id": "1", "method": "userDataStream.subscribe.signature", "params": values}
        await socket.send(json.dumps(request))
        assert json.loads(await socket.recv())["result"] == {"subscriptionId": 0}
        yield socket


async def next_events(socket: Connection, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        return [json.loads(await socket.recv())["event"] for _ in range(count)]


async def test_a_fill_can_be_sent_twice(sandbox: SandboxProcess, trader: Client, keys: SandboxKeys) -> None:
    async with user_stream(sandbox, keys) as socket:
        await sandbox.inject_faults(repeatFills=1)
        await place_market(trader, "twice")
        opened, first, second = await next_events(socket, 3)
        assert (opened["x"], first["x"]) == ("NEW", "TRADE")
        assert first == second


async def test_a_fill_can_be_sent_after_what_follows_it(
    sandbox: SandboxProcess, trader: Client, keys: SandboxKeys
) -> None:
    async with user_stream(sandbox, keys) as socket:
        await sandbox.inject_faults(reorderFills=1)
        order = await trader.create_order(MARKET, "limit", "buy", "0.00020", "66000")
        assert order["status"] == "closed"
        # What follows the fill are the balances, or another fill if the order has taken two levels.
        opened, following, late = await next_events(socket, 3)
        assert opened["x"] == "NEW"
        assert following["e"] == ("outboundAccountPosition" if len(order["trades"]) == 1 else "executionReport")
        first = min(int(trade["id"]) for trade in order["trades"])
        assert (late["e"], late["x"], late["t"]) == ("executionReport", "TRADE", first)


async def read_on(socket: Connection) -> None:
    async for _ in socket:
        pass


async def test_cut_streams_end_abruptly_and_can_be_opened_again(sandbox: SandboxProcess) -> None:
    address = f"{sandbox.websocket_url}/ws/btcusdt@trade"
    async with websockets.connect(address) as socket, asyncio.timeout(60):
        await socket.recv()
        assert (await sandbox.inject_faults(dropMarketStreams=True))["dropped"] == 1
        with pytest.raises(websockets.ConnectionClosedError):
            await read_on(socket)
    async with websockets.connect(address) as socket, asyncio.timeout(60):
        assert await socket.recv()


async def test_a_silent_market_keeps_its_connections_and_sends_nothing(sandbox: SandboxProcess) -> None:
    async with websockets.connect(f"{sandbox.websocket_url}/ws/btcusdt@depth@100ms") as socket:
        await sandbox.inject_faults(silenceMarketStreams=True)
        # The answer comes after all that was queued before it, so nothing is under way any more.
        await socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1}))
        while "id" not in json.loads(await socket.recv()):
            pass
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 1.0)
        await sandbox.inject_faults(silenceMarketStreams=False)
        async with asyncio.timeout(60):
            assert await socket.recv()


async def test_everything_acknowledged_survives_kill_nine(sandbox: SandboxProcess, trader: Client) -> None:
    bought = await place_market(trader, "bought")
    resting = await trader.create_order(MARKET, "limit", "buy", "0.02", "50000", {"newClientOrderId": "resting"})
    waiting = await trader.create_order(MARKET, "STOP_LOSS", "sell", "0.02", None, {"stopPrice": "40000"})
    balance = (await trader.fetch_balance())["total"]
    trades = await trader.fetch_my_trades(MARKET)
    before = await sandbox.get("/api/v3/trades?symbol=BTCUSDT&limit=1")
    await sandbox.restart()
    assert (await trader.fetch_balance())["total"] == balance
    assert [trade["id"] for trade in await trader.fetch_my_trades(MARKET)] == [trade["id"] for trade in trades]
    assert {order["id"] for order in await trader.fetch_open_orders(MARKET)} == {resting["id"], waiting["id"]}
    again = await place_market(trader, "again")
    assert int(again["id"]) > max(int(order["id"]) for order in (bought, resting, waiting))
    after = await sandbox.get("/api/v3/trades?symbol=BTCUSDT&limit=1")
    assert after[0]["id"] > before[0]["id"]
    assert abs(Decimal(after[0]["price"]) / Decimal(before[0]["price"]) - 1) < Decimal("0.01")
    assert (await trader.cancel_order(resting["id"], MARKET))["status"] == "canceled"


async def test_an_account_requested_twice_is_the_same_and_paid_once(sandbox: SandboxProcess, connect: Connect) -> None:
    first = await sandbox.create_account("ann", {"USDT": "100"})
    await sandbox.restart()
    assert await sandbox.create_account("ann", {"USDT": "100"}) == first
    assert await sandbox.deposit("ann", "USDT", "5", "k")
    assert not await sandbox.deposit("ann", "USDT", "5", "k")
    async with connect(first) as client:
        assert (await client.fetch_balance())["total"] == {"USDT": "105"}


async def test_strangers_and_forgers_are_refused(sandbox: SandboxProcess, connect: Connect) -> None:
    keys = await sandbox.create_account("ann", {"USDT": "100"})
    for wrong in (SandboxKeys(keys.api_key, "forged", 0), SandboxKeys("unknown", keys.secret, 0)):
        async with connect(wrong) as client:
            with pytest.raises(AuthenticationError):
                await client.fetch_balance()


async def test_a_second_process_is_kept_off_the_folder(sandbox: SandboxProcess) -> None:
    with pytest.raises(RuntimeError, match="in use by another sandbox"):
        async with running_sandbox(sandbox.folder):
            pass


async def test_the_token_is_readable_by_its_owner_alone(sandbox: SandboxProcess) -> None:
    assert (sandbox.folder / "admin-token").stat().st_mode & 0o077 == 0


def place_pairs(client: Spot, price: Decimal) -> None:
    """Place three pairs 2 % above and below the price; each sells no more than a book has just after a jump."""
    above, below = (str((price * Decimal(share)).quantize(Decimal("0.01"))) for share in ("1.02", "0.98"))
    for _ in range(3):
        client.new_oco_order(
            "BTCUSDT", "SELL", "0.02", aboveType="LIMIT_MAKER", abovePrice=above, belowType="STOP_LOSS",
            belowStopPrice=below,
        )  # fmt: skip


def check_pairs(client: Spot) -> None:
    """Assert that each pair is open, or has been decided, or was cancelled, and that open ones hold their funds."""
    while True:
        lists, orders = client.get_oco_orders(), {order["orderId"]: order for order in client.get_orders("BTCUSDT")}
        pairs, balances = len(client.get_oco_open_orders()), client.account()["balances"]
        if client.get_oco_orders() == lists:  # nothing has changed between the answers
            break
    for found in lists:
        statuses = tuple(orders[order["orderId"]]["status"] for order in found["orders"])
        assert statuses in {("NEW", "NEW"), ("FILLED", "EXPIRED"), ("CANCELED", "CANCELED")}
        assert (found["listOrderStatus"] == "EXECUTING") == (statuses == ("NEW", "NEW"))
    locked = {balance["asset"]: Decimal(balance["locked"]) for balance in balances}
    assert locked["BTC"] == pairs * Decimal("0.02")
    if pairs:
        client.cancel_open_orders("BTCUSDT")


async def test_a_kill_while_pairs_trigger_leaves_each_open_or_decided(
    sandbox: SandboxProcess, keys: SandboxKeys
) -> None:
    for delay_ms in (0, 5):
        client = Spot(api_key=keys.api_key, api_secret=keys.secret, base_url=sandbox.url)
        with closing(client.session):
            # The last trade may be one from before the price was moved.
            price = Decimal((await asyncio.to_thread(client.book_ticker, "BTCUSDT"))["bidPrice"])
            await asyncio.to_thread(place_pairs, client, price)
            moving = asyncio.create_task(sandbox.move_price("BTC/USDT", str(price * Decimal("0.97"))))
            await asyncio.sleep(delay_ms / 1000)
            await sandbox.restart()
            await asyncio.wait([moving])
            moving.exception()
            await asyncio.to_thread(check_pairs, client)
            await sandbox.move_price("BTC/USDT", str(price))
