"""60 orders at once on one account: how long until the last of them is answered by `orderPlace`."""

import asyncio
import sys
import time

import uvloop

from bench.client import Client, client
from bench.figures import Figure, report, spread
from bench.parts import engine, exchange, scratch

ORDERS = 60
ROUNDS = 10
QUANTITY = "0.001"
TARGET_SECONDS = 0.4


async def measure(orders: int, rounds: int) -> None:
    async with (
        scratch() as folder,
        exchange(folder) as sandbox,
        engine(folder, sandbox) as running,
        client(running, USDT="100000000") as user,
    ):
        price = await user.price("bids", "0.9")
        await _burst(user, price, orders)
        answered = [await _burst(user, price, orders) for _ in range(rounds)]
    _report(orders, answered)


async def _burst(user: Client, price: str, orders: int) -> list[float]:
    """Place the orders at once; return the seconds after which each was known to be OPEN."""
    began = time.perf_counter()

    async def place() -> float:
        await user.place_limit_patiently("BUY", price, QUANTITY)
        return time.perf_counter() - began

    seconds = await asyncio.gather(*(place() for _ in range(orders)))
    await user.cancel_all()
    await user.until_all_ended()
    return seconds


def _report(orders: int, answered: list[list[float]]) -> None:
    last = [max(seconds) for seconds in answered]
    every = [each for seconds in answered for each in seconds]
    rows: list[list[object]] = [
        ["an order's answer", len(every), *spread(every).values()],
        ["the last answer of a burst", len(last), *spread(last).values()],
    ]
    median = sorted(last)[len(last) // 2]
    name = f"{orders} orders at once on one account, until the last is answered"
    figure = Figure(name, f"{median:.2f} s (median of {len(last)})", f"≤ {TARGET_SECONDS} s", median <= TARGET_SECONDS)
    report("order_burst", ["what", "count", "p50 ms", "p99 ms", "max ms"], rows, [figure])


if __name__ == "__main__":
    uvloop.run(measure(ORDERS, int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
