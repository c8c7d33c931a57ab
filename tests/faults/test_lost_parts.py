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
from tests.support.waiting import eventually, read_until

DEPTH = """subscription($m: MarketSymbol!) { marketDepth(market: $m) { __typename
  ... on MarketDepthSnapshot { epoch sequence bids { price } } ... on MarketDepthStatus { state } } }"""

AFTER_FEES = Decimal("0.999")
"""What is left of one BTC bought: the sandbox takes its fee from what is received."""

Answers = dict[str, dict[str, Any] | None]


async def keep_placing(trader: TraderClient, stop: asyncio.Event, answers: Answers) -> None:
    """Place one order after another; keep the answer to each key, None where there was none."""
    while not stop.is_set():
        order = trader.order(quantity="0.001")
        key = order["idempotencyKey"]
        answers[key] = None
        with suppress(*AWAY):
            answers[key] = await trader.client.raw(PLACE, input=order)
        await asyncio.sleep(0.15)


async def _more_answers(answers: Answers, count: int = 4) -> None:
    """Return when so many more orders have been answered."""
    goal = _answered(answers) + count
    await eventually(lambda: _answered(answers) >= goal, f"{count} more orders are answered")


def _placed(answer: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the payload of an answer, or None where there is none: the field is null where its mutation failed."""
    payload: dict[str, Any] | None = ((answer or {}).get("data") or {}).get("orderPlace")
    return payload


def _answered(answers: Answers) -> int:
    return sum(bool(_placed(answer)) for answer in answers.values())


async def fills_again(trader: TraderClient, timeout_seconds: float = 90) -> None:
    """Return as soon as an order is filled again."""
    async with asyncio.timeout(timeout_seconds):
        while True:
            answer = await trader.client.raw(PLACE, input=trader.order(quantity="0.001"))
            order = (_placed(answer) or {}).get("order")
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
        trader, stop, answers = await new_trader(engine.client()), asyncio.Event(), Answers()
        async with trader.client.subscribed(DEPTH, m=MARKET) as depth:
            await depth.until(lambda event: "sequence" in event, "a book")
            placing = asyncio.create_task(keep_placing(trader, stop, answers))
            for _ in range(3):
                await _more_answers(answers)
                (sandbox,) = engine.children("infra.sandbox")
                os.kill(sandbox, signal.SIGKILL)
                await depth.until(lambda event: event.get("state") == "RECONNECTING", "RECONNECTING")
                await depth.until(lambda event: event.get("state") == "LIVE", "LIVE again")
                await depth.until(lambda event: "sequence" in event, "a book again")
            await fills_again(trader)
            stop.set()
            await placing
        orders = await settled(trader)
        assert len(orders) >= len(answers) > 10
        await engine.terminate()
        await _agrees_with_its_venue(engine, orders)


@pytest.mark.timeout(180)
async def test_postgresql_is_killed_under_orders_and_comes_back(data_folder: Path) -> None:
    async with running_engine(data_folder / "data", "--seed", "6") as engine:
        trader, stop, answers = await new_trader(engine.client()), asyncio.Event(), Answers()
        placing = asyncio.create_task(keep_placing(trader, stop, answers))
        for _ in range(2):
            await _more_answers(answers)
            first = engine.postmaster()
            os.kill(first, signal.SIGKILL)
            await engine.ready()
            await fills_again(trader)
            assert engine.postmaster() != first
        stop.set()
        await placing
        orders = await settled(trader)
        assert len(orders) >= _answered(answers) > 5
        await engine.terminate()
        await _agrees_with_its_venue(engine, orders)


@pytest.mark.timeout(120)
async def test_sigterm_in_the_middle_of_orders_ends_cleanly_and_loses_none(data_folder: Path) -> None:
    async with running_engine(data_folder / "data", "--seed", "8") as engine:
        traders = [await new_trader(engine.client()) for _ in range(3)]
        stop = asyncio.Event()
        async with traders[0].client.subscribed(ORDER_EVENTS) as events:
            answers = [Answers() for _ in traders]
            work = [keep_placing(trader, stop, given) for trader, given in zip(traders, answers, strict=True)]
            placing = [asyncio.create_task(request) for request in work]
            await events.until(lambda event: event["order"]["status"] == "FILLED", "orders flow")
            await engine.terminate()
        stop.set()
        await asyncio.gather(*placing)
        await engine.start()
        for trader, given in zip(traders, answers, strict=True):
            orders = {order["id"]: order for order in await settled(trader)}
            for answer in given.values():
                if (_placed(answer) or {}).get("order"):
                    reported = answer["data"]["orderPlace"]["order"]
                    assert reported["id"] in orders
                    assert reported["status"] not in FINAL or orders[reported["id"]]["status"] == reported["status"]


async def _read_when_held(trader: TraderClient, document: str, held: Decimal) -> dict[str, Any]:
    """Return what `document` reads once the account holds so many BTC: the venue reports balances after a fill."""

    def holds(answer: dict[str, Any]) -> bool:
        balances = answer["viewer"]["accounts"]["nodes"][0]["balances"]
        return any(one["currency"] == "BTC" and Decimal(one["total"]) == held for one in balances)

    return await read_until(lambda: trader.client.run(document), holds, f"the account holds {held} BTC")


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
        before = await _read_when_held(trader, document, Decimal("0.01") * AFTER_FEES)
        for number, kill in enumerate((True, False), start=1):
            if kill:
                engine.kill()
            else:
                await engine.terminate()
            await engine.start()
            assert await trader.client.run(document) == before
            robot = engine.client(made["secret"])
            assert (await robot.one("{ viewer { email } }"))["email"] == trader.email
            by_robot = TraderClient(robot, trader.email, trader.user, trader.account)
            assert (await by_robot.place(quantity="0.001"))["status"] == "FILLED"
            before = await _read_when_held(trader, document, Decimal(f"0.01{number}") * AFTER_FEES)
        again = await engine.client().change(LOGIN, input={"email": trader.email, "password": PASSWORD})
        assert again["token"]
        total = sum(Decimal(fill["quantity"]) for order in await trader.orders() for fill in order["fills"]["nodes"])
        assert total == Decimal("0.012")
