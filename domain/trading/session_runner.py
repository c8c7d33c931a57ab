"""Runs one trading session: from closed candles to signals, and from signals to orders and intents.

All that must survive is in the database: the signal, the order or the intent that it causes and the candle that was
acted on are committed together, under the account's lease. A runner can be discarded at any moment and built again.
What protects and closes the position is no part of it: see `domain.trading.position_keeper`.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import datetime

from domain.core.background import TaskGroup
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.model.markets import MarketSymbol
from domain.model.trading import TradingSessionStatus
from domain.ports.leases import StaleLease
from domain.ports.trading_sessions import SeenCandle
from domain.trading.session_candles import TradingSessionCandles
from domain.trading.session_context import TradingSessionContext
from domain.trading.session_ladder import LadderWatch
from domain.trading.session_protection import ensure_protection
from domain.trading.session_state import TradingSessionEnded
from domain.trading.session_stop import step_stop
from domain.trading.session_transactions import TradingSessionTransaction
from domain.trading.signal_actor import SignalActor
from domain.trading.signal_processor import SignalProcessor
from domain.trading.strategy_evaluations import StrategyEvaluations
from domain.trading.strategy_evaluator import StrategyEvaluator
from domain.trading.submitted_signals import SubmittedSignals

PRICE_POLL_SECONDS = 0.1


class TradingSessionRunner:
    """Owns one trading session while this node holds the lease of its account.

    `contexts` are those of its markets, in their order.
    """

    def __init__(self, contexts: tuple[TradingSessionContext, ...], evaluations: StrategyEvaluations) -> None:
        self._contexts = contexts
        self._evaluations = evaluations
        self._wakeup = Wakeup()
        self._is_stopping = False

    def __repr__(self) -> str:
        return f"TradingSessionRunner({self._contexts!r})"

    @property
    def follows_orders(self) -> bool:
        """Whether what becomes of its orders gives it something to do: it stops, or its position is a ladder."""
        return self._is_stopping or bool(self._contexts[0].plan.definition.adds)

    def wake(self) -> None:
        """Have the trading session's state read soon, instead of at the next poll."""
        self._wakeup.set()

    async def run(self) -> None:
        """Run until the trading session has ended; cancel to stop earlier. Raises `StaleLease` and `Unavailable`."""
        try:
            async with AsyncExitStack() as stack:
                runs = []
                for context in self._contexts:
                    following = self._evaluations.follow(context.plan, context.symbol)
                    evaluator = await stack.enter_async_context(following)
                    runs.append(_MarketRun(context, evaluator, self._evaluations, self.wake))
                with suppress(TradingSessionEnded):
                    await self._run_loops(runs)
        except BaseExceptionGroup as group:
            cause = _decisive_cause(group)
            if not isinstance(cause, TradingSessionEnded):
                raise cause from None

    async def _run_loops(self, runs: list["_MarketRun"]) -> None:
        async with TaskGroup() as group:
            group.create_task(self._state_loop(runs))
            for run in runs:
                group.create_task(run.candle_loop())
                group.create_task(run.ladder.run())

    async def _state_loop(self, runs: list["_MarketRun"]) -> None:
        """Follow the trading session's row until it has stopped; raises `TradingSessionEnded` in the end."""
        context = self._contexts[0]
        while True:
            self._wakeup.clear()
            loaded = await context.load()
            state = loaded.state(context.session.id, context.symbol)
            self._is_stopping = state.session.status is TradingSessionStatus.STOPPING
            waiting = loaded.markets_with_signals(context.session.id)
            for run in runs:
                if run.symbol in waiting:
                    await run.submitted.act()
            if self._is_stopping:
                await step_stop(context, state)
            for run in runs:
                await run.ladder.refresh(state.of(run.symbol))
            # It is woken for all that concerns it, together with the account's others: they share what is read then.
            await self._wakeup.wait(context.timings.poll_interval if self.follows_orders else None)


class _MarketRun:
    """What a trading session does on one of its markets."""

    def __init__(
        self,
        context: TradingSessionContext,
        evaluator: StrategyEvaluator,
        evaluations: StrategyEvaluations,
        wake: Callable[[], None],
    ) -> None:
        self._context = context
        self._evaluator = evaluator
        self._evaluations = evaluations
        self._wake = wake
        self._candles = TradingSessionCandles(context, evaluator)
        actor = SignalActor(context)
        self._signals = SignalProcessor(context, evaluator, actor)
        self.submitted = SubmittedSignals(context, evaluator, actor)
        self.ladder = LadderWatch(context, evaluator, actor, wake)

    @property
    def symbol(self) -> MarketSymbol:
        """The market."""
        return self._context.symbol

    async def candle_loop(self) -> None:
        """Act on each candle that closes, for ever."""
        self._evaluator.request_from(self._context.session.last_candle_at)
        await self._candles.load()
        if self._context.session.start_equity is None:
            await self._wait_for_prices()
        last = await self._context.transact(self._start)
        self.submitted.is_ready = True
        self._wake()
        async for evaluation, is_newest in self._candles.closed(last):
            if evaluation.is_quiet and not self._evaluator.compiled.uses_position:
                session_id, open_time = self._context.session.id, evaluation.candle.open_time
                self._evaluations.note_quiet(SeenCandle(session_id, self.symbol, open_time))
            else:
                await self._signals.on_candle(evaluation, is_newest=is_newest)
                if is_newest and self._context.plan.definition.adds:
                    self._wake()

    async def _start(self, transaction: TradingSessionTransaction) -> datetime:
        """Record that the trading session runs from the candle that closed last on, unless it has run before.

        Return the open time of the newest candle that it has acted on.
        """
        newest = self._evaluator.history.newest
        assert newest is not None
        session, batch = transaction.state.session, transaction.batch
        last = await batch.last_candle_at(session.id, self.symbol)
        if last is None:
            last = newest.open_time
            batch.see(SeenCandle(session.id, self.symbol, last))
        started = session
        if session.status is TradingSessionStatus.STARTING:
            started = replace(session, status=TradingSessionStatus.RUNNING)
        if session.start_equity is None:
            worth = self._context.equity(await batch.balances())
            # It stays unknown while a price may still come; what no market prices never has a worth.
            if not self._context.is_missing_prices(worth):
                started = replace(started, start_equity=worth.total)
        if started.status is not TradingSessionStatus.STOPPING:
            started = replace(started, status_reason=None)
        if started.status is TradingSessionStatus.RUNNING:
            started = replace(started, status_code=None)
        if started != session:
            transaction.save_session(started)
        await ensure_protection(self._context, transaction, self._evaluator.history)
        return last

    async def _wait_for_prices(self) -> None:
        """Return once the account's equity is known, or after a while without it: prices are missing after a start."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._context.timings.price_wait):
                while True:
                    worth = self._context.equity((await self._context.load()).balances)
                    if not self._context.is_missing_prices(worth):
                        return
                    await asyncio.sleep(PRICE_POLL_SECONDS)


def _decisive_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the exception of a group to act on: a lost lease before a fault, a fault before all others."""
    causes = list(_leaves(group))
    stale = [cause for cause in causes if isinstance(cause, StaleLease)]
    faults = [cause for cause in causes if not isinstance(cause, Unavailable | TradingSessionEnded)]
    ended = [cause for cause in causes if isinstance(cause, TradingSessionEnded)]
    return (stale or faults or ended or causes)[0]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
