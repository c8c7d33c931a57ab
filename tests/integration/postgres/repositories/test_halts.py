"""Which halts apply to a trading session: the same ones wherever it is asked."""

import pytest

from domain.model.trading_state import ENGINE_ID, Halt, HaltAuthor, HaltLevel, TradingState
from infra.postgres.connection import Connection
from infra.postgres.repositories.halts import PostgresHalts
from infra.postgres.repositories.orders import PostgresOrders
from tests.support.trading import World, at

FORBIDS = "SELECT halt_forbids(ARRAY['HALTED'], $1, $2, $3)"


async def answers(connection: Connection, world: World) -> list[bool]:
    """Return whether a halt applies, as the ladder, the commit of a decision and the risk checks find it."""
    session, halts, orders = world.session, PostgresHalts(connection), PostgresOrders(connection)
    snapshot = await orders.risk_snapshot(world.order(trading_session_id=session.id), at(0))
    forbids = await connection.fetchval(FORBIDS, session.user_id, session.account_id, session.id)
    return [await halts.apply_to(session), forbids, bool(snapshot.halts)]


@pytest.mark.parametrize("level", list(HaltLevel))
async def test_a_halt_of_each_level_applies_to_what_is_below_it_and_to_nothing_else(
    connection: Connection, world: World, stranger: World, level: HaltLevel
) -> None:
    subjects = {
        HaltLevel.ENGINE: ENGINE_ID,
        HaltLevel.USER: world.user.id,
        HaltLevel.ACCOUNT: world.account.id,
        HaltLevel.TRADING_SESSION: world.session.id,
    }
    assert await answers(connection, world) == [False] * 3
    halt = Halt(level, subjects[level], TradingState.HALTED, at(0), HaltAuthor.SELF, None)
    await PostgresHalts(connection).put(halt)
    assert await answers(connection, world) == [True] * 3
    assert await answers(connection, stranger) == [level is HaltLevel.ENGINE] * 3
