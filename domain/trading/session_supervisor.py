"""Runs the trading sessions of one account, each isolated from failures of the others."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import fields, replace
from operator import attrgetter
from uuid import UUID

from domain.core.background import TaskGroup
from domain.core.backoff import Backoff
from domain.core.errors import InputErrors, Unavailable
from domain.core.wakeup import Wakeup
from domain.market_data.market_subscriptions import MarketSubscriptions, pricing_markets_of_sessions
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import MarketSymbol
from domain.model.orders import OrderRole
from domain.model.trading import Account, TradingSession, TradingSessionStatus, TradingSessionStatusCode
from domain.ports.leases import Lease, StaleLease
from domain.trading.dependencies import TradingDependencies
from domain.trading.executor_handle import ExecutorHandle
from domain.trading.session_context import AccountParts, TradingSessionContext
from domain.trading.session_intents import intend_flat
from domain.trading.session_reads import TradingSessionReads
from domain.trading.session_runner import TradingSessionRunner
from domain.trading.session_state import TradingSessionEnded
from domain.trading.session_transactions import GroupCommit, cancel_session_orders
from domain.trading.strategy_evaluations import StrategyEvaluations
from domain.trading.submitted_signals import settle_waiting_signals

log = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 0.1
"""How long a wake-up is delayed, so that the several events of one order are handled together, after the order."""

DEBOUNCE_SECONDS_EACH = 0.002
LONGEST_DEBOUNCE_SECONDS = 0.5
"""With many trading sessions it takes longer to look, and more events come: the delay grows with them, up to this."""

# Each candle changes the other field.
_what_concerns = attrgetter(*(field.name for field in fields(TradingSession) if field.name != "last_candle_at"))

INTERNAL_ERROR = "The engine met an error of its own and ended this trading session; its open orders are cancelled."


class TradingSessionSupervisor:
    """Finds the account's live trading sessions, runs each, and keeps the feeds of their markets alive."""

    def __init__(
        self,
        account: Account,
        dependencies: TradingDependencies,
        lease: Callable[[], Lease],
        executor: ExecutorHandle,
        wake_keeper: Callable[[], None],
        evaluations: StrategyEvaluations,
    ) -> None:
        self._account = account
        self._dependencies = dependencies
        self._evaluations = evaluations
        self._lease = lease
        database = dependencies.database
        self._reads = TradingSessionReads(account.id, database)
        self._transactions = GroupCommit(account.id, database, dependencies.clock, lease)
        self._parts = AccountParts(self._reads, self._transactions, executor, wake_keeper)
        self._subscriptions = MarketSubscriptions(dependencies.feed)
        self._runners: dict[UUID, TradingSessionRunner] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._known: dict[UUID, tuple[object, ...]] = {}
        self._woken_at = dependencies.clock.monotonic()
        self._wakeup = Wakeup()
        self._is_urgent = False

    def __repr__(self) -> str:
        return f"TradingSessionSupervisor({self._account.id}, sessions={len(self._tasks)})"

    def wake(self, *, at_once: bool = False) -> None:
        """Have the account's rows read soon, or `at_once`, and the trading sessions woken that have something to do."""
        self._is_urgent |= at_once
        self._wakeup.set()

    async def run(self) -> None:
        """Run the trading sessions until cancelled; raises `StaleLease` if the account's lease is lost."""
        try:
            async with TaskGroup() as group:
                while True:
                    self._wakeup.clear()
                    is_resting = await self._poll_sessions(group)
                    timings = self._dependencies.timings
                    seconds = timings.poll_interval if self._tasks else timings.rest_interval
                    if await self._wakeup.wait(None if is_resting else seconds) and not self._is_urgent:
                        await asyncio.sleep(self._debounce_seconds)
                    self._is_urgent = False
        finally:
            await self._transactions.close()
            await self._reads.close()
            await self._subscriptions.close()

    @property
    def _debounce_seconds(self) -> float:
        return min(DEBOUNCE_SECONDS + DEBOUNCE_SECONDS_EACH * len(self._tasks), LONGEST_DEBOUNCE_SECONDS)

    def need_market(self, market: MarketSymbol) -> None:
        """Subscribe to the market of an order soon, unless that is done."""
        if market not in self._subscriptions:
            self._wakeup.set()

    async def _poll_sessions(self, group: TaskGroup) -> bool:
        """Start a task for each live trading session that has none, and subscribe to the markets that they need.

        Return whether the account rests: it needs nothing until it is woken.
        """
        try:
            async with self._dependencies.database.read_only() as reading:
                in_use = await reading.trading_sessions.markets_of_account(self._account.id)
                # A live trading session has its market in use, so most accounts take one statement.
                sessions = await reading.trading_sessions.list_live(self._account.id) if in_use else []
                waiting = await reading.trading_sessions.list_signalled(self._account.id) if sessions else []
                pricing = await pricing_markets_of_sessions(reading, self._account, sessions, self._dependencies.feed)
        except Unavailable:
            return False
        traded = (market for session in sessions for market in session.markets)
        await self._subscriptions.set_markets(pricing.union(in_use, traded))
        for session in sessions:
            running = self._tasks.get(session.id)
            if running is None or running.done():
                self._tasks[session.id] = group.create_task(self._run(session), name=f"session:{session.id}")
        self._wake_runners(sessions, waiting)
        live = {session.id for session in sessions}
        self._tasks = {key: task for key, task in self._tasks.items() if key in live or not task.done()}
        return not (in_use or self._tasks)

    def _wake_runners(self, sessions: list[TradingSession], waiting: Collection[UUID]) -> None:
        """Wake those whose row has changed, for which a signal waits, or that follow their orders; at times, all."""
        known, self._known = self._known, {one.id: _what_concerns(one) for one in sessions}
        now = self._dependencies.clock.monotonic()
        if now - self._woken_at >= self._dependencies.timings.rest_interval:
            # In case a notification was lost; all at the same time, so that they read together.
            self._woken_at, known = now, {}
        for key, concerns in self._known.items():
            runner = self._runners.get(key)
            if runner is not None and (runner.follows_orders or key in waiting or known.get(key) != concerns):
                runner.wake()

    async def _run(self, session: TradingSession) -> None:
        """Run one trading session to its end; an error in it ends this session alone."""
        backoff = Backoff()
        while True:
            try:
                await self._run_once(session)
            except StaleLease:
                raise
            except TradingSessionEnded:
                return
            except Unavailable:
                await asyncio.sleep(backoff.next_delay())
            except InputErrors as errors:
                reason = f"The strategy can't be run: {errors}"
                await self._fail(session, reason, TradingSessionStatusCode.STRATEGY_INVALID)
                return
            except Exception:
                ids = {"user_id": str(session.user_id), "account_id": str(session.account_id)}
                log.exception(
                    "the trading session %s failed", session.id, extra={**ids, "trading_session_id": str(session.id)}
                )
                await self._fail(session, INTERNAL_ERROR, TradingSessionStatusCode.INTERNAL)
                return
            else:
                return

    async def _run_once(self, session: TradingSession) -> None:
        stored = (await self._reads.load(session.id)).session(session.id)
        plan = await self._evaluations.plans.plan(stored, self._account.currency)
        parts = (self._dependencies, self._parts)
        contexts = tuple(TradingSessionContext(plan, market, *parts) for market in stored.markets)
        runner = TradingSessionRunner(contexts, self._evaluations)
        self._runners[session.id] = runner
        try:
            await runner.run()
        finally:
            del self._runners[session.id]

    async def _fail(self, session: TradingSession, reason: str, code: TradingSessionStatusCode) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._save_failure(session, reason, code)
            except Unavailable:
                await asyncio.sleep(backoff.next_delay())
            else:
                self._parts.executor.wake(None)
                self._parts.wake_keeper()
                return

    async def _save_failure(self, session: TradingSession, reason: str, code: TradingSessionStatusCode) -> None:
        now = self._dependencies.clock.now()
        async with self._dependencies.database.transaction() as transaction:
            await transaction.leases.check(self._lease())
            current = await transaction.trading_sessions.get_for_update(session.id)
            if current is None or current.status.is_final:
                return
            failed = replace(
                current,
                status=TradingSessionStatus.FAILED,
                status_reason=reason,
                status_code=code,
                stopped_at=now,
            )
            await transaction.trading_sessions.save(failed)
            await cancel_session_orders(transaction, failed, now, OrderRole.ENTRY)
            await settle_waiting_signals(transaction, failed, now, self._dependencies.ids)
            if current.status is TradingSessionStatus.STOPPING and current.close_on_stop:
                why = "The trading session was stopped and its position is to be closed."
                for market in failed.markets:
                    intent_id, role = self._dependencies.ids.next_id(), OrderRole.CLOSE
                    await intend_flat(transaction, intent_id, failed, market, None, role, why, now)
            event = NewEvent(failed.user_id, now, UserEventKind.TRADING_SESSION, failed, failed.status.value)
            markets = ", ".join(map(str, failed.markets))
            message = f"The trading session on {markets} has failed. {reason} Its position, if any, stays protected."
            alert = NewEvent(failed.user_id, now, UserEventKind.ALERT, None, message)
            transaction.events.append([event, alert])
