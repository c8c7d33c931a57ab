"""Brings a run to its end: takes the faults back, and returns sentences about what doesn't hold then."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.faults.model.exits import unasked_exits
from tests.faults.model.operations import CANCEL_ALL, RESUME, STOP_SESSION
from tests.faults.model.remaining import Violations, name_of, remaining
from tests.faults.model.stage import Stage
from tests.faults.model.trader import Trader
from tests.support.trader_client import FINAL

DOUBT_SECONDS = 60
HALT_SECONDS = 60
EXIT_SECONDS = 60

_UNDECIDED = frozenset({"PENDING", "SUBMITTED", "IN_DOUBT", "PENDING_CANCEL"})
_PROTECTIVE = frozenset({"EXIT", "STOP_LOSS", "TAKE_PROFIT", "TRAILING_STOP", "CLOSE"})
_CRASH_PERCENT = 7


async def settle(stage: Stage, traders: list[Trader]) -> Violations:
    """Take the faults back, then let the prices fall through all stops, stop the sessions and cancel what is active."""
    await stage.heal()
    found = await _each(traders, _decided)
    found += await _each(traders, _obeys_its_halt)
    for trader in traders:
        await trader.insist(RESUME, id=trader.account)
    found += await _crash_the_price(stage, traders)
    found += await _each(traders, _acts_on_its_signals)
    found += await _each(traders, unasked_exits)
    found += await _each(traders, _stops)
    for trader in traders:
        await trader.insist(CANCEL_ALL, input={"account": trader.account})
    return found + await _each(traders, _has_nothing_active)


async def _each(traders: list[Trader], check: Callable[[Trader], Awaitable[Violations]]) -> Violations:
    return [violation for found in await asyncio.gather(*map(check, traders)) for violation in found]


async def _decided(trader: Trader) -> Violations:
    async def undecided() -> list[Any]:
        return [name_of(order) for order in await trader.orders() if order["status"] in _UNDECIDED]

    left = await remaining(undecided, DOUBT_SECONDS)
    return [f"undecided for over {DOUBT_SECONDS} s: {left}"] if left else []


async def _obeys_its_halt(trader: Trader) -> Violations:
    if not trader.halted:
        return []

    async def active() -> list[Any]:
        orders = [order for order in await trader.orders() if order["status"] not in FINAL]
        return [name_of(order) for order in orders if not (order["reduceOnly"] or order["role"] in _PROTECTIVE)]

    left = await remaining(active, HALT_SECONDS)
    return [f"active under a halt that cancels: {left}"] if left else []


async def _crash_the_price(stage: Stage, traders: list[Trader]) -> Violations:
    """Let the price fall below every stop.

    That must close each position of a session that hasn't stopped, and all that another protection is for. A position
    that is opened afterwards has stops of its own.
    """
    known = {trader.account: {position["id"] for position in await trader.open_positions()} for trader in traders}
    await stage.venue.move_price(f"{await stage.venue.price() * (1 - _CRASH_PERCENT / 100):.2f}")

    async def check(trader: Trader) -> Violations:
        async def still_open() -> list[Any]:
            positions = [row for row in await trader.open_positions() if row["id"] in known[trader.account]]
            return [position for position in positions if _is_to_be_closed(position)]

        left = await remaining(still_open, EXIT_SECONDS)
        sessions = await trader.sessions() if left else []
        return [f"open {EXIT_SECONDS} s after its stop-loss was reached: {left}; {sessions}"] if left else []

    found = await _each(traders, check)
    await stage.venue.move_price(f"{await stage.venue.price() * (1 + _CRASH_PERCENT / 100):.2f}")
    return found


def _is_to_be_closed(position: dict[str, Any]) -> bool:
    """Return whether a position belongs to a session that hasn't stopped, or is protected otherwise."""
    session = position["tradingSession"]
    in_force = [row for row in position["protections"] if row["stopLossPrice"] is not None and row["endedAt"] is None]
    return bool(in_force) or (session is not None and session["status"] != "STOPPED")


async def _acts_on_its_signals(trader: Trader) -> Violations:
    async def waiting() -> list[Any]:
        return [signal for signal in await trader.submitted() if signal["waiting"]]

    left = await remaining(waiting, EXIT_SECONDS)
    signals = {signal["id"]: signal for signal in await trader.submitted()}
    found = [f"signals that wait for over {EXIT_SECONDS} s: {left}"] if left else []
    found += [f"submitted and lost: {key} {id_}" for key, id_ in trader.signals.items() if id_ not in signals]
    orders = [signal["order"]["id"] for signal in signals.values() if signal["order"] is not None]
    return found + ([f"two signals with one order: {signals}"] if len(set(orders)) < len(orders) else [])


async def _stops(trader: Trader) -> Violations:
    await trader.insist(STOP_SESSION, id=trader.session)

    async def running() -> list[Any]:
        return [session for session in await trader.sessions() if session["status"] not in {"STOPPED", "FAILED"}]

    left = await remaining(running, EXIT_SECONDS)
    found = [f"not stopped after {EXIT_SECONDS} s: {left}"] if left else []
    return found + [f"failed: {session}" for session in await trader.sessions() if session["status"] == "FAILED"]


async def _has_nothing_active(trader: Trader) -> Violations:
    async def active() -> list[Any]:
        return [name_of(order) for order in await trader.orders() if order["status"] not in FINAL]

    left = await remaining(active, EXIT_SECONDS)
    return [f"active though all were cancelled: {left}"] if left else []
