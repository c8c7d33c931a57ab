"""Trades on this node: finds accounts that no node trades, acquires their leases and runs a worker for each."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.accounts.service import ACCOUNTS_TOPIC
from domain.core.background import BackgroundTasks, cancel_and_wait
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.events.leases import (
    RELEASED_TOPIC,
    LeaseHandle,
    LeaseRenewer,
    acquire_leases,
    describe_holder,
    is_same_host,
)
from domain.events.work_balance import TakeableLeases
from domain.execution.command_poller import CommandPoller
from domain.model.trading import Account
from domain.ports.bus import BusSubscription
from domain.trading.account_poller import AccountPoller
from domain.trading.account_worker import AccountWorker
from domain.trading.dependencies import TradingDependencies
from domain.trading.start_limit import StartLimit
from domain.trading.strategy_evaluations import StrategyEvaluations

log = logging.getLogger(__name__)

LEASE_KIND = "account"

_ANNOUNCE_SECONDS = 0.2
"""How often other nodes are told of leases that were given back, while all are."""


@dataclass(frozen=True, slots=True)
class _RunningWorker:
    worker: AccountWorker
    task: asyncio.Task[None]


class Trader:
    """Trades every account whose lease it can acquire, each isolated from failures of the others."""

    def __init__(self, dependencies: TradingDependencies) -> None:
        self._dependencies = dependencies
        self._running: dict[UUID, _RunningWorker] = {}
        self._changed_accounts: set[UUID] = set()
        self._without_venue: set[UUID] = set()
        self._held_elsewhere: set[UUID] = set()
        self._wakeup = Wakeup()
        self._background = BackgroundTasks()
        self._leases = LeaseRenewer(dependencies.lease_database, dependencies.timings.lease_seconds)
        self._evaluations = StrategyEvaluations(dependencies)
        timings = dependencies.timings
        self._starts = StartLimit(timings.starts_at_once, timings.start_wait, timings.keeper_wait)
        self._task: asyncio.Task[None] | None = None
        self._subscriptions: list[BusSubscription] = []

    def __repr__(self) -> str:
        return f"Trader(holder={self._dependencies.holder!r}, accounts={len(self._running)})"

    @property
    def accounts(self) -> frozenset[UUID]:
        """The accounts that this node trades."""
        return frozenset(key for key, running in self._running.items() if not running.task.done())

    async def start(self) -> None:
        """Start looking for accounts to trade, in the background."""
        dependencies = self._dependencies
        self._subscriptions = [
            await dependencies.bus.subscribe(ACCOUNTS_TOPIC, self._on_account_message, self._on_message_loss),
            await dependencies.bus.subscribe(RELEASED_TOPIC, self._on_released),
        ]
        poller = CommandPoller(
            dependencies.database, dependencies.notifier, dependencies.clock, dependencies.timings.execution
        )
        self._background.start(poller.run(), name="commands")
        accounts = AccountPoller(dependencies.database, self._wake_workers, dependencies.timings.rest_interval)
        self._background.start(accounts.run(), name="accounts")
        self._background.start(self._leases.run(), name="account-leases")
        self._background.start(self._evaluations.run(), name="evaluations")
        self._task = asyncio.create_task(self._scan_loop(), name="trader")

    async def close(self) -> None:
        """Stop trading all accounts and release their leases for other nodes."""
        for subscription in self._subscriptions:
            await subscription.close()
        if self._task is not None:
            await cancel_and_wait(self._task)
        async with BackgroundTasks() as tasks:
            stopping = tasks.start(self._stop_workers(list(self._running)))
            while not stopping.done():
                await asyncio.wait([stopping], timeout=_ANNOUNCE_SECONDS)
                await self._dependencies.bus.publish(RELEASED_TOPIC, LEASE_KIND.encode())
            stopping.result()
        await self._background.close()

    def _on_account_message(self, message: bytes) -> None:
        if len(message) == len(UUID(int=0).bytes):
            self._changed_accounts.add(UUID(bytes=message))
        self._wakeup.set()

    def _on_released(self, message: bytes) -> None:
        if message == LEASE_KIND.encode():
            self._wakeup.set()

    def _on_message_loss(self) -> None:
        self._changed_accounts |= self._running.keys()
        self._wakeup.set()

    async def _scan_loop(self) -> None:
        while True:
            self._wakeup.clear()
            try:
                await self._scan_accounts()
            except Unavailable as error:
                log.warning("the trader waits for the database: %s", error.message)
            await self._wakeup.wait(self._dependencies.timings.scan_interval)

    async def _scan_accounts(self) -> None:
        """Stop workers of accounts that aren't tradable any more or have new credentials, and start missing ones.

        Wake those whose positions a halt closes: the node may not have been notified of it.
        """
        async with self._dependencies.database.read_only() as reading:
            tradable = set(await reading.accounts.list_tradable_ids())
            missing = tradable - self._running.keys()
            accounts = await reading.accounts.get_many(list(missing)) if missing else []
            busy = set(await reading.accounts.list_busy()) if missing else set[UUID]()
            halted = await reading.positions.list_halted(None)
        self._wake_workers({position.account_id for position in halted})
        ended = [key for key, running in self._running.items() if key not in tradable or running.task.done()]
        renewed = [key for key in await self._accounts_with_new_credentials() if key not in ended]
        await self._stop_workers(ended + renewed)
        # Those that hold or trade something don't wait behind those that rest.
        await self._start_workers(sorted(accounts, key=lambda account: (account.id not in busy, account.id)))
        await self._give_back()

    def _wake_workers(self, account_ids: Collection[UUID]) -> None:
        """Wake those of the accounts that this node trades."""
        for account_id in account_ids:
            running = self._running.get(account_id)
            if running is not None:
                running.worker.wake()

    async def _accounts_with_new_credentials(self) -> list[UUID]:
        changed, self._changed_accounts = self._changed_accounts & self._running.keys(), set()
        renewed = []
        for key in changed:
            async with self._dependencies.database.read_only() as reading:
                sealed = await reading.accounts.credentials(key)
            if self._running[key].worker.sealed_credentials not in {None, sealed}:
                renewed.append(key)
        return renewed

    async def _start_workers(self, accounts: Sequence[Account]) -> None:
        """Start workers for those of the accounts whose venue is configured here and whose lease is free."""
        dependencies = self._dependencies
        possible = [account for account in accounts if dependencies.venues.get(account.venue) is not None]
        for account in accounts:
            if account not in possible:
                self._warn_without_venue(account)
        leases = await self._acquire([str(account.id) for account in possible])
        for account in possible:
            lease = leases.get(str(account.id))
            if lease is None:
                await self._log_holder(account)
            else:
                self._start_worker(account, lease)

    async def _acquire(self, keys: Sequence[str]) -> dict[str, LeaseHandle]:
        dependencies, balance = self._dependencies, self._dependencies.balance
        takeable = TakeableLeases(tuple(keys), len(keys)) if balance is None else await balance.takeable(keys)
        database, clock, seconds = dependencies.lease_database, dependencies.clock, dependencies.timings.lease_seconds
        leases: dict[str, LeaseHandle] = {}
        left = takeable.keys
        # Others may get the first ones at this moment: then the next are tried.
        while left and len(leases) < takeable.count:
            count = takeable.count - len(leases)
            tried, left = left[:count], left[count:]
            leases |= await acquire_leases(database, clock, LEASE_KIND, tried, dependencies.holder, seconds)
        if balance is not None:
            for key in leases:
                balance.note_taken(key)
        return leases

    async def _give_back(self) -> None:
        """Stop trading some accounts if another node has fewer, those first that hold and trade nothing."""
        balance = self._dependencies.balance
        count = 0 if balance is None else await balance.count_to_give()
        if balance is None or not count:
            return
        async with self._dependencies.database.read_only() as reading:
            busy = set(await reading.accounts.list_busy())
        moved = sorted(self._running, key=lambda key: (key in busy, key))[:count]
        log.info("%d of %d accounts move to nodes that trade fewer", len(moved), len(self._running))
        balance.note_given([str(key) for key in moved])
        await self._stop_workers(moved)
        await self._dependencies.bus.publish(RELEASED_TOPIC, LEASE_KIND.encode())

    def _start_worker(self, account: Account, lease: LeaseHandle) -> None:
        self._held_elsewhere.discard(account.id)
        self._leases.add(lease)
        worker = AccountWorker(account, lease, self._dependencies, self._evaluations, self._starts)
        task = asyncio.create_task(worker.run(), name=f"account:{account.id}")
        self._running[account.id] = _RunningWorker(worker, task)

    def _warn_without_venue(self, account: Account) -> None:
        if account.id not in self._without_venue:
            self._without_venue.add(account.id)
            message = "the account %s can't be traded: there is no venue %s here"
            log.warning(message, account.id, account.venue, extra=_log_ids(account))

    async def _log_holder(self, account: Account) -> None:
        """Log once that an earlier run on this host, perhaps killed, still holds an account's lease.

        Leases of other nodes are nothing to report.
        """
        if account.id in self._held_elsewhere:
            return
        self._held_elsewhere.add(account.id)
        own_name = self._dependencies.holder
        async with self._dependencies.database.read_only() as reading:
            holder = await reading.leases.get_holder(LEASE_KIND, str(account.id))
        if holder is not None and is_same_host(holder.name, own_name):
            description = describe_holder(holder, own_name)
            log.info("the account %s is held by %s", account.id, description, extra=_log_ids(account))

    async def _stop_workers(self, keys: list[UUID]) -> None:
        tasks = [self._running.pop(key).task for key in keys]
        await cancel_and_wait(*tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("the trading of an account failed", exc_info=error)


def _log_ids(account: Account) -> dict[str, str]:
    return {"user_id": str(account.user_id), "account_id": str(account.id)}
