"""Positions: at most one open one of an account, market and session, and all closed ones."""

from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest

from domain.core.pagination import KeysetPage
from domain.model.orders import OrderRole
from domain.model.protection import PositionIntent
from domain.model.trading import Position
from domain.model.trading_state import ENGINE_ID, Halt, HaltAuthor, HaltLevel, TradingState
from infra.postgres.connection import Connection
from infra.postgres.repositories.halts import PostgresHalts
from infra.postgres.repositories.positions import PostgresPositions
from infra.postgres.repositories.protection import PostgresProtection
from infra.postgres.repositories.trading_sessions import PostgresTradingSessions
from tests.support.trading import BTC, ETH, World, at, new_id


@pytest.fixture
def positions(connection: Connection) -> PostgresPositions:
    return PostgresPositions(connection)


async def test_a_position_comes_back_as_it_was_stored(positions: PostgresPositions, world: World) -> None:
    bare = world.position()
    full = world.position(
        trading_session_id=world.session.id,
        quantity=Decimal("-0.123456789012345678"),
        dust=Decimal("0.00000001"),
        average_price=Decimal("60000.123456789012345678"),
        realized_profit=Decimal("-12.5"),
        fees=Decimal("1.25"),
        closed_at=at(9),
        missing=Decimal("0.25"),
        unpriced_fees=("BNB", "XYZ"),
    )
    for position in (bare, full):
        await positions.save(position)
        assert await positions.get(world.user.id, position.id) == position


async def test_a_position_is_changed_in_its_place_until_it_is_flat(positions: PostgresPositions, world: World) -> None:
    position = world.position(quantity=Decimal(1))
    await positions.save(position)
    grown = position.changed(
        quantity=Decimal(2),
        average_price=Decimal(60_500),
        fees=Decimal(3),
        realized_profit=Decimal(-3),
    )
    await positions.save(grown)
    assert await positions.get_open_for_update(world.account.id, BTC, None) == grown
    flat = grown.changed(quantity=Decimal(0), dust=Decimal("0.000001"), closed_at=at(60))
    await positions.save(flat)
    assert await positions.get_open_for_update(world.account.id, BTC, None) is None
    assert await positions.get(world.user.id, position.id) == flat


async def test_open_positions_are_kept_apart_by_account_market_and_session(
    positions: PostgresPositions, world: World, stranger: World
) -> None:
    by_hand, of_session = world.position(), world.position(trading_session_id=world.session.id)
    elsewhere, theirs = world.position(market=ETH), stranger.position()
    for position in (by_hand, of_session, elsewhere, theirs):
        await positions.save(position)
    account = world.account.id
    assert await positions.get_open_for_update(account, BTC, None) == by_hand
    assert await positions.get_open_for_update(account, BTC, world.session.id) == of_session
    assert await positions.get_open_for_update(account, ETH, None) == elsewhere
    assert await positions.get_open_for_update(stranger.account.id, BTC, None) == theirs
    assert await positions.get_open_for_update(account, ETH, world.session.id) is None
    assert await positions.list_open(account) == [by_hand, of_session, elsewhere]


@pytest.mark.parametrize("of_session", [True, False])
async def test_a_second_open_position_in_the_same_place_is_refused(
    positions: PostgresPositions, world: World, of_session: bool
) -> None:
    session_id: UUID | None = world.session.id if of_session else None
    first = world.position(trading_session_id=session_id)
    await positions.save(first)
    with pytest.raises(asyncpg.UniqueViolationError):
        await positions.save(world.position(trading_session_id=session_id))
    await positions.save(first.changed(closed_at=at(1)))
    await positions.save(world.position(trading_session_id=session_id))


async def test_a_position_of_another_user_is_as_if_absent(
    positions: PostgresPositions, world: World, stranger: World
) -> None:
    position = world.position()
    await positions.save(position)
    assert await positions.get(stranger.user.id, position.id) is None
    assert await positions.list_page(stranger.user.id, KeysetPage(9)) == []
    assert await positions.list_page(stranger.user.id, KeysetPage(9), account_id=world.account.id) == []


async def test_a_page_holds_only_what_the_filter_selects_newest_first(
    positions: PostgresPositions, world: World
) -> None:
    closed = [world.position(closed_at=at(seconds)) for seconds in (1, 2)]
    opened = [world.position(), world.position(market=ETH)]
    for position in (*closed, *opened):
        await positions.save(position)
    newest = [*closed, *opened][::-1]
    user = world.user.id

    async def found(page: KeysetPage, **filters: object) -> list[Position]:
        return await positions.list_page(user, page, **filters)  # type: ignore[arg-type]

    assert await found(KeysetPage(3)) == newest[:3]
    assert await found(KeysetPage(3, after=newest[2].id)) == newest[3:]
    assert await found(KeysetPage(2, backwards=True)) == newest[2:]
    assert await found(KeysetPage(9), is_open=True) == opened[::-1]
    assert await found(KeysetPage(9), is_open=False) == closed[::-1]
    assert await found(KeysetPage(9), market=ETH) == opened[1:]
    assert await found(KeysetPage(9), account_id=new_id()) == []


async def test_the_newest_position_of_each_session_is_found(
    positions: PostgresPositions, world: World, connection: Connection
) -> None:
    other = world.new_session()
    await PostgresTradingSessions(connection).add(other)
    old = world.position(trading_session_id=world.session.id, closed_at=at(1))
    newest = world.position(trading_session_id=world.session.id)
    of_other = world.position(trading_session_id=other.id, closed_at=at(1))
    for position in (old, newest, of_other):
        await positions.save(position)
    found = await positions.latest_by_session([other.id, world.session.id, other.id, new_id()])
    assert sorted(found, key=lambda position: position.id) == [newest, of_other]


@pytest.mark.parametrize("level", HaltLevel)
async def test_open_positions_below_a_halt_that_closes_them_are_found_until_they_are_being_closed(
    connection: Connection, positions: PostgresPositions, world: World, level: HaltLevel
) -> None:
    by_hand = world.position(quantity=Decimal(1))
    of_session = world.position(trading_session_id=world.session.id, quantity=Decimal(1))
    for position in (by_hand, of_session, world.position(market=ETH, closed_at=at(1))):
        await positions.save(position)
    subjects = {HaltLevel.ENGINE: ENGINE_ID, HaltLevel.USER: world.user.id, HaltLevel.ACCOUNT: world.account.id}
    halt = Halt(
        level, subjects.get(level, world.session.id), TradingState.HALTED, at(0), HaltAuthor.SELF, None,
        close_positions=True,
    )  # fmt: skip
    assert await positions.list_halted(None) == []
    assert not await PostgresProtection(connection).needs_keeper(world.account.id)
    await PostgresHalts(connection).put(halt)
    assert await PostgresProtection(connection).needs_keeper(world.account.id)
    expected = [of_session] if level is HaltLevel.TRADING_SESSION else [by_hand, of_session]
    assert await positions.list_halted([world.account.id]) == await positions.list_halted(None) == expected
    assert await positions.list_halted([new_id()]) == []
    for position in expected:
        assert await PostgresProtection(connection).add_intent(
            PositionIntent(
                new_id(), world.user.id, world.account.id, BTC, OrderRole.CLOSE, "halt", at(1),
                position.trading_session_id, position.id,
            )
        )  # fmt: skip
    assert await positions.list_halted(None) == []
