"""Runs the trading sessions of one account, each apart from the others' mistakes."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from domain.core.backoff import Backoff
from domain.core.errors import InputErrors, Unavailable
from domain.market_data.market_subscriptions import MarketSubscriptions, markets_needed
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import Market
from domain.model.trading import Account, TradingSession, TradingSessionStatus, TradingSessionStatusCode
from domain.ports.leases import Lease, StaleLease
from domain.rules.session_plan import SessionPlan, session_plan
from domain.trading.session_context import RunnerDependencies
from domain.trading.session_runner import SessionRunner
from domain.trading.trader_dependencies import TraderDependencies

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
GATHER_SECONDS = 0.1
"""How often sessions are looked for where nothing tells of them."""

FAILED = "The engine met an error of its own and ended this session; its open orders are cancelled."


class SessionSupervisor:
    """Finds the account's live sessions, runs each, and keeps the feeds of their markets alive."""

    def __init__(
        self,
        account: Account,
        ports: TraderDependencies,
        lease: Callable[[], Lease],
        wake_executor: Callable[[UUID | None], None],
    ) -> None:
        self._account = account
        self._ports = ports
        self._lease = lease
        self._wake_executor = wake_executor
        self._wants = MarketSubscriptions(ports.hub)
        self._runners: dict[UUID, SessionRunner] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()

    def __repr__(self) -> str:
        return f"SessionSupervisor({self._account.id}, sessions={len(self._tasks)})"

    def wake(self) -> None:
        """Look at all sessions soon."""
        for runner in self._runners.values():
            runner.wake()
        self._woken.set()

    async def run(self) -> None:
        """Run the sessions until cancelled; raises `StaleLease` once another node may."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._woken.clear()
                    await self._look(group)
                    await self._wait()
        finally:
            await self._wants.close()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return
        # An order makes several events at once: they are looked at together, and out of the order's way.
        await asyncio.sleep(GATHER_SECONDS)

    async def _look(self, group: asyncio.TaskGroup) -> None:
        try:
            async with self._ports.database.read_only() as reading:
                sessions = await reading.trading_sessions.list_live(self._account.id)
                needed = await markets_needed(reading, self._account, sessions, self._ports.hub)
        except Unavailable:
            return
        await self._wants.set_markets(needed)
        for session in sessions:
            running = self._tasks.get(session.id)
            if running is None or running.done():
                self._tasks[session.id] = group.create_task(self._run(session), name=f"session:{session.id}")
        live = {session.id for session in sessions}
        self._tasks = {key: task for key, task in self._tasks.items() if key in live or not task.done()}

    async def _run(self, session: TradingSession) -> None:
        """Run one session to its end; a mistake in it is its own end, and no other's."""
        backoff = Backoff()
        while True:
            try:
                await self._run_once(session)
            except StaleLease:
                raise
            except Unavailable:
                await asyncio.sleep(backoff.next_delay())
            except InputErrors as problems:
                await self._fail(
                    session, f"The strategy can't be run: {problems}", TradingSessionStatusCode.STRATEGY_INVALID
                )
                return
            except Exception:
                ids = {"user_id": str(session.user_id), "account_id": str(session.account_id)}
                log.exception(
                    "the trading session %s failed", session.id, extra={**ids, "trading_session_id": str(session.id)}
                )
                await self._fail(session, FAILED, TradingSessionStatusCode.INTERNAL)
                return
            else:
                return

    async def _run_once(self, session: TradingSession) -> None:
        ports = self._ports
        plan = await self._plan(session)
        shared = RunnerDependencies(ports.database, ports.hub, ports.bus, ports.clock, ports.ids)
        runner = SessionRunner(plan, shared, self._lease, self._wake_executor)
        self._runners[session.id] = runner
        try:
            await runner.run()
        finally:
            del self._runners[session.id]

    async def _plan(self, session: TradingSession) -> SessionPlan:
        """Return the session ready to run, as soon as its market is known here; raises `InputErrors`."""
        async with self._ports.database.read_only() as reading:
            version = await reading.strategies.get_version(session.user_id, session.strategy_version_id)
            newest = await reading.trading_sessions.get(session.user_id, session.id)
        assert version is not None
        market = await self._market(session)
        return session_plan(newest or session, version.definition, market, self._account.currency)

    async def _market(self, session: TradingSession) -> Market:
        while True:
            market = self._ports.hub.catalogue.get(session.market)
            if market is not None:
                return market
            await asyncio.sleep(LOOK_SECONDS)

    async def _fail(self, session: TradingSession, reason: str, code: TradingSessionStatusCode) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._store_failure(session, reason, code)
            except Unavailable:
                await asyncio.sleep(backoff.next_delay())
            else:
                self._wake_executor(None)
                return

    async def _store_failure(self, session: TradingSession, reason: str, code: TradingSessionStatusCode) -> None:
        now = self._ports.clock.now()
        async with self._ports.database.transaction() as transaction:
            await transaction.leases.check(self._lease())
            newest = await transaction.trading_sessions.get_for_update(session.id)
            if newest is None or newest.status.is_final:
                return
            failed = replace(newest, status=TradingSessionStatus.FAILED, status_reason=reason, stopped_at=now)
            failed = replace(failed, status_code=code)
            await transaction.trading_sessions.save(failed)
            await transaction.orders.request_cancels(failed.user_id, failed.account_id, None, failed.id, now)
            event = NewEvent(failed.user_id, now, UserEventKind.TRADING_SESSION, failed, failed.status.value)
            transaction.events.append([event])
