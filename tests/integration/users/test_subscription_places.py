"""A user's subscriptions are counted on all nodes together, and those of a node that died are free after a while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from domain.core.background import BackgroundTasks
from domain.core.errors import Unavailable
from domain.model.users import User
from domain.users.subscription_places import NoPlaceLeft, SubscriptionPlaces
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.clocks import ManualClock
from tests.support.postgres import patient_database
from tests.support.users import stored_user
from tests.support.waiting import read_until


@pytest.fixture
async def database(pool: Pool) -> AsyncIterator[PostgresDatabase]:
    database = patient_database(pool, EmbeddedBus(), ManualClock())
    yield database
    await database.close()


@pytest.fixture
async def user(database: PostgresDatabase) -> User:
    return await stored_user(database)


async def opened(stack: AsyncExitStack, places: SubscriptionPlaces, user: User, most: int) -> bool:
    try:
        await stack.enter_async_context(places.place(user.id, most))
    except NoPlaceLeft:
        return False
    return True


@pytest.mark.parametrize("most", [0, 1, 7, 250])
async def test_two_nodes_give_as_many_places_at_once_as_the_plan_allows(
    database: PostgresDatabase, user: User, most: int
) -> None:
    nodes = [SubscriptionPlaces(database, name) for name in ("a", "b")]
    async with AsyncExitStack() as stack:
        found = await asyncio.gather(*(opened(stack, node, user, most) for node in nodes for _ in range(most + 3)))
        assert most - most // 100 <= sum(found) <= most
        assert not await opened(stack, nodes[0], user, 0)


async def test_a_place_that_is_given_back_is_another_node_s(database: PostgresDatabase, user: User, pool: Pool) -> None:
    here, there = SubscriptionPlaces(database, "a"), SubscriptionPlaces(database, "b")
    async with AsyncExitStack() as stack:
        async with here.place(user.id, 1):
            assert not await opened(stack, there, user, 1)
        await here.renew({user.id})
        assert await opened(stack, there, user, 1)
    await there.renew({user.id})
    assert await pool.fetchval("SELECT count(*) FROM subscription_places") == 0


async def test_the_places_of_a_node_that_died_lapse(database: PostgresDatabase, user: User, pool: Pool) -> None:
    dead, lives = SubscriptionPlaces(database, "a"), SubscriptionPlaces(database, "b")
    async with AsyncExitStack() as stack:
        assert await opened(stack, dead, user, 1)
        assert not await opened(stack, lives, user, 1)
        await pool.execute("UPDATE subscription_places SET expires_at = now() - interval '1 second'")
        assert await opened(stack, lives, user, 1)


async def test_what_is_open_stays_open_when_the_plan_shrinks(database: PostgresDatabase, user: User) -> None:
    node = SubscriptionPlaces(database, "a")
    async with AsyncExitStack() as stack:
        assert [await opened(stack, node, user, 2) for _ in range(2)] == [True, True]
        await node.renew({user.id})
        assert not await opened(stack, node, user, 1)
        assert not await opened(stack, SubscriptionPlaces(database, "b"), user, 2)


async def test_while_the_database_is_away_each_node_counts_alone(
    database: PostgresDatabase, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise Unavailable("The database can't be reached.")

    monkeypatch.setattr(database, "transaction", away)
    node = SubscriptionPlaces(database, "a")
    async with AsyncExitStack() as stack:
        assert [await opened(stack, node, user, 2) for _ in range(3)] == [True, True, False]


async def test_places_are_renewed_again_after_an_unexpected_error(
    database: PostgresDatabase, user: User, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([ValueError("a fault"), ValueError("a fault")])
    renew = SubscriptionPlaces.renew

    async def fails_at_first(places: SubscriptionPlaces, users: set[UUID]) -> None:
        if (error := next(failures, None)) is not None:
            raise error
        await renew(places, users)

    monkeypatch.setattr(SubscriptionPlaces, "renew", fails_at_first)
    node = SubscriptionPlaces(database, "a", give_back_seconds=0.01)
    async with node.place(user.id, 1):
        pass

    async def left() -> object:
        return await pool.fetchval("SELECT count(*) FROM subscription_places")

    async with BackgroundTasks() as tasks:
        tasks.start(node.run())
        await read_until(left, lambda count: count == 0, "what is free is given back")
