"""Fills: each counts once, however often it is reported."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.core.pagination import KeysetPage
from domain.model.fill_lines import FillLines
from domain.model.order_side import OrderSide
from domain.model.orders import Fill, Order, OrderStatus
from domain.performance.equity_curve import replay, replay_sums
from domain.ports.lists import Owner
from domain.ports.orders import OrderFilter
from domain.ports.reports import OrderFacts
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.postgres.repositories.list_tables import PostgresLists
from infra.postgres.repositories.lists import PostgresList
from infra.postgres.repositories.orders import PostgresOrders
from infra.postgres.repositories.reports import PostgresReports
from infra.report_files.tables import fill_table
from tests.support.fill_lines import fill_lines
from tests.support.orders import BTC, a_market
from tests.support.trading import ETH, World, at, new_id

ALL = OrderFilter()
Fills = PostgresList[Fill, OrderFilter]


@pytest.fixture
def fills(connection: Connection) -> Fills:
    return PostgresLists(connection).fills


async def page_of(fills: Fills, owner: World, page: KeysetPage) -> list[Fill]:
    """Return a page of a user's fills."""
    return (await fills.pages(Owner.USER, [owner.user.id], page, ALL))[owner.user.id]


@pytest.fixture
async def order(orders: PostgresOrders, world: World) -> Order:
    order = world.order(status=OrderStatus.OPEN)
    await orders.add(order)
    return order


@pytest.mark.parametrize("maker", [True, False, None])
async def test_a_fill_comes_back_as_it_was_stored(
    orders: PostgresOrders, world: World, order: Order, maker: bool | None
) -> None:
    by_hand = world.fill(order, maker=maker, fee=Decimal("-0.000000000000000001"))
    of_session = world.fill(order, maker=maker, trading_session_id=world.session.id, price=Decimal(0))
    for fill in (by_hand, of_session):
        assert await orders.add_fill(fill)
        assert await orders.get_fill(world.user.id, fill.id) == fill


async def test_a_fill_counts_once_by_account_market_and_trade_id(
    orders: PostgresOrders, world: World, stranger: World, order: Order
) -> None:
    fill = world.fill(order, venue_trade_id="1")
    assert await orders.add_fill(fill)
    assert not await orders.add_fill(fill)
    assert not await orders.add_fill(replace(fill, id=new_id(), quantity=Decimal(9)))
    assert await orders.add_fill(world.fill(order, venue_trade_id="1", market=ETH))
    theirs = stranger.order()
    await orders.add(theirs)
    assert await orders.add_fill(stranger.fill(theirs, venue_trade_id="1"))
    assert [stored.quantity for stored in await orders.list_fills_of_order(order.id)] == [fill.quantity, Decimal("0.1")]


async def test_a_fill_is_stored_while_somebody_holds_its_order(
    pool: Pool, orders: PostgresOrders, world: World, order: Order
) -> None:
    async with pool.acquire() as driver, driver.transaction():
        assert await PostgresOrders(Connection(driver)).get_for_update(order.id) == order
        assert await orders.add_fill(world.fill(order))


async def test_a_fill_of_another_user_is_as_if_absent(
    orders: PostgresOrders, fills: Fills, world: World, stranger: World, order: Order
) -> None:
    fill = world.fill(order)
    await orders.add_fill(fill)
    assert await orders.get_fill(stranger.user.id, fill.id) is None
    assert await page_of(fills, stranger, KeysetPage(10)) == []
    assert await orders.list_all_fills(stranger.user.id, OrderFilter(account_id=world.account.id)) == []


async def _stored(orders: PostgresOrders, fills: list[Fill]) -> list[Fill]:
    for fill in fills:
        await orders.add_fill(fill)
    return fills


async def test_fills_are_paged_from_new_to_old_and_back(
    orders: PostgresOrders, fills: Fills, world: World, order: Order
) -> None:
    newest = (await _stored(orders, [world.fill(order) for _ in range(5)]))[::-1]
    assert await page_of(fills, world, KeysetPage(2)) == newest[:2]
    assert await page_of(fills, world, KeysetPage(2, after=newest[1].id)) == newest[2:4]
    assert await page_of(fills, world, KeysetPage(2, backwards=True)) == newest[3:]
    assert await page_of(fills, world, KeysetPage(9, before=newest[3].id, backwards=True)) == newest[:3]


async def test_the_ledger_is_in_the_order_of_time(orders: PostgresOrders, world: World, order: Order) -> None:
    late, early, between = await _stored(orders, [world.fill(order, at=at(seconds)) for seconds in (9, 1, 5)])
    assert await orders.list_all_fills(world.user.id, ALL) == [early, between, late]
    assert await orders.list_all_fills(world.user.id, OrderFilter(start=at(1), end=at(9))) == [early, between]
    assert await orders.list_fills_of_order(order.id) == [early, between, late]


