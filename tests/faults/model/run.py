"""One run: a plan is carried out on a running world, brought to its end, and judged."""

import asyncio
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.faults.model.comparison import compare
from tests.faults.model.entry import enter
from tests.faults.model.injection import strike
from tests.faults.model.operations import Operator
from tests.faults.model.plan import ACCOUNTS, Plan, plan_of
from tests.faults.model.settlement import settle
from tests.faults.model.trader import new_user
from tests.faults.model.world import World

_AT_ONCE = 3
"""How many operations are under way at once; a fault strikes when all before it have begun."""


@dataclass(frozen=True)
class RunResult:
    """What a run did and what was wrong; `phases` are the seconds of each part of it."""

    seed: int
    seconds: float
    orders: int
    fills: int
    exits: int
    operations: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


async def run_seed(world: World, seed: int) -> RunResult:
    """Carry out the plan of a seed; what goes wrong in the harness itself is a violation too."""
    plan, started = plan_of(seed, len(world.nodes)), time.monotonic()
    for node in world.nodes:
        node.mark_log()
    violations: list[str] = []
    counts: Counter[str] = Counter()
    phases: dict[str, float] = {}
    try:
        with _timed(phases, "users"):
            traders = await asyncio.gather(*(new_user(world, number) for number in range(ACCOUNTS)))
        with _timed(phases, "entry"):
            await enter(world, traders)
        with _timed(phases, "operations"):
            await _carry_out(world, plan, Operator(world.venue, traders, seed))
        with _timed(phases, "end"):
            violations += await settle(world, traders)
        if violations:
            await asyncio.gather(*(node.dump_tasks() for node in world.nodes))
        with _timed(phases, "comparison"):
            violations += await compare(world.venue, traders)
        for trader in traders:
            orders = await trader.orders()
            counts["orders"] += len(orders)
            counts["exits"] += sum(order["role"] not in {"ENTRY", "MANUAL"} for order in orders)
            counts["fills"] += sum(len(order["fills"]["nodes"]) for order in orders)
    except (Exception, AssertionError):  # noqa: BLE001  # a run that can't be judged hasn't passed
        violations.append(traceback.format_exc()[-3_000:])
    for node in world.nodes:
        try:
            node.assert_quiet()
        except AssertionError as error:
            violations.append(f"the log isn't quiet: {str(error)[:3_000]}")
    return RunResult(
        seed, round(time.monotonic() - started, 1), counts["orders"], counts["fills"], counts["exits"],
        [operation.action.value for operation in plan.operations], [fault.kind.value for fault in plan.faults],
        phases, violations,
    )  # fmt: skip


@contextmanager
def _timed(phases: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    try:
        yield
    finally:
        phases[name] = round(time.monotonic() - started, 1)


async def _carry_out(world: World, plan: Plan, operator: Operator) -> None:
    faults = list(plan.faults)
    under_way: set[asyncio.Task[None]] = set()
    for index, operation in enumerate(plan.operations):
        while faults and faults[0].before <= index:
            await strike(world, faults.pop(0))
        while len(under_way) >= _AT_ONCE:
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        under_way.add(asyncio.create_task(operator.carry_out(index, operation)))
    await asyncio.gather(*under_way)
