"""Trades on this node: finds accounts that nobody trades, takes their leases, and works for them."""

import asyncio
import logging
from dataclasses import dataclass
from uuid import UUID

from domain.accounts.service import ACCOUNTS_TOPIC
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import Unavailable
from domain.events.leases import acquire_lease, describe_holder, is_same_host
from domain.execution.notifications import OrderNotifier
from domain.model.trading import Account
from domain.ports.accounts import Vault
from domain.ports.bus import BusSubscription, MessageBus
from domain.ports.market_data import MarketDataProvider
from domain.ports.unit_of_work import Database
from domain.ports.venues import VenueDirectory
from domain.trading.account_worker import AccountWorker
from domain.trading.trader_dependencies import TraderDependencies

log = logging.getLogger(__name__)

LEASE_KIND = "account"
SWEEP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Running:
    trading: AccountWorker
    task: asyncio.Task[None]


class Trader:
    """Trades every account that it can get the lease of, each apart from the others."""

    def __init__(
        self,
        database: Database,
        venues: VenueDirectory,
        vault: Vault,
        hub: MarketDataProvider,
        bus: MessageBus,
        clock: Clock,
        ids: IdGenerator,
        bell: OrderNotifier,
        holder: str,
        *,
        cancel_foreign: bool = False,
    ) -> None:
        self._ports = TraderDependencies(database, venues, vault, hub, bus, clock, ids, bell, holder, cancel_foreign)
        self._running: dict[UUID, _Running] = {}
        self._rung: set[UUID] = set()
        self._unreachable: set[UUID] = set()
        self._waiting: set[UUID] = set()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._subscription: BusSubscription | None = None

    def __repr__(self) -> str:
        return f"Trader(holder={self._ports.holder!r}, accounts={len(self._running)})"

    @property
    def accounts(self) -> frozenset[UUID]:
        """The accounts that this node trades."""
        return frozenset(key for key, running in self._running.items() if not running.task.done())

    async def start(self) -> None:
        """Begin; accounts are taken in the background."""
        self._subscription = await self._ports.bus.subscribe(ACCOUNTS_TOPIC, self._hear, self._hear_gap)
        self._task = asyncio.create_task(self._sweep_for_ever(), name="trader")

    async def close(self) -> None:
        """Let go of all accounts, their leases free for other nodes."""
        if self._subscription is not None:
            await self._subscription.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._end(list(self._running))

    def _hear(self, message: bytes) -> None:
        if len(message) == len(UUID(int=0).bytes):
            self._rung.add(UUID(bytes=message))
        self._woken.set()

    def _hear_gap(self) -> None:
        self._rung |= self._running.keys()
        self._woken.set()

    async def _sweep_for_ever(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._sweep()
            except Unavailable as error:
                log.warning("the trader waits for the database: %s", error.message)
            try:
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _sweep(self) -> None:
        """Take what is free, let go of what isn't tradable any more, and begin anew what has other credentials."""
        async with self._ports.database.read_only() as reading:
            tradable = {account.id: account for account in await reading.accounts.list_tradable()}
        gone = [key for key, running in self._running.items() if key not in tradable or running.task.done()]
        await self._end(gone + [key for key in await self._changed() if key not in gone])
        for account in tradable.values():
            if account.id not in self._running:
                await self._take(account)

    async def _changed(self) -> list[UUID]:
        rung, self._rung = self._rung & self._running.keys(), set()
        changed = []
        for key in rung:
            async with self._ports.database.read_only() as reading:
                sealed = await reading.accounts.credentials(key)
            if self._running[key].trading.sealed not in {None, sealed}:
                changed.append(key)
        return changed

    async def _take(self, account: Account) -> None:
        ports = self._ports
        if ports.venues.get(account.venue) is None:
            if account.id not in self._unreachable:
                ids = {"user_id": str(account.user_id), "account_id": str(account.id)}
                log.warning(
                    "the account %s can't be traded: there is no venue %s here", account.id, account.venue, extra=ids
                )
            self._unreachable.add(account.id)
            return
        lease = await acquire_lease(ports.database, ports.clock, LEASE_KIND, str(account.id), ports.holder)
        if lease is None:
            await self._note_wait(account)
        else:
            self._waiting.discard(account.id)
            trading = AccountWorker(account, lease, ports)
            task = asyncio.create_task(trading.run(), name=f"account:{account.id}")
            self._running[account.id] = _Running(trading, task)

    async def _note_wait(self, account: Account) -> None:
        """Say once that an earlier run on this host, killed perhaps, still has an account; other nodes' are theirs."""
        if account.id in self._waiting:
            return
        self._waiting.add(account.id)
        ports = self._ports
        async with ports.database.read_only() as reading:
            holder = await reading.leases.get_holder(LEASE_KIND, str(account.id))
        if holder is None or not is_same_host(holder.name, ports.holder):
            return
        ids = {"user_id": str(account.user_id), "account_id": str(account.id)}
        log.info("the account %s is held by %s", account.id, describe_holder(holder, ports.holder), extra=ids)

    async def _end(self, keys: list[UUID]) -> None:
        ending = [self._running.pop(key).task for key in keys]
        for task in ending:
            task.cancel()
        for result in await asyncio.gather(*ending, return_exceptions=True):
            if isinstance(result, Exception):
                log.error("the trading of an account failed", exc_info=result)
