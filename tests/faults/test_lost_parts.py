"""A part of the running engine dies, or the engine is stopped under load: it goes on, and nothing is lost."""

import asyncio
import os
import signal
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.faults.test_kill_nine import AWAY, settled
from tests.support.engine import Engine, running_engine
from tests.support.sandbox_state import venue_books
from tests.support.trader_client import (
    FINAL,
    LOGIN,
    MARKET,
    ORDER_EVENTS,
    PASSWORD,
    PLACE,
    TraderClient,
    new_trader,
)

DEPTH = """subscription($m: MarketSymbol!) { marketDepth(market: $m) { __typename
  ... on MarketDepthSnapshot { epoch sequence bids { price } } ... on MarketDepthStatus { state } } }"""


async def _keep_placing(trader: TraderClient, stop: asyncio.Event) -> dict[str, dict[str, Any] | None]:
    """Place one order after another; return the answer to each key, None where there was none."""
    answers: dict[str, dict[str, Any] | None] = {}
    while not stop.is_set():
        order = trader.order(quantity="0.001")
        key = order["idempotencyKey"]
        answers[key] = None
        with suppress(*AWAY):
            answers[key] = await trader.client.raw(PLACE, input=order)
        await asyncio.sleep(0.15)
    return answers


async def fills_again(trader: TraderClient, timeout_seconds: float) -> None:
    """Return as soon as an order is filled again."""
    async with asyncio.timeout(timeout_seconds):
        while True:
            answer = await trader.client.raw(PLACE, input=trader.order(quantity="0.001"))
            order = (answer.get("data") or {}).get("orderPlace", {}).get("order")
            if order and order["status"] == "FILLED":
                return
            await asyncio.sleep(0.3)


async def _agrees_with_its_venue(engine: Engine, orders: list[dict[str, Any]]) -> None:
    books = venue_books(engine.folder / "sandbox")
    for order in orders:
        name = order["clientOrderId"]
        assert books.orders[name] <= 1
        assert books.orders[name] == (order["status"] == "FILLED"), order
        assert books.trades.get(name, frozenset()) == {fill["venueTradeId"] for fill in order["fills"]["nodes"]}


@pytest.mark.timeout(180)
async def test_the_sandbox_is_killed_under_orders_and_comes_back(data_folder: Path) -> None:
    async with running_engine(data_folder / "data", "--seed", "5") as engine:
        trader, stop = await new_trader(engine.client()), asyncio.Event()
        async with trader.client.subscribed(DEPTH, m=MARKET) as depth:
            await depth.until(lambda event: "sequence" in event, "a book")
            placing = asyncio.create_task(_keep_placing(trader, stop))
            for _ in range(3):
                await asyncio.sleep(1.0)
                (sandbox,) = engine.children("infra.sandbox")
                os.kill(sandbox, signal.SIGKILL)
                await depth.until(lambda event: event.get("state") == "RECONNECTING", "RECONNECTING", 30)
                await depth.until(lambda event: event.get("state") == "LIVE", "LIVE again", 30)
                await depth.until(lambda event: "sequence" in event, "a book again", 30)
            await fills_again(trader, 30)
            stop.set()
            answers = await placing
        orders = await settled(trader)
        assert len(orders) >= len(answers) > 10
        await engine.terminate()
        await _agrees_with_its_venue(engine, orders)


@pytest.mark.timeout(180)
async def test_postgresql_is_killed_under_orders_and_comes_back(data_folder: Path) -> None:
    async with running_engine(data_folder / "data", "--seed", "6") as engine:
        trader, stop = await new_trader(engine.client()), asyncio.Event()
        placing = asyncio.create_task(_keep_placing(trader, stop))
        for _ in range(2):
            await asyncio.sleep(2.0)
            first = engine.postmaster()
            os.kill(first, signal.SIGKILL)
            await engine.ready()
            await fills_again(trader, 40)
            assert engine.postmaster() != first
        stop.set()
        answers = await placing
        orders = await settled(trader)
        accepted = [answer for answer in answers.values() if answer and answer.get("data")]
        assert len(orders) >= len(accepted) > 5
        await engine.terminate()
        await _agrees_with_its_venue(engine, orders)


@pytest.mark.timeout(120)
async def test_sigterm_in_the_middle_of_orders_ends_cleanly_and_loses_none(data_folder: Path) -> None:
    async with running_engine(data_folder / "data", "--seed", "8") as engine:
        traders = [await new_trader(engine.client()) for _ in range(3)]
        stop = asyncio.Event()
        async with traders[0].client.subscribed(ORDER_EVENTS) as events:
            placing = [asyncio.create_task(_keep_placing(trader, stop)) for trader in traders]
            await events.until(lambda event: event["order"]["status"] == "FILLED", "orders flow")
            await engine.terminate()
        stop.set()
        answers = [await task for task in placing]
        await engine.start()
        for trader, given in zip(traders, answers, strict=True):
            orders = {order["id"]: order for order in await settled(trader)}
            for answer in given.values():
                if answer and answer.get("data") and answer["data"]["orderPlace"]["order"]:
                    told = answer["data"]["orderPlace"]["order"]
                    assert told["id"] in orders
                    assert told["status"] not in FINAL or orders[told["id"]]["status"] == told["status"]


@pytest.mark.timeout(120)
async def test_a_restart_keeps_keys_logins_orders_and_balances(data_folder: Path) -> None:
    async with running_engine(data_folder / "data", "--seed", "9") as engine:
        trader = await new_trader(engine.client())
        made = await trader.client.change(
            """mutation { apiKeyCreate(input: {name: "robot", scopes: [TRADE]}) {
              secret errors { code message path } } }"""
        )
        await trader.place()
        document = (
            "{ viewer { email accounts { nodes { balances { currency total } } } strategies { nodes { name } } } }"
        )
        before = await trader.client.run(document)
        for kill in (True, False):
            if kill:
                engine.kill()
            else:
                await engine.terminate()
            await engine.start()
            assert await trader.client.run(document) == before
            robot = engine.client(made["secret"])
            assert (await robot.one("{ viewer { email } }"))["email"] == trader.email
            assert (await robot.change(PLACE, input=trader.order(quantity="0.001")))["order"]["status"] == "FILLED"
            before = await trader.client.run(document)
        again = await engine.client().change(LOGIN, input={"email": trader.email, "password": PASSWORD})
        assert again["token"]
        total = sum(Decimal(fill["quantity"]) for order in await trader.orders() for fill in order["fills"]["nodes"])
        assert total == Decimal("0.012")
