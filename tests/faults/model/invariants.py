"""What must hold after a run, whatever struck: each function returns sentences about what doesn't.

`settle` takes the faults back and brings the run to its end; `compare` then holds the engine against its venue.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.faults.model.operations import CANCEL_ALL, RESUME, STOP_SESSION
from tests.faults.model.trader import EVENTS, PROFIT_PERCENT, STOP_PERCENT, Trader
from tests.faults.model.world import MARKET, World
from tests.support.trader_client import FINAL, HEAD

DOUBT_SECONDS = 60
HALT_SECONDS = 15
EXIT_SECONDS = 60
BALANCE_SECONDS = 90

_UNDECIDED = frozenset({"PENDING", "SUBMITTED", "IN_DOUBT", "PENDING_CANCEL"})
_PROTECTIVE = frozenset({"EXIT", "STOP_LOSS", "TAKE_PROFIT", "TRAILING_STOP", "CLOSE"})
_NEVER_SENT = frozenset({"DENIED"})
_CRASH_PERCENT = 7
_TOLERANCE = Decimal("0.0005")

Violations = list[str]


async def settle(world: World, traders: list[Trader]) -> Violations:
    """Take the faults back, then let the prices fall through all stops, stop the sessions and cancel what is active."""
    await world.heal()
    found = await _each(traders, _decided)
    found += await _each(traders, _obeys_its_halt)
    for trader in traders:
        await trader.insist(RESUME, id=trader.account)
    found += await _crash_the_price(world, traders)
    found += await _each(traders, _stops)
    for trader in traders:
        await trader.insist(CANCEL_ALL, input={"account": trader.account})
    return found + await _each(traders, _has_nothing_active)


async def compare(world: World, traders: list[Trader]) -> Violations:
    """Hold each account against its venue, its answers and its event log."""
    found: Violations = []
    for trader in traders:
        orders = await trader.orders()
        at_venue = await trader.venue.get("/api/v3/allOrders", symbol=MARKET, limit=1000)
        trades = await trader.venue.get("/api/v3/myTrades", symbol=MARKET, limit=1000)
        found += trader.contradictions
        found += _acknowledged_orders_exist(trader, orders)
        found += _orders_agree(trader, orders, at_venue, trades)
        found += await _balances_agree(trader)
        found += await _log_agrees(trader, orders)
        found += _exits_are_justified(world, orders)
    return found


# ---- the end of a run


async def _each(traders: list[Trader], check: Callable[[Trader], Awaitable[Violations]]) -> Violations:
    return [violation for found in await asyncio.gather(*map(check, traders)) for violation in found]


async def _until(read: Callable[[], Awaitable[list[Any]]], seconds: float) -> list[Any]:
    """Read until nothing is left, or the time is over; return what is left."""
    deadline = time.monotonic() + seconds
    while True:
        left = await read()
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.25)


async def _decided(trader: Trader) -> Violations:
    async def undecided() -> list[Any]:
        return [_name(order) for order in await trader.orders() if order["status"] in _UNDECIDED]

    left = await _until(undecided, DOUBT_SECONDS)
    return [f"undecided for over {DOUBT_SECONDS} s: {left}"] if left else []


async def _obeys_its_halt(trader: Trader) -> Violations:
    if not trader.halted:
        return []

    async def active() -> list[Any]:
        orders = [order for order in await trader.orders() if order["status"] not in FINAL]
        return [_name(order) for order in orders if not (order["reduceOnly"] or order["role"] in _PROTECTIVE)]

    left = await _until(active, HALT_SECONDS)
    return [f"active under a halt that cancels: {left}"] if left else []


async def _crash_the_price(world: World, traders: list[Trader]) -> Violations:
    """Let the price fall below every stop: each position of a session that hasn't stopped must be closed by that."""
    watched = {trader.account: await _protected(trader) for trader in traders}
    await world.move_price(f"{await world.price() * (1 - _CRASH_PERCENT / 100):.2f}")

    async def check(trader: Trader) -> Violations:
        async def still_open() -> list[Any]:
            mine = watched[trader.account]
            return [position for position in await trader.open_positions() if position["id"] in mine]

        left = await _until(still_open, EXIT_SECONDS)
        sessions = await trader.sessions() if left else []
        return [f"open {EXIT_SECONDS} s after its stop-loss was reached: {left}; {sessions}"] if left else []

    found = await _each(traders, check)
    await world.move_price(f"{await world.price() * (1 + _CRASH_PERCENT / 100):.2f}")
    return found


async def _protected(trader: Trader) -> set[str]:
    positions = await trader.open_positions()
    return {
        position["id"]
        for position in positions
        if position["tradingSession"] is not None and position["tradingSession"]["status"] != "STOPPED"
    }


async def _stops(trader: Trader) -> Violations:
    await trader.insist(STOP_SESSION, id=trader.session)

    async def running() -> list[Any]:
        return [session for session in await trader.sessions() if session["status"] not in {"STOPPED", "FAILED"}]

    left = await _until(running, EXIT_SECONDS)
    found = [f"not stopped after {EXIT_SECONDS} s: {left}"] if left else []
    return found + [f"failed: {session}" for session in await trader.sessions() if session["status"] == "FAILED"]


async def _has_nothing_active(trader: Trader) -> Violations:
    async def active() -> list[Any]:
        return [_name(order) for order in await trader.orders() if order["status"] not in FINAL]

    left = await _until(active, EXIT_SECONDS)
    return [f"active though all were cancelled: {left}"] if left else []


# ---- the engine and its venue


