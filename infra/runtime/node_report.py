"""Gathers what this node reports about itself."""

import importlib.metadata
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

from domain.administration.nodes import NODES_TOPIC
from domain.administration.overview import NodeReporter
from domain.core.background import BackgroundTasks
from domain.model.node_reports import NodeReport, ReportedFeed
from infra.recent_errors import RecentErrors
from infra.runtime.container import Container
from infra.runtime.draining import Draining
from infra.runtime.loop_monitor import LoopMonitor
from infra.runtime.node import NodeWork, pending_dependencies
from infra.settings import Settings
from infra.web.connections.registry import ConnectionRegistry


@asynccontextmanager
async def reporting_node(
    container: Container,
    settings: Settings,
    name: str,
    started_at: datetime,
    work: NodeWork,
    connections: ConnectionRegistry,
    loop_monitor: LoopMonitor,
) -> AsyncGenerator[Draining]:
    """Report this node while the block runs, and have it drain while that is requested."""
    backends, draining = container.backends, Draining(work, connections)
    errors, version = RecentErrors(), importlib.metadata.version("r3edge-engine")
    processor, has_been_ready = _ProcessorMeter(), False

    async def make_report() -> NodeReport:
        nonlocal has_been_ready
        pending = tuple(await pending_dependencies(container, settings))
        has_been_ready = has_been_ready or not pending
        return NodeReport(
            name=name,
            version=version,
            roles=tuple(settings.roles),
            started_at=started_at,
            pending=pending,
            connections=len(connections),
            error_count=errors.error_count,
            warning_count=errors.warning_count,
            feeds=_feeds(work),
            errors=errors.errors,
            has_been_ready=has_been_ready,
            is_draining=work.is_draining,
            event_loop_lag_seconds=round(loop_monitor.take_longest_lag(), 3),
            cpu_share=round(processor.take_share(), 3),
            venues=tuple(container.venues.names()),
            balances_work=settings.balance_work,
        )

    def on_message(message: bytes) -> None:
        if message == name.encode():
            draining.changed.set()

    reporter = NodeReporter(
        backends.database, make_report, lambda requested: draining.follow(is_requested=requested), draining.changed
    )
    root = logging.getLogger()
    root.addHandler(errors)
    subscription = await backends.bus.subscribe(NODES_TOPIC, on_message, draining.changed.set)
    try:
        async with BackgroundTasks() as tasks:
            tasks.start(reporter.run(), name="node report")
            tasks.start(draining.run(), name="draining")
            yield draining
    finally:
        await subscription.close()
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


def _feeds(work: NodeWork) -> tuple[ReportedFeed, ...]:
    if work.feeds is None:
        return ()
    statuses = (collector.status for collector in work.feeds.collectors.values())
    return tuple(ReportedFeed(str(status.market), status.state, status.since) for status in statuses)
