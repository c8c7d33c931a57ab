"""Looks at what is under way on all nodes, for the metrics of a worker node."""

import asyncio
from typing import Final, NoReturn

from domain.core.errors import Unavailable
from domain.model.monitoring import TradingSituation
from domain.ports.unit_of_work import Database

EVERY_SECONDS: Final = 10.0


class SituationMonitor:
    """Reads the situation every ten seconds; while the database is unreachable there is none."""

    def __init__(self, database: Database) -> None:
        self.situation: TradingSituation | None = None
        self._database = database

    async def run(self) -> NoReturn:
        """Read until cancelled."""
        while True:
            try:
                await self.read()
            except Unavailable:
                self.situation = None
            await asyncio.sleep(EVERY_SECONDS)

    async def read(self) -> None:
        """Read once; raises `Unavailable`."""
        async with self._database.read_only() as reading:
            self.situation = await reading.monitoring.trading_situation()
