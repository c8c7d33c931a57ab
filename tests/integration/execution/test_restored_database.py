"""The database is restored to an earlier moment; the venue has what the account did after that."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.administration.restored_database import mark_restored
from domain.core.errors import ErrorCode, InputError
from domain.model.client_order_ids import client_order_id
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole, OrderStatus, OrderType
from domain.model.protection import PositionIntent
from domain.model.trading import Position
from domain.ports.market_data import VenueUnreachable
from domain.trading.halts import ENGINE, HaltService
from infra.postgres.connection import Connection
from infra.postgres.repositories.strategies import PostgresStrategies
from infra.postgres.repositories.trading_sessions import PostgresTradingSessions
from infra.postgres.server.embedded import EmbeddedPostgres
from tests.support.order_harness import OrderHarness, open_order_harness_for
from tests.support.orders import BTC, an_order
from tests.support.postgres import execute, patient_pool, with_database
from tests.support.scripted_venue import ScriptedVenue
from tests.support.trading import new_session, new_strategy, new_version
from tests.support.waiting import eventually, read_until


@pytest.fixture
async def forgotten(
    harness: OrderHarness, venue: ScriptedVenue, postgres_server: EmbeddedPostgres, migrated_template: str
) -> AsyncIterator[OrderHarness]:
    """The same account on the same venue, in another database: the one that will be lost."""
    statement = f"CREATE DATABASE lost TEMPLATE {migrated_template} STRATEGY FILE_COPY"
    await execute(postgres_server.dsn, statement)
    pool = await patient_pool(with_database(postgres_server.dsn, "lost"))
    async with open_order_harness_for(pool, venue, harness.user, harness.account) as lost:
        async with lost.database.transaction() as transaction:
            await transaction.users.add(harness.user, "argon2id")
            await transaction.accounts.add(harness.account, b"sealed")
        yield lost
    await pool.close()
    await execute(postgres_server.dsn, "DROP DATABASE lost WITH (FORCE)")


async def _restore(harness: OrderHarness, ago: timedelta = timedelta(minutes=5), *, resume: bool = True) -> datetime:
    """Mark the harness' database as one that was restored; return the moment."""
    moment = datetime.now(UTC) - ago
    halts = HaltService(harness.database, harness.bus, harness.clock, harness.ids)
    await mark_restored(harness.database, harness.clock, halts, moment)
    if resume:
        await halts.set_halt_by_machine(ENGINE, None)
    return moment


async def _of_client_id(harness: OrderHarness, name: str) -> Order | None:
    async with harness.database.read_only() as reading:
        return await reading.orders.get_by_client_id(harness.account.id, name)


async def _found(harness: OrderHarness, forgotten: Order, status: str) -> Order:
    """Return a forgotten order once the account has it again, in that status."""
    name = forgotten.client_order_id
    found = await read_until(
        lambda: _of_client_id(harness, name), lambda order: order is not None and order.status == status, "the order"
    )
    assert found is not None
    return found


async def test_an_order_that_filled_after_the_moment_is_found_and_counts(
    harness: OrderHarness, forgotten: OrderHarness, venue: ScriptedVenue
) -> None:
    await forgotten.start()
    lost = await forgotten.until((await forgotten.place()).id, "FILLED")
    await forgotten.kill()
    await _restore(harness)
    await harness.start()
    found = await _found(harness, lost, "FILLED")
    assert (found.filled_quantity, found.role) == (Decimal(1), OrderRole.MANUAL)
    assert [position.quantity for position in await harness.positions()] == [Decimal(1)]
    assert venue.received == [lost.client_order_id]
    assert await harness.kinds(found.id) == ["PENDING", "SUBMITTED", "IN_DOUBT", "ACCEPTED", "FILL"]
    alerts = await harness.until_alerts(2)
    assert alerts[0].startswith("The engine's database was restored to")
    assert "1 orders that the account made after that were found at the venue" in alerts[1]


