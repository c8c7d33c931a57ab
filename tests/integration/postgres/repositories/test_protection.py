"""Protections of positions and intents to close them: each comes back as stored, and one reason at a time counts."""

from decimal import Decimal

import pytest

from domain.model.markets import Timeframe
from domain.model.orders import OrderRole
from domain.model.protection import (
    ExitLevel,
    PartialTarget,
    PositionIntent,
    PositionProtection,
    ProtectAt,
    ProtectionRules,
)
from infra.postgres.connection import Connection
from infra.postgres.repositories.orders import PostgresOrders
from infra.postgres.repositories.positions import PostgresPositions
from infra.postgres.repositories.protection import PostgresProtection
from infra.postgres.repositories.trading_sessions import PostgresTradingSessions
from tests.support.trading import BTC, NOW, World, at, new_id

RULES = ProtectionRules(
    stop_loss=ExitLevel(price=Decimal("59000.5")),
    take_profit=ExitLevel(percent=Decimal(3)),
    trailing_stop=ExitLevel(absolute=Decimal(250)),
    targets=(PartialTarget(ExitLevel(percent=Decimal(1)), Decimal("0.5")),),
    maximum_bars=12,
    timeframe=Timeframe.H1,
)


@pytest.fixture
def protection(connection: Connection) -> PostgresProtection:
    return PostgresProtection(connection)


def a_protection(world: World, **changes: object) -> PositionProtection:
    bare = PositionProtection(new_id(), world.user.id, world.account.id, BTC, ProtectionRules(), NOW)
    return bare.changed(**changes)


def an_intent(world: World, **changes: object) -> PositionIntent:
    bare = PositionIntent(new_id(), world.user.id, world.account.id, BTC, OrderRole.STOP_LOSS, "It was reached.", NOW)
    return bare.changed(**changes)


async def test_a_protection_comes_back_as_it_was_stored(
    protection: PostgresProtection, world: World, connection: Connection
) -> None:
    order, position = world.order(), world.position(trading_session_id=world.session.id)
    await PostgresOrders(connection).add(order)
    await PostgresPositions(connection).save(position)
    bare = a_protection(world)
    full = a_protection(
        world,
        rules=RULES,
        trading_session_id=world.session.id,
        entry_order_id=order.id,
        position_id=position.id,
        quantity=Decimal("0.5"),
        entry_quantity=Decimal("0.7"),
        reference_price=Decimal(60_000),
        stop_loss_price=Decimal("59000.5"),
        take_profit_price=Decimal(61_800),
        high_water=Decimal(60_100),
        watched_until=at(1),
        exit_at=at(2),
        targets_done=(0,),
        protect_at=ProtectAt.BEST,
        venue_filled=Decimal("0.1"),
        sold_by_hand=Decimal("0.05"),
    )
    for stored in (bare, full):
        await protection.add(stored)
    assert await protection.list_open(world.account.id) == [bare, full]
    assert await protection.list_of_positions([position.id]) == [full]
    ended = full.changed(ended_at=at(9), quantity=Decimal(0))
    await protection.save(ended)
    assert await protection.get_for_update(full.id) == ended
    assert await protection.list_open(world.account.id) == [bare]


async def test_the_keeper_is_needed_while_a_protection_or_an_intent_is_open(
    protection: PostgresProtection, world: World, stranger: World
) -> None:
    assert not await protection.needs_keeper(world.account.id)
    held, intent = a_protection(world), an_intent(world)
    await protection.add(held)
    assert await protection.needs_keeper(world.account.id)
    assert not await protection.needs_keeper(stranger.account.id)
    await protection.save(held.changed(ended_at=at(9)))
    assert not await protection.needs_keeper(world.account.id)
    await protection.add_intent(intent)
    assert await protection.needs_keeper(world.account.id)
    await protection.save_intent(intent.changed(ended_at=at(9)))
    assert not await protection.needs_keeper(world.account.id)


async def test_an_intent_comes_back_as_it_was_stored(
    protection: PostgresProtection, world: World, connection: Connection
) -> None:
    order, position, signal = world.order(), world.position(), world.signal()
    await PostgresOrders(connection).add(order)
    await PostgresPositions(connection).save(position)
    await PostgresTradingSessions(connection).add_signal(signal)
    held = a_protection(world)
    await protection.add(held)
    full = an_intent(
        world,
        position_id=position.id,
        protection_id=held.id,
        signal_id=signal.id,
        quantity=Decimal(1),
        order_id=order.id,
        tries=3,
        sold=Decimal("0.5"),
        next_try_at=at(30),
        missing=Decimal("0.1"),
        last_refusal="the venue refused it",
    )
    assert await protection.add_intent(full)
    assert await protection.list_open_intents(world.account.id) == [full]
    assert await protection.list_intents_of_positions([position.id]) == [full]
    ended = full.changed(ended_at=at(40))
    await protection.save_intent(ended)
    assert await protection.get_intent_for_update(full.id) == ended
    assert await protection.list_open_intents(world.account.id) == []


async def test_the_first_reason_to_close_counts_until_it_has_ended(
    protection: PostgresProtection, world: World, stranger: World
) -> None:
    mine = world.session.id
    brackets = [a_protection(world) for _ in range(2)]
    for bracket in brackets:
        await protection.add(bracket)
    first = an_intent(world, trading_session_id=mine)
    assert await protection.add_intent(first)
    assert not await protection.add_intent(an_intent(world, trading_session_id=mine, protection_id=brackets[0].id))
    assert await protection.add_intent(an_intent(world, trading_session_id=mine, quantity=Decimal(1)))
    assert await protection.add_intent(an_intent(world))
    assert not await protection.add_intent(an_intent(world))
    for bracket in brackets:
        assert await protection.add_intent(an_intent(world, protection_id=bracket.id))
        assert not await protection.add_intent(an_intent(world, protection_id=bracket.id))
    assert await protection.add_intent(an_intent(stranger))
    await protection.save_intent(first.changed(ended_at=at(1)))
    assert await protection.add_intent(an_intent(world, trading_session_id=mine))
