"""One drill, once: users work, something breaks and is taken back, all comes to its end, the invariants are checked."""

import asyncio
import time
import traceback
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.faults.drills.catalogue import Drill
from tests.faults.drills.load import Load
from tests.faults.drills.stage import DrillStage
from tests.faults.drills.stalls import Stalls
from tests.faults.model.comparison import compare
from tests.faults.model.entry import enter
from tests.faults.model.plan import ACCOUNTS
from tests.faults.model.remaining import Violations, remaining
from tests.faults.model.settlement import settle
from tests.faults.model.trader import Trader, new_user

_ATTEMPTS = 3
_WARM_COUNT = 3
_WARM_SECONDS = 60
_BACK_SECONDS = 60
_CANDLE_SECONDS = 2.0


@dataclass(frozen=True)
class DrillResult:
    """What a run of a drill did; `stalls` are the longest seconds without success by kind of operation."""

    drill: str
    seconds: float
    orders: int = 0
    fills: int = 0
    stalls: dict[str, float] = field(default_factory=dict)
    violations: Violations = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


@dataclass
class _Run:
    """A run as far as it has come."""

    stage: DrillStage
    drill: Drill
    violations: Violations = field(default_factory=list)
    stalls: dict[str, float] = field(default_factory=dict)
    orders: int = 0
    fills: int = 0

    async def carry_out(self) -> None:
        stage = self.stage
        traders = await _users(stage)
        load = Load(stage, traders)
        async with load.running():
            await self._break(load.stalls)
        self.violations += await load.violations()
        self.violations += await settle(stage, traders)
        self.violations += await compare(stage.venue, traders)
        await self._count(traders)

    async def _break(self, stalls: Stalls) -> None:
        """Let the fault strike working users, and wait until each of them can do everything again."""

        async def cold() -> list[str]:
            return stalls.without(_WARM_COUNT)

        assert not (left := await remaining(cold, _WARM_SECONDS)), f"before anything broke: no {left}"
        struck = time.monotonic()
        async with self.drill.fault(self.stage):
            await asyncio.sleep(_CANDLE_SECONDS)
            await self.stage.venue.next_minute()
            await asyncio.sleep(max(0.0, struck + self.drill.seconds - time.monotonic()))
        healed = time.monotonic()

        async def away() -> list[str]:
            return stalls.without(_WARM_COUNT, since=healed)

        left = await remaining(away, _BACK_SECONDS)
        self.violations += [f"not back {_BACK_SECONDS} s after the end of the fault: {what}" for what in left]
        gaps = stalls.longest(struck, time.monotonic())
        self.stalls = {kind.value: round(seconds, 2) for kind, seconds in gaps.items()}

    async def _count(self, traders: list[Trader]) -> None:
        for trader in traders:
            orders = await trader.orders()
            self.orders += len(orders)
            self.fills += sum(len(order["fills"]["nodes"]) for order in orders)


async def _users(stage: DrillStage) -> list[Trader]:
    """Return users whose trading sessions have entered; where a busy machine fails some, they are left alone."""
    attempt = 0
    while True:
        attempt += 1
        try:
            traders = list(await asyncio.gather(*(new_user(stage, number) for number in range(ACCOUNTS))))
            await enter(stage, traders)
        except (Exception, AssertionError):
            if attempt == _ATTEMPTS:
                raise
        else:
            return traders


async def run_drill(stage: DrillStage, drill: Drill) -> DrillResult:
    """Run a drill once; what goes wrong in the harness itself is a violation too."""
    started = time.monotonic()
    for node in stage.nodes:
        node.mark_log()
    run = _Run(stage, drill)
    try:
        await run.carry_out()
    except (Exception, AssertionError):  # noqa: BLE001  # a run that can't be judged hasn't passed
        run.violations.append(traceback.format_exc()[-3_000:])
    if run.violations:
        await asyncio.gather(*(node.dump_tasks() for node in stage.nodes))
    for node in stage.nodes:
        try:
            node.assert_quiet()
        except AssertionError as error:
            run.violations.append(f"the log isn't quiet: {str(error)[:3_000]}")
    seconds = round(time.monotonic() - started, 1)
    return DrillResult(drill.name, seconds, run.orders, run.fills, run.stalls, run.violations)
