"""Paper trading on a live market: an engine whose mirror shows what another venue, here a sandbox, trades at."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.engine import running_engine
from tests.support.sandbox import running_sandbox
from tests.support.trader_client import CREATE_ACCOUNT, register
from tests.support.waiting import read_until

MIRRORED = "sandbox-binance:BTC/USDT"
VENUES = "{ venues { name live } }"
SUBSCRIBE = """subscription($m: MarketSymbol!) { marketDepth(market: $m, levels: L5) { __typename
  ... on MarketDepthSnapshot { bids { price quantity } asks { price quantity } } } }"""
ORDER = "query($id: ID!) { node(id: $id) { ... on Order { averagePrice } } }"
PLACE = "mutation($i: OrderPlaceInput!) { orderPlace(input: $i) { order { id } errors { code message } } }"


@pytest.mark.timeout(240)
async def test_a_paper_account_trades_at_the_prices_of_the_mirrored_venue(data_folder: Path) -> None:
    async with running_sandbox(data_folder / "live", seed=9) as live:
        settings = {
            "R3EDGE_MIRROR_URL": live.url,
            "R3EDGE_DEFAULT_MARKET": MIRRORED,
            "R3EDGE_MIRROR_MARKETS": "BTC/USDT",
        }
        async with running_engine(data_folder / "data", "--mirror", "binance", settings=settings) as engine:
            trader = await register(engine.client())
            venues = {venue["name"]: venue["live"] for venue in await trader.client.one(VENUES)}
            assert venues == {"sandbox": False, "sandbox-binance": False}
            async with trader.client.subscribed(SUBSCRIBE, m=MIRRORED) as depth:
                shown = await depth.until(lambda event: event.get("bids"), "a book")
            assert len(shown["bids"]) == 5
            account = {"name": "paper", "kind": "PAPER", "venue": "sandbox-binance"}
            made = await trader.client.change(
                CREATE_ACCOUNT, input=account | {"balances": [{"currency": "USDT", "amount": "100000"}]}
            )
            trader.account = made["account"]["id"]
            order = await trader.place(market=MIRRORED, quantity="0.01379")
            assert order["status"] == "FILLED", order
            price = Decimal((await trader.client.one(ORDER, id=order["id"]))["averagePrice"])
            trades = await live.get("/api/v3/trades?symbol=BTCUSDT&limit=1000")
            prices = [Decimal(trade["price"]) for trade in trades]
            assert min(prices) * Decimal("0.99") < price < max(prices) * Decimal("1.01")
            await live.kill()

            async def ended() -> str:
                # The order waits a moment for the book to come back, so its answer may come before it is refused.
                placed = (await trader.client.one(PLACE, i=trader.order(market=MIRRORED)))["order"]
                return (await trader.until_ended(placed))["status"]

            # The mirror may have an order or two before it learns that its connections are cut.
            await read_until(
                ended,
                lambda status: status in {"DENIED", "REJECTED", "CANCELED"},
                "orders are refused, since the live venue can't be seen",
            )
            assert "Traceback" not in engine.log