async def test_only_matching_fills_are_listed(orders: PostgresOrders, world: World, order: Order) -> None:
    final = world.order(status=OrderStatus.FILLED, side=OrderSide.SELL, trading_session_id=world.session.id)
    await orders.add(final)
    bought, sold, elsewhere = await _stored(
        orders, [world.fill(order), world.fill(final), world.fill(order, market=ETH)]
    )

    async def found(**filters: object) -> list[Fill]:
        return await orders.list_all_fills(world.user.id, OrderFilter(**filters))  # type: ignore[arg-type]

    assert await found(account_id=world.account.id) == [bought, sold, elsewhere]
    assert await found(trading_session_id=world.session.id) == [sold]
    assert await found(side=OrderSide.SELL) == [sold]
    assert await found(market=ETH) == [elsewhere]
    assert await found(statuses=(OrderStatus.FILLED,)) == [sold]
    assert await found(account_id=new_id()) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 9])
async def test_the_lines_of_fills_are_those_of_the_fills_however_they_are_paged(
    connection: Connection, orders: PostgresOrders, world: World, order: Order, limit: int
) -> None:
    live = world.order(status=OrderStatus.FILLED, side=OrderSide.SELL, trading_session_id=world.session.id)
    await orders.add(live)
    last = at(9) + timedelta(microseconds=1)
    await _stored(
        orders,
        [
            world.fill(order, at=at(5), maker=None, venue_trade_id='a "b", c', fee=Decimal("-0.500")),
            world.fill(live, at=at(5), maker=True, price=Decimal("1E+3"), quantity=Decimal("1E-18")),
            world.fill(order, at=at(1), maker=False, venue_trade_id="é\n,", fee=Decimal("1E-20")),
            world.fill(order, at=last, venue_trade_id="x" * 300),
        ],
    )
    reports, after, read = PostgresReports(connection), None, b""
    while (lines := await reports.fill_lines(world.user.id, ALL, after, limit)).count:
        after, read = lines.last, read + lines.text
    every = await orders.list_all_fills(world.user.id, ALL)
    frame = fill_table(fill_lines(every)).frame
    assert fill_table(FillLines(read, len(every), after)).frame.equals(frame)
    assert after == (last, every[-1].id)


async def test_the_lines_of_fills_are_the_users_own_and_the_selected_ones(
    connection: Connection, orders: PostgresOrders, world: World, stranger: World, order: Order
) -> None:
    await _stored(orders, [world.fill(order, at=at(seconds)) for seconds in (1, 5)])
    reports = PostgresReports(connection)
    assert (await reports.fill_lines(stranger.user.id, ALL, None, 9)) == FillLines(b"", 0, None)
    filled = OrderFilter(account_id=world.account.id, statuses=(order.status,), start=at(5), end=at(6))
    assert (await reports.fill_lines(world.user.id, filled, None, 9)).count == 1


async def test_the_sums_of_fills_are_what_they_do_to_the_holdings(
    connection: Connection, orders: PostgresOrders, world: World, stranger: World, order: Order
) -> None:
    final = world.order(status=OrderStatus.FILLED, side=OrderSide.SELL)
    await orders.add(final)
    stored = await _stored(
        orders,
        [
            world.fill(order, at=at(1), price=Decimal("0.1"), quantity=Decimal("1E-18"), fee_currency="BNB"),
            world.fill(order, at=at(2), price=Decimal("1E+17"), quantity=Decimal("0.7"), fee=Decimal("-0.5")),
            world.fill(final, at=at(3), price=Decimal(3), quantity=Decimal("0.2"), fee_currency="BTC"),
            world.fill(order, at=at(4), market=ETH),
        ],
    )
    reports, held = PostgresReports(connection), {"USDT": Decimal(7)}
    for markets in ({}, {BTC: a_market(), ETH: a_market(symbol=ETH, base="ETH")}):
        for until in range(6):
            sums = await reports.fill_sums(world.user.id, OrderFilter(end=at(until)))
            assert replay_sums(held, sums, markets) == replay(held, [f for f in stored if f.at < at(until)], markets)
    assert await reports.fill_sums(stranger.user.id, ALL) == []


async def test_orders_with_later_fills_are_those_of_the_selected_ones(
    connection: Connection, orders: PostgresOrders, world: World, order: Order
) -> None:
    other = world.order(status=OrderStatus.FILLED, arrival_price=Decimal("1.50"))
    await orders.add(other)
    await _stored(orders, [world.fill(order, at=at(1)), world.fill(order, at=at(5)), world.fill(other, at=at(6))])
    reports, first = PostgresReports(connection), OrderFilter(start=at(0), end=at(2))
    for end, found in ((at(5), set()), (at(9), {order.id})):
        assert await reports.with_fills_from(world.user.id, first, at(2), end) == found
    (facts,) = await reports.order_facts(world.user.id, OrderFilter(start=at(6)))
    assert facts == OrderFacts(other.id, other.role, Decimal("1.50"))