async def test_an_order_that_rests_since_after_the_moment_is_followed_and_not_cancelled_as_a_strangers(
    harness: OrderHarness, forgotten: OrderHarness, venue: ScriptedVenue
) -> None:
    await forgotten.start()
    lost = await forgotten.until((await forgotten.limit()).id, "OPEN")
    await forgotten.kill()
    await _restore(harness)
    harness.cancel_foreign = True
    await harness.start()
    found = await _found(harness, lost, "OPEN")
    assert venue.cancel_attempts == 0
    venue.fill(lost.client_order_id, 1)
    assert (await harness.until(found.id, "FILLED")).price == Decimal(90)


async def test_a_strangers_order_is_still_cancelled_after_a_restore(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.receive(an_order(client_order_id="web_1", market=BTC))
    await _restore(harness)
    harness.cancel_foreign = True
    await harness.start()
    await eventually(lambda: venue.orders["web_1"].status is OrderStatus.CANCELED, "the order is cancelled")


async def test_an_engines_order_from_before_the_moment_that_is_not_known_is_another_installations(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    name = "r3-" + "a" * 32
    venue.receive(an_order(client_order_id=name, market=BTC))
    venue.orders[name] = replace(venue.orders[name], at=datetime.now(UTC) - timedelta(hours=1))
    await _restore(harness)
    await harness.start()
    assert (await harness.until((await harness.place()).id, "FILLED")).client_order_id in venue.received
    found = await _of_client_id(harness, name)
    assert found is None or found.role is OrderRole.FOREIGN


async def test_an_order_that_was_not_sent_by_the_moment_and_was_sent_after_it_is_not_sent_twice(
    harness: OrderHarness, forgotten: OrderHarness, venue: ScriptedVenue
) -> None:
    await forgotten.start()
    lost = await forgotten.until((await forgotten.place("key")).id, "FILLED")
    await forgotten.kill()
    waiting = await harness.place("key")
    assert (waiting.client_order_id, waiting.status) == (lost.client_order_id, OrderStatus.PENDING)
    await _restore(harness)
    await harness.start()
    await harness.until(waiting.id, "FILLED")
    assert venue.received == [lost.client_order_id]


async def test_an_order_that_was_never_sent_ends_as_such_and_is_not_sent_after_a_restore(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    waiting = await harness.place()
    await _restore(harness)
    await harness.start()
    order = await harness.until(waiting.id, "REJECTED")
    assert order.reject_code is not None
    assert (order.reject_code.value, venue.received) == ("NOT_RECEIVED", [])


async def test_purchases_and_sales_after_the_moment_count_in_their_order(
    harness: OrderHarness, forgotten: OrderHarness, venue: ScriptedVenue
) -> None:
    await forgotten.start()
    for number, side in enumerate([OrderSide.BUY, OrderSide.SELL, OrderSide.BUY]):
        quantity = Decimal(2 if number == 1 else 1 + number // 2)
        await forgotten.until((await forgotten.place(f"k{number}", side=side, quantity=quantity)).id, "FILLED")
    bought = await forgotten.positions()
    await forgotten.kill()
    await _restore(harness)
    await harness.start()
    assert [position.quantity for position in await harness.positions()] == [row.quantity for row in bought]
    assert len(set(venue.received)) == len(venue.received) == 3


async def test_the_same_key_returns_the_order_that_the_database_had_forgotten(
    harness: OrderHarness, forgotten: OrderHarness, venue: ScriptedVenue
) -> None:
    await forgotten.start()
    lost = await forgotten.until((await forgotten.place("key")).id, "FILLED")
    await forgotten.kill()
    await _restore(harness)
    await harness.start()
    again = await harness.place("key")
    assert (again.client_order_id, again.status) == (lost.client_order_id, OrderStatus.FILLED)
    with pytest.raises(InputError, match="was used for another input") as refused:
        await harness.place("key", quantity=Decimal(2))
    assert refused.value.code is ErrorCode.CONFLICT
    assert venue.received == [lost.client_order_id]


async def test_a_key_repeated_before_the_account_has_asked_its_venue_sends_nothing_twice(
    harness: OrderHarness, forgotten: OrderHarness, venue: ScriptedVenue
) -> None:
    await forgotten.start()
    lost = await forgotten.until((await forgotten.place("key")).id, "FILLED")
    await forgotten.kill()
    await _restore(harness)
    venue.unreachable = True
    await harness.start_unreconciled()
    placing = asyncio.create_task(harness.place("key"))
    await read_until(lambda: _of_client_id(harness, lost.client_order_id), bool, "it is stored again")
    venue.unreachable = False
    await harness.until((await placing).id, "FILLED")
    assert venue.received == [lost.client_order_id]


async def test_a_restore_that_is_interrupted_is_carried_on_by_the_next_start(
    harness: OrderHarness, forgotten: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    await forgotten.start()
    losts = [await forgotten.until((await forgotten.place(f"k{number}")).id, "FILLED") for number in range(3)]
    await forgotten.kill()
    await _restore(harness)
    ask, asked = venue.query_order, []

    async def ask_twice(order: Order) -> object:
        asked.append(order)
        if len(asked) > 2:
            raise VenueUnreachable("away")
        return await ask(order)

    monkeypatch.setattr(venue, "query_order", ask_twice)
    await harness.start_unreconciled()
    await eventually(lambda: len(asked) > 2, "it has asked for the third order")
    assert await harness.positions() == []
    await harness.kill()
    monkeypatch.undo()
    await harness.start()
    for lost in losts:
        await _found(harness, lost, "FILLED")
    assert [position.quantity for position in await harness.positions()] == [Decimal(3)]


async def _session_position(harness: OrderHarness) -> Position:
    """Store a trading session that holds 1, as of the moment."""
    strategy = new_strategy(harness.user.id)
    version = new_version(strategy)
    session = new_session(harness.user.id, harness.account.id, version.id)
    async with harness.pool.acquire() as driver:
        connection = Connection(driver)
        await PostgresStrategies(connection).add(strategy, version)
        await PostgresTradingSessions(connection).add(session)
    async with harness.database.transaction() as transaction:
        position = Position(
            id=harness.ids.next_id(), user_id=harness.user.id, account_id=harness.account.id, market=BTC,
            trading_session_id=session.id, opened_at=datetime.now(UTC) - timedelta(hours=1),
            quantity=Decimal(1), average_price=Decimal(100),
        )  # fmt: skip
        await transaction.positions.save(position)
    return position


def _sold(harness: OrderHarness, name: str) -> Order:
    return an_order(
        account_id=harness.account.id, user_id=harness.user.id, client_order_id=name, side=OrderSide.SELL,
        type=OrderType.MARKET, price=None, role=OrderRole.STOP_LOSS,
    )  # fmt: skip


async def test_an_exit_after_the_moment_closes_the_position_that_it_has_closed(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    held = await _session_position(harness)
    venue.receive(_sold(harness, "r3-" + "e" * 32))
    await _restore(harness)
    await harness.start()
    found = await _found(harness, _sold(harness, "r3-" + "e" * 32), "FILLED")
    assert (found.role, found.trading_session_id) == (OrderRole.CLOSE, held.trading_session_id)
    assert await harness.positions() == []


async def test_the_next_order_of_a_known_intent_is_recognised_by_its_id(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    held = await _session_position(harness)
    intent = PositionIntent(
        harness.ids.next_id(), harness.user.id, harness.account.id, BTC, OrderRole.STOP_LOSS, "the stop is reached",
        datetime.now(UTC) - timedelta(minutes=6), held.trading_session_id, held.id, tries=1,
    )  # fmt: skip
    async with harness.database.transaction() as transaction:
        await transaction.protection.add_intent(intent)
    name = client_order_id(harness.account.id, "intent", str(intent.id), OrderRole.STOP_LOSS, 2)
    venue.receive(replace(_sold(harness, name), quantity=Decimal("0.4")))
    await _restore(harness)
    await harness.start()
    found = await _found(harness, _sold(harness, name), "FILLED")
    assert (found.role, found.trading_session_id) == (OrderRole.STOP_LOSS, held.trading_session_id)
    assert [position.quantity for position in await harness.positions()] == [Decimal("0.6")]


async def test_nothing_new_is_sent_after_a_restore_until_the_operator_resumes(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await _restore(harness, resume=False)
    await harness.start()
    order = await harness.until((await harness.place()).id, "DENIED")
    assert ([denial.code.value for denial in order.denials], venue.received) == (["TRADING_HALTED"], [])
