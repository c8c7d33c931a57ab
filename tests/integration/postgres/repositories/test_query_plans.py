"""The queries that run all the time are answered by indexes, with so many rows that a scan would be felt."""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import pytest

from domain.core.pagination import KeysetPage, TimeKeysetPage
from domain.model.markets import Timeframe
from domain.model.orders import OrderStatus
from domain.ports.lists import Owner, PositionFilter
from domain.ports.orders import OrderFilter
from infra.postgres.archive.archives import Archives
from infra.postgres.connection import Connection
from infra.postgres.repositories.channels import PostgresChannels
from infra.postgres.repositories.event_log import PostgresEventLog
from infra.postgres.repositories.list_tables import PostgresLists
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.postgres.repositories.orders import PostgresOrders
from infra.postgres.repositories.positions import PostgresPositions
from infra.postgres.repositories.trading_sessions import PostgresTradingSessions
from tests.support.trading import BTC, NOW, World, new_id

ORDERS = """
INSERT INTO orders (id, user_id, account_id, market, client_order_id, side, type, role, quantity, created_at,
    updated_at, status, revision, post_only, reduce_only, filled_quantity, filled_cost, submitted_at, absences)
SELECT gen_random_uuid(), $1, $2, 'sandbox:BTC/USDT', 'c' || n, 'BUY', 'LIMIT', 'MANUAL', 1, $3, $3,
    CASE WHEN n % 500 = 0 THEN 'OPEN' ELSE 'FILLED' END, 1, false, false, 1, 1, $3, 0
FROM generate_series(1, 4000) n"""
EVENTS = """
INSERT INTO user_events (user_id, sequence, at, kind, order_id)
SELECT $1, n, now(), 'ORDER', gen_random_uuid() FROM generate_series(1, 4000) n"""
POSITIONS = """
INSERT INTO positions (id, user_id, account_id, market, opened_at, quantity, dust, missing, realized_profit, fees,
    closed_at)
SELECT gen_random_uuid(), $1, $2, 'sandbox:BTC/USDT', $3::timestamptz, 0, 0, 0, 0, 0,
    $3::timestamptz + n * interval '1 minute'
FROM generate_series(1, 4000) n"""
CANDLES = """
INSERT INTO candles (market, timeframe, open_time, open, high, low, close, volume)
SELECT 'sandbox:BTC/USDT', 'M1', date_trunc('month', now()) + n * interval '1 minute', 1, 1, 1, 1, 1
FROM generate_series(0, 5000) n"""

CHANNEL = """
INSERT INTO notification_channels (id, user_id, kind, name, event_kinds, status, created_at, sequence, due_at, attempts,
    is_held_back) VALUES ($1, $2, 'EMAIL', 'mail', '{}', 'ACTIVE', now(), 0, now(), 0, false)"""
DELIVERIES = """
INSERT INTO channel_deliveries (id, channel_id, user_id, message_id, created_at, status, attempts, sequence,
    finished_at)
SELECT gen_random_uuid(), $1, $2, n, $3, 'DELIVERED', 1, n, $3::timestamptz - n * interval '1 minute'
FROM generate_series(1, 4000) n"""


