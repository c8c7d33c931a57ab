"""Looks at what is under way on all nodes, for the metrics of a worker node."""

from typing import Final, NoReturn

from domain.core.repeating import repeat
from domain.model.monitoring import TradingSituation
from domain.ports.unit_of_work import Database

EVERY_SECONDS: Final = 10.0


class SituationMonitor:
    """Reads the situation every ten seconds; while it can't be read there is none."""

    def __init__(self, database: Database, every_seconds: float = EVERY_SECONDS) -> None:
        self.situation: TradingSituation | None = None
        self._database = database
        self._every_seconds = every_seconds

    async def run(self) -> NoReturn:
        """Read until cancelled."""
        await repeat(self.read, "what is under way could not be read", self._every_seconds, on_failure=self._forget)

    async def read(self) -> None:
        """Read once; raises `Unavailable`."""
        async with self._database.read_only() as reading:
            self.situation = await reading.monitoring.trading_situation()

    def _forget(self) -> None:
        self.situation = None
