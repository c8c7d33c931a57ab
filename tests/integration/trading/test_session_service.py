"""What users ask of trading sessions: started once, steered by their state, refused with what is wrong."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.model.definitions import Sizing, StrategyDefinition, StrategyParameter
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.trading import Account, ParameterValue, RiskLimits, TradingSession, TradingSessionStatus
from domain.model.trading import TradingSessionStatusCode as Code
from domain.trading.trading_sessions import TradingSessionRequest
from tests.support.plans import set_limits
from tests.support.trading import BTC
from tests.support.trading_node import TradingNode, strategy

PERIOD = StrategyParameter("n", Decimal(3), Decimal(2), Decimal(50))
BY_PERIOD = strategy(enter_long="close > sma(close, n)", parameters=(PERIOD,))


async def refusal(
    node: TradingNode, account: Account, definition: StrategyDefinition, **changes: object
) -> list[tuple[ErrorCode, tuple[str, ...]]]:
    """Return codes and paths of what is wrong with starting such a session."""
    with pytest.raises(InputErrors) as found:
        await node.start_session(account, definition, **changes)
    return [(error.code, error.path) for error in found.value.errors]


async def test_all_that_isnt_there_is_an_error_at_once(node: TradingNode) -> None:
    nowhere = TradingSessionRequest(UUID(int=1), UUID(int=2), MarketSymbol("sandbox", "NO/SUCH"), Timeframe.M1)
    with pytest.raises(InputErrors) as found:
        await node.trading_sessions.start(node.user, nowhere, None)
    assert {(error.code, error.path) for error in found.value.errors} == {
        (ErrorCode.NOT_FOUND, ("input", "account")),
        (ErrorCode.NOT_FOUND, ("input", "market")),
        (ErrorCode.NOT_FOUND, ("input", "strategyVersion")),
    }


@pytest.mark.parametrize("value", ["1", "51"])
async def test_a_parameter_out_of_its_range_is_an_error_with_its_path(node: TradingNode, value: str) -> None:
    parameters = (ParameterValue("n", Decimal(value)),)
    errors = await refusal(node, await node.account(), BY_PERIOD, parameters=parameters)
    assert errors == [(ErrorCode.INVALID, ("input", "parameters", "0"))]


async def test_a_parameter_that_makes_a_rule_unreadable_is_an_error_before_the_session_starts(
    node: TradingNode,
) -> None:
    parameters = (ParameterValue("n", Decimal("2.5")),)
    errors = await refusal(node, await node.account(), BY_PERIOD, parameters=parameters)
    assert errors == [(ErrorCode.INVALID, ("input", "parameters"))]


async def test_unknown_and_repeated_parameters_are_refused(node: TradingNode) -> None:
    account, known = await node.account(), ParameterValue("n", Decimal(4))
    unknown = (ParameterValue("m", Decimal(4)),)
    assert await refusal(node, account, BY_PERIOD, parameters=unknown) == [
        (ErrorCode.INVALID, ("input", "parameters", "0"))
    ]
    assert await refusal(node, account, BY_PERIOD, parameters=(known, known)) == [
        (ErrorCode.INVALID, ("input", "parameters"))
    ]


async def test_what_a_spot_market_cant_do_is_unsupported(node: TradingNode) -> None:
    account = await node.account()
    unsupported = [(ErrorCode.UNSUPPORTED, ("input", "strategyVersion"))]
    assert await refusal(node, account, strategy(enter_short="close > 0")) == unsupported


async def test_sizing_and_limits_of_the_session_are_checked(node: TradingNode) -> None:
    sizing, risk = Sizing(risk_percent=Decimal(1)), RiskLimits(max_drawdown_percent=Decimal(101))
    errors = await refusal(node, await node.account(), strategy(), sizing=sizing, risk=risk)
    assert [path for _, path in errors] == [("input", "sizing", "riskPercent"), ("input", "risk", "maxDrawdownPercent")]


async def test_an_account_of_somebody_else_isnt_there(node: TradingNode) -> None:
    account = await node.account()
    stranger = await node.another_user()
    request = TradingSessionRequest(UUID(int=1), account.id, BTC, Timeframe.M1)
    with pytest.raises(InputErrors) as found:
        await node.trading_sessions.start(stranger, request, None)
    assert ("input", "account") in [error.path for error in found.value.errors]


async def test_one_key_starts_one_session(node: TradingNode) -> None:
    account = await node.account()
    session = await node.start_session(account, strategy())
    request = TradingSessionRequest(session.strategy_version_id, account.id, BTC, Timeframe.M1)
    first = await node.trading_sessions.start(node.user, request, "k")
    again = await node.trading_sessions.start(node.user, request, "k")
    assert again.id == first.id != session.id
    with pytest.raises(InputError) as conflict:
        await node.trading_sessions.start(node.user, replace(request, timeframe=Timeframe.M5), "k")
    assert conflict.value.code is ErrorCode.CONFLICT


async def test_a_plan_allows_so_many_sessions(node: TradingNode) -> None:
    account = await node.account()
    for _ in range(node.user.plan.max_trading_sessions):
        await node.start_session(account, strategy(enter_long="close < 0"))
    with pytest.raises(InputError) as refused:
        await node.start_session(account, strategy())
    assert refused.value.code is ErrorCode.LIMIT_REACHED


async def test_sessions_started_at_once_on_several_accounts_stay_within_the_plan(node: TradingNode) -> None:
    await set_limits(node.pool, max_trading_sessions=2)
    accounts = [await node.account() for _ in range(6)]
    starts = [node.start_session(account, strategy(enter_long="close < 0")) for account in accounts]
    outcomes = await asyncio.gather(*starts, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, InputError)]
    assert [refusal.code for refusal in refused] == [ErrorCode.LIMIT_REACHED] * 4
    assert sum(isinstance(outcome, TradingSession) for outcome in outcomes) == 2


async def test_a_session_that_has_ended_is_neither_paused_nor_resumed(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy())
    await node.trading_sessions.stop(node.user.id, session.id, close_position=False)
    stopped = await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    for attempt in (node.trading_sessions.pause, node.trading_sessions.resume):
        with pytest.raises(InputError, match="STOPPED") as refused:
            await attempt(node.user.id, session.id)
        assert refused.value.code is ErrorCode.CONFLICT
    assert await node.trading_sessions.stop(node.user.id, session.id, close_position=True) == stopped


async def test_a_session_that_was_paused_before_it_was_warm_starts_when_it_is_resumed(node: TradingNode) -> None:
    session = await node.start_session(await node.account(), strategy(enter_long="close > sma(close, 300)"))
    await node.until(session, lambda now: now.status_reason, "it waits")
    paused = await node.trading_sessions.pause(node.user.id, session.id)
    assert (paused.status.value, paused.status_code) == ("PAUSED", Code.PAUSED_BY_USER)
    resumed = await node.trading_sessions.resume(node.user.id, session.id)
    assert (resumed.status.value, resumed.status_code) == ("STARTING", None)
    await node.feed.fill_history(400)
    running = await node.until(session, lambda now: now.status.value == "RUNNING", "it runs")
    assert (running.status_reason, running.status_code) == (None, None)


async def test_a_session_that_is_paused_while_it_waits_for_candles_stays_paused_by_its_user(node: TradingNode) -> None:
    session = await node.start_session(await node.account(), strategy(enter_long="close > sma(close, 300)"))
    await node.until(session, lambda now: now.status_reason, "it waits")
    await node.trading_sessions.pause(node.user.id, session.id)
    await node.feed.fill_history(400)
    warm = await node.until(session, lambda now: now.last_candle_at, "its candles are there")
    assert (warm.status.value, warm.status_code) == ("PAUSED", Code.PAUSED_BY_USER)
    await node.trading_sessions.stop(node.user.id, session.id, close_position=False)
    stopped = await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    assert stopped.status_code is Code.STOPPED_BY_USER


async def test_a_plan_that_shrinks_ends_nothing_and_lets_nothing_begin(node: TradingNode) -> None:
    account = await node.account()
    rests, runs = [await node.session(account, strategy(enter_long="close < 0")) for _ in range(2)]
    await node.trading_sessions.pause(node.user.id, rests.id)
    await set_limits(node.pool, max_trading_sessions=1)
    with pytest.raises(InputError) as refused:
        await node.trading_sessions.resume(node.user.id, rests.id)
    assert refused.value.code is ErrorCode.LIMIT_REACHED
    assert "allows 1 trading sessions that are live at once; you use 2." in refused.value.message
    with pytest.raises(InputError, match="allows 1 trading sessions"):
        await node.start_session(account, strategy())
    async with node.database.read_only() as reading:
        stored = await reading.trading_sessions.get(node.user.id, runs.id)
    assert stored is not None
    assert stored.status is TradingSessionStatus.RUNNING
    await node.trading_sessions.stop(node.user.id, runs.id, close_position=False)
    await node.until(runs, lambda now: now.status.value == "STOPPED", "it stops")
    assert (await node.trading_sessions.resume(node.user.id, rests.id)).status is TradingSessionStatus.RUNNING


async def test_markets_of_all_live_sessions_are_counted_each_once(node: TradingNode) -> None:
    account = await node.account()
    await node.start_session(account, strategy(enter_long="close < 0"))
    await set_limits(node.pool, max_markets=1)
    await node.start_session(account, strategy(enter_long="close < 0"))
    await set_limits(node.pool, max_markets=0)
    with pytest.raises(InputError, match="allows 0 markets in live trading sessions; you use 1") as refused:
        await node.start_session(account, strategy())
    assert (refused.value.code, refused.value.path) == (ErrorCode.LIMIT_REACHED, ("input", "market"))
