"""A load on two nodes' cache and bus, which keeps count of what went wrong and of how long anything took."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from domain.model.users import LoginSession
from domain.ports.cache import CacheSpace
from domain.ports.unit_of_work import Database
from domain.users.authentication import CACHE_SECONDS, REVOKED_TOPIC, Authenticator
from domain.users.request_rates import RequestLimit, RequestRates
from domain.users.tokens import LOGIN_PREFIX, credential_hash
from infra.clock import SystemClock
from infra.hazelcast.bus import HazelcastBus
from infra.hazelcast.cache import HazelcastCache
from infra.hazelcast.client import HazelcastConnection
from infra.hazelcast.options import HazelcastOptions, HazelcastRouting
from tests.support.hazelcast import SEAL
from tests.support.trading import new_user

TOPIC = "user/1"
PAUSE_SECONDS = 0.01
SESSION_SECONDS = 0.5
"""How often a login session is revoked and the next one made."""

T = TypeVar("T")


class LoadedNode:
    """A node's connection, and what it uses it for."""

    def __init__(self, options: HazelcastOptions, database: Database) -> None:
        clock = SystemClock()
        self.connection = HazelcastConnection(options, clock)
        self.cache = HazelcastCache(self.connection, clock, SEAL)
        self.bus = HazelcastBus(self.connection, SEAL, clock)
        self.authenticator = Authenticator(database, self.cache, self.bus, clock)
        self.rates = RequestRates(self.cache, clock)

    async def start(self) -> None:
        await self.connection.start()
        await self.bus.subscribe(REVOKED_TOPIC, lambda message: self.authenticator.on_revoked(UUID(bytes=message)))

    async def close(self) -> None:
        await self.bus.close()
        await self.cache.close()
        await self.connection.close()

    async def is_connected_to(self, members: int) -> bool:
        """Return whether it is connected to so many members, or to the only one that it ever is."""
        expected = 1 if self.connection.options.routing is HazelcastRouting.SINGLE else members
        return self.connection.connected and (await self.connection.session()).connected_members == expected


@dataclass
class Load:
    """What was done and seen; `wrong` holds a line for everything that must not be."""

    here: LoadedNode
    there: LoadedNode
    database: Database
    wrong: list[str] = field(default_factory=list)
    longest_seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    published: int = 0
    received: int = 0
    losses: int = 0
    _losses_at_last: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the load inside the block; raises what any part of it raised."""
        await self.there.bus.subscribe(TOPIC, self._on_message, self._on_loss)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part()) for part in (self._publish, self._cache, self._log_in, self._count)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def _timed(self, kind: str, doing: Awaitable[T]) -> T:
        start = time.monotonic()
        result = await doing
        self.longest_seconds[kind] = max(self.longest_seconds[kind], time.monotonic() - start)
        self.counts[kind] += 1
        return result

    async def _publish(self) -> None:
        while True:
            self.published += 1
            await self._timed("publish", self.here.bus.publish(TOPIC, str(self.published).encode()))
            await asyncio.sleep(PAUSE_SECONDS)

    def _on_message(self, message: bytes) -> None:
        number = int(message)
        if number <= self.received:
            self.wrong.append(f"message {number} came after {self.received}")
        elif number > self.received + 1 and self.received and self.losses == self._losses_at_last:
            self.wrong.append(f"messages {self.received + 1} to {number - 1} are missing, and nobody was notified")
        self.received, self._losses_at_last = number, self.losses

    def _on_loss(self) -> None:
        self.losses += 1

    async def _cache(self) -> None:
        """Write a growing number here, read it on both nodes: it may be missing, and never be older than its life."""
        written: list[float] = []
        key = uuid4().hex
        while True:
            written.append(time.monotonic())
            value = str(len(written)).encode()
            await self._timed("write", self.here.cache.put(CacheSpace.LOGIN_SESSIONS, key, value, CACHE_SECONDS))
            for node in (self.here, self.there):
                start = time.monotonic()
                got = await self._timed("read", node.cache.get(CacheSpace.LOGIN_SESSIONS, key))
                if got is not None and written[int(got) - 1] + CACHE_SECONDS < start - _MARGIN_SECONDS:
                    self.wrong.append(f"the cache had what was written {start - written[int(got) - 1]:.1f} s before")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _log_in(self) -> None:
        """Check a login session on both nodes, and revoke it now and then: by the node that it is refused at once."""
        user = new_user()
        async with self.database.transaction() as transaction:
            await transaction.users.add(user, "hash")
        while True:
            session, token = await self._sign_in(user.id)
            until = time.monotonic() + SESSION_SECONDS
            while time.monotonic() < until:
                for node in (self.here, self.there):
                    if await self._timed("login check", node.authenticator.identify(token)) is None:
                        self.wrong.append("a login session that is good was refused")
                await asyncio.sleep(PAUSE_SECONDS)
            await self._revoke(session, token)

    async def _sign_in(self, user_id: UUID) -> tuple[LoginSession, str]:
        now, token = SystemClock().now(), LOGIN_PREFIX + uuid4().hex + "a" * 11
        session = LoginSession(uuid4(), user_id, now, now, now + timedelta(hours=1))
        async with self.database.transaction() as transaction:
            await transaction.users.add_login_session(session, credential_hash(token))
        return session, token

    async def _revoke(self, session: LoginSession, token: str) -> None:
        async with self.database.transaction() as transaction:
            await transaction.users.revoke_login_session(session.user_id, session.id, SystemClock().now())
        committed = time.monotonic()
        await self._timed("revocation", self.here.authenticator.revoke([session.id]))
        if await self.here.authenticator.identify(token) is not None:
            self.wrong.append("a revoked login session was good on the node that revoked it")
        start = time.monotonic()
        accepted = await self.there.authenticator.identify(token) is not None
        self.counts["accepted elsewhere after its revocation"] += accepted
        if accepted and start > committed + CACHE_SECONDS + _MARGIN_SECONDS:
            self.wrong.append(f"a login session was good {start - committed:.1f} s after its revocation")

    async def _count(self) -> None:
        """Take requests on both nodes: none may be refused below the limit."""
        limit = RequestLimit(f"user:{uuid4()}", 20_000, "The plan allows 20,000")
        while True:
            for node in (self.here, self.there):
                await self._timed("rate limit", node.rates.take(limit))
            await asyncio.sleep(PAUSE_SECONDS)


_MARGIN_SECONDS = 0.1
"""Between the clock that an entry's end goes by and the one that this load looks at."""


async def is_used_again(load: Load, members: int) -> bool:
    """Return whether both nodes are connected to all members, share the cache, and messages arrive."""
    if not (await load.here.is_connected_to(members) and await load.there.is_connected_to(members)):
        return False
    received, key = load.received, uuid4().hex
    await load.here.cache.put(CacheSpace.LOGIN_SESSIONS, key, b"shared", CACHE_SECONDS)
    shared = await load.there.cache.get(CacheSpace.LOGIN_SESSIONS, key) == b"shared"
    await asyncio.sleep(5 * PAUSE_SECONDS)
    return shared and load.received > received
