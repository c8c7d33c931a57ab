"""Finds the host that takes writes among several, and never goes back to a primary that another has replaced."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 0.5
"""How long other hosts are waited for once one has answered, and the last primary before others are asked too."""
SURVEY_SECONDS: Final = 5.0
"""For so long the primary that was found is taken for the primary; then a new connection asks all hosts again."""
TIMELINE: Final = "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int"
"""The timeline that is written. Each promotion begins a higher one; what the last checkpoint says is late."""
_DEFAULT_PORT = "5432"
_WRITABLE = frozenset({"read-write", "primary"})
"""The kinds of host in a DSN that are the primary."""


class _Opened(NamedTuple):
    """A connection, its host's address, and the timeline that is written there."""

    connection: Session
    host: str
    timeline: int


_Attempt: TypeAlias = Callable[[], Coroutine[None, None, _Opened]]


class FormerPrimary(ConnectionError):
    """A host takes writes, but another has been promoted since: it was frozen or cut off, and doesn't know it."""

    def __init__(self, address: str, timeline: int, newest: int) -> None:
        super().__init__(f"{address} is a former primary: it writes timeline {timeline}, and {newest} has been seen")


class PrimaryConnector:
    """Opens connections to the host of a DSN that takes writes.

    Of several hosts all are asked at once, and of those that take writes the one with the highest timeline is used: a
    former primary that was frozen, or whose keeper has died, says that it takes writes. For some seconds later
    connections go there directly. A host that is frozen or gone costs a moment, never the whole time, and one with an
    older timeline than one seen is refused. A DSN that asks for another kind of host is left to asyncpg.
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
        self._surveyed = -math.inf

    async def connect(self, *_: object, timeout: float = 10.0, **options: Any) -> Session:  # noqa: ANN401, ASYNC109  # asyncpg's
        """Return a connection, with asyncpg's options; raises what asyncpg raises."""
        if len(self._hosts) == 1 or self._attributes is None:
            return await self._open(self._dsn, timeout, options)
        attempts = [self._attempt(host, timeout, options) for host in self._in_order()]
        async with asyncio.timeout(timeout):
            if time.monotonic() - self._surveyed < SURVEY_SECONDS:
                opened = await _first(attempts)
            else:
                opened = await _newest(attempts)
                self._surveyed = time.monotonic()
        await self._note(opened)
        return opened.connection

    def _in_order(self) -> list[str]:
        """Return the hosts, the last primary first."""
        return sorted(self._hosts, key=lambda host: host != self._primary)

    def _attempt(self, host: str, timeout: float, options: dict[str, Any]) -> _Attempt:
        async def attempt() -> _Opened:
            connection = await self._open(host, timeout, options)
            try:
                return _Opened(connection, host, await self._timeline_of(connection, host))
            except BaseException:
                connection.terminate()
                raise

        return attempt

    async def _timeline_of(self, connection: Session, host: str) -> int:
        timeline: int = await connection.fetchval(TIMELINE)
        if timeline < self._timeline:
            raise FormerPrimary(display_address(host), timeline, self._timeline)
        return timeline

    async def _open(self, dsn: str, timeout: float, options: dict[str, Any]) -> Session:  # noqa: ASYNC109  # asyncpg's
        return await asyncpg.connect(dsn, timeout=timeout, target_session_attrs=self._attributes, **options)

    async def _note(self, opened: _Opened) -> None:
        """Remember the primary; if it is another one, connections to the former one are given up."""
        former, self._primary = self._primary, opened.host
        self._timeline = max(self._timeline, opened.timeline)
        if former in (None, opened.host):
            return
        self.moves += 1
        log.warning("the database's primary is now %s (timeline %d)", display_address(opened.host), opened.timeline)
        if self.moved is not None:
            await self.moved()


async def _first(attempts: Iterable[_Attempt]) -> _Opened:
    """Start each attempt when the one before has failed or taken long; return the first result."""
    waiting, race = deque(attempts), _Race()
    try:
        while not race.won and (waiting or race.running):
            if waiting:
                race.start(waiting.popleft())
            await race.wait(PATIENCE_SECONDS if waiting else None, asyncio.FIRST_COMPLETED)
        return race.best()
    finally:
        race.close()


