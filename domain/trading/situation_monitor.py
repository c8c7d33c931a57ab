"""Looks at what is under way on all nodes, for the metrics of a worker node."""

import asyncio
import logging
from typing import Final, NoReturn

from domain.core.errors import Unavailable
from domain.model.monitoring import TradingSituation
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 10.0


class SituationMonitor:
    """Reads the situation every ten seconds; while it can't be read there is none."""

    def __init__(self, database: Database, every_seconds: float = EVERY_SECONDS) -> None:
        self.situation: TradingSituation | None = None
        self._database = database
        self._every_seconds = every_seconds

    async def run(self) -> NoReturn:
        """Read until cancelled."""
        while True:
            try:
                await self.read()
            except Unavailable:  # which the node's readiness shows
                self.situation = None
            except Exception as error:  # noqa: BLE001  # whatever it is, what was read before is right no more
                self.situation = None
                log.warning("what is under way could not be read; it is tried again: %r", error)
            await asyncio.sleep(self._every_seconds)

    async def read(self) -> None:
        """Read once; raises `Unavailable`."""
        async with self._database.read_only() as reading:
            self.situation = await reading.monitoring.trading_situation()
