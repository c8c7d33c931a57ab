import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.core.pagination import KeysetPage
from domain.model.definitions import Sizing, StrategyDefinition
from domain.model.strategies import Strategy
from domain.model.users import User
from domain.trading.strategies import StrategyRequest, StrategyService
from infra.clock import SystemClock, TimeOrderedIds
from infra.postgres.database import PostgresDatabase
from tests.support.users import stored_user

RULES = StrategyDefinition(sizing=Sizing(quote_amount=Decimal(100)), enter_long="close > 1")
REQUEST = StrategyRequest("cross", None, RULES)


@pytest.fixture
def service(database: PostgresDatabase) -> StrategyService:
    return StrategyService(database, SystemClock(), TimeOrderedIds())


@pytest.fixture
async def user(database: PostgresDatabase) -> User:
    return await stored_user(database)


async def versions(database: PostgresDatabase, strategy: Strategy) -> list[tuple[int, StrategyDefinition]]:
    async with database.read_only() as reading:
        found = await reading.strategies.list_versions(strategy.user_id, strategy.id, KeysetPage(100))
    return [(version.number, version.definition) for version in found]


async def refused(attempt: object) -> ErrorCode:
    with pytest.raises(InputError) as error:
        await attempt  # type: ignore[misc]
    return error.value.code


async def test_a_change_makes_a_version_and_leaves_the_old_one(
    database: PostgresDatabase, service: StrategyService, user: User
) -> None:
    strategy = await service.create(user.id, REQUEST, None)
    changed = replace(RULES, enter_long="close > 2")
    updated = await service.update(user.id, strategy.id, description="better", definition=changed, expected_version=1)

    assert (updated.current_version, updated.name, updated.description) == (2, "cross", "better")
    assert await versions(database, strategy) == [(2, changed), (1, RULES)]
    renamed = await service.update(user.id, strategy.id, "crossing")
    assert (renamed.name, renamed.current_version) == ("crossing", 2)


async def test_changes_at_once_get_a_number_each_and_an_expected_one_lets_one_through(
    database: PostgresDatabase, service: StrategyService, user: User
) -> None:
    strategy = await service.create(user.id, REQUEST, None)
    changes = [service.update(user.id, strategy.id, definition=RULES) for _ in range(5)]
    assert sorted(strategy.current_version for strategy in await asyncio.gather(*changes)) == [2, 3, 4, 5, 6]

    expecting = [service.update(user.id, strategy.id, definition=RULES, expected_version=6) for _ in range(4)]
    outcomes = await asyncio.gather(*expecting, return_exceptions=True)
    assert [outcome.code for outcome in outcomes if isinstance(outcome, InputError)] == [ErrorCode.CONFLICT] * 3


async def test_the_same_key_makes_one_strategy(
    service: StrategyService, user: User, database: PostgresDatabase
) -> None:
    made = await asyncio.gather(*(service.create(user.id, REQUEST, "key") for _ in range(4)))

    assert len({strategy.id for strategy in made}) == 1
    assert await refused(service.create(user.id, replace(REQUEST, name="other"), "key")) is ErrorCode.CONFLICT
    assert (await service.create((await stored_user(database)).id, REQUEST, "key")).id != made[0].id
    for key in ("", "x" * 129, "a\0b"):
        assert await refused(service.create(user.id, REQUEST, key)) is ErrorCode.INVALID


async def test_a_rule_with_a_mistake_stores_nothing(
    database: PostgresDatabase, service: StrategyService, user: User
) -> None:
    with pytest.raises(InputErrors) as refused_rules:
        await service.create(user.id, replace(REQUEST, definition=replace(RULES, enter_long="clsoe > 1")), "key")
    (error,) = refused_rules.value.errors
    assert error.code is ErrorCode.STRATEGY_INVALID
    assert error.path == ("input", "definition", "enterLong")

    assert (await service.create(user.id, REQUEST, "key")).name == "cross"


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 2_001])
async def test_a_description_that_cannot_be_stored_is_an_error(service: StrategyService, user: User, text: str) -> None:
    assert await refused(service.create(user.id, replace(REQUEST, description=text), None)) is ErrorCode.INVALID
    strategy = await service.create(user.id, REQUEST, None)
    assert await refused(service.update(user.id, strategy.id, description=text)) is ErrorCode.INVALID
    assert await refused(service.update(user.id, strategy.id, text)) is ErrorCode.INVALID


async def test_what_is_another_users_is_as_if_absent(
    database: PostgresDatabase, service: StrategyService, user: User
) -> None:
    strategy, stranger = await service.create(user.id, REQUEST, None), await stored_user(database)

    assert await refused(service.update(stranger.id, strategy.id, "mine")) is ErrorCode.NOT_FOUND
    assert await refused(service.archive(stranger.id, strategy.id)) is ErrorCode.NOT_FOUND
    assert (await service.archive(user.id, strategy.id)).archived_at is not None
