"""What strikes a stage: each fault strikes at the beginning of a block, and is taken back at its end."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import chain

from tests.faults.drills.stage import DrillStage
from tests.support.graphql_client import Client
from tests.support.link import Link

Fault = Callable[[DrillStage], AbstractAsyncContextManager[None]]
Lines = Callable[[DrillStage], list[Link]]

_SLOW_SECONDS = 0.3


def links_to_database(stage: DrillStage) -> list[Link]:
    """Return the lines between the nodes and PostgreSQL."""
    return list(chain(*stage.database_links))


def links_to_cache(stage: DrillStage) -> list[Link]:
    """Return the lines between the nodes and the Hazelcast members."""
    return list(chain(*stage.hazelcast.of_nodes))


def links_between_members(stage: DrillStage) -> list[Link]:
    """Return the lines between the Hazelcast members."""
    return stage.hazelcast.between


def links_to_venue(stage: DrillStage) -> list[Link]:
    """Return the lines between the nodes and the exchange."""
    return stage.venue_links


def first(lines: Lines) -> Lines:
    """Return the line of the first node alone."""
    return lambda stage: lines(stage)[:1]


@asynccontextmanager
async def nothing(stage: DrillStage) -> AsyncIterator[None]:
    """Let everything be as it is."""
    yield


def node_killed(role: str) -> Fault:
    """Kill the node that does most of a role's work, and start it again at the end."""

    @asynccontextmanager
    async def fault(stage: DrillStage) -> AsyncIterator[None]:
        engine = stage.nodes[await stage.busiest(role)].engine
        engine.kill()
        try:
            yield
        finally:
            engine.spawn()

    return fault


def node_frozen(role: str) -> Fault:
    """Stop the process of the node that does most of a role's work, and let it go on at the end."""

    @asynccontextmanager
    async def fault(stage: DrillStage) -> AsyncIterator[None]:
        pid = stage.nodes[await stage.busiest(role)].engine.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    return fault


@asynccontextmanager
async def postgres_killed(stage: DrillStage) -> AsyncIterator[None]:
    """Kill PostgreSQL, which is started again at once."""
    assert stage.single is not None
    stage.single.processes.kill()
    yield


@asynccontextmanager
async def postgres_frozen(stage: DrillStage) -> AsyncIterator[None]:
    """Stop all of PostgreSQL's processes."""
    assert stage.single is not None
    stage.single.processes.freeze()
    try:
        yield
    finally:
        stage.single.processes.thaw()


def members_killed(count: int | None = None) -> Fault:
    """Kill Hazelcast members, the oldest first, or all, and start them again at the end, with nothing in them."""

    @asynccontextmanager
    async def fault(stage: DrillStage) -> AsyncIterator[None]:
        for member in stage.hazelcast.members[:count]:
            member.kill()
        try:
            yield
        finally:
            await stage.hazelcast.restart()

    return fault


def members_frozen(count: int | None = None) -> Fault:
    """Stop Hazelcast members, the oldest first, or all."""

    @asynccontextmanager
    async def fault(stage: DrillStage) -> AsyncIterator[None]:
        for member in stage.hazelcast.members[:count]:
            member.freeze()
        try:
            yield
        finally:
            for member in stage.hazelcast.members[:count]:
                member.thaw()

    return fault


@asynccontextmanager
async def disk_full(stage: DrillStage) -> AsyncIterator[None]:
    """Fill the stage's small disk, and free it at the end."""
    await asyncio.to_thread(stage.disk.fill)
    try:
        yield
    finally:
        stage.disk.free()


@asynccontextmanager
async def archive_cut(stage: DrillStage) -> AsyncIterator[None]:
    """Cut the lines to S3 while a month is archived and another is read; at the end all of them must be there."""
    old = stage.old_candles
    assert old is not None
    reader = Client(stage.clients()[0].url)
    await old.store_month()
    old.link.cut()
    archiving = asyncio.create_task(old.run_archive("run"))
    found = await old.is_answered_without(reader)
    try:
        yield
    finally:
        old.link.heal()
        await archiving
    await old.archive()
    found += await old.violations(reader)
    assert not found, found


def cut(lines: Lines) -> Fault:
    """Cut lines in both directions."""
    return _on(lines, Link.cut)


def answers_cut(lines: Lines) -> Fault:
    """Cut what comes back over lines: what is sent arrives."""
    return _on(lines, Link.cut_answers)


def slow(lines: Lines) -> Fault:
    """Hold back all that passes over lines for a while."""
    return _on(lines, lambda link: link.slow(_SLOW_SECONDS))


def _on(lines: Lines, strike: Callable[[Link], None]) -> Fault:
    @asynccontextmanager
    async def fault(stage: DrillStage) -> AsyncIterator[None]:
        for link in lines(stage):
            strike(link)
        try:
            yield
        finally:
            for link in lines(stage):
                link.heal()

    return fault