def _acknowledged_orders_exist(trader: Trader, orders: list[dict[str, Any]]) -> Violations:
    known = {order["id"] for order in orders}
    return [f"acknowledged and lost: {key} {id_}" for key, id_ in trader.acknowledged.items() if id_ not in known]


def _orders_agree(
    trader: Trader, orders: list[dict[str, Any]], at_venue: list[dict[str, Any]], trades: list[dict[str, Any]]
) -> Violations:
    found = [f"{count} times at the venue: {name}" for name, count in _names(at_venue).items() if count > 1]
    of_venue = {order["clientOrderId"]: order for order in at_venue}
    of_engine = {order["clientOrderId"]: order for order in orders}
    unknown = of_venue.keys() - of_engine.keys() - trader.by_hand
    found += [f"at the venue and unknown: {of_venue[name]}" for name in unknown]
    for name, order in of_engine.items():
        twin = of_venue.get(name)
        executed = Decimal(twin["executedQty"]) if twin else Decimal(0)
        if Decimal(order["filledQuantity"]) != executed:
            found.append(f"filled {order['filledQuantity']} here and {executed} at the venue: {_name(order)}")
        if twin is not None and order["status"] in _NEVER_SENT:
            found.append(f"denied, and at the venue: {_name(order)}")
        made = {str(trade["id"]) for trade in trades if twin and trade["orderId"] == twin["orderId"]}
        counted = [fill["venueTradeId"] for fill in order["fills"]["nodes"]]
        if sorted(counted) != sorted(made):
            found.append(f"trades {sorted(made)} at the venue, {sorted(counted)} counted: {_name(order)}")
    return found


def _names(at_venue: list[dict[str, Any]]) -> Counter[str]:
    return Counter(order["clientOrderId"] for order in at_venue)


async def _balances_agree(trader: Trader) -> Violations:
    async def differences() -> list[Any]:
        here = {name: (Decimal(total), Decimal(free)) for name, (total, free) in (await trader.balances()).items()}
        rows = (await trader.venue.get("/api/v3/account"))["balances"]
        there = {
            row["asset"]: (Decimal(row["free"]) + Decimal(row["locked"]), Decimal(row["free"]))
            for row in rows
            if Decimal(row["free"]) + Decimal(row["locked"])
        }
        return [] if here == there else [here, there]

    left = await _until(differences, BALANCE_SECONDS)
    return [f"balances here {left[0]}, at the venue {left[1]}"] if left else []


async def _log_agrees(trader: Trader, orders: list[dict[str, Any]]) -> Violations:
    """The log has no gap, and its last state of each order is the order."""
    head = (await trader.read(HEAD))["eventCursor"]
    async with trader.client.client.subscribed(EVENTS, after=trader.start_cursor) as events:
        while not events.seen or events.seen[-1]["cursor"] != head:
            await events.next()
    numbers = [int(event["sequence"]) for event in events.seen]
    found = [] if numbers == list(range(numbers[0], numbers[0] + len(numbers))) else [f"a gap in the log: {numbers}"]
    states = [event["state"] for event in events.seen if (event["state"] or {}).get("__typename") == "OrderState"]
    last = {state["id"]: state for state in states}
    for order in orders:
        state = last.get(order["id"])
        if state is None or any(state[name] != order[name] for name in ("status", "filledQuantity", "revision")):
            found.append(f"the log ends with {state}, the order is {_name(order)} {order['revision']}")
    return found


def _exits_are_justified(world: World, orders: list[dict[str, Any]]) -> Violations:
    """Between the session's last entry and its exit there was a trade at the price that the exit is for."""
    found = []
    mine = [order for order in orders if order["tradingSession"] is not None]
    entries = [fill for order in mine if order["role"] == "ENTRY" for fill in order["fills"]["nodes"]]
    for order in mine:
        if order["role"] not in {"STOP_LOSS", "TAKE_PROFIT"} or not order["fills"]["nodes"]:
            continue
        end = min(_at(fill) for fill in order["fills"]["nodes"])
        before = [fill for fill in entries if _at(fill) <= end]
        if not before:
            found.append(f"an exit without an entry: {_name(order)}")
            continue
        start = max(_at(fill) for fill in before)
        # The exchange forgets its newest trades when it is killed, but the account's own are known.
        own = [fill for other in orders for fill in other["fills"]["nodes"] if start <= _at(fill) < end]
        traded = world.traded_prices(start, end) + [Decimal(fill["price"]) for fill in own]
        paid = [Decimal(fill["price"]) for fill in before if _at(fill) >= start - 1_000]
        if order["role"] == "STOP_LOSS":
            bound = max(paid) * (1 - Decimal(STOP_PERCENT) / 100) * (1 + _TOLERANCE)
            is_justified = min(traded, default=bound + 1) <= bound
        else:
            bound = min(paid) * (1 + Decimal(PROFIT_PERCENT) / 100) * (1 - _TOLERANCE)
            is_justified = max(traded, default=bound - 1) >= bound
        if not is_justified:
            prices = f"{min(traded, default=None)} to {max(traded, default=None)}"
            found.append(f"no price justifies {_name(order)}: entered at {paid}, traded {prices}")
    return found


def _at(fill: dict[str, Any]) -> int:
    return round(datetime.fromisoformat(fill["at"]).timestamp() * 1000)


def _name(order: dict[str, Any]) -> str:
    names = ("clientOrderId", "side", "type", "role", "status", "quantity", "filledQuantity", "rejectCode")
    return " ".join(str(order[name]) for name in names)
