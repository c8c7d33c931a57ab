"""The recipes of docs/clients, each with its real package: nothing is missed or repeated, whatever ends the engine."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support.engine import ROOT, Engine, running_engine
from tests.support.node import installed
from tests.support.trader_client import FINAL, PLACE, TraderClient, new_trader
from tests.support.waiting import eventually, read_until

RECIPES = ROOT / "docs" / "clients"
DRIVERS = Path(__file__).parent / "clients"
CREATE_KEY = """mutation { apiKeyCreate(input: {name: "follower", scopes: [READ]}) {
  apiKey { id } secret errors { code message } } }"""
REVOKE_KEY = "mutation($id: ID!) { apiKeyRevoke(id: $id) { errors { code message } } }"
ORDER_EVENTS = "subscription($after: String) { orderEvents(after: $after) { sequence order { id status } } }"
JAVASCRIPT = ("graphql-ws", "graphql-sse", "apollo", "urql")
CACHING = ("apollo", "urql")
ENDINGS = ("4403", "401", "UNAUTHENTICATED")


class Follower:
    """One client's program, and the lines that it has written."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.lines: list[dict[str, Any]] = []

    @property
    def sequences(self) -> list[int]:
        """The places in the log of the events that it got, in its order."""
        return [line["sequence"] for line in self.lines if "sequence" in line]

    async def writes(self, count: int) -> None:
        """Wait until it has written so many lines."""
        await eventually(lambda: len(self.lines) >= count, f"{self.name} writes {count}: {self.lines[-3:]}", 60)

    async def read(self) -> None:
        """Take what it writes, to its end."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(json.loads(line))


@asynccontextmanager
async def following(name: str, folder: Path, *arguments: str) -> AsyncIterator[Follower]:
    """Run the client of that name until the block ends."""
    program = ("node", "follow.mjs", name) if name in JAVASCRIPT else (sys.executable, "follow.py")
    process = await asyncio.create_subprocess_exec(
        *program, *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    follower = Follower(name, process)
    reading = asyncio.create_task(follower.read())
    try:
        yield follower
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await reading


async def trade(trader: TraderClient, stop: asyncio.Event) -> None:
    """Place one order after the other, whether the engine is there or not; the last is answered, or never will be."""
    while not stop.is_set():
        with suppress(Exception):
            await trader.client.raw(PLACE, input=trader.order(quantity="0.0005"))
        await asyncio.sleep(0.2)


async def expected(trader: TraderClient, after: str, last: str) -> list[int]:
    """Return the places in the log of all order events after the cursor, up to the one that fills the last order."""
    async with trader.client.subscribed(ORDER_EVENTS, after=after) as events:
        await events.until(
            lambda event: event["order"]["id"] == last and event["order"]["status"] == "FILLED", "the last event"
        )
        return [int(event["sequence"]) for event in events.seen]


async def restart(engine: Engine, followers: list[Follower], end: Callable[[], Awaitable[None]]) -> None:
    """End the engine and start it again; all followers go on."""
    await end()
    counts = {follower.name: len(follower.lines) for follower in followers}
    await engine.start()
    for follower in followers:
        await follower.writes(counts[follower.name] + 5)


async def test_every_recipe_follows_orders_over_sigterm_and_kill_and_ends_with_its_token(data_folder: Path) -> None:
    folder = await installed(RECIPES, [*RECIPES.glob("*.mjs"), *RECIPES.glob("*.py"), *DRIVERS.iterdir()])
    async with running_engine(data_folder / "data", "--seed", "7") as engine, AsyncExitStack() as stack:
        trader = await new_trader(engine.client())
        key, start = await trader.client.change(CREATE_KEY), await trader.head()
        stop = asyncio.Event()
        trading = asyncio.create_task(trade(trader, stop))
        stack.callback(trading.cancel)
        await read_until(trader.orders, lambda orders: len(orders) > 5, "orders whose past the followers begin with")
        arguments = (engine.graphql_url, key["secret"], start)
        clients = (*JAVASCRIPT, "gql")
        followers = [await stack.enter_async_context(following(name, folder, *arguments)) for name in clients]
        for follower in followers:
            await follower.writes(5)

        await restart(engine, followers, engine.terminate)
        await restart(engine, followers, lambda: asyncio.to_thread(engine.kill))

        stop.set()
        await trading
        await read_until(
            trader.orders, lambda orders: all(order["status"] in FINAL for order in orders), "all orders have ended"
        )
        last = await trader.place(quantity="0.0005")
        sequences = await expected(trader, start, last["id"])
        for follower in followers:
            await follower.writes(len(sequences))
            assert follower.sequences == sequences, follower.name
        for follower in followers:
            if follower.name in CACHING:
                assert_cache_never_goes_back(follower)

        await trader.client.change(REVOKE_KEY, id=key["apiKey"]["id"])
        for follower in followers:
            await follower.writes(len(sequences) + 1)
            ending = follower.lines[len(sequences)]
            assert any(word in str(ending) for word in ENDINGS), (follower.name, ending)


def assert_cache_never_goes_back(follower: Follower) -> None:
    """See that the cache was always at least as new as the event, and never older than it had been."""
    newest: dict[str, int] = {}
    for line in (line for line in follower.lines if line["cached"] is not None):
        assert int(line["cached"]) >= max(line["then"], newest.get(line["order"], 0)), (follower.name, line)
        newest[line["order"]] = int(line["cached"])
    assert newest, f"{follower.name} has no order in its cache"