async def _newest(attempts: Iterable[_Attempt]) -> _Opened:
    """Start all attempts; return, of those that succeed within a moment, the one with the highest timeline."""
    race = _Race()
    try:
        for attempt in attempts:
            race.start(attempt)
        await race.wait(PATIENCE_SECONDS, asyncio.ALL_COMPLETED)
        while not race.won and race.running:
            await race.wait(None, asyncio.FIRST_COMPLETED)
        return race.best()
    finally:
        race.close()


class StandbyConnector:
    """Opens connections to a host of a DSN that is a replica; a host that is frozen or gone costs a moment."""

    def __init__(self, dsn: str) -> None:
        self._hosts = single_hosts(dsn)

    async def connect(self, *_: object, timeout: float = 10.0, **options: Any) -> Session:  # noqa: ANN401, ASYNC109  # asyncpg's
        """Return a connection, with asyncpg's options; raises what asyncpg raises."""

        def attempt_at(host: str) -> _Attempt:
            async def attempt() -> _Opened:
                standby = SessionAttribute.standby
                connection = await asyncpg.connect(host, timeout=timeout, target_session_attrs=standby, **options)
                return _Opened(connection, host, 0)

            return attempt

        async with asyncio.timeout(timeout):
            return (await _first([attempt_at(host) for host in self._hosts])).connection


class _Race:
    """Attempts that run at the same time; all but the best result are closed."""

    def __init__(self) -> None:
        self.running = set[asyncio.Task[_Opened]]()
        self.won = list[asyncio.Task[_Opened]]()
        self._failures = list[BaseException]()
        self._best: asyncio.Task[_Opened] | None = None

    def start(self, attempt: _Attempt) -> None:
        self.running.add(asyncio.create_task(attempt()))

    async def wait(self, seconds: float | None, until: str) -> None:
        done, self.running = await asyncio.wait(self.running, timeout=seconds, return_when=until)
        for task in done:
            failure = task.exception()
            if failure is None:
                self.won.append(task)
            else:
                self._failures.append(failure)

    def best(self) -> _Opened:
        """Return the result with the highest timeline; if all failed, raise the most telling failure."""
        if not self.won:
            raise max(self._failures, key=_weight)
        self._best = max(self.won, key=lambda task: task.result().timeline)
        return self._best.result()

    def close(self) -> None:
        for task in (*self.won, *self.running):
            if task is not self._best:
                task.cancel()
                task.add_done_callback(_close_result)


def _close_result(task: asyncio.Task[_Opened]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().connection.terminate()


def _weight(failure: BaseException) -> int:
    """A server that refuses who asks says more than one that is away, and that more than one that takes no writes."""
    if isinstance(failure, asyncpg.PostgresError) and not isinstance(failure, asyncpg.CannotConnectNowError):
        return 2
    return int(not isinstance(failure, asyncpg.TargetServerAttributeNotMatched))


def session_attributes(dsn: str) -> SessionAttribute | None:
    """Return which of several hosts to connect to: the one that takes writes, unless the DSN chooses another kind."""
    chosen = parse_qs(urlsplit(dsn).query).get("target_session_attrs", ["read-write"])[0]
    return SessionAttribute.read_write if chosen in _WRITABLE else None


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
    # In the address itself the folder of a socket is written `%2Fvar%2Frun`, as libpq wants it.
    listed = (unquote(parts.netloc.rpartition("@")[2]) or query.get("host", ["localhost"])[0]).split(",")
    ports = query.get("port", [_DEFAULT_PORT])[0].split(",")
    if len(ports) != len(listed):
        ports = ports[:1] * len(listed)
    return [_host_and_port(host, port) for host, port in zip(listed, ports, strict=True)]


def _host_and_port(host: str, port: str) -> tuple[str, str]:
    name, _, own = host.rpartition(":")
    return (name, own) if own.isdecimal() and not host.endswith("]") else (host, port)
