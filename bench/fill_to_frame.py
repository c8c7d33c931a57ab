"""Time from a fill at the venue to the `orderEvents` frame at a WebSocket client, of 500 fills of a resting order.

Another account's orders, made by ccxt directly, hit an order that rests for the engine. The baseline is the same trade
as ccxt.pro reports it to that other account, without the engine. The venue stamps its fills in whole milliseconds,
rounded down, so that each duration is up to 1 ms too long.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import uvloop

from bench.client import Client, client
from bench.direct import Direct, direct
from bench.figures import Figure, percentile, report, spread
from bench.parts import engine, exchange, scratch

FILLS = 500
WARM_UP = 25
RESTING, HIT = "5", "0.0005"
P99_MS = 20.0
FRAME_SECONDS = 5.0
EVENTS = """subscription { orderEvents { kind order { id } fill { venueTradeId at } } }"""


class Fills:
    """When each trade was made (the venue's clock) and when it was reported, by trade id, in epoch seconds."""

    def __init__(self) -> None:
        self.made: dict[str, float] = {}
        self.framed: dict[str, float] = {}
        self.streamed: dict[str, float] = {}
        self._received = asyncio.Event()

    async def read_frames(self, events: AsyncIterator[Any]) -> None:
        async for event in events:
            if event["fill"]:
                trade_id = event["fill"]["venueTradeId"]
                self.framed[trade_id] = time.time()
                self.made[trade_id] = datetime.fromisoformat(event["fill"]["at"]).timestamp()
                self._received.set()

    async def read_stream(self, baseline: Direct) -> None:
        while True:
            for trade in await baseline.watch_trades():
                self.streamed[str(trade["id"])] = time.time()
                self._received.set()

    async def reported(self, trade_ids: set[str]) -> None:
        """Return when both streams have reported the trades."""
        async with asyncio.timeout(FRAME_SECONDS):
            while not (trade_ids <= self.framed.keys() and trade_ids <= self.streamed.keys()):
                self._received.clear()
                await self._received.wait()


async def measure(fills: int) -> None:
    seen = Fills()
    async with (
        scratch() as folder,
        exchange(folder) as sandbox,
        engine(folder, sandbox) as running,
        client(running, USDT="100000000") as user,
        direct(sandbox, "direct", BTC="100000") as baseline,
        user.subscribe(EVENTS) as events,
        asyncio.TaskGroup() as group,
    ):
        readers = [group.create_task(seen.read_frames(events)), group.create_task(seen.read_stream(baseline))]
        hit = await _hit(user, baseline, seen, fills + WARM_UP)
        for reader in readers:
            reader.cancel()
    _report(seen, hit[WARM_UP:])


async def _hit(user: Client, baseline: Direct, seen: Fills, fills: int) -> list[str]:
    """Hit the resting order until it was filled so often; return the trades' ids."""
    hit: list[str] = []
    while len(hit) < fills:
        price = await user.price("bids", "1")
        await user.place_limit("BUY", price, RESTING)
        await _clear(baseline, price)
        while len(hit) < fills:
            trades = await _sell(baseline, price, HIT)
            ours = {trade["tradeId"] for trade in trades if Decimal(trade["price"]) == Decimal(price)}
            if not ours:
                break  # The price has moved on: nobody bids that little, or somebody bids more.
            await seen.reported(ours)
            hit += ours
        await user.cancel_all()
    return hit


async def _clear(baseline: Direct, price: str) -> None:
    """Sell to all who bid as much as the resting order, until it is the first in the queue."""
    ahead = await baseline.bids_from(price) - Decimal(RESTING)
    if ahead > 0:
        await _sell(baseline, price, f"{ahead:.5f}")


async def _sell(baseline: Direct, price: str, quantity: str) -> list[dict[str, str]]:
    answer = await baseline.place_limit("SELL", price, quantity, timeInForce="IOC")
    trades: list[dict[str, str]] = [{**each, "tradeId": str(each["tradeId"])} for each in answer["info"]["fills"]]
    return trades


def _report(seen: Fills, hit: list[str]) -> None:
    ours = [seen.framed[one] - seen.made[one] for one in hit]
    theirs = [seen.streamed[one] - seen.made[one] for one in hit]
    rows = [
        ["fill → orderEvents frame", len(ours), *spread(ours).values()],
        ["fill → ccxt.pro, directly", len(theirs), *spread(theirs).values()],
    ]
    p50, p99 = (percentile(ours, at) * 1000 for at in (50, 99))
    ratio = percentile(ours, 50) / percentile(theirs, 50)
    measured = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms ({ratio:.1f} times ccxt.pro's own)"
    figure = Figure("fill at the venue to `orderEvents` frame", measured, f"p99 ≤ {P99_MS:g} ms", p99 <= P99_MS)
    report("fill_to_frame", ["what", "fills", "p50 ms", "p99 ms", "max ms"], rows, [figure])


if __name__ == "__main__":
    uvloop.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else FILLS))