class Explaining(Connection):
    """A connection that keeps the plan of every query that it runs."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.driver)
        self.plan = ""

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        await self._explain(query, arguments)
        return await super().fetch(query, *arguments)

    async def fetchrow(self, query: str, *arguments: object) -> asyncpg.Record | None:
        await self._explain(query, arguments)
        return await super().fetchrow(query, *arguments)

    async def fetchval(self, query: str, *arguments: object) -> object:
        await self._explain(query, arguments)
        return await super().fetchval(query, *arguments)

    async def _explain(self, query: str, arguments: Sequence[object]) -> None:
        rows = await self.driver.fetch(f"EXPLAIN {query}", *arguments)
        self.plan = "\n".join(row[0] for row in rows)

    def used(self, index: str) -> bool:
        """Return whether the last plan reads that index and scans no table."""
        return index in self.plan and "Seq Scan" not in self.plan


@pytest.fixture
async def explaining(connection: Connection, world: World, stranger: World) -> Explaining:
    for trader in (world, stranger):
        await connection.execute(ORDERS, trader.user.id, trader.account.id, NOW)
        await connection.execute(POSITIONS, trader.user.id, trader.account.id, NOW)
    await connection.execute(EVENTS, world.user.id)
    await connection.execute(CANDLES)
    await connection.execute("ANALYZE")
    return Explaining(connection)


async def test_a_page_of_a_users_orders(explaining: Explaining, world: World) -> None:
    orders = PostgresOrders(explaining)
    page = await orders.list_page(world.user.id, KeysetPage(50), OrderFilter())
    assert explaining.used("orders_of_user"), explaining.plan
    await orders.list_page(world.user.id, KeysetPage(50, after=page[-1].id), OrderFilter())
    assert explaining.used("orders_of_user"), explaining.plan
    assert "Sort" not in explaining.plan
    await orders.list_page(world.user.id, KeysetPage(50), OrderFilter(statuses=(OrderStatus.OPEN,)))
    assert explaining.used("orders_active_of_user"), explaining.plan


async def test_what_the_executor_asks_for(explaining: Explaining, world: World) -> None:
    orders, account = PostgresOrders(explaining), world.account.id
    await orders.list_commands(account)
    assert "orders_commands" in explaining.plan, explaining.plan
    assert "orders_active" in explaining.plan, explaining.plan
    assert "Seq Scan on orders" not in explaining.plan, explaining.plan
    await orders.list_active(account)
    assert explaining.used("orders_active"), explaining.plan
    await PostgresTradingSessions(explaining).markets_of_account(account)
    assert "orders_active" in explaining.plan, explaining.plan
    assert "Seq Scan on orders" not in explaining.plan, explaining.plan
    assert "Seq Scan on positions" not in explaining.plan, explaining.plan
    await orders.list_expired(account, NOW)
    assert explaining.used("orders_expiring"), explaining.plan
    await orders.risk_snapshot(world.order(), NOW.replace(year=2027))
    assert "orders_by_submission" in explaining.plan, explaining.plan
    assert "Seq Scan on orders" not in explaining.plan, explaining.plan
    await orders.get_for_update_by_client_id(account, "c77")
    assert explaining.used("orders_account_id_client_order_id_key"), explaining.plan


async def test_the_events_of_an_order(explaining: Explaining, world: World) -> None:
    await explaining.driver.execute("SET enable_seqscan = off")  # the partitions of the next months are empty
    await PostgresEventLog(explaining).list_for_order(world.user.id, new_id(), NOW.replace(year=2020))
    assert explaining.used("order_id"), explaining.plan


async def test_the_orders_that_belong_to_others(explaining: Explaining) -> None:
    orders = PostgresOrders(explaining)
    await orders.list_children([new_id()])
    assert explaining.used("orders_protecting"), explaining.plan
    await orders.list_replacements([new_id()])
    assert explaining.used("orders_replacing"), explaining.plan


async def test_the_open_position_somewhere(explaining: Explaining, world: World) -> None:
    positions = PostgresPositions(explaining)
    for session_id in (None, world.session.id):
        await positions.get_open_for_update(world.account.id, BTC, session_id)
        assert explaining.used("positions_open"), explaining.plan


async def test_the_newest_candles(explaining: Explaining) -> None:
    archives = Archives()
    await archives.candles.last(explaining, BTC)  # it asks for the list of files first
    await PostgresMarketData(explaining, archives).candles(BTC, Timeframe.M1, TimeKeysetPage(500, backwards=True))
    assert explaining.used("_pkey"), explaining.plan
    assert "Sort" not in explaining.plan


async def test_the_lists_that_hang_on_accounts(explaining: Explaining, world: World, stranger: World) -> None:
    lists, accounts = PostgresLists(explaining), [world.account.id, stranger.account.id]
    closing = KeysetPage(50, dated=True)
    for ids in (accounts, accounts[:1]):
        await lists.orders.pages(Owner.ACCOUNT, ids, KeysetPage(10), OrderFilter())
        assert explaining.used("orders_of_account"), explaining.plan
        await lists.positions.pages(Owner.ACCOUNT, ids, KeysetPage(10), PositionFilter())
        assert explaining.used("positions_of_account"), explaining.plan
        await lists.positions.pages(Owner.ACCOUNT, ids, closing, PositionFilter(is_open=False))
        assert explaining.used("positions_closed_of_account"), explaining.plan
    await lists.positions.pages(Owner.USER, [world.user.id], closing, PositionFilter(is_open=False))
    assert explaining.used("positions_closed_of_user"), explaining.plan


async def test_counting_the_few_open_orders_among_many(explaining: Explaining, world: World) -> None:
    open_orders = OrderFilter(statuses=(OrderStatus.OPEN,))
    await PostgresLists(explaining).orders.counts(Owner.USER, [world.user.id], open_orders)
    assert explaining.used("orders_active_of_user"), explaining.plan


async def test_what_a_channel_has_delivered_in_the_last_hour(explaining: Explaining, world: World) -> None:
    channel_id = new_id()
    await explaining.execute(CHANNEL, channel_id, world.user.id)
    await explaining.execute(DELIVERIES, channel_id, world.user.id, NOW)
    await explaining.execute("ANALYZE channel_deliveries")
    count, _ = await PostgresChannels(explaining).count_delivered(channel_id, NOW - timedelta(hours=1))
    assert count == 59
    assert explaining.used("channel_deliveries_delivered"), explaining.plan
