"""Time from `orderPlace` to the venue's acknowledgement, over the same ccxt call made directly, of 1,000 orders.

Orders of both ways alternate in one run. The engine's are timed at an HTTP client; what the server did meanwhile is
read afterwards from the orders' events.
"""

import asyncio
import sys
import time
from datetime import datetime

import uvloop

from bench.client import ORDER, Client, client
from bench.direct import Direct, direct
from bench.figures import Figure, percentile, report, spread
from bench.parts import Engine, engine, exchange, scratch
from bench.processes import cpu_seconds

ORDERS = 1_000
WARM_UP = 50
BATCH = 25
QUANTITY = "0.001"
CPU_ORDERS = 150
AT_REST_SECONDS = 3.0
RATIO, P99_MS, CPU_MS = 2.5, 20.0, 3.0


async def measure(orders: int) -> None:
    async with (
        scratch() as folder,
        exchange(folder) as sandbox,
        engine(folder, sandbox) as running,
        client(running, USDT="100000000") as user,
        direct(sandbox, "direct", USDT="100000000") as baseline,
    ):
        price = await user.price("bids", "0.9")
        await _place(user, baseline, price, WARM_UP)
        ours, theirs, ids = await _place(user, baseline, price, orders)
        steps = [await _steps(user, order_id) for order_id in ids]
        cpu_ms = await _cpu_an_order(running, user, price)
    _report(ours, theirs, steps, cpu_ms)


async def _place(user: Client, baseline: Direct, price: str, orders: int) -> tuple[list[float], list[float], list[str]]:
    """Return the durations of both ways in seconds, and the ids of the engine's orders."""
    ours, theirs, ids = [], [], []
    for number in range(orders):
        began = time.perf_counter()
        await baseline.place_limit("BUY", price, QUANTITY)
        theirs.append(time.perf_counter() - began)
        began = time.perf_counter()
        ids.append(await user.place_limit("BUY", price, QUANTITY))
        ours.append(time.perf_counter() - began)
        if number % BATCH == BATCH - 1 or number == orders - 1:
            await baseline.cancel_all()
            await user.cancel_all()
            await _ended(user, ids[-1])
    return ours, theirs, ids


async def _cpu_an_order(running: Engine, user: Client, price: str) -> float:
    """Return the engine's CPU milliseconds an order, from HTTP to its last event, without what it uses at rest."""
    pid = running.process.pid
    began, before = time.perf_counter(), cpu_seconds(pid)
    await asyncio.sleep(AT_REST_SECONDS)
    at_rest = (cpu_seconds(pid) - before) / (time.perf_counter() - began)
    began, before = time.perf_counter(), cpu_seconds(pid)
    for _ in range(CPU_ORDERS):
        await user.place_limit("BUY", price, QUANTITY)
    seconds = cpu_seconds(pid) - before - at_rest * (time.perf_counter() - began)
    return seconds / CPU_ORDERS * 1000


async def _ended(user: Client, id: str) -> None:
    while (await user.run(ORDER, id=id))["status"] != "CANCELED":
        pass


async def _steps(user: Client, id: str) -> dict[str, float]:
    """Return when the order was SUBMITTED and ACCEPTED, in seconds after it was taken in."""
    answer = await user.run(ORDER, id=id)
    created = datetime.fromisoformat(answer["createdAt"])
    return {
        step["kind"]: (datetime.fromisoformat(step["at"]) - created).total_seconds()
        for step in answer["events"]["nodes"]
    }


def _report(ours: list[float], theirs: list[float], steps: list[dict[str, float]], cpu_ms: float) -> None:
    p50, p99 = ((percentile(ours, at) - percentile(theirs, at)) * 1000 for at in (50, 99))
    timed = {
        "orderPlace, at the client": ours,
        "create_order by ccxt": theirs,
        "in the engine: taken in → SUBMITTED": [step["SUBMITTED"] for step in steps],
        "in the engine: taken in → the venue's answer": [step["ACCEPTED"] for step in steps],
    }
    rows: list[list[object]] = [[name, len(values), *spread(values).values()] for name, values in timed.items()]
    rows.append(["added by the engine", len(ours), round(p50, 3), round(p99, 3), ""])
    ratio = percentile(ours, 50) / percentile(theirs, 50)
    name = "`orderPlace` to the venue's acknowledgement, over the same ccxt call made directly"
    measured = f"p50 +{p50:.1f} ms, p99 +{p99:.1f} ms ({ratio:.1f} times the direct call)"
    target = f"p50 ≤ {RATIO:g} times the direct call, p99 ≤ {P99_MS:g} ms over it"
    figures = [
        Figure(name, measured, target, ratio <= RATIO and p99 <= P99_MS),
        Figure("engine CPU an order", f"{cpu_ms:.1f} ms", f"≤ {CPU_MS:g} ms", cpu_ms <= CPU_MS),
    ]
    report("order_latency", ["what", "orders", "p50 ms", "p99 ms", "max ms"], rows, figures)


if __name__ == "__main__":
    uvloop.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS))
