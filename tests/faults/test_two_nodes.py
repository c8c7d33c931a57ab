"""Two engines on one database, one Hazelcast member and one sandbox: either one may die, and so may Hazelcast."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_bad_sockets import closing_code
from tests.faults.test_kill_nine import settled
from tests.faults.test_lost_parts import fills_again
from tests.support.cluster import cluster_settings
from tests.support.engine import Engine
from tests.support.graphql_client import Client, initialise, receive
from tests.support.hazelcast import Member
from tests.support.sandbox import SandboxProcess, running_sandbox
from tests.support.sandbox_state import venue_books
from tests.support.trader_client import LOGIN, MARKET, ORDER_EVENTS, PASSWORD, PLACE, TraderClient, new_trader

TAKE_OVER_SECONDS = 60.0
"""A lease of 6 s, a look for free ones every 2 s, and what reconciling takes on a busy machine."""


@dataclass
class Cluster:
    """What two nodes share; `nodes` are not started yet."""

    member: Member
    sandbox: SandboxProcess
    nodes: tuple[Engine, Engine]


@asynccontextmanager
async def cluster(folder: Path, dsn: str, roles: tuple[str, str]) -> AsyncIterator[Cluster]:
    """Start what is shared; at the end no node may have logged an error."""
    member = Member(folder)
    await asyncio.to_thread(member.start)
    try:
        async with running_sandbox(folder / "sandbox", seed=4) as sandbox:
            settings = cluster_settings(dsn, [member.address], member.cluster_name, sandbox.url, sandbox.admin_token)
            nodes = tuple(
                Engine(folder / name, settings={**settings, "R3EDGE_ROLES": of}, is_forked=True)
                for name, of in zip("ab", roles, strict=True)
            )
            try:
                yield Cluster(member, sandbox, nodes)
                for node in nodes:
                    if node.is_running():
                        await node.terminate()
                for node in nodes:
                    node.assert_quiet()
            finally:
                for node in nodes:
                    print(f"==== {node.folder.name}", node.log[-15_000:])  # noqa: T201  # pytest shows it beside a failure
                    node.clean_up()
    finally:
        member.kill()


def through(trader: TraderClient, node: Engine) -> TraderClient:
    """Return the same user as a client of another node."""
    return TraderClient(node.client(trader.client.token), trader.email, trader.user, trader.account)


async def follow(trader: TraderClient, placing: TraderClient) -> None:
    """Place through one node and follow through another."""
    async with trader.client.subscribed(ORDER_EVENTS, after=await placing.head()) as events:
        placed = await placing.place(quantity="0.001")

        def is_filled(event: dict[str, Any]) -> bool:
            return event["order"]["id"] == placed["id"] and event["order"]["status"] == "FILLED"

        await events.until(is_filled, "the fill on the other node")
    numbers = [int(event["sequence"]) for event in events.seen]
    assert numbers == sorted(set(numbers))


async def log_is_whole(trader: TraderClient, start: str) -> None:
    head = await trader.head()
    document = "subscription($after: String) { events(after: $after) { cursor sequence kind } }"
    async with trader.client.subscribed(document, after=start) as events:
        while not events.seen or events.seen[-1]["cursor"] != head:
            await events.next()
    numbers = [int(event["sequence"]) for event in events.seen]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def nothing_is_doubled(cluster: Cluster, trader: TraderClient) -> None:
    orders = await settled(trader)
    books = venue_books(cluster.sandbox.folder)
    for order in orders:
        name = order["clientOrderId"]
        assert books.orders[name] == (order["status"] == "FILLED"), order
        fills = order["fills"]["nodes"]
        assert books.trades.get(name, frozenset()) == {fill["venueTradeId"] for fill in fills}
        assert sum(Decimal(fill["quantity"]) for fill in fills) == Decimal(order["filledQuantity"])


async def _log_out_everywhere(trader: TraderClient, here: Engine, there: Engine) -> None:
    made = await here.client().change(LOGIN, input={"email": trader.email, "password": PASSWORD})
    leaving = here.client(made["token"])
    elsewhere = Client(there.graphql_url, made["token"])
    assert (await elsewhere.one("{ viewer { email } }"))["email"] == trader.email
    async with elsewhere.socket() as socket:
        await initialise(socket, elsewhere.token)
        ticker = f'subscription {{ ticker(market: "{MARKET}") {{ last }} }}'
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": ticker}}))
        await receive(socket)
        await leaving.change("mutation { userLogout { errors { code message path } } }")
        assert await closing_code(socket) == 4403
    assert await elsewhere.one("{ viewer { id } }") is None


@pytest.mark.timeout(240)
async def test_two_nodes_share_the_work_and_either_may_die(data_folder: Path, database_dsn: str) -> None:
    every = "web,collector,trader,worker"
    async with cluster(data_folder, database_dsn, (every, every)) as shared:
        first, second = shared.nodes
        await first.start()
        trader = await new_trader(first.client())
        start = await trader.head()
        assert (await trader.place())["status"] == "FILLED"  # so that the first node holds the account's lease
        await second.start()
        other = through(trader, second)
        await follow(other, trader)
        await follow(trader, other)
        await _log_out_everywhere(trader, first, second)
        first.kill()
        killed_at = time.monotonic()
        await fills_again(other, TAKE_OVER_SECONDS)
        print(f"an order is filled {time.monotonic() - killed_at:.1f} s after its node was killed")  # noqa: T201
        await first.start()
        await follow(other, trader)
        await follow(trader, other)
        await asyncio.to_thread(shared.member.kill)
        await follow(other, trader)
        await follow(trader, other)
        again = await second.client().change(LOGIN, input={"email": trader.email, "password": PASSWORD})
        assert (await first.client(again["token"]).one("{ viewer { email } }"))["email"] == trader.email
        await log_is_whole(other, start)
        await nothing_is_doubled(shared, other)


@pytest.mark.timeout(240)
async def test_the_web_on_one_node_and_the_work_on_the_other(data_folder: Path, database_dsn: str) -> None:
    async with cluster(data_folder, database_dsn, ("web", "collector,trader,worker")) as shared:
        web, work = shared.nodes
        await asyncio.gather(web.start(), work.start())
        trader = await new_trader(web.client())
        start = await trader.head()
        await follow(trader, trader)
        work.kill()
        waiting = (await trader.client.change(PLACE, input=trader.order(quantity="0.001")))["order"]
        assert waiting["status"] == "PENDING"
        await work.start()
        await fills_again(trader, TAKE_OVER_SECONDS)
        web.kill()
        await web.start()
        await follow(trader, trader)
        await log_is_whole(trader, start)
        await nothing_is_doubled(shared, trader)
