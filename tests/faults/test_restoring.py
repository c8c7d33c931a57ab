"""Back up under load, destroy the database, restore it to a moment, and reconcile with the venue.

What `docs/runbook.md` says about restoring is done here, command by command.
"""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.sandbox.fixed_point import SCALE
from tests.support.engine import Engine, run_program, running_engine
from tests.support.graphql_client import Client, receive
from tests.support.sandbox_state import venue_books
from tests.support.trader_client import EVENTS, FINAL, LOGIN, PASSWORD, PLACE, TraderClient, new_trader
from tests.support.waiting import eventually, read_until

CLIENTS = 2
PAUSE_SECONDS = 0.3
AWAY = (httpx.TransportError, OSError)
POSITIONS = "{ viewer { positions(first: 50) { nodes { quantity dust closedAt } } } }"
BALANCES = "query($id: ID!) { node(id: $id) { ... on Account { balances { currency total free } } } }"
OPEN_STATES = frozenset({"OPEN", "PARTIALLY_FILLED"})


@dataclass
class Load:
    """Clients that place orders one after another, with the keys and inputs of those that were answered."""

    trader: TraderClient
    placed: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        self.tasks = [asyncio.create_task(self._place_on()) for _ in range(CLIENTS)]

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def more(self, count: int) -> None:
        """Wait until so many more orders have been placed."""
        goal = len(self.placed) + count
        await eventually(lambda: len(self.placed) >= goal or any(task.done() for task in self.tasks), "more orders")
        assert len(self.placed) >= goal, [task.result() for task in self.tasks if task.done()]

    async def _place_on(self) -> None:
        kinds = cycle([
            {"side": "BUY", "quantity": "0.003"},
            {"side": "SELL", "quantity": "0.001"},
            {"side": "BUY", "type": "LIMIT", "price": "30000", "quantity": "0.002"},
        ])  # fmt: skip
        for kind in kinds:
            order = self.trader.order(idempotencyKey=uuid.uuid4().hex, **kind)
            try:
                answer = await self.trader.client.raw(PLACE, input=order)
            except AWAY:
                return  # the engine was killed
            if answer.get("data", {}).get("orderPlace", {}).get("order"):
                self.placed[order["idempotencyKey"]] = order
            await asyncio.sleep(PAUSE_SECONDS)


