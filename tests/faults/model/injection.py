"""Lets the faults of a plan strike."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.faults.model.plan import Fault, FaultKind
from tests.faults.model.world import World

_FREEZE_SECONDS = 7.0
"""Longer than a lease of 6 s."""

_DELAY_MS = 1_500
_DRIFT_MS = 2_000
_COARSE_LOT = "0.001"
_CLOCK_JUMPS = (-30, 600, 3, -3)
"""Seconds: far, and about as far as what the order protocol measures."""

_CLOCK_STEP_SECONDS = 0.2

_COUNTED = {
    FaultKind.SWALLOWED_ANSWERS: "swallowOrders",
    FaultKind.HANGING_ANSWERS: "hangOrders",
    FaultKind.DROPPED_ORDERS: "dropOrders",
    FaultKind.SWALLOWED_CANCELS: "swallowCancels",
    FaultKind.REPEATED_FILLS: "repeatFills",
    FaultKind.REORDERED_FILLS: "reorderFills",
    FaultKind.MUTED_USER_STREAM: "muteUserEvents",
    FaultKind.REFUSED_SOCKETS: "refuseSockets",
}
_AT_ONCE = {
    FaultKind.CUT_USER_STREAM: "dropUserStreams",
    FaultKind.CUT_MARKET_STREAM: "dropMarketStreams",
    FaultKind.SILENT_MARKET: "silenceMarketStreams",
}


async def strike(world: World, fault: Fault) -> None:
    """Let a fault strike; those that last do so until the world is healed."""
    if fault.kind in _COUNTED:
        await world.venue.inject(**{_COUNTED[fault.kind]: fault.count})
    elif fault.kind in _AT_ONCE:
        await world.venue.inject(**{_AT_ONCE[fault.kind]: True})
    else:
        await _STRIKES[fault.kind](world, fault)


async def _crash_at_step(world: World, fault: Fault) -> None:
    world.crash_at(fault.step, fault.count)


async def _crash(world: World, fault: Fault) -> None:
    world.node_of(fault.count).engine.kill()


async def _freeze(world: World, fault: Fault) -> None:
    await world.node_of(fault.count).freeze(_FREEZE_SECONDS)


async def _kill_postgres(world: World, fault: Fault) -> None:
    world.kill_postgres()


async def _kill_bus(world: World, fault: Fault) -> None:
    await world.kill_bus()


async def _restart_exchange(world: World, fault: Fault) -> None:
    await world.venue.restart()


async def _delay_answers(world: World, fault: Fault) -> None:
    await world.venue.inject(delayMs=_DELAY_MS, delayCount=5 * fault.count)


async def _answer_server_errors(world: World, fault: Fault) -> None:
    await world.venue.inject(answerStatus=503, answerCount=2 * fault.count)


async def _limit_rate(world: World, fault: Fault) -> None:
    await world.venue.inject(answerStatus=429, answerCount=fault.count)


async def _ban(world: World, fault: Fault) -> None:
    await world.venue.inject(answerStatus=418, answerCount=fault.count)


async def _change_filters(world: World, fault: Fault) -> None:
    await world.venue.set_lot_size(_COARSE_LOT)


async def _move_venue_clock(world: World, fault: Fault) -> None:
    await world.venue.move_clock(_DRIFT_MS * fault.count)


async def _move_node_clock(world: World, fault: Fault) -> None:
    world.node_of(fault.before).move_clock(fault.count * _CLOCK_JUMPS[fault.before % len(_CLOCK_JUMPS)])


async def _step_node_clock(world: World, fault: Fault) -> None:
    node = world.node_of(fault.before)
    for jump in _CLOCK_JUMPS:
        for seconds in (fault.count * jump, 0):
            node.move_clock(seconds)
            await asyncio.sleep(_CLOCK_STEP_SECONDS)


_STRIKES: dict[FaultKind, Callable[[World, Fault], Awaitable[None]]] = {
    FaultKind.CRASH_AT_STEP: _crash_at_step,
    FaultKind.CRASH: _crash,
    FaultKind.FREEZE: _freeze,
    FaultKind.POSTGRES: _kill_postgres,
    FaultKind.BUS: _kill_bus,
    FaultKind.EXCHANGE: _restart_exchange,
    FaultKind.DELAYED_ANSWERS: _delay_answers,
    FaultKind.SERVER_ERROR: _answer_server_errors,
    FaultKind.RATE_LIMITED: _limit_rate,
    FaultKind.BANNED: _ban,
    FaultKind.FILTERS: _change_filters,
    FaultKind.VENUE_CLOCK: _move_venue_clock,
    FaultKind.NODE_CLOCK: _move_node_clock,
    FaultKind.STEPPING_CLOCK: _step_node_clock,
}
