from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.core.background import BackgroundTasks
from domain.model.equity import StoredEquity
from domain.model.monitoring import TradingSituation, Waiting
from domain.model.orders import OrderRole, OrderStatus
from domain.model.protection import PositionIntent, PositionProtection, ProtectionRules
from domain.model.trading_state import ENGINE_ID, Halt, HaltAuthor, HaltLevel, TradingState
from domain.ports.unit_of_work import Database
from domain.trading.situation_monitor import SituationMonitor
from infra.postgres.connection import Connection
from infra.postgres.repositories.equity import PostgresEquity
from infra.postgres.repositories.halts import PostgresHalts
from infra.postgres.repositories.monitoring import PostgresMonitoring
from infra.postgres.repositories.orders import PostgresOrders
from infra.postgres.repositories.positions import PostgresPositions
from infra.postgres.repositories.protection import PostgresProtection
from tests.support.trading import BTC, World, new_id
from tests.support.waiting import eventually

AN_HOUR = 3_600.0
SLACK_SECONDS = 600.0


def is_an_hour(seconds: float) -> bool:
    return AN_HOUR <= seconds < AN_HOUR + SLACK_SECONDS


async def test_nothing_is_under_way_in_a_new_database(database: Database) -> None:
    monitor = SituationMonitor(database)
    assert monitor.situation is None
    await monitor.read()
    assert monitor.situation == TradingSituation()


async def test_a_situation_that_cannot_be_read_is_shown_no_more_and_is_read_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(_repository: PostgresMonitoring) -> TradingSituation:
        raise ValueError("'NEWER' is not a valid OrderStatus")

    monitor = SituationMonitor(database, every_seconds=0.01)
    async with BackgroundTasks() as tasks:
        tasks.start(monitor.run())
        await eventually(lambda: monitor.situation is not None, "the situation is read")
        with monkeypatch.context() as patched:
            patched.setattr(PostgresMonitoring, "trading_situation", fails)
            await eventually(lambda: monitor.situation is None, "the old situation is dropped")
        await eventually(lambda: monitor.situation is not None, "the situation is read again")
    assert "'NEWER' is not a valid OrderStatus" in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


async def test_what_is_open_of_all_users_is_counted_with_the_age_of_the_oldest(
    connection: Connection, world: World, stranger: World
) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    orders = PostgresOrders(connection)
    for owner, status, at in (
        (world, OrderStatus.IN_DOUBT, hour_ago),
        (stranger, OrderStatus.IN_DOUBT, hour_ago + timedelta(minutes=30)),
        (stranger, OrderStatus.OPEN, hour_ago),
        (stranger, OrderStatus.FILLED, hour_ago),
    ):
        await orders.add(owner.order(status=status, updated_at=at))
    position = world.position(quantity=Decimal(1))
    await PostgresPositions(connection).save(position)
    protection = PostgresProtection(connection)
    intent = PositionIntent(
        new_id(), world.user.id, world.account.id, BTC, OrderRole.STOP_LOSS, "It was reached.", hour_ago,
        position_id=position.id,
    )  # fmt: skip
    await protection.add_intent(intent)
    watched = PositionProtection(new_id(), world.user.id, world.account.id, BTC, ProtectionRules(), hour_ago)
    await protection.add(watched)
    await protection.add(replace(watched, id=new_id(), unwatched_since=hour_ago, unwatched_reason="no price"))
    await PostgresHalts(connection).put(
        Halt(HaltLevel.ENGINE, ENGINE_ID, TradingState.HALTED, hour_ago, HaltAuthor.OPERATOR, None)
    )
    equity = PostgresEquity(connection)
    for account, at in ((world.account, hour_ago), (stranger.account, hour_ago - timedelta(days=1))):
        await equity.save(StoredEquity(account.id, account.id, at, Decimal(1), Decimal(1), Decimal(1)), {})

    found = await PostgresMonitoring(connection).trading_situation()
    assert {key: waiting.count for key, waiting in found.orders.items()} == {
        ("sandbox", OrderStatus.IN_DOUBT): 2, ("sandbox", OrderStatus.OPEN): 1,
    }  # fmt: skip
    assert is_an_hour(found.orders["sandbox", OrderStatus.IN_DOUBT].oldest_seconds)
    assert found.positions == {"sandbox": 1}
    assert found.exits["sandbox"].count == found.unwatched["sandbox"].count == 1
    assert is_an_hour(found.exits["sandbox"].oldest_seconds)
    assert is_an_hour(found.unwatched["sandbox"].oldest_seconds)
    assert found.trading_sessions == {"STARTING": 2}
    assert found.accounts == {("sandbox", "PAPER"): 2}
    assert found.halts == {"ENGINE": 1}
    # Only an account that holds something has an equity that moves.
    assert is_an_hour(found.equity_age_seconds)
    assert found.mails == Waiting()
