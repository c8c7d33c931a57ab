"""Strategies and their versions."""

from dataclasses import replace
from decimal import Decimal

import asyncpg
import pytest

from domain.core.pagination import KeysetPage
from domain.model.definitions import ExitDistance, OrderStyle, Sizing, StrategyDefinition, StrategyParameter
from domain.model.orders import OrderType, TimeInForce
from infra.postgres.connection import Connection
from infra.postgres.repositories.strategies import PostgresStrategies
from tests.support.trading import World, at, new_id, new_strategy, new_version

FULL = StrategyDefinition(
    sizing=Sizing(risk_percent=Decimal("1.50")),
    parameters=(
        StrategyParameter("fast", Decimal(12), min=Decimal(4), max=Decimal(40), step=Decimal("0.5")),
        StrategyParameter("slow", Decimal("1E+2")),
    ),
    enter_long='crosses_above(ema(close, fast), ema(close, slow)) and tf("4h").close > 1  # Ä \\ "quoted"',
    exit_long="crosses_below(ema(close, fast), ema(close, slow))",
    enter_short="close < 1",
    exit_short="close > 1",
    stop_loss=ExitDistance(atr_multiple=Decimal(2)),
    take_profit=ExitDistance(percent=Decimal("4.25")),
    trailing_stop=ExitDistance(absolute=Decimal("0.000000000000000001")),
    max_holding_bars=96,
    order=OrderStyle(OrderType.LIMIT, Decimal(2), TimeInForce.GTC, post_only=True, give_up_after_seconds=60),
)


@pytest.fixture
def strategies(connection: Connection) -> PostgresStrategies:
    return PostgresStrategies(connection)


async def test_a_strategy_and_its_version_come_back_as_they_were_stored(
    strategies: PostgresStrategies, world: World
) -> None:
    strategy = new_strategy(world.user.id, description="follows the trend", archived_at=at(3), current_version=1)
    version = new_version(strategy, definition=FULL, language_version=2)
    await strategies.add(strategy, version)
    assert await strategies.get_for_update(world.user.id, strategy.id) == strategy
    assert await strategies.get_version(world.user.id, version.id) == version
    assert await strategies.get_for_update(world.user.id, world.strategy.id) == world.strategy
    assert await strategies.get_version(world.user.id, world.version.id) == world.version


async def test_a_change_makes_a_new_version_and_keeps_the_old_one(strategies: PostgresStrategies, world: World) -> None:
    second = new_version(world.strategy, 2, definition=FULL)
    changed = replace(world.strategy, name="renamed", description="x", current_version=2)
    await strategies.add_version(second)
    await strategies.update(changed)
    user, strategy = world.user.id, world.strategy.id
    assert await strategies.get_for_update(user, strategy) == changed
    assert await strategies.get_version_by_number(user, strategy, 1) == world.version
    assert await strategies.get_version_by_number(user, strategy, 2) == second
    assert await strategies.get_version_by_number(user, strategy, 3) is None
    assert await strategies.get_latest_versions([strategy, new_id()]) == [second]
    assert await strategies.list_versions(user, strategy, KeysetPage(9)) == [second, world.version]
    assert await strategies.list_versions(user, strategy, KeysetPage(9, after=second.id)) == [world.version]


async def test_a_number_is_given_to_one_version(strategies: PostgresStrategies, world: World) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await strategies.add_version(new_version(world.strategy, 1))


async def test_what_another_user_has_is_as_if_absent(
    strategies: PostgresStrategies, world: World, stranger: World
) -> None:
    other, mine = stranger.user.id, world.strategy.id
    assert await strategies.get_for_update(other, mine) is None
    assert await strategies.get_version(other, world.version.id) is None
    assert await strategies.get_version_by_number(other, mine, 1) is None
    assert await strategies.list_versions(other, mine, KeysetPage(9)) == []
    assert await strategies.list_page(other, KeysetPage(9)) == [stranger.strategy]
    assert await strategies.archive(other, mine, at(1)) is None
    assert await strategies.get_for_update(world.user.id, mine) == world.strategy


async def test_an_archived_strategy_keeps_the_time_of_the_first_call(
    strategies: PostgresStrategies, world: World
) -> None:
    archived = replace(world.strategy, archived_at=at(1))
    assert await strategies.archive(world.user.id, world.strategy.id, at(1)) == archived
    assert await strategies.archive(world.user.id, world.strategy.id, at(2)) == archived
    assert await strategies.list_page(world.user.id, KeysetPage(9)) == []
    assert await strategies.list_page(world.user.id, KeysetPage(9), archived=True) == [archived]


async def test_strategies_are_paged_from_new_to_old_and_back(strategies: PostgresStrategies, world: World) -> None:
    made = [world.strategy]
    for name in ("b", "c", "d"):
        made.append(new_strategy(world.user.id, name=name))
        await strategies.add(made[-1], new_version(made[-1]))
    newest = made[::-1]
    user = world.user.id
    assert await strategies.list_page(user, KeysetPage(3)) == newest[:3]
    assert await strategies.list_page(user, KeysetPage(3, after=newest[2].id)) == newest[3:]
    assert await strategies.list_page(user, KeysetPage(2, backwards=True)) == newest[2:]


async def test_batches_find_what_exists(strategies: PostgresStrategies, world: World, stranger: World) -> None:
    found = await strategies.get_many([world.strategy.id, stranger.strategy.id, new_id()])
    assert {strategy.id for strategy in found} == {world.strategy.id, stranger.strategy.id}
    assert await strategies.get_many_versions([world.version.id, new_id()]) == [world.version]
