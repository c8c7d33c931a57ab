"""The connection to a Hazelcast cluster: made in the background, missed without an error, made again.

Facts of hazelcast-python-client 5.7.0 that shape this module, each measured:

- starting blocks until a member answers, so it runs in a task of its own;
- a reliable topic's listener falls silent when the cluster comes back without its memory, so a client that has lost its
  last connection is thrown away and a new one made: there is one way to be connected, and it starts afresh;
- an invocation to a frozen member ends only with the connection, so each has a time limit of our own;
- `shutdown` while it authenticates ends cleanly, cancelling it leaks the socket.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from hazelcast.asyncio import HazelcastClient
from hazelcast.config import TopicOverloadPolicy
from hazelcast.lifecycle import LifecycleState

from domain.core.clock import Clock
from infra.hazelcast.frames import LANES
from infra.hazelcast.log_filter import silence

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

_START_TIMEOUT_SECONDS = 5.0
_RETRY_SECONDS = 0.5
_UNWIND_SECONDS = 0.2
_LANE_OPTIONS = {"overload_policy": TopicOverloadPolicy.DISCARD_OLDEST, "read_batch_size": 100}
_ENDINGS = frozenset({LifecycleState.DISCONNECTED, LifecycleState.SHUTTING_DOWN, LifecycleState.SHUTDOWN})


@dataclass(frozen=True)
class HazelcastOptions:
    """Where the cluster is and how long to wait for it.

    `members` are `host:port`. An operation takes at most `timeout_seconds`; after one has failed, none is tried for
    `breaker_seconds`. A member that is silent for `heartbeat_timeout_seconds` counts as gone.
    """

    members: Sequence[str]
    cluster_name: str = "r3edge"
    timeout_seconds: float = 1.0
    breaker_seconds: float = 1.0
    heartbeat_timeout_seconds: float = 4.0


@dataclass(eq=False)
class Link:
    """One client for as long as it is connected."""

    client: HazelcastClient
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    _when_lost: list[Callable[[], None]] = field(default_factory=list)

    def when_lost(self, call: Callable[[], None]) -> None:
        """Call once when the connection is lost, at once where it is lost already."""
        if self.lost.is_set():
            call()
        else:
            self._when_lost.append(call)

    def forget(self, call: Callable[[], None]) -> None:
        """Don't call when the connection is lost."""
        if call in self._when_lost:
            self._when_lost.remove(call)

    def lose(self) -> None:
        """Mark as lost."""
        self.lost.set()
        while self._when_lost:
            self._when_lost.pop()()


