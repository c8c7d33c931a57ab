"""Orders are amended again and again while they fill, answers are lost, and the engine is killed."""

import asyncio
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.engine import Engine, running_engine
from tests.support.sandbox import SandboxProcess, running_sandbox
from tests.support.sandbox_state import venue_books
from tests.support.trader_client import BOOK, MARKET, TraderClient, new_trader
from tests.support.waiting import read_until

CHAINS = 3
AMENDMENTS = 14
AWAY = (httpx.TransportError, OSError)
FINAL = {"FILLED", "CANCELED", "REJECTED", "DENIED", "EXPIRED"}
FIELDS = "id status clientOrderId venueOrderId quantity filledQuantity cancelCode replaces { id }"
PLACE = f"""mutation($input: OrderPlaceInput!) {{ orderPlace(input: $input) {{
  order {{ {FIELDS} }} errors {{ code }} }} }}"""
AMEND = f"""mutation($id: ID!, $input: OrderAmendInput!) {{ orderAmend(id: $id, input: $input) {{
  order {{ {FIELDS} }} errors {{ code }} }} }}"""
ORDERS = f"""query($after: String) {{ viewer {{ orders(first: 100, after: $after) {{
  nodes {{ {FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"""
CANCEL_ALL = "mutation($input: OrdersCancelInput!) { ordersCancel(input: $input) { requested errors { code } } }"


async def _insist(trader: TraderClient, document: str, **variables: Any) -> dict[str, Any]:
    """Send a mutation with the same key until it is answered; return its payload."""
    while True:
        try:
            answer = await trader.client.raw(document, **variables)
        except AWAY:
            answer = {"errors": "away"}
        if "errors" not in answer:
            (payload,) = answer["data"].values()
            return payload
        await asyncio.sleep(0.1)


async def _all_orders(trader: TraderClient) -> list[dict[str, Any]]:
    found, after = [], None
    while True:
        page = (await trader.client.one(ORDERS, after=after))["orders"]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


async def _amend_chain(trader: TraderClient, number: int, best: Decimal, chance: random.Random) -> dict[str, Decimal]:
    """Amend an order near the market again and again, or the next if it ends; return the total of each amendment."""
    asked = {}
    totals = [Decimal("0.02"), Decimal("0.03"), Decimal("0.05")]

    def price() -> str:
        return str((best * Decimal(str(chance.choice([0.97, 0.99, 0.9995, 1.0005])))).quantize(Decimal("0.01")))

    order: dict[str, Any] | None = None
    for step in range(AMENDMENTS):
        await asyncio.sleep(chance.uniform(0, 0.4))
        if order is None:
            given = trader.order(type="LIMIT", price=price(), quantity="0.03", idempotencyKey=f"p{number}-{step}")
            order = (await _insist(trader, PLACE, input=given))["order"]
            continue
        total = chance.choice(totals)
        change = {"price": price(), "quantity": str(total), "idempotencyKey": f"a{number}-{step}"}
        amended = (await _insist(trader, AMEND, id=order["id"], input=change))["order"]
        if amended is not None:
            asked[amended["id"]] = total
        order = amended if amended is not None and amended["venueOrderId"] is not None else None
    return asked


async def _lose_answers(sandbox: SandboxProcess, chance: random.Random) -> None:
    for _ in range(6):
        await asyncio.sleep(chance.uniform(0.5, 2.0))
        fault = chance.choice(["swallowOrders", "dropOrders", "swallowCancels", "muteUserEvents", "repeatFills"])
        await sandbox.inject_faults(**{fault: 1})


async def _kill_now_and_then(engine: Engine, chance: random.Random) -> None:
    for _ in range(2):
        await asyncio.sleep(chance.uniform(1.0, 3.0))
        engine.kill()
        await engine.start()


def _is_settled(orders: list[dict[str, Any]]) -> bool:
    return all(order["status"] in FINAL for order in orders)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1])
async def test_no_amendment_fills_more_than_was_meant_and_all_are_settled(data_folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with running_sandbox(data_folder / "sandbox", seed=4, expect_errors=True) as sandbox:
        settings = {"R3EDGE_SANDBOX_URL": sandbox.url, "R3EDGE_SANDBOX_TOKEN": sandbox.admin_token}
        async with running_engine(data_folder / "data", settings=settings) as engine:
            trader = await new_trader(engine.client())
            market = await read_until(
                lambda: trader.client.one(BOOK, m=MARKET), lambda market: market["depth"], "the book is there"
            )
            best = Decimal(market["depth"]["bids"][0]["price"])
            async with asyncio.TaskGroup() as group:
                group.create_task(_kill_now_and_then(engine, chance))
                group.create_task(_lose_answers(sandbox, chance))
                chains = [
                    group.create_task(_amend_chain(trader, number, best, random.Random(f"{seed}-{number}")))
                    for number in range(CHAINS)
                ]
            await sandbox.inject_faults(swallowOrders=0, dropOrders=0, swallowCancels=0, muteUserEvents=0)
            await _insist(trader, CANCEL_ALL, input={"account": trader.account})
            orders = await read_until(lambda: _all_orders(trader), _is_settled, "all orders have ended")
    books = venue_books(data_folder / "sandbox")
    _assert_the_venue_agrees(orders, books.orders, books.statuses)
    _assert_nothing_fills_beyond(orders, {id_: total for chain in chains for id_, total in chain.result().items()})


def _assert_the_venue_agrees(orders: list[dict[str, Any]], sent: Counter[str], statuses: dict[str, str]) -> None:
    for order in orders:
        assert sent[order["clientOrderId"]] <= 1, order
        known = statuses.get(order["clientOrderId"])
        assert known in {None, "FILLED", "CANCELED"}, (order, known)
        assert (known == "FILLED") == (order["status"] == "FILLED"), (order, known)


def _assert_nothing_fills_beyond(orders: list[dict[str, Any]], asked: dict[str, Decimal]) -> None:
    """Hold that each amendment that was sent had what was left of its total when the replaced order had ended."""
    by_id = {order["id"]: order for order in orders}
    sent = [order for order in orders if order["id"] in asked and order["venueOrderId"] is not None]
    assert len(sent) >= CHAINS, Counter((order["status"], order["cancelCode"]) for order in orders)
    for order in sent:
        replaced = by_id[order["replaces"]["id"]]
        assert replaced["status"] == "CANCELED", (replaced, order)
        assert Decimal(order["quantity"]) + Decimal(replaced["filledQuantity"]) == asked[order["id"]], (replaced, order)
        assert Decimal(order["filledQuantity"]) <= Decimal(order["quantity"]), order
