import asyncio
from decimal import Decimal

from tests.support.ccxt_client import Client, Connect

MARKET = "BTC/USDT"


async def test_the_order_book_follows_without_a_gap_and_never_crosses(connect: Connect) -> None:
    async with connect() as client, asyncio.timeout(60):
        nonces = []
        for _ in range(40):
            book = await client.watch_order_book(MARKET)
            nonces.append(book["nonce"])
            assert book["bids"][0][0] < book["asks"][0][0]
        assert nonces == sorted(nonces)
        assert nonces[-1] > nonces[0]


async def test_the_streamed_book_is_the_one_of_rest(connect: Connect) -> None:
    async with connect() as client, asyncio.timeout(60):
        for _ in range(30):
            await client.watch_order_book(MARKET)
        while True:
            snapshot = await client.public_get_depth({"symbol": "BTCUSDT", "limit": 50})
            book = client.orderbooks[MARKET]
            while book["nonce"] < snapshot["lastUpdateId"]:
                book = await client.watch_order_book(MARKET)
            if book["nonce"] == snapshot["lastUpdateId"]:
                break
        expected = [[float(price), float(quantity)] for price, quantity in snapshot["bids"][:20]]
        assert [list(level[:2]) for level in book["bids"][:20]] == expected


async def test_trades_tickers_and_best_prices_arrive(connect: Connect) -> None:
    async with connect() as client, asyncio.timeout(60):
        trades = await client.watch_trades(MARKET)
        assert trades[0]["side"] in {"buy", "sell"}
        ticker = await client.watch_ticker(MARKET)
        assert Decimal(ticker["low"]) <= Decimal(ticker["last"]) <= Decimal(ticker["high"])
        best = (await client.watch_bids_asks([MARKET]))[MARKET]
        assert Decimal(best["bid"]) < Decimal(best["ask"])
        candle = (await client.watch_ohlcv(MARKET, "1m"))[-1]
        assert Decimal(candle[3]) <= Decimal(candle[4]) <= Decimal(candle[2])


async def test_an_order_is_reported_on_the_user_data_stream(trader: Client) -> None:
    async with asyncio.timeout(60):
        orders, trades, balances = (
            asyncio.create_task(watch)
            for watch in (trader.watch_orders(), trader.watch_my_trades(), trader.watch_balance())
        )
        await trader.authenticate()
        placed = await trader.create_order(MARKET, "market", "buy", "0.01", None, {"newClientOrderId": "told"})
        first = (await orders)[-1]
        assert first["clientOrderId"] == "told"
        assert (await trades)[-1]["order"] == placed["id"]
        assert Decimal((await balances)["BTC"]["total"]) > 5
        while (last := trader.orders.hashmap[MARKET][placed["id"]])["status"] != "closed":
            await trader.watch_orders()
        assert last["filled"] == "0.01000000"


async def test_candles_of_all_timeframes_agree(connect: Connect) -> None:
    async with connect() as client:
        minutes = await client.fetch_ohlcv(MARKET, "1m", limit=1000)
        fives = await client.fetch_ohlcv(MARKET, "5m", limit=150)
        by_time = {row[0]: row for row in minutes}
        for row in fives[-100:-2]:
            parts = [by_time[row[0] + minute * 60_000] for minute in range(5)]
            assert (row[1], row[4]) == (parts[0][1], parts[-1][4])
            assert Decimal(row[2]) == max(Decimal(part[2]) for part in parts)
            assert Decimal(row[3]) == min(Decimal(part[3]) for part in parts)
            assert Decimal(row[5]) == sum(Decimal(part[5]) for part in parts)
        assert len(await client.fetch_ohlcv(MARKET, "1d", limit=1000)) == 1000


async def test_orders_can_be_placed_over_the_websocket_api(trader: Client) -> None:
    async with asyncio.timeout(60):
        order = await trader.create_order_ws(MARKET, "limit", "buy", "0.01", "50000", {"newClientOrderId": "ws"})
        assert order["status"] == "open"
        assert (await trader.fetch_order_ws(order["id"], MARKET))["clientOrderId"] == "ws"
        await trader.cancel_order_ws(order["id"], MARKET)
