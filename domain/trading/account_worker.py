"""All the trading of one account on the node that holds its lease: its executor and its sessions."""

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from typing import NoReturn
from uuid import UUID

from domain.core.backoff import Backoff
from domain.core.errors import Unavailable
from domain.events.leases import RENEW_SECONDS, LeaseHandle
from domain.execution.executor import AccountExecutor
from domain.model.events import events_topic
from domain.model.trading import Account
from domain.ports.bus import commands_topic
from domain.ports.execution_client import ExecutionClient
from domain.ports.leases import Lease, StaleLease
from domain.trading.session_supervisor import SessionSupervisor
from domain.trading.trader_dependencies import TraderDependencies

log = logging.getLogger(__name__)

STEADY_SECONDS = 60.0
"""An executor that ran this long has got over what made it fail before."""

CLOSING_SECONDS = 3.0
"""How long the end of an account's trading waits for its connections to close; they go on closing after it."""

_CLOSING: set["asyncio.Task[None]"] = set()
"""Keeps those tasks from being collected before their end."""


class AccountWorker:
    """Trades one account until its lease is lost; a part that fails is started again and harms no other account."""

    def __init__(self, account: Account, lease: LeaseHandle, ports: TraderDependencies) -> None:
        self.account = account
        self.sealed: bytes | None = None
        self._held = lease
        self._ports = ports
        self._ids = {"user_id": str(account.user_id), "account_id": str(account.id)}
        self._executor: AccountExecutor | None = None
        self._sessions = SessionSupervisor(account, ports, self._lease, self._wake_executor)

    def __repr__(self) -> str:
        return f"AccountWorker({self.account.id}, lease={self._held!r})"

    async def run(self) -> None:
        """Trade until cancelled, or until another node may; the lease is then free."""
        try:
            async with AsyncExitStack() as stack:
                for topic in (commands_topic(self.account.id), events_topic(self.account.user_id)):
                    subscription = await self._ports.bus.subscribe(topic, self._hear, self._sessions.wake)
                    stack.push_async_callback(subscription.close)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._keep_lease())
                    group.create_task(self._execute())
                    group.create_task(self._sessions.run())
        except* StaleLease:
            reason = await self._held.reason_lost()
            log.warning("the account %s is no longer traded here: %s", self.account.id, reason, extra=self._ids)
        finally:
            with suppress(Unavailable):
                await self._held.release()

    def _hear(self, _message: bytes) -> None:
        self._sessions.wake()

    def _wake_executor(self, order_id: UUID | None) -> None:
        if self._executor is not None:
            self._executor.wake(order_id)

    def _lease(self) -> Lease:
        lease = self._held.current
        if lease is None:
            raise StaleLease(f"the lease of the account {self.account.id} was lost")
        return lease

    async def _keep_lease(self) -> NoReturn:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            # While the database is away the lease lapses by itself, and with it the right to go on.
            with suppress(Unavailable):
                await self._held.renew()
            self._lease()

    async def _execute(self) -> NoReturn:
        backoff, clock = Backoff(cap_seconds=30.0), self._ports.clock
        while True:
            began = clock.monotonic()
            try:
                await self._execute_once()
            except StaleLease:
                raise
            except Unavailable as error:
                told = "the account %s waits for the database: %s"
                log.warning(told, self.account.id, error.message, extra=self._ids)
            except Exception:
                told = "the trading of account %s failed and is started again"
                log.exception(told, self.account.id, extra=self._ids)
            if clock.monotonic() - began > STEADY_SECONDS:
                backoff.reset()
            await asyncio.sleep(backoff.next_delay())

    async def _execute_once(self) -> None:
        ports = self._ports
        venue = await self._connect()
        try:
            self._executor = AccountExecutor(
                self.account,
                ports.database,
                venue,
                ports.hub,
                ports.clock,
                ports.ids,
                lambda: self._held.current,
                ports.bell,
                cancel_foreign=ports.cancel_foreign,
            )
            await self._executor.run()
        finally:
            self._executor = None
            # A task of its own: a close that is cut short would leave connections open that nobody can close any more.
            closing = asyncio.create_task(venue.close(), name=f"closing:{self.account.id}")
            _CLOSING.add(closing)
            closing.add_done_callback(_closed)
            await asyncio.wait({closing}, timeout=CLOSING_SECONDS)

    async def _connect(self) -> ExecutionClient:
        ports = self._ports
        async with ports.database.read_only() as reading:
            self.account = await reading.accounts.by_id(self.account.id) or self.account
            self.sealed = await reading.accounts.credentials(self.account.id)
        return ports.venues.account(self.account, ports.vault.unseal(self.sealed or b"", self.account.id))


def _closed(closing: "asyncio.Task[None]") -> None:
    _CLOSING.discard(closing)
    if not closing.cancelled() and (error := closing.exception()) is not None:
        log.warning("%s failed: %r", closing.get_name(), error)
