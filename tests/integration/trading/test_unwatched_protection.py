"""A position that the engine can't watch: its protection is kept, its user is alerted, and it goes on by itself."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.model.definitions import ExitDistance
from domain.model.protection import PositionProtection
from domain.model.trading import Account, TradingSession
from domain.trading.dependencies import TradingTimings
from infra.postgres.pool import Pool
from tests.integration.trading.conftest import SandboxAddress
from tests.support.trading_node import TradingNode, strategy, trading_node
from tests.support.waiting import read_until

STOP_2 = ExitDistance(percent=Decimal(2))
PATIENCE = 0.3


@pytest.fixture
async def node(pool: Pool, shared_sandbox: SandboxAddress) -> AsyncIterator[TradingNode]:
    async with trading_node(pool, shared_sandbox.url, shared_sandbox.token) as node:
        await node.trader.close()
        await start(node, "alerts soon", PATIENCE)
        yield node


async def start(node: TradingNode, holder: str, unwatched_after: float) -> None:
    timings = TradingTimings(poll_interval=0.1, rest_interval=0.1)
    await node.restart(holder, replace(timings, execution=replace(timings.execution, unwatched_after=unwatched_after)))


async def in_a_position(node: TradingNode) -> TradingSession:
    session = await node.session(await node.account(), strategy(stop_loss=STOP_2))
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.until_protected(session)
    return session


async def until_protection(node: TradingNode, session: TradingSession, *, is_watched: bool) -> PositionProtection:
    async def read() -> PositionProtection:
        async with node.database.read_only() as reading:
            (found,) = await reading.protection.list_open(session.account_id)
        return found

    return await read_until(
        read, lambda now: (now.unwatched_since is None) == is_watched, f"it is watched: {is_watched}"
    )


async def alerts(node: TradingNode) -> list[str]:
    return [message for message in await node.alerts() if "can't be watched" in message]


async def test_a_market_that_leaves_the_venue_alerts_once_and_its_position_stays_protected(node: TradingNode) -> None:
    session = await in_a_position(node)
    await node.list_market(active=False)
    protection = await until_protection(node, session, is_watched=False)
    assert protection.unwatched_reason == "sandbox:BTC/USDT is not traded at its venue now."
    (alert,) = await alerts(node)
    assert alert.startswith("The protection of a position on sandbox:BTC/USDT can't be watched")
    await node.trader.close()
    await start(node, "has alerted", PATIENCE)
    await node.until_reconciled(await read_account(node, session))
    await node.list_market(active=True)
    again = await until_protection(node, session, is_watched=True)
    assert again.stop_loss_price == protection.stop_loss_price
    assert again.unwatched_reason is None
    assert await alerts(node) == [alert]
    await node.until_protected(session)
    await node.feed.trade(protection.stop_loss_price - 1)
    await node.until_position(session, lambda now: now.closed_at, "its stop-loss closes it")


async def test_a_market_without_prices_alerts_each_time_that_they_stop(node: TradingNode) -> None:
    session = await in_a_position(node)
    for times in (1, 2):
        await node.feed.lose_book()
        lost = await until_protection(node, session, is_watched=False)
        assert lost.unwatched_reason == "No prices of sandbox:BTC/USDT come from its venue."
        assert len(await alerts(node)) == times
        node.feed.follow_book()
        await until_protection(node, session, is_watched=True)


async def test_a_moment_without_prices_alerts_nobody(node: TradingNode) -> None:
    await node.trader.close()
    await start(node, "alerts late", 3600)
    session = await in_a_position(node)
    await node.list_market(active=False)
    await node.feed.close_candle()
    await node.list_market(active=True)
    await node.until_processed(session, await node.feed.close_candle())
    assert await alerts(node) == []


async def test_a_stop_that_was_passed_while_nothing_was_watched_closes_once_the_candles_are_there(
    node: TradingNode,
) -> None:
    session = await in_a_position(node)
    stop = (await node.until_protected(session)).stop_loss_price
    assert stop is not None
    await node.list_market(active=False)
    await until_protection(node, session, is_watched=False)
    await node.feed.close_candle()  # of the entry: only its close counts
    await node.feed.close_candle(published=False, low=stop - 1)
    await node.list_market(active=True)
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.closed_at, "the candle's low closes it")


async def read_account(node: TradingNode, session: TradingSession) -> Account:
    async with node.database.read_only() as reading:
        found = await reading.accounts.by_id(session.account_id)
    assert found is not None
    return found
