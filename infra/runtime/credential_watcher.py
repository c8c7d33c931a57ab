"""Closes the sockets of credentials that are revoked, on any node."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

from domain.core.background import cancel_and_wait
from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database
from domain.users.authentication import RESTORED_TOPIC, REVOKED_TOPIC, Authenticator
from infra.web.connections.registry import ConnectionRegistry

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0

CHECK_SECONDS = 5.0
"""How often open credentials are looked up, since the command line may change users without a bus that reaches here.

As long as the cache of credentials may take one for valid."""


@asynccontextmanager
async def close_revoked_connections(
    database: Database,
    bus: MessageBus,
    clock: Clock,
    authenticator: Authenticator,
    connections: ConnectionRegistry,
    check_seconds: float = CHECK_SECONDS,
) -> AsyncGenerator[None]:
    """Close the sockets of revoked credentials while the block runs."""
    watch = _CredentialWatcher(database, clock, authenticator, connections, check_seconds)
    subscription = await bus.subscribe(REVOKED_TOPIC, watch.on_revoked, watch.on_loss)
    restored = await bus.subscribe(
        RESTORED_TOPIC, lambda message: authenticator.on_restored(UUID(bytes=message)), watch.on_loss
    )
    task = asyncio.create_task(watch.run(), name="revocations")
    try:
        yield
    finally:
        await subscription.close()
        await restored.close()
        await cancel_and_wait(task)


class _CredentialWatcher:
    """Handles revocations from the bus.

    After a loss of messages, and now and then in any case, it checks every open credential in the database.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        authenticator: Authenticator,
        connections: ConnectionRegistry,
        check_seconds: float,
    ) -> None:
        self._database = database
        self._clock = clock
        self._authenticator = authenticator
        self._connections = connections
        self._check_seconds = check_seconds
        self._revoked: list[UUID] = []
        self._may_have_missed = False
        self._wakeup = asyncio.Event()

    def on_revoked(self, message: bytes) -> None:
        credential_id = UUID(bytes=message)
        self._authenticator.on_revoked(credential_id)
        self._revoked.append(credential_id)
        self._wakeup.set()

    def on_loss(self) -> None:
        self._may_have_missed = True
        self._wakeup.set()

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._check_seconds):
                    await self._wakeup.wait()
            except TimeoutError:
                self._may_have_missed = True
            self._wakeup.clear()
            try:
                await self._close_revoked()
            except Exception as error:  # noqa: BLE001  # whatever it is, nobody's socket may outlive its credential for it
                log.warning("sockets of revoked credentials could not be closed; it is tried again: %r", error)
                self._may_have_missed = True
            if self._may_have_missed:
                await asyncio.sleep(RETRY_SECONDS)
                self._wakeup.set()

    async def _close_revoked(self) -> None:
        if self._may_have_missed:
            self._may_have_missed = not await self._check_all()
        while self._revoked:
            await self._connections.close_credential(str(self._revoked.pop(0)))

    async def _check_all(self) -> bool:
        open_ids = [UUID(credential_id) for credential_id in self._connections.credentials]
        if not open_ids:
            return True
        try:
            async with self._database.read_only() as reading:
                valid = await reading.users.valid_credential_ids(open_ids, self._clock.now())
        except Unavailable as error:
            log.warning("open sockets wait for the database to be checked: %s", error.message)
            return False
        for credential_id in open_ids:
            if credential_id not in valid:
                self.on_revoked(credential_id.bytes)
        return True
