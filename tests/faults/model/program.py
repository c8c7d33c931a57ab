"""`r3edge` with a switch outside the product: kills itself at a named step, and moves its own wall clock.

The steps are methods of the adapters that talk to the venue and to the database. The test writes its request into the
file that `FAULTS_CONTROL` names and sends SIGUSR1.
"""

import asyncio
import functools
import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.cli.main import main
from infra.clock import SystemClock
from infra.postgres.transaction_connection import TransactionConnection
from infra.venues.ccxt.execution_client import CcxtExecutionClient

CONTROL = "FAULTS_CONTROL"
_STEPS = {
    "place": (CcxtExecutionClient, ("place", "place_group", "replace")),
    "cancel": (CcxtExecutionClient, ("cancel",)),
    "query": (CcxtExecutionClient, ("query_order",)),
    "commit": (TransactionConnection, ("commit",)),
}


class Switch:
    """What the test asks for: a step to die at, after how many passages, and how far the clock is off."""

    def __init__(self, control: Path) -> None:
        self._control = control
        self._step = ""
        self._left = 0
        self._offset = timedelta(0)

    def read(self, *_: object) -> None:
        """Read the control file; called by SIGUSR1."""
        control = json.loads(self._control.read_text())
        self._step, self._left = control.get("step", ""), control.get("count", 0)
        self._offset = timedelta(seconds=control.get("clockOffset", 0))

    def dump_tasks(self, *_: object) -> None:
        """Write where every task waits beside the control file; called by SIGUSR2."""
        with self._control.with_suffix(".tasks").open("w") as file:
            for task in list(asyncio.tasks._all_tasks):  # type: ignore[attr-defined]
                task.print_stack(file=file)

    def passes(self, step: str) -> None:
        """Die here if this is the passage to die at."""
        if step == self._step:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def now(self) -> datetime:
        """Return the machine's time, moved by the offset."""
        return datetime.now(UTC) + self._offset


def install(switch: Switch) -> None:
    """Put the switch before and after each step, and behind the clock."""
    for step, (owner, names) in _STEPS.items():
        for name in names:
            setattr(owner, name, _watched(switch, step, getattr(owner, name)))
    SystemClock.now = lambda _: switch.now()  # type: ignore[method-assign]


def _watched(switch: Switch, step: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def call(*args: Any, **kwargs: Any) -> Any:
        switch.passes(f"{step}.before")
        try:
            return await method(*args, **kwargs)
        finally:
            switch.passes(f"{step}.after")

    return call


if __name__ == "__main__":
    the_switch = Switch(Path(os.environ[CONTROL]))
    the_switch.read()
    install(the_switch)
    signal.signal(signal.SIGUSR1, the_switch.read)
    signal.signal(signal.SIGUSR2, the_switch.dump_tasks)
    main()
