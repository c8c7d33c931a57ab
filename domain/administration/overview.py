"""Reads how the engine is doing, at one moment, and stores what a node reports about itself."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, NoReturn

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.model.node_reports import REPORT_EVERY_SECONDS, NodeReport
from domain.model.overview import Overview
from domain.ports.unit_of_work import Database, UnitOfWork

log = logging.getLogger(__name__)

FAILED_SHOWN: Final = 20
WITHDRAW_SECONDS: Final = 2.0


async def read_overview(reading: UnitOfWork, clock: Clock) -> Overview:
    """Return the overview of all that the snapshot has."""
    return Overview(
        at=clock.now(),
        figures=await reading.overview.figures(),
        situation=await reading.monitoring.trading_situation(),
        nodes=await reading.overview.nodes(),
        failed=await reading.overview.failed_trading_sessions(FAILED_SHOWN),
    )


class NodeReporter:
    """Stores a node's report every few seconds, and whenever it is woken; a node that stops takes its report away.

    `on_reported` is called with whether the node was asked to drain.
    """

    def __init__(
        self,
        database: Database,
        make_report: Callable[[], Awaitable[NodeReport]],
        on_reported: Callable[[bool], None] = lambda _is_drain_requested: None,
        wakeup: Wakeup | None = None,
        every_seconds: float = REPORT_EVERY_SECONDS,
    ) -> None:
        self._database = database
        self._make_report = make_report
        self._on_reported = on_reported
        self._wakeup = wakeup or Wakeup()
        self._every_seconds = every_seconds
        self._reported: str | None = None

    async def run(self) -> NoReturn:
        """Report until cancelled."""
        try:
            while True:
                self._wakeup.clear()
                try:
                    self._on_reported(await self._report())
                except Unavailable:  # which the node's readiness shows
                    pass
                except Exception:
                    log.exception("the node's report could not be made; it is tried again")
                await self._wakeup.wait(self._every_seconds)
        finally:
            await self._withdraw()

    async def _report(self) -> bool:
        report = await self._make_report()
        async with self._database.transaction() as transaction:
            is_drain_requested = await transaction.overview.save_node(report)
        self._reported = report.name
        return is_drain_requested

    async def _withdraw(self) -> None:
        if self._reported is None:
            return
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(WITHDRAW_SECONDS), self._database.transaction() as transaction:
                await transaction.overview.delete_node(self._reported)
