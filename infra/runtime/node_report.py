"""Gathers what this node reports about itself."""

import importlib.metadata
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from domain.administration.overview import NodeReporter
from domain.core.background import BackgroundTasks
from domain.model.node_reports import NodeReport, ReportedFeed
from domain.ports.unit_of_work import Database
from infra.recent_errors import RecentErrors
from infra.runtime.loop_monitor import LoopMonitor
from infra.runtime.node import RunningRoles
from infra.web.connections.registry import ConnectionRegistry


@asynccontextmanager
async def reporting_node(
    database: Database,
    name: str,
    roles: Sequence[str],
    started_at: datetime,
    running: RunningRoles,
    connections: ConnectionRegistry,
    pending_parts: Callable[[], Awaitable[Sequence[str]]],
    loop_monitor: LoopMonitor,
) -> AsyncGenerator[None]:
    """Report this node while the block runs."""
    errors, version = RecentErrors(), importlib.metadata.version("r3edge-engine")
    processor, has_been_ready = _ProcessorMeter(), False

    async def make_report() -> NodeReport:
        nonlocal has_been_ready
        pending = tuple(await pending_parts())
        has_been_ready = has_been_ready or not pending
        return NodeReport(
            name=name,
            version=version,
            roles=tuple(roles),
            started_at=started_at,
            pending=pending,
            connections=len(connections),
            error_count=errors.error_count,
            warning_count=errors.warning_count,
            feeds=_feeds(running),
            errors=errors.errors,
            has_been_ready=has_been_ready,
            event_loop_lag_seconds=round(loop_monitor.take_longest_lag(), 3),
            cpu_share=round(processor.take_share(), 3),
        )

    root = logging.getLogger()
    root.addHandler(errors)
    try:
        async with BackgroundTasks() as tasks:
            tasks.start(NodeReporter(database, make_report).run(), name="node report")
            yield
    finally:
        root.removeHandler(errors)


class _ProcessorMeter:
    """Measures how much of one processor core this process uses."""

    def __init__(self) -> None:
        self._at, self._used = time.monotonic(), time.process_time()

    def take_share(self) -> float:
        """Return the share since this was asked last; 1.0 is all of one core."""
        at, used = time.monotonic(), time.process_time()
        share = (used - self._used) / max(at - self._at, 0.001)
        self._at, self._used = at, used
        return share


def _feeds(running: RunningRoles) -> tuple[ReportedFeed, ...]:
    if running.feeds is None:
        return ()
    statuses = (collector.status for collector in running.feeds.collectors.values())
    return tuple(ReportedFeed(str(status.market), status.state, status.since) for status in statuses)
