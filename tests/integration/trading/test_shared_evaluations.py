"""One evaluation for all sessions that run the same on the same market, none of which waits for another."""

from collections import Counter
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.model.definitions import StrategyParameter
from domain.model.markets import Timeframe
from domain.model.trading import ParameterValue, TradingSession
from domain.trading import strategy_evaluator
from domain.trading.strategy_evaluator import CandleEvaluation, evaluate_candle
from domain.trading.trading_sessions import TradingSessionRequest
from tests.support.trading import BTC
from tests.support.trading_node import TradingNode, strategy


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> Counter[datetime]:
    """Count how often each candle is evaluated."""
    counts: Counter[datetime] = Counter()

    def counted(*arguments: Any, **options: Any) -> CandleEvaluation:
        evaluation = evaluate_candle(*arguments, **options)
        counts[evaluation.candle.open_time] += 1
        return evaluation

    monkeypatch.setattr(strategy_evaluator, "evaluate_candle", counted)
    return counts


async def same_sessions(node: TradingNode, **changes: object) -> list[TradingSession]:
    """Return three sessions of one strategy version, two of them on one account."""
    accounts = [await node.account(), await node.account()]
    first = await node.session(accounts[0], strategy(**changes))
    request = TradingSessionRequest(first.strategy_version_id, accounts[0].id, BTC, Timeframe.M1)
    started = [first]
    for account in accounts:
        session = await node.trading_sessions.start(node.user, replace(request, account_id=account.id), None)
        started.append(await node.until(session, lambda now: now.status.value == "RUNNING", "it starts"))
        await node.until_reconciled(account)
    return started


async def test_a_candle_is_evaluated_once_for_sessions_on_several_accounts(
    node: TradingNode, evaluated: Counter[datetime]
) -> None:
    sessions = await same_sessions(node)
    candle = await node.feed.close_candle()
    for session in sessions:
        await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    assert evaluated[candle.open_time] == 1
    signals = [signal for session in sessions for signal in await node.signals(session)]
    assert len({signal.reason for signal in signals}) == 1
    assert len({signal.trading_session_id for signal in signals}) == len(signals) == 3


async def test_other_parameters_are_another_evaluation(node: TradingNode, evaluated: Counter[datetime]) -> None:
    account, parameters = await node.account(), (StrategyParameter("n", Decimal(3)),)
    first = await node.session(account, strategy(enter_long="close > 0 and n < 5", parameters=parameters))
    request = TradingSessionRequest(
        first.strategy_version_id, account.id, BTC, Timeframe.M1, (ParameterValue("n", Decimal(7)),)
    )
    other = await node.trading_sessions.start(node.user, request, None)
    await node.until(other, lambda now: now.status.value == "RUNNING", "it starts")
    candle = await node.feed.close_candle()
    await node.until_position(first, lambda now: now.quantity > 0, "it buys")
    await node.until_processed(other, candle)
    assert evaluated[candle.open_time] == 2
    assert await node.summary(other) == []


async def test_a_session_that_is_held_up_holds_up_no_other(node: TradingNode) -> None:
    slow, *others = await same_sessions(node)
    async with node.database.transaction() as transaction:
        await transaction.trading_sessions.get_for_update(slow.id)
        candle = await node.feed.close_candle()
        for session in others:
            await node.until_position(session, lambda now: now.quantity > 0, "it buys")
        assert await node.signals(slow) == []
    await node.until_position(slow, lambda now: now.quantity > 0, "it buys as well")
    assert [signal.candle_at for signal in await node.signals(slow)] == [candle.open_time]


async def test_a_session_that_ends_leaves_the_evaluation_to_the_others(node: TradingNode) -> None:
    first, second, third = await same_sessions(node)
    for session in (first, third):
        await node.trading_sessions.stop(node.user.id, session.id, close_position=False)
        await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    await node.feed.close_candle()
    await node.until_position(second, lambda now: now.quantity > 0, "it buys")
    assert await node.signals(first) == await node.signals(third) == []
