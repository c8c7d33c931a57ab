"""Users who trade and log in while the pair fails over, and what must hold afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.faults.test_kill_nine import AWAY, settled
from tests.support.engine import Engine
from tests.support.sandbox_state import venue_books
from tests.support.trader_client import EVENTS, LOGIN, ORDER_EVENTS, PASSWORD, PLACE, TraderClient
from tests.support.waiting import eventually

_PAUSE_SECONDS = 0.1
_FINAL_ANSWERS = frozenset({"FILLED", "REJECTED", "DENIED"})


@dataclass
class Acknowledged:
    """What the engine has said to one user: orders by the key they were placed with, login tokens, and when."""

    trader: TraderClient
    start: str
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def place(self) -> None:
        """Place an order; remember it if it is acknowledged."""
        order = self.trader.order(quantity="0.001")
        self.asked.append(order)
        with suppress(*AWAY):
            answer = await self.trader.client.raw(PLACE, input=order)
            if placed := _placed(answer):
                self.orders[order["idempotencyKey"]] = placed
                self.times.append(time.monotonic())

    async def log_in(self) -> None:
        """Log in once more; remember the token if there is one."""
        with suppress(*AWAY):
            answer = await self.trader.client.raw(LOGIN, input={"email": self.trader.email, "password": PASSWORD})
            token = ((answer.get("data") or {}).get("userLogin") or {}).get("token")
            if token:
                self.tokens.append(token)

    def longest_pause(self) -> float:
        """Return for how many seconds at most no order was acknowledged."""
        return max(after - before for before, after in zip(self.times, self.times[1:], strict=False))


@asynccontextmanager
async def load(traders: list[TraderClient]) -> AsyncIterator[list[Acknowledged]]:
    """Let each trader place orders and log in until the block ends."""
    users = [Acknowledged(trader, await trader.head()) for trader in traders]
    stop = asyncio.Event()
    tasks = [asyncio.create_task(_use(user, stop)) for user in users]
    try:
        await flows(users)
        yield users
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def flows(users: list[Acknowledged], more: int = 3) -> None:
    """Return when each user has had so many more orders acknowledged."""
    goals = [len(user.orders) + more for user in users]

    def reached() -> bool:
        return all(len(user.orders) >= goal for user, goal in zip(users, goals, strict=True))

    await eventually(reached, f"{more} more orders of each user are acknowledged", 120)


async def nothing_is_lost(engine: Engine, users: list[Acknowledged]) -> None:
    """Hold: every acknowledged order, login and event is there, once, and agrees with the venue."""
    for user in users:
        await _each_key_has_one_order(user)
        orders = {order["id"]: order for order in await settled(user.trader)}
        assert len(orders) == len(user.asked), "an order is lost, or placed twice"
        for acknowledged in user.orders.values():
            assert acknowledged["id"] in orders, "an acknowledged order is lost"
            if acknowledged["status"] in _FINAL_ANSWERS:
                assert orders[acknowledged["id"]]["status"] == acknowledged["status"]
        for token in user.tokens:
            assert (await engine.client(token).one("{ viewer { email } }"))["email"] == user.trader.email
        _agree_with_the_venue(engine, list(orders.values()))
        await _the_log_is_whole(user, orders)


async def _each_key_has_one_order(user: Acknowledged) -> None:
    """Ask again with the keys whose answer was lost, and with some whose answer came: these give the same order."""
    lost = [order for order in user.asked if order["idempotencyKey"] not in user.orders]
    for order in (*lost, *user.asked[-3:]):
        placed = _placed(await user.trader.client.raw(PLACE, input=order))
        assert placed is not None
        assert placed["id"] == user.orders.setdefault(order["idempotencyKey"], placed)["id"]


def _placed(answer: dict[str, Any]) -> dict[str, Any] | None:
    """Return the order of an answer, which may have been denied; None where it isn't known whether there is one."""
    order: dict[str, Any] | None = ((answer.get("data") or {}).get("orderPlace") or {}).get("order")
    return order


def _agree_with_the_venue(engine: Engine, orders: list[dict[str, Any]]) -> None:
    books = venue_books(engine.folder / "sandbox")
    for order in orders:
        name, fills = order["clientOrderId"], order["fills"]["nodes"]
        assert books.orders[name] == (order["status"] == "FILLED"), order
        assert books.trades.get(name, frozenset()) == {fill["venueTradeId"] for fill in fills}
        assert sum(Decimal(fill["quantity"]) for fill in fills) == Decimal(order["filledQuantity"])


async def _the_log_is_whole(user: Acknowledged, orders: dict[str, dict[str, Any]]) -> None:
    """No number is missing or doubled, and each order that was filled has its event of that."""
    head = await user.trader.head()
    async with user.trader.client.subscribed(EVENTS, after=user.start) as events:
        while not events.seen or events.seen[-1]["cursor"] != head:
            await events.next()
    numbers = [int(event["sequence"]) for event in events.seen]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    last = max(int(event["sequence"]) for event in events.seen if event["kind"].startswith("ORDER"))
    async with user.trader.client.subscribed(ORDER_EVENTS, after=user.start) as story:
        while not story.seen or int(story.seen[-1]["sequence"]) != last:
            await story.next()
    filled = {event["order"]["id"] for event in story.seen if event["order"]["status"] == "FILLED"}
    assert {user.orders[key]["id"] for key in user.orders} <= {event["order"]["id"] for event in story.seen}
    assert filled <= orders.keys()


async def _use(user: Acknowledged, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await user.place()
        if len(user.orders) % 4 == 0:
            await user.log_in()
        await asyncio.sleep(_PAUSE_SECONDS)
