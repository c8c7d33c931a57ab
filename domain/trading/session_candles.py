"""The closed candles of one of a trading session's markets, each with what the strategy makes of it, oldest first."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

from domain.model.trading import TradingSessionStatusCode
from domain.trading.session_context import TradingSessionContext
from domain.trading.strategy_evaluator import MAX_MISSED, CandleEvaluation, StrategyEvaluator

SHOWN_AFTER_SECONDS = 2.0
"""How long a trading session waits for its account before its row has that it does."""


class TradingSessionCandles:
    """Follows an evaluation that other trading sessions may follow too, at this one's own pace."""

    def __init__(self, context: TradingSessionContext, evaluator: StrategyEvaluator) -> None:
        self._context = context
        self._evaluator = evaluator

    def __repr__(self) -> str:
        return f"TradingSessionCandles({self._context!r}, {self._evaluator!r})"

    async def load(self) -> None:
        """Return once the candles that the strategy needs are there; the status reason says what it waits for."""
        is_shown = False
        while True:
            change = self._evaluator.change
            if self._evaluator.error is not None:
                raise self._evaluator.error
            missing = self._evaluator.missing
            if missing is None:
                break
            if missing:
                await self._context.set_status_reason(missing)
                is_shown = True
            await change.wait()
        if is_shown:
            await self._context.set_status_reason(None)

    async def closed(self, last: datetime | None) -> AsyncIterator[tuple[CandleEvaluation, bool]]:
        """Yield the candles that opened after `last`, then each that closes, oldest first, for ever.

        With each comes whether it is the newest: signals of the others come too late to be acted on.
        """
        evaluator = self._evaluator
        while True:
            change = evaluator.change
            await self.load()
            for candle in evaluator.history.after(last)[-MAX_MISSED:]:
                last = candle.open_time
                await self._until_reconciled()
                yield evaluator.evaluate(candle), evaluator.is_newest(candle)
            await change.wait()

    async def _until_reconciled(self) -> None:
        """Return once the account agrees with its venue: before that it isn't known what the session holds."""
        context = self._context
        started_at, is_shown = context.clock.monotonic(), False
        while not context.executor.reconciled:
            if not is_shown and context.clock.monotonic() - started_at > SHOWN_AFTER_SECONDS:
                reason = "It waits until the account agrees with its venue."
                await context.set_status_reason(reason, TradingSessionStatusCode.WAITING_FOR_ACCOUNT)
                is_shown = True
            await asyncio.sleep(context.timings.keeper_wait)
        if is_shown:
            await context.set_status_reason(None)
