"""Many trading sessions on one node: they start together, and the leases of their accounts are never lost."""

from datetime import UTC, datetime

from domain.model.trading import Account, TradingSession
from domain.ports.bus import commands_topic
from tests.support.trading import new_session
from tests.support.trading_node import NEVER, TradingNode, strategy
from tests.support.waiting import read_until

ACCOUNTS, SESSIONS = 3, 150
EPOCHS = "SELECT key, epoch FROM leases WHERE kind = 'account' ORDER BY key"
WITH_STATUS = "SELECT count(*) FROM trading_sessions WHERE status = $1"
PROCESSED = "SELECT count(*) FROM trading_session_candles WHERE last_candle_at >= $1"


async def start_many(node: TradingNode) -> tuple[list[Account], TradingSession]:
    """Store many trading sessions at once on several accounts, and return the accounts and the first session."""
    accounts = [await node.account() for _ in range(ACCOUNTS)]
    first = await node.session(accounts[0], strategy(enter_long=NEVER))
    started_at = datetime(2026, 1, 1, tzinfo=UTC)
    async with node.database.transaction() as transaction:
        for index in range(1, SESSIONS):
            account = accounts[index % ACCOUNTS]
            session = new_session(node.user.id, account.id, first.strategy_version_id, started_at=started_at)
            await transaction.trading_sessions.add(session)
    for account in accounts:
        await node.bus.publish(commands_topic(account.id), b"")
    return accounts, first


async def until_all(node: TradingNode, what: str, query: str, *arguments: object) -> None:
    """Return once the query counts all sessions."""
    await read_until(lambda: node.pool.fetchval(query, *arguments), lambda count: count == SESSIONS, what)


async def test_many_sessions_start_together_and_keep_the_leases(node: TradingNode) -> None:
    accounts, _ = await start_many(node)
    await until_all(node, "they run", WITH_STATUS, "RUNNING")
    epochs = {row["key"]: row["epoch"] for row in await node.pool.fetch(EPOCHS)}
    assert epochs == {str(account.id): 1 for account in accounts}


async def test_another_node_takes_many_sessions_over_and_acts_on_the_next_candle(node: TradingNode) -> None:
    await start_many(node)
    await until_all(node, "they run", WITH_STATUS, "RUNNING")
    await node.trader.close()
    await node.restart("node-2")
    candle = await node.feed.close_candle()
    await until_all(node, "they processed the candle", PROCESSED, candle.open_time)
    epochs = [row["epoch"] for row in await node.pool.fetch(EPOCHS)]
    assert epochs == [2] * ACCOUNTS