def _r3edge(engine: Engine, *arguments: str) -> str:
    done = run_program(*arguments, "--data-dir", str(engine.folder), **engine.settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def _destroy(engine: Engine) -> None:
    """Kill the engine and its PostgreSQL, and delete the database."""
    postmaster = engine.postmaster()
    engine.kill()
    os.kill(postmaster, signal.SIGKILL)
    await eventually(lambda: not engine.children("postgres"), "PostgreSQL is gone")
    shutil.rmtree(engine.folder / "postgres")


async def _sign_in(engine: Engine, trader: TraderClient) -> TraderClient:
    signed_in = await engine.client().change(LOGIN, input={"email": trader.email, "password": PASSWORD})
    return TraderClient(Client(engine.graphql_url, signed_in["token"]), trader.email, trader.user, trader.account)


async def _undecided(trader: TraderClient) -> list[Any]:
    return [order for order in await trader.orders() if order["status"] not in FINAL | OPEN_STATES]


@pytest.mark.timeout(300)
async def test_a_database_restored_to_a_moment_agrees_with_the_venue_and_sends_nothing_twice(
    data_folder: Path,
) -> None:
    settings = {"R3EDGE_BACKUPS": str(data_folder / "backups")}
    async with running_engine(data_folder / "data", "--seed", "3", settings=settings) as engine:
        trader = await new_trader(engine.client(), USDT="100000", BTC="1")
        await trader.place(quantity="0.1")  # what is sold later is of this position, whatever is bought in time
        load = Load(trader)
        load.start()
        await load.more(6)
        first = await asyncio.to_thread(_r3edge, engine, "backup", "create")
        await load.more(6)
        moment = datetime.now(UTC)
        await load.more(9)
        await asyncio.to_thread(_r3edge, engine, "backup", "create")
        await load.more(3)
        cursor = await trader.head()
        await _destroy(engine)
        await load.stop()

        output = _r3edge(engine, "backup", "restore", "--yes", "--to", moment.isoformat())
        assert f"from the backup {first.split()[0]}" in output
        assert "1 accounts ask their venues" in output
        await engine.start()
        assert await trader.client.one("{ viewer { id } }") is None
        trader = await _sign_in(engine, trader)
        await _nothing_is_sent_before_it_is_resumed(trader)
        await read_until(lambda: _undecided(trader), lambda left: not left, "every order to be decided")
        await _a_cursor_from_the_lost_time_is_refused(trader, cursor)
        _r3edge(engine, "resume", "engine")
        await _keys_of_the_lost_time_make_nothing_new(engine, trader, load.placed)
        await trader.place()
        await _agrees_with_its_venue(engine, trader)


async def _nothing_is_sent_before_it_is_resumed(trader: TraderClient) -> None:
    order = await _placed(trader, trader.order())
    assert (await trader.until_ended(order))["status"] == "DENIED"


async def _placed(trader: TraderClient, order: dict[str, Any]) -> dict[str, Any]:
    """Return the order of a key; whether its end is answered as an error depends on whether it came in time."""
    placed: dict[str, Any] | None = (await trader.client.raw(PLACE, input=order))["data"]["orderPlace"]["order"]
    assert placed is not None
    return placed


async def _a_cursor_from_the_lost_time_is_refused(trader: TraderClient, cursor: str) -> None:
    async with trader.client.subscribed(EVENTS, after=cursor) as events:
        refused = await receive(events.socket)
    assert '"CURSOR_TOO_OLD"' in json.dumps(refused)


async def _keys_of_the_lost_time_make_nothing_new(
    engine: Engine, trader: TraderClient, placed: dict[str, dict[str, Any]]
) -> None:
    """Repeat all keys: each has one order at the venue in the end, also where it never came to one before."""
    before = venue_books(engine.folder / "sandbox").orders
    for order in placed.values():
        await _placed(trader, order)
    after = venue_books(engine.folder / "sandbox").orders
    assert before.keys() <= after.keys()
    assert set(after.values()) == {1}
    assert len(after) <= len(placed) + CLIENTS  # some may have been at the venue before their clients were answered


async def _agrees_with_its_venue(engine: Engine, trader: TraderClient) -> None:
    orders = await trader.orders()
    positions = (await trader.client.one(POSITIONS))["positions"]["nodes"]
    balances = (await trader.client.one(BALANCES, id=trader.account))["balances"]
    await engine.terminate()
    books = venue_books(engine.folder / "sandbox")
    assert set(books.orders.values()) == {1}
    known = {order["clientOrderId"]: order for order in orders}
    assert books.orders.keys() <= known.keys()
    for name, order in known.items():
        assert books.trades.get(name, frozenset()) == {fill["venueTradeId"] for fill in order["fills"]["nodes"]}
        assert name in books.orders or order["status"] in {"DENIED", "REJECTED", "CANCELED"}
    held, bought = _at_venue(engine.folder / "sandbox")
    assert {row["currency"]: Decimal(row["total"]) for row in balances} == held
    assert sum(Decimal(row["quantity"]) for row in positions if row["closedAt"] is None) == bought


def _at_venue(sandbox: Path) -> tuple[dict[str, Decimal], Decimal]:
    """Return what the account holds at the venue, and what its trades have brought in BTC after fees."""
    with closing(sqlite3.connect(f"file:{sandbox / 'sandbox.sqlite3'}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT asset, free + locked FROM balances WHERE free + locked > 0").fetchall()
        fills = database.execute("SELECT side, quantity, CASE fee_asset WHEN 'BTC' THEN fee ELSE 0 END FROM fills")
        bought = sum((quantity if side == "BUY" else -quantity) - fee for side, quantity, fee in fills)
    return {asset: Decimal(amount) / SCALE for asset, amount in rows}, Decimal(bought) / SCALE
