"""The engine is killed again and again while a client places orders and asks for each until it is answered."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.engine import Engine, running_engine
from tests.support.graphql_client import Client
from tests.support.sandbox_state import venue_books
from tests.support.trader_client import FINAL, ORDER_EVENTS, PLACE, TraderClient, new_trader

ORDERS = 70
KILLS = 3
CLIENTS = 4
AWAY = (httpx.TransportError, OSError)


async def _insist(trader: TraderClient, key: str) -> str:
    """Place one order, with the same key until it is answered; return its id."""
    order = trader.order(quantity="0.001", idempotencyKey=key)
    while True:
        try:
            answer = await trader.client.raw(PLACE, input=order)
        except AWAY:
            answer = {"errors": "away"}
        if "errors" not in answer and answer["data"]["orderPlace"]["order"]:
            return answer["data"]["orderPlace"]["order"]["id"]
        await asyncio.sleep(0.1)


async def _place_all(trader: TraderClient, keys: Iterator[str], chance: random.Random) -> dict[str, str]:
    """Place one order after another, until no key is left; return the order of each key."""
    placed = {}
    for key in keys:
        await asyncio.sleep(chance.uniform(0.1, 0.8))
        placed[key] = await _insist(trader, key)
    return placed


async def _kill_now_and_then(engine: Engine, chance: random.Random) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.5, 2.5))
        engine.kill()
        await engine.start()


async def settled(trader: TraderClient, timeout_seconds: float = 90) -> list[dict[str, Any]]:
    """Return all orders as soon as each of them has come to its end."""
    async with asyncio.timeout(timeout_seconds):
        while True:
            orders = await trader.orders()
            if all(order["status"] in FINAL for order in orders):
                return orders
            await asyncio.sleep(0.2)


async def story(client: Client, after: str, last: str) -> list[dict[str, Any]]:
    """Return all order events from one cursor to another."""
    async with client.subscribed(ORDER_EVENTS, after=after) as events:
        while not events.seen or events.seen[-1]["cursor"] != last:
            await events.next()
    return events.seen


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1])
async def test_every_key_makes_one_order_and_every_fill_counts_once(data_folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with running_engine(data_folder / "data", "--seed", "3") as engine:
        trader = await new_trader(engine.client())
        start = await trader.head()
        keys = [uuid.UUID(int=chance.getrandbits(128)).hex for _ in range(ORDERS)]
        async with asyncio.TaskGroup() as group:
            group.create_task(_kill_now_and_then(engine, chance))
            left = iter(keys)
            # Few at a time: orders that wait while the engine is down longer than 5 s are rightly never sent.
            placing = [group.create_task(_place_all(trader, left, chance)) for _ in range(CLIENTS)]
        placed = {key: id_ for task in placing for key, id_ in task.result().items()}
        orders = await settled(trader)
        assert placed.keys() == set(keys)
        assert sorted(order["id"] for order in orders) == sorted(placed.values())
        assert [await _insist(trader, key) for key in keys[:10]] == [placed[key] for key in keys[:10]]
        await _the_story_is_whole(trader, orders, start)
        await _the_venue_agrees(engine, orders)


async def _the_story_is_whole(trader: TraderClient, orders: list[dict[str, Any]], start: str) -> None:
    document = "subscription($after: String) { events(after: $after) { cursor sequence kind } }"
    head = await trader.head()
    async with trader.client.subscribed(document, after=start) as events:
        while not events.seen or events.seen[-1]["cursor"] != head:
            await events.next()
    numbers = [int(event["sequence"]) for event in events.seen]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    last_of_orders = [event["cursor"] for event in events.seen if event["kind"] in {"ORDER", "FILL"}][-1]
    reported = await story(trader.client, start, last_of_orders)
    fills = Counter(event["fill"]["venueTradeId"] for event in reported if event["fill"])
    assert set(fills.values()) <= {1}
    for order in orders:
        mine = [event for event in reported if event["order"]["id"] == order["id"]]
        order["reasons"] = [f"{event['kind']}: {event['reason']}" for event in mine if event["reason"]]
        assert [event["kind"] for event in mine].count("SUBMITTED") <= 1
        filled = sum(Decimal(event["fill"]["quantity"]) for event in mine if event["fill"])
        assert (
            filled == Decimal(order["filledQuantity"]) == sum(Decimal(f["quantity"]) for f in order["fills"]["nodes"])
        )


async def _the_venue_agrees(engine: Engine, orders: list[dict[str, Any]]) -> None:
    await engine.terminate()
    books = venue_books(engine.folder / "sandbox")
    for order in orders:
        name = order["clientOrderId"]
        assert books.orders[name] == (1 if order["status"] == "FILLED" else 0), order
        assert books.trades.get(name, frozenset()) == {fill["venueTradeId"] for fill in order["fills"]["nodes"]}
    assert books.orders.keys() <= {order["clientOrderId"] for order in orders}
    assert sum(order["status"] == "FILLED" for order in orders) > ORDERS // 2, Counter(
        str(order["reasons"]) for order in orders
    )
