"""The connection to a Hazelcast cluster: made in the background, and again when lost; its absence is no error.

Facts of hazelcast-python-client 5.7.0 that shape this module, each measured:

- starting blocks until a member answers, so it runs in a task of its own;
- a reliable topic's listener gets no more messages when the cluster comes back without its memory, so a client that has
  lost its last connection is discarded and a new one made: being connected always starts from nothing;
- an invocation to a frozen member ends only with the connection, so each has a time limit of our own;
- `shutdown` while it authenticates ends cleanly, cancelling it leaks the socket.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from hazelcast.asyncio import HazelcastClient
from hazelcast.lifecycle import LifecycleState

from domain.core.background import cancel_and_wait
from domain.core.clock import Clock
from infra.hazelcast import log_filter, refusals
from infra.hazelcast.client_options import client_options
from infra.hazelcast.counts import HazelcastCounts
from infra.hazelcast.options import HazelcastOptions
from infra.hazelcast.refusals import REFUSALS

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

_SHUTDOWN_SECONDS = 5.0
_UNWIND_SECONDS = 0.2
_LOOK_SECONDS = 0.05
_END_STATES = frozenset({LifecycleState.DISCONNECTED, LifecycleState.SHUTTING_DOWN, LifecycleState.SHUTDOWN})


@dataclass(eq=False)
class ClientSession:
    """One client for as long as it is connected."""

    client: HazelcastClient
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    _callbacks: list[Callable[[], None]] = field(default_factory=list)

    def member_version(self) -> str | None:
        """Return the version of a connected member, such as 5.5.0; None if it is not known."""
        for connection in self.client._connection_manager.active_connections.values():  # noqa: SLF001  # no public way
            if connection.server_version > 0:
                major, rest = divmod(connection.server_version, 10_000)
                return f"{major}.{rest // 100}.{rest % 100}"
        return None

    @property
    def connected_members(self) -> int:
        """How many members this node is connected to."""
        return len(self.client._connection_manager.active_connections)  # noqa: SLF001  # no public way

    @property
    def known_members(self) -> int:
        """How many members the cluster has, as far as this node has been told."""
        return len(self.client.cluster_service.get_members())

    async def settled_members(self, timeout_seconds: float) -> tuple[int, int]:
        """Return how many members are connected to and known, once both are the same or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while not self.known_members or self.connected_members < self.known_members:  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(_LOOK_SECONDS)
        return self.connected_members, self.known_members

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the connection is lost, or at once if it is lost already."""
        if self.closed.is_set():
            callback()
        else:
            self._callbacks.append(callback)

    def remove_callback(self, callback: Callable[[], None]) -> None:
        """Don't call `callback` any more."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    def close(self) -> None:
        """Mark the connection as lost."""
        self.closed.set()
        while self._callbacks:
            self._callbacks.pop()()


