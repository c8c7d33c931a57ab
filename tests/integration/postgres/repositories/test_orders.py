"""Orders: what goes in comes out, what may be there once is there once, and each reader finds what is theirs."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.core.pagination import KeysetPage
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import (
    CancelCode,
    Order,
    OrderEvent,
    OrderEventKind,
    OrderRole,
    OrderStatus,
    OrderType,
    RejectCode,
    RiskCode,
    RiskDenial,
    TimeInForce,
)
from domain.ports.orders import DuplicateOrder, OrderFilter, StaleOrder
from infra.postgres.connection import Connection
from infra.postgres.repositories.orders import PostgresOrders
from infra.postgres.repositories.trading_sessions import PostgresTradingSessions
from infra.postgres.rows.events import decode_subject, encode_subject
from tests.support.trading import BTC, ETH, NOW, World, at, new_id, store_change

ALL = OrderFilter()

amounts = st.builds(
    lambda digits, places: Decimal(f"{digits}E-{places}"), st.integers(1, 10**38 - 1), st.integers(0, 38)
)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis wants them naive
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
maybe = st.none
denials = st.lists(
    st.builds(
        RiskDenial,
        st.sampled_from(RiskCode),
        texts,
        limit=maybe() | amounts,
        actual=maybe() | amounts,
    ),
    max_size=3,
).map(tuple)


@given(
    changes=st.fixed_dictionaries(
        {
            "side": st.sampled_from(OrderSide),
            "type": st.sampled_from(OrderType),
            "role": st.sampled_from(OrderRole),
            "status": st.sampled_from(OrderStatus),
            "market": st.builds(MarketSymbol, st.just("kraken"), st.sampled_from(["BTC/EUR", "BTC/USDT:USDT", "Ä/€"])),
            "quantity": amounts,
            "created_at": moments,
            "updated_at": moments,
            "revision": st.integers(1, 1_000_000),
            "price": maybe() | amounts,
            "stop_price": maybe() | amounts,
            "time_in_force": maybe() | st.sampled_from(TimeInForce),
            "expires_at": maybe() | moments,
            "post_only": st.booleans(),
            "reduce_only": st.booleans(),
            "venue_order_id": maybe() | texts,
            "filled_quantity": st.just(Decimal(0)) | amounts,
            "filled_cost": st.just(Decimal(0)) | amounts,
            "denials": denials,
            "reject_reason": maybe() | texts,
            "submitted_at": maybe() | moments,
            "cancel_requested_at": maybe() | moments,
            "absences": st.integers(0, 3),
            "reject_code": maybe() | st.sampled_from(RejectCode),
            "cancel_code": maybe() | st.sampled_from(CancelCode),
        }
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_an_order_comes_back_as_it_was_stored(orders: PostgresOrders, world: World, changes: dict) -> None:
    order = world.order(**changes)
    await orders.add(order)
    assert await orders.get(world.user.id, order.id) == order


async def test_an_order_comes_back_with_every_reference_and_without_any(
    orders: PostgresOrders, world: World, connection: Connection
) -> None:
    signal = world.signal()
    await PostgresTradingSessions(connection).add_signal(signal)
    bare = world.order()
    full = world.order(trading_session_id=world.session.id, signal_id=signal.id, parent_id=bare.id, replaces_id=bare.id)
    await orders.add(bare)
    await orders.add(full)
    assert await orders.get(world.user.id, bare.id) == bare
    assert await orders.get(world.user.id, full.id) == full


async def test_a_saved_order_has_all_that_was_changed(
    orders: PostgresOrders, connection: Connection, world: World
) -> None:
    order = world.order()
    await orders.add(order)
    changed = order.changed(
        at(5),
        status=OrderStatus.PARTIALLY_FILLED,
        filled_quantity=Decimal("0.2"),
        filled_cost=Decimal("12000.02"),
        venue_order_id="77",
        submitted_at=at(1),
        stop_price=Decimal("59000.5"),
        denials=(RiskDenial(RiskCode.PRICE_COLLAR, "too far", limit=Decimal(5), actual=Decimal("7.25")),),
    )
    await store_change(connection, order, changed)
    assert await orders.get(world.user.id, order.id) == changed


async def test_an_overfill_is_stored_as_it_happened(
    orders: PostgresOrders, connection: Connection, world: World
) -> None:
    order = world.order(quantity=Decimal(1))
    await orders.add(order)
    overfilled = order.changed(at(1), status=OrderStatus.FILLED, filled_quantity=Decimal("1.5"))
    await store_change(connection, order, overfilled)
    assert await orders.get(world.user.id, order.id) == overfilled


async def test_a_change_to_an_old_state_is_refused(
    orders: PostgresOrders, connection: Connection, world: World
) -> None:
    order = world.order()
    await orders.add(order)
    await store_change(connection, order, order.changed(at(1), cancel_requested_at=at(1)))
    with pytest.raises(StaleOrder):
        await store_change(connection, order, order.changed(at(2), status=OrderStatus.SUBMITTED))
    stored = await orders.get(world.user.id, order.id)
    assert stored is not None
    assert stored.cancel_requested_at == at(1)


async def test_an_order_that_was_never_added_can_not_be_saved(
    orders: PostgresOrders, connection: Connection, world: World
) -> None:
    order = world.order()
    with pytest.raises(StaleOrder):
        await store_change(connection, order, order.changed(at(1)))


async def test_a_quantity_of_nothing_is_refused(orders: PostgresOrders, world: World) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await orders.add(world.order(quantity=Decimal(0)))


async def test_the_same_client_order_id_makes_one_order_and_leaves_the_transaction_usable(
    orders: PostgresOrders, world: World, connection: Connection
) -> None:
    order = world.order()
    await orders.add(order)
    async with connection.driver.transaction():
        with pytest.raises(DuplicateOrder):
            await orders.add(replace(world.order(), client_order_id=order.client_order_id))
        assert await orders.get_for_update_by_client_id(world.account.id, order.client_order_id) == order


async def test_another_account_may_use_the_same_client_order_id(
    orders: PostgresOrders, world: World, stranger: World
) -> None:
    await orders.add(world.order(client_order_id="mine"))
    theirs = stranger.order(client_order_id="mine")
    await orders.add(theirs)
    assert await orders.get_for_update_by_client_id(stranger.account.id, "mine") == theirs


async def test_an_order_of_another_user_is_as_if_absent(orders: PostgresOrders, world: World, stranger: World) -> None:
    order = world.order()
    await orders.add(order)
    assert await orders.get(stranger.user.id, order.id) is None
    assert await orders.list_page(stranger.user.id, KeysetPage(10), ALL) == []
    assert await orders.list_page(stranger.user.id, KeysetPage(10), OrderFilter(account_id=world.account.id)) == []
    assert await orders.get(world.user.id, new_id()) is None


async def test_batches_find_orders_by_id_by_parent_and_by_what_they_replace(
    orders: PostgresOrders, world: World
) -> None:
    first = world.order()
    stop = world.order(parent_id=first.id)
    amended = world.order(replaces_id=first.id)
    for order in (first, stop, amended):
        await orders.add(order)
    assert {order.id for order in await orders.get_many([first.id, stop.id, new_id()])} == {first.id, stop.id}
    assert await orders.list_children([first.id, stop.id]) == [stop]
    assert await orders.list_replacements([first.id, stop.id]) == [amended]
    assert await orders.get_many([]) == []


async def _stored(orders: PostgresOrders, *new: Order) -> list[Order]:
    for order in new:
        await orders.add(order)
    return list(new)


async def test_pages_go_from_new_to_old_and_back(orders: PostgresOrders, world: World) -> None:
    made = await _stored(orders, *(world.order() for _ in range(7)))
    newest = made[::-1]

    async def list_page(**page: object) -> list[Order]:
        return await orders.list_page(world.user.id, KeysetPage(3, **page), ALL)  # type: ignore[arg-type]

    assert await list_page() == newest[:3]
    assert await list_page(after=newest[2].id) == newest[3:6]
    assert await list_page(after=newest[5].id) == newest[6:]
    assert await list_page(backwards=True) == newest[4:]
    assert await list_page(backwards=True, before=newest[4].id) == newest[1:4]
    assert await list_page(backwards=True, before=newest[1].id) == newest[:1]
    assert await list_page(after=newest[0].id, before=newest[3].id) == newest[1:3]


async def test_a_page_has_only_matching_orders(orders: PostgresOrders, world: World) -> None:
    plain = world.order()
    other_market = world.order(market=ETH)
    sale = world.order(side=OrderSide.SELL)
    of_session = world.order(trading_session_id=world.session.id)
    final = world.order(status=OrderStatus.CANCELED)
    late = world.order(created_at=at(60))
    await _stored(orders, plain, other_market, sale, of_session, final, late)

    async def found(**filters: object) -> list[Order]:
        return await orders.list_page(world.user.id, KeysetPage(10), OrderFilter(**filters))  # type: ignore[arg-type]

    assert await found(market=ETH) == [other_market]
    assert await found(side=OrderSide.SELL) == [sale]
    assert await found(trading_session_id=world.session.id) == [of_session]
    assert await found(statuses=(OrderStatus.CANCELED, OrderStatus.FILLED)) == [final]
    assert await found(statuses=(OrderStatus.PENDING,)) == [late, of_session, sale, other_market, plain]
    assert await found(statuses=()) == []
    assert await found(start=at(60)) == [late]
    assert await found(end=at(60), market=BTC, side=OrderSide.BUY) == [final, of_session, plain]
    assert await found(account_id=new_id()) == []


async def test_orders_are_counted_by_status(orders: PostgresOrders, world: World, stranger: World) -> None:
    await _stored(
        orders,
        world.order(status=OrderStatus.FILLED),
        world.order(status=OrderStatus.FILLED),
        world.order(status=OrderStatus.DENIED),
        world.order(status=OrderStatus.FILLED, created_at=at(-60)),
        stranger.order(status=OrderStatus.REJECTED),
    )
    counts = await orders.count_by_status(world.user.id, OrderFilter(start=NOW))
    assert counts == {OrderStatus.FILLED: 2, OrderStatus.DENIED: 1}


async def test_an_order_from_the_database_can_be_put_into_the_event_log(orders: PostgresOrders, world: World) -> None:
    order = world.order(denials=(RiskDenial(RiskCode.ORDER_RATE, "61 in a minute", limit=Decimal(60)),))
    await orders.add(order)
    stored = await orders.get(world.user.id, order.id)
    assert stored is not None
    assert decode_subject(*encode_subject(OrderEvent(OrderEventKind.PENDING, stored))) == OrderEvent(
        OrderEventKind.PENDING, order
    )