class HazelcastConnection:
    """Keeps a client connected, and runs operations on it that never raise.

    `start()` returns at once, whether or not a member can be reached; `close()` leaves no task behind.
    """

    def __init__(self, options: HazelcastOptions, clock: Clock) -> None:
        self.options = options
        self._clock = clock
        self._link: Link | None = None
        self._linked = asyncio.Event()
        self._closed_until = float("-inf")  # the breaker: no operation is tried before
        self._tripped = False
        self._told_absence = False
        self._keeper: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"HazelcastConnection(members={list(self.options.members)!r}, connected={self.connected})"

    @property
    def connected(self) -> bool:
        """Whether a member answers, as far as known."""
        return self._link is not None and not self._tripped

    async def start(self) -> None:
        """Begin to connect in the background, for ever."""
        loop = asyncio.get_running_loop()
        silence(loop)
        self._keeper = loop.create_task(self._keep_connected(), name="hazelcast-connection")

    async def close(self) -> None:
        """Disconnect; operations afterwards do nothing."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._stopping is not None:
            await self._stopping
        self._keeper = self._stopping = None

    async def link(self) -> Link:
        """Wait for a connection and return it."""
        while self._link is None:
            await self._linked.wait()
        return self._link

    async def call(self, operation: Callable[[HazelcastClient], Awaitable[_Result]], otherwise: _Result) -> _Result:
        """Return what `operation` on the client answers, or `otherwise` where it fails, hangs or can't be tried.

        An operation that failed may have happened.
        """
        link = self._link
        if link is None or not self._may_try():
            return otherwise
        try:
            async with asyncio.timeout(self.options.timeout_seconds):
                result = await operation(link.client)
        except Exception as error:  # noqa: BLE001  # the client raises from a dozen families; none may pass the port
            self._trip(error)
            return otherwise
        self._recover()
        return result

    def _may_try(self) -> bool:
        if not self._tripped:
            return True
        now = self._clock.monotonic()
        if now < self._closed_until:
            return False
        # One operation tries; the others go on without until it has succeeded.
        self._closed_until = now + self.options.timeout_seconds + self.options.breaker_seconds
        return True

    def _trip(self, error: Exception) -> None:
        if not self._tripped:
            _log.warning("Hazelcast fails, going on without it: %s", _in_a_line(error))
        self._tripped = True
        self._closed_until = self._clock.monotonic() + self.options.breaker_seconds

    def _recover(self) -> None:
        if self._tripped:
            _log.info("Hazelcast answers again")
        self._tripped = False

    async def _keep_connected(self) -> None:
        while True:
            client = HazelcastClient(**self._client_options())
            link = Link(client)
            client.lifecycle_service.add_listener(partial(self._on_state, link))
            # There is no public way to have the handle of a client that is still starting.
            starting = asyncio.get_running_loop().create_task(client._start())  # noqa: SLF001
            try:
                await asyncio.wait({starting}, timeout=_START_TIMEOUT_SECONDS)
                if starting.done() and starting.exception() is None:
                    await self._stay_connected(link)
                else:
                    self._tell_absence()
            finally:
                # A task of its own, so that `close` can't interrupt it halfway.
                self._stopping = asyncio.get_running_loop().create_task(_stop(client, starting))
                await asyncio.shield(self._stopping)
            await asyncio.sleep(_RETRY_SECONDS)

    def _on_state(self, link: Link, state: str) -> None:
        if state not in _ENDINGS:
            return
        if self._link is link:
            self._link = None
            self._linked.clear()
        link.lose()

    async def _stay_connected(self, link: Link) -> None:
        if link.lost.is_set():
            return
        _log.info("connected to the Hazelcast cluster %s", self.options.cluster_name)
        self._tripped = self._told_absence = False
        self._link = link
        self._linked.set()
        await link.lost.wait()
        _log.warning("lost the Hazelcast cluster %s, going on without it", self.options.cluster_name)

    def _tell_absence(self) -> None:
        if not self._told_absence:
            where = ", ".join(self.options.members)
            name = self.options.cluster_name
            _log.warning("no member of a Hazelcast cluster named %s lets us in at %s; trying on", name, where)
        self._told_absence = True

    def _client_options(self) -> dict[str, Any]:
        return {
            "cluster_name": self.options.cluster_name,
            "cluster_members": list(self.options.members),
            "cluster_connect_timeout": -1,
            "retry_initial_backoff": _RETRY_SECONDS,
            "retry_max_backoff": _RETRY_SECONDS,
            "connection_timeout": 2.0,
            "heartbeat_interval": self.options.heartbeat_timeout_seconds / 4,
            "heartbeat_timeout": self.options.heartbeat_timeout_seconds,
            "invocation_timeout": self.options.timeout_seconds,
            "invocation_retry_pause": 0.1,
            # The members of a ring that is full forget the oldest; the default would keep the writer waiting.
            "reliable_topics": {lane: dict(_LANE_OPTIONS) for lane in LANES},
        }


async def _stop(client: HazelcastClient, starting: asyncio.Task[None]) -> None:
    """Shut `client` down, whatever state it is in, and end every task that it leaves."""
    with contextlib.suppress(Exception):
        await client.shutdown()
    # What authenticates is told of the shutdown and closes its socket; only then may the rest be cancelled.
    await asyncio.wait({starting}, timeout=_UNWIND_SECONDS)
    leftovers = [starting, *_tasks_of(client)]
    for task in leftovers:
        task.cancel()
    await asyncio.gather(*leftovers, return_exceptions=True)


def _tasks_of(client: HazelcastClient) -> Iterator[asyncio.Task[Any]]:
    """Find the tasks of `client`'s services; several clients may share a loop, and none can name its own."""
    manager = client._connection_manager  # noqa: SLF001
    for task in asyncio.all_tasks():
        frame = getattr(task.get_coro(), "cr_frame", None)
        owner = frame.f_locals.get("self") if frame is not None else None
        if owner is not None and (owner is manager or getattr(owner, "_connection_manager", None) is manager):
            yield task


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip().partition("\n")[0]
