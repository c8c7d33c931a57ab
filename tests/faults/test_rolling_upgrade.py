"""Two nodes are upgraded one after the other under load: no event is lost or repeated, and no order lost or doubled."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import WebSocketException

from domain.core.background import BackgroundTasks
from infra.postgres.migrate import head
from tests.faults.test_draining import EVERY
from tests.faults.test_two_nodes import cluster, nothing_is_doubled, through
from tests.support.earlier_version import run_earlier_python, run_earlier_version, unpack_earlier_version
from tests.support.engine import run_program
from tests.support.trader_client import EVENTS, PLACE, TraderClient, new_trader
from tests.support.waiting import eventually

RETRY_SECONDS = 0.05
ORDERS_A_STAGE = 5
PRESENT = "import infra.postgres.migrate as migrate; print(migrate.__file__, migrate.head())"


class Load:
    """One user, by a client of each node, who places orders and follows the log through whichever node answers."""

    def __init__(self, traders: Sequence[TraderClient], start: str) -> None:
        self.traders = traders
        self._cursor = start
        self._is_over = False
        self.events: list[dict[str, Any]] = []
        self.orders: list[str] = []
        """The ids of all orders that were acknowledged."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Place and follow inside the block; at its end all events have come."""
        async with BackgroundTasks() as tasks:
            placing, _ = tasks.start(self._place()), tasks.start(self._follow())
            yield
            self._is_over = True
            await placing
            head = await self.traders[0].head()
            await eventually(lambda: self._cursor == head, "the subscriber has all events")

    async def stage(self) -> None:
        """Return once some more orders were placed, and some more events have come."""
        orders, events = len(self.orders) + ORDERS_A_STAGE, len(self.events) + ORDERS_A_STAGE
        await eventually(lambda: len(self.orders) >= orders and len(self.events) >= events, "orders and events go on")

    async def _place(self) -> None:
        while not self._is_over:
            order = self.traders[0].order(quantity="0.001")
            for trader in itertools.cycle(self.traders):
                placed = await _placed(trader, order)
                if placed is not None:
                    self.orders.append(placed)
                    break
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        for trader in itertools.cycle(self.traders):
            try:
                async with trader.client.subscribed(EVENTS, after=self._cursor) as events:
                    while True:
                        event = await events.next()
                        self.events.append(event)
                        self._cursor = event["cursor"]
            except (WebSocketException, OSError):
                await asyncio.sleep(RETRY_SECONDS)


async def _placed(trader: TraderClient, order: dict[str, Any]) -> str | None:
    """Return the order's id; None where the node is away, or can't answer now: the key makes asking again safe."""
    try:
        answer = await trader.client.raw(PLACE, input=order)
    except httpx.HTTPError:
        return None
    placed = (answer.get("data") or {}).get("orderPlace")
    if placed is None:
        return None
    assert placed["errors"] == [], placed
    return str(placed["order"]["id"])


@pytest.mark.timeout(280)
async def test_a_cluster_is_upgraded_node_by_node_and_loses_nothing(data_folder: Path, empty_database_dsn: str) -> None:
    source = await asyncio.to_thread(unpack_earlier_version, data_folder / "earlier")
    file, earlier_head = (await asyncio.to_thread(run_earlier_python, source, PRESENT)).split()
    assert Path(file).is_relative_to(source)
    await asyncio.to_thread(run_earlier_version, source, "migrate", R3EDGE_DATABASE_URL=empty_database_dsn)
    async with cluster(data_folder, empty_database_dsn, (EVERY, EVERY)) as shared:
        nodes = shared.nodes
        for node in nodes:
            node.source = source
        await asyncio.gather(*(node.start() for node in nodes))
        trader = await new_trader(nodes[0].client())
        start = await trader.head()
        load = Load([through(trader, node) for node in nodes], start)
        async with load.running():
            await load.stage()
            migrated = await asyncio.to_thread(run_program, "migrate", R3EDGE_DATABASE_URL=empty_database_dsn)
            assert migrated.returncode == 0, migrated.stderr
            await load.stage()  # both old nodes on the new schema
            for node in nodes:
                await node.terminate()
                await load.stage()  # one node alone
                node.source = None
                await node.start()
                await load.stage()  # an old and a new node, then two new ones
        numbers = [int(event["sequence"]) for event in load.events]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        orders = await load.traders[0].orders()
        assert sorted(order["id"] for order in orders) == sorted(load.orders)
        assert len(set(load.orders)) == len(load.orders)
        await nothing_is_doubled(shared, load.traders[0])
        print(f"{earlier_head} to {head()}: {len(orders)} orders, {len(numbers)} events")  # noqa: T201  # a measurement
