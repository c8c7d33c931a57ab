"""Finds the host that takes writes among several, and never goes back to a primary that another has replaced."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
_Opened: TypeAlias = tuple[Session, str, int]
"""A connection, its host's address, and the timeline that is written there."""
_Attempt: TypeAlias = Callable[[], Coroutine[None, None, _Opened]]

log = logging.getLogger(__name__)

HEAD_START_SECONDS: Final = 0.5
"""How long the last primary may take to answer before the next host is asked too."""
_TIMELINE = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int"
"""The timeline that is written. Each promotion begins a higher one; what the last checkpoint says is late."""
_DEFAULT_PORT = "5432"


class FormerPrimary(ConnectionError):
    """A host takes writes, but another has been promoted since: it was frozen or cut off, and doesn't know it."""

    def __init__(self, address: str, timeline: int, newest: int) -> None:
        super().__init__(f"{address} is a former primary: it writes timeline {timeline}, and {newest} has been seen")


class PrimaryConnector:
    """Opens connections to the host of a DSN that takes writes.

    Of several hosts the last primary is asked first, and the next one too once that hasn't answered for a moment, so
    a host that is frozen or gone costs a moment and not the whole time. A host with an older timeline than one seen is
    refused. A DSN with a `target_session_attrs` of its own is left to asyncpg.
    """

    def __init__(self, dsn: str) -> None:
        self.moves = 0
        """How often another host was the primary than before."""
        self.moved: Callable[[], Awaitable[None]] | None = None
        """What is to be done when another host is the primary: connections to the former one must not be used."""
        self._dsn = dsn
        self._attributes = session_attributes(dsn)
        self._hosts = single_hosts(dsn)
        self._primary: str | None = None
        self._timeline = 0

    async def connect(self, *_: object, timeout: float = 10.0, **options: Any) -> Session:  # noqa: ANN401, ASYNC109  # asyncpg's
        """Return a connection, with asyncpg's options; raises what asyncpg raises."""
        if len(self._hosts) == 1 or self._attributes is None:
            return await self._open(self._dsn, timeout, options)
        first = self._primary or self._hosts[0]
        attempts = [self._attempt(host, timeout, options) for host in sorted(self._hosts, key=lambda it: it != first)]
        async with asyncio.timeout(timeout):
            connection, host, timeline = await _first_success(attempts)
        await self._note(host, timeline)
        return connection

    def _attempt(self, host: str, timeout: float, options: dict[str, Any]) -> _Attempt:
        async def attempt() -> _Opened:
            connection = await self._open(host, timeout, options)
            try:
                return connection, host, await self._timeline_of(connection, host)
            except BaseException:
                connection.terminate()
                raise

        return attempt

    async def _timeline_of(self, connection: Session, host: str) -> int:
        timeline: int = await connection.fetchval(_TIMELINE)
        if timeline < self._timeline:
            raise FormerPrimary(display_address(host), timeline, self._timeline)
        return timeline

    async def _open(self, dsn: str, timeout: float, options: dict[str, Any]) -> Session:  # noqa: ASYNC109  # asyncpg's
        return await asyncpg.connect(dsn, timeout=timeout, target_session_attrs=self._attributes, **options)

    async def _note(self, host: str, timeline: int) -> None:
        """Remember the primary; if it is another one, connections to the former one are given up."""
        former, self._primary = self._primary, host
        self._timeline = max(self._timeline, timeline)
        if former in (None, host):
            return
        self.moves += 1
        log.warning("the database's primary is now %s (timeline %d)", display_address(host), timeline)
        if self.moved is not None:
            await self.moved()


async def _first_success(attempts: Iterable[_Attempt]) -> _Opened:
    """Start each attempt when the one before has failed or taken long; return the first result.

    The others are cancelled. If all fail, the most telling failure is raised.
    """
    waiting = deque(attempts)
    started, failures = list[asyncio.Task[_Opened]](), list[BaseException]()
    running, winner = set[asyncio.Task[_Opened]](), None
    try:
        while winner is None and (waiting or running):
            if waiting:
                started.append(asyncio.create_task(waiting.popleft()()))
                running.add(started[-1])
            patience = HEAD_START_SECONDS if waiting else None
            done, running = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            failures += [failure for task in done if (failure := task.exception())]
            winner = next((task for task in done if task.exception() is None), None)
        if winner is not None:
            return winner.result()
    finally:
        for task in started:
            if task is not winner:
                task.cancel()
                task.add_done_callback(_close_result)
    raise max(failures, key=_weight)


def _close_result(task: asyncio.Task[_Opened]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result()[0].terminate()


def _weight(failure: BaseException) -> int:
    """A server that refuses who asks says more than one that is away, and that more than one that takes no writes."""
    if isinstance(failure, asyncpg.PostgresError) and not isinstance(failure, asyncpg.CannotConnectNowError):
        return 2
    return int(not isinstance(failure, asyncpg.TargetServerAttributeNotMatched))


def session_attributes(dsn: str) -> SessionAttribute | None:
    """Return which of several hosts to connect to: the one that takes writes, unless the DSN has its own choice."""
    return None if "target_session_attrs" in parse_qs(urlsplit(dsn).query) else SessionAttribute.read_write


def single_hosts(dsn: str) -> tuple[str, ...]:
    """Return the DSN once for each of its hosts, with this host alone."""
    hosts = _hosts(dsn)
    if len(hosts) == 1:
        return (dsn,)
    parts = urlsplit(dsn)
    user, at, _ = parts.netloc.rpartition("@")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return tuple(
        parts._replace(netloc=user + at, query=urlencode({**query, "host": host, "port": port})).geturl()
        for host, port in hosts
    )


def display_address(dsn: str) -> str:
    """Return `host:port[,host:port…]/database` of a DSN for messages, without its user and password."""
    return ",".join(f"{host}:{port}" for host, port in _hosts(dsn)) + urlsplit(dsn).path


def _hosts(dsn: str) -> list[tuple[str, str]]:
    """Return each host with its port; the query names them where the address itself doesn't."""
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    listed = (parts.netloc.rpartition("@")[2] or query.get("host", ["localhost"])[0]).split(",")
    ports = query.get("port", [_DEFAULT_PORT])[0].split(",")
    if len(ports) != len(listed):
        ports = ports[:1] * len(listed)
    return [_host_and_port(host, port) for host, port in zip(listed, ports, strict=True)]


def _host_and_port(host: str, port: str) -> tuple[str, str]:
    name, _, own = host.rpartition(":")
    return (name, own) if own.isdecimal() and not host.endswith("]") else (host, port)
