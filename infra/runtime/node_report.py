"""Gathers what this node reports about itself."""

import importlib.metadata
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from domain.administration.overview import NodeReporter
from domain.core.background import BackgroundTasks
from domain.model.node_reports import NodeReport, ReportedFeed
from domain.ports.unit_of_work import Database
from infra.recent_errors import RecentErrors
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
) -> AsyncGenerator[None]:
    """Report this node while the block runs."""
    errors, version = RecentErrors(), importlib.metadata.version("r3edge-engine")

    async def make_report() -> NodeReport:
        return NodeReport(
            name=name,
            version=version,
            roles=tuple(roles),
            started_at=started_at,
            pending=tuple(await pending_parts()),
            connections=len(connections),
            error_count=errors.error_count,
            warning_count=errors.warning_count,
            feeds=_feeds(running),
            errors=errors.errors,
        )

    root = logging.getLogger()
    root.addHandler(errors)
    try:
        async with BackgroundTasks() as tasks:
            tasks.start(NodeReporter(database, make_report).run(), name="node report")
            yield
    finally:
        root.removeHandler(errors)


def _feeds(running: RunningRoles) -> tuple[ReportedFeed, ...]:
    if running.feeds is None:
        return ()
    statuses = (collector.status for collector in running.feeds.collectors.values())
    return tuple(ReportedFeed(str(status.market), status.state, status.since) for status in statuses)