class HazelcastConnection:
    """Keeps a client connected, and runs operations on it that never raise.

    `start` returns at once, whether or not a member can be reached; `close` leaves no task behind.
    """

    def __init__(self, options: HazelcastOptions, clock: Clock) -> None:
        self.options = options
        self.counts = HazelcastCounts(clock)
        self.counts.set_away(away=True)
        self._clock = clock
        self._session: ClientSession | None = None
        self._connected = asyncio.Event()
        self._open_until = float("-inf")  # the circuit breaker: no operation is tried before
        self._tripped = False
        self._reasons_logged: frozenset[str] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"HazelcastConnection(members={list(self.options.members)!r}, connected={self.connected})"

    @property
    def connected(self) -> bool:
        """Whether a member answers, as far as is known."""
        return self._session is not None and not self._tripped

    @property
    def members(self) -> tuple[int, int]:
        """How many members this node is connected to, and how many it knows; no member while it isn't connected."""
        session = self._session
        return (0, 0) if session is None else (session.connected_members, session.known_members)

    async def start(self) -> None:
        """Start to connect in the background, for as long as it takes."""
        loop = asyncio.get_running_loop()
        log_filter.install(loop)
        refusals.install()
        self._connecting = loop.create_task(self._keep_connected(), name="hazelcast-connection")

    async def close(self) -> None:
        """Disconnect; later operations do nothing."""
        if self._connecting is not None:
            await cancel_and_wait(self._connecting)
        if self._stopping is not None:
            await self._stopping
        self._connecting = self._stopping = None

    async def session(self) -> ClientSession:
        """Wait until a client is connected and return its session."""
        while self._session is None:
            await self._connected.wait()
        return self._session

    async def call(self, operation: Callable[[HazelcastClient], Awaitable[_Result]], otherwise: _Result) -> _Result:
        """Return the result of `operation` on the client, or `otherwise` if it fails, hangs or can't be tried.

        An operation that failed may have taken effect.
        """
        session = self._session
        if session is None or not self._may_try():
            self.counts.skipped += 1
            return otherwise
        self.counts.operations += 1
        try:
            async with asyncio.timeout(self.options.timeout_seconds):
                result = await operation(session.client)
        except Exception as error:  # noqa: BLE001  # the client raises from a dozen families; none may leave the adapter
            self.counts.failed += 1
            self._trip(error)
            return otherwise
        self._recover()
        return result

    def _may_try(self) -> bool:
        if not self._tripped:
            return True
        now = self._clock.monotonic()
        if now < self._open_until:
            return False
        # One operation is tried; until it has succeeded, the others go without.
        self._open_until = now + self.options.timeout_seconds + self.options.breaker_seconds
        return True

    def _trip(self, error: Exception) -> None:
        if not self._tripped:
            _log.warning("Hazelcast fails, going on without it: %s", _one_line(error))
        self._tripped = True
        self.counts.set_away(away=True)
        self._open_until = self._clock.monotonic() + self.options.breaker_seconds

    def _recover(self) -> None:
        if self._tripped:
            _log.info("Hazelcast answers again")
        self._tripped = False
        self.counts.set_away(away=self._session is None)

    async def _keep_connected(self) -> None:
        while True:
            REFUSALS.forget(self.options.members)
            client = HazelcastClient(**client_options(self.options))
            session = ClientSession(client)
            client.lifecycle_service.add_listener(partial(self._on_state, session))
            # There is no public way to get the handle of a client that is still starting.
            starting = asyncio.get_running_loop().create_task(client._start())  # noqa: SLF001
            try:
                await asyncio.wait({starting}, timeout=self.options.start_timeout_seconds)
                if starting.done() and starting.exception() is None:
                    await self._stay_connected(session)
                else:
                    self._log_absence()
            finally:
                # A task of its own, so that `close` can't interrupt it halfway.
                self._stopping = asyncio.get_running_loop().create_task(_stop(client, starting))
                await asyncio.shield(self._stopping)
            await asyncio.sleep(self.options.retry_seconds)

    def _on_state(self, session: ClientSession, state: str) -> None:
        if state not in _END_STATES:
            return
        if self._session is session:
            self._session = None
            self._connected.clear()
            self.counts.set_away(away=True)
        session.close()

    async def _stay_connected(self, session: ClientSession) -> None:
        if session.closed.is_set():
            return
        _log.info("connected to the Hazelcast cluster %s", self.options.cluster_name)
        self._tripped = False
        self._reasons_logged = None
        self._session = session
        self.counts.connections += 1
        self.counts.set_away(away=False)
        self._connected.set()
        await session.closed.wait()
        _log.warning("lost the Hazelcast cluster %s, going on without it", self.options.cluster_name)

    def absence(self) -> str:
        """Say where no member lets us in, and why as far as it is known."""
        where = REFUSALS.describe(self.options.members, uses_tls=self.options.tls is not None)
        return f"no member of a Hazelcast cluster named {self.options.cluster_name} lets us in at {where}"

    def _log_absence(self) -> None:
        """Log the absence once, and again if another reason for it becomes known."""
        reasons = REFUSALS.reasons(self.options.members, uses_tls=self.options.tls is not None)
        if self._reasons_logged is None or reasons - self._reasons_logged:
            _log.warning("%s; trying on", self.absence())
        self._reasons_logged = reasons | (self._reasons_logged or frozenset())


async def _stop(client: HazelcastClient, starting: asyncio.Task[None]) -> None:
    """Shut `client` down, whatever state it is in, and end every task that it leaves behind."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_SHUTDOWN_SECONDS):
            await client.shutdown()
    # A connection that authenticates notices the shutdown and closes its socket; only then may the rest be cancelled.
    await asyncio.wait({starting}, timeout=_UNWIND_SECONDS)
    await cancel_and_wait(starting, *_client_tasks(client))


def _client_tasks(client: HazelcastClient) -> Iterator[asyncio.Task[Any]]:
    """Find the tasks of `client`'s services; several clients may share a loop, and a client has no list of its own."""
    manager = client._connection_manager  # noqa: SLF001
    for task in asyncio.all_tasks():
        frame = getattr(task.get_coro(), "cr_frame", None)
        owner = frame.f_locals.get("self") if frame is not None else None
        if owner is not None and (owner is manager or getattr(owner, "_connection_manager", None) is manager):
            yield task


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip().partition("\n")[0]
