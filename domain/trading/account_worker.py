"""Trades one account on the node that holds its lease: runs its order executor and its trading sessions."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import NoReturn

from domain.core.background import TaskGroup
from domain.core.backoff import Backoff
from domain.core.errors import Unavailable
from domain.events.leases import LeaseHandle
from domain.events.notices import decode_notices
from domain.execution.account_context import AccountContext
from domain.execution.alerts import AccountAlerts
from domain.execution.executor import AccountExecutor
from domain.model.events import events_topic
from domain.model.trading import Account
from domain.ports.bus import commands_topic
from domain.ports.execution_client import ExecutionClient
from domain.ports.leases import Lease, StaleLease
from domain.trading.dependencies import TradingDependencies
from domain.trading.equity_recorder import EquityRecorder
from domain.trading.executor_handle import ExecutorHandle
from domain.trading.keeper_context import KeeperContext
from domain.trading.position_keeper import PositionKeeper
from domain.trading.session_supervisor import TradingSessionSupervisor
from domain.trading.start_limit import StartLimit
from domain.trading.strategy_evaluations import StrategyEvaluations

log = logging.getLogger(__name__)

_RESTARTED = "restarted"
"""Key of the alert of a restart, with the hour: one an hour, however often it is restarted."""

_CLOSING_CLIENTS: set["asyncio.Task[None]"] = set()
"""Holds tasks that may outlive their worker, which asyncio itself references only weakly."""


class AccountWorker:
    """Trades one account until its lease is lost; a part that fails is restarted and affects no other account."""

    def __init__(
        self,
        account: Account,
        lease: LeaseHandle,
        dependencies: TradingDependencies,
        evaluations: StrategyEvaluations,
        starts: StartLimit,
    ) -> None:
        self.account = account
        self._starts = starts
        self.sealed_credentials: bytes | None = None
        self._lease_handle = lease
        self._dependencies = dependencies
        self._log_ids = {"user_id": str(account.user_id), "account_id": str(account.id)}
        self._executor = ExecutorHandle()
        self._keeper = PositionKeeper(KeeperContext(account, dependencies, self._lease, self._executor))
        self._equity = EquityRecorder(account.id, dependencies.database, dependencies.feed, dependencies.clock)
        self._sessions = TradingSessionSupervisor(
            account, dependencies, self._lease, self._executor, self._keeper.wake, evaluations
        )

    def __repr__(self) -> str:
        return f"AccountWorker({self.account.id}, lease={self._lease_handle!r})"

    async def run(self) -> None:
        """Trade until cancelled or until the lease is lost; release the lease in the end."""
        try:
            async with AsyncExitStack() as stack:
                for topic, listener in (
                    (commands_topic(self.account.id), self._on_command),
                    (events_topic(self.account.user_id), self._on_events),
                ):
                    subscription = await self._dependencies.bus.subscribe(topic, listener, self.wake)
                    stack.push_async_callback(subscription.close)
                async with TaskGroup() as group:
                    group.create_task(self._watch_lease())
                    await self._starts.start(
                        self.account.venue, lambda: self._start(group), lambda: self._executor.has_reconciled
                    )
        except* StaleLease:
            reason = await self._lease_handle.reason_lost()
            log.warning("the account %s is no longer traded here: %s", self.account.id, reason, extra=self._log_ids)
        finally:
            with suppress(Unavailable):
                await self._lease_handle.release()

    def _start(self, group: TaskGroup) -> None:
        for part in (self._execution_loop(), self._keeper_loop(), self._equity_loop(), self._sessions.run()):
            group.create_task(part)

    def _on_command(self, message: bytes) -> None:
        """Look at the account's rows for a command that isn't about one order, which is the executor's alone."""
        if not message:
            self.wake()
            self._sessions.wake(at_once=True)

    def _on_events(self, message: bytes) -> None:
        for notice in decode_notices(message):
            if notice.account_id not in {None, self.account.id}:
                continue
            if notice.market is None:
                self.wake()
                return
            self._sessions.need_market(notice.market)

    def wake(self) -> None:
        """Have all parts but the executor read the account's rows now instead of at their next poll."""
        self._sessions.wake()
        self._keeper.wake()
        self._equity.wake()

    def _lease(self) -> Lease:
        lease = self._lease_handle.current
        if lease is None:
            raise StaleLease(f"the lease of the account {self.account.id} was lost")
        return lease

    async def _watch_lease(self) -> NoReturn:
        """End the worker once its lease is lost or has lapsed; the trader renews those of all accounts together."""
        await self._lease_handle.wait_until_lost()
        raise StaleLease(f"the lease of the account {self.account.id} was lost")

    async def _execution_loop(self) -> NoReturn:
        """Run the executor, and another after one that failed."""
        await self._restart_for_ever(self._execute, "trading")

    async def _keeper_loop(self) -> NoReturn:
        """Run the position keeper, and again after it failed."""
        await self._restart_for_ever(self._keeper.run, "position keeper")

    async def _equity_loop(self) -> NoReturn:
        """Store points of equity, and again after that failed."""
        await self._restart_for_ever(self._equity.run, "recording of equity")

    async def _restart_for_ever(self, run: Callable[[], Awaitable[None]], what: str) -> NoReturn:
        backoff, clock = Backoff(cap_seconds=30.0), self._dependencies.clock
        while True:
            started_at = clock.monotonic()
            try:
                await run()
            except StaleLease:
                raise
            except Unavailable as error:
                message = "the account %s waits for the database: %s"
                log.warning(message, self.account.id, error.message, extra=self._log_ids)
            except Exception:
                log.exception(
                    "the %s of account %s failed and is started again", what, self.account.id, extra=self._log_ids
                )
                await self._alert_of_restart()
            if clock.monotonic() - started_at > self._dependencies.timings.stable_after:
                backoff.reset()
            await asyncio.sleep(backoff.next_delay())

    async def _alert_of_restart(self) -> None:
        alerts = AccountAlerts(self.account, self._dependencies.database, self._dependencies.clock)
        message = (
            f"The trading of account {self.account.name} failed by a fault of the engine, and is started again. If "
            "that happens repeatedly, its orders are delayed; the engine's log has the cause."
        )
        with suppress(Unavailable):
            await alerts.raise_alert(f"{_RESTARTED}:{self._dependencies.clock.now():%Y-%m-%d %H}", message)

    async def _execute(self) -> None:
        dependencies = self._dependencies
        client = await self._connect()
        context = AccountContext(self.account, client, lambda: self._lease_handle.current, dependencies.execution)
        try:
            executor = AccountExecutor(context, cancel_foreign=dependencies.cancel_foreign)
            executor.waits.on_coins_expected = self._keeper.wake
            self._executor.executor = executor
            await executor.run()
        finally:
            self._executor.executor = None
            # A task of its own: a close that is cut short would leave connections open that nobody can close any more.
            closing = asyncio.create_task(client.close(), name=f"closing:{self.account.id}")
            _CLOSING_CLIENTS.add(closing)
            closing.add_done_callback(_on_closed)
            await asyncio.wait({closing}, timeout=dependencies.timings.close_wait)

    async def _connect(self) -> ExecutionClient:
        dependencies = self._dependencies
        async with dependencies.database.read_only() as reading:
            self.account = await reading.accounts.by_id(self.account.id) or self.account
            self.sealed_credentials = await reading.accounts.credentials(self.account.id)
        credentials = dependencies.vault.unseal(self.sealed_credentials or b"", self.account.id)
        return dependencies.venues.account(self.account, credentials)


def _on_closed(closing: "asyncio.Task[None]") -> None:
    _CLOSING_CLIENTS.discard(closing)
    if not closing.cancelled() and (error := closing.exception()) is not None:
        log.warning("%s failed: %r", closing.get_name(), error)
