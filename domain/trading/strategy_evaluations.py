"""The evaluations of a node: one for each strategy, market and timeframe, however many trading sessions follow it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from domain.core.background import cancel_and_wait
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.model.markets import MarketSymbol
from domain.ports.trading_sessions import SeenCandle
from domain.rules.session_plan import TradingSessionPlan
from domain.trading.dependencies import TradingDependencies
from domain.trading.session_plans import TradingSessionPlans
from domain.trading.strategy_evaluator import EvaluationKey, StrategyEvaluator

log = logging.getLogger(__name__)

SAVE_SECONDS = 0.2
"""How long candles on which nothing happened are collected, to be stored by one statement."""


@dataclass(slots=True)
class _Shared:
    evaluator: StrategyEvaluator
    task: asyncio.Task[None]
    followers: int = 0


class StrategyEvaluations:
    """Starts an evaluation for the first trading session that follows it, and ends it with the last."""

    def __init__(self, dependencies: TradingDependencies) -> None:
        self.plans = TradingSessionPlans(dependencies.database)
        self._dependencies = dependencies
        self._shared: dict[EvaluationKey, _Shared] = {}
        self._seen: dict[tuple[object, MarketSymbol], SeenCandle] = {}
        self._wakeup = Wakeup()

    def __repr__(self) -> str:
        return f"StrategyEvaluations({len(self._shared)})"

    def __len__(self) -> int:
        """Return how many evaluations there are."""
        return len(self._shared)

    @asynccontextmanager
    async def follow(self, plan: TradingSessionPlan, market: MarketSymbol) -> AsyncIterator[StrategyEvaluator]:
        """Provide the evaluation of a trading session on one of its markets inside the block."""
        shared = self._open(plan, market)
        shared.followers += 1
        try:
            yield shared.evaluator
        finally:
            shared.followers -= 1
            if not shared.followers:
                if self._shared.get(shared.evaluator.key) is shared:
                    del self._shared[shared.evaluator.key]
                await cancel_and_wait(shared.task)

    def note_quiet(self, seen: SeenCandle) -> None:
        """Have it stored soon that a trading session has nothing to do on a candle; what is lost is found again."""
        self._seen[seen.session_id, seen.market] = seen
        self._wakeup.set()

    async def run(self) -> None:
        """Store the candles on which nothing happened, until cancelled."""
        while True:
            await self._wakeup.wait()
            await asyncio.sleep(SAVE_SECONDS)
            self._wakeup.clear()
            seen, self._seen = list(self._seen.values()), {}
            try:
                async with self._dependencies.database.transaction() as transaction:
                    await transaction.trading_sessions.save_last_candles(seen)
            except Unavailable as error:
                log.warning("candles without a signal can't be stored as seen: %s", error.message)

    def _open(self, plan: TradingSessionPlan, market: MarketSymbol) -> _Shared:
        key = EvaluationKey(
            plan.session.strategy_version_id,
            tuple(sorted(plan.compiled.parameters.items())),
            plan.definition.needs_atr,
            market,
            plan.session.timeframe,
        )
        shared = self._shared.get(key)
        if shared is None or shared.evaluator.error is not None:
            evaluator = StrategyEvaluator(key, plan.compiled, self._dependencies)
            task = asyncio.create_task(_run(evaluator), name=f"evaluation:{market}")
            shared = self._shared[key] = _Shared(evaluator, task)
        return shared


async def _run(evaluator: StrategyEvaluator) -> None:
    try:
        await evaluator.run()
    except Exception:
        log.exception(
            "the evaluation of strategy version %s on %s failed",
            evaluator.key.strategy_version_id,
            evaluator.key.market,
        )
