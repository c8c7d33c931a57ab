"""Brackets of orders by hand, and the protection of positions by hand, watched by a real keeper at the sandbox."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole, OrderStatus, OrderType, TimeInForce
from domain.model.protection import ExitLevel, PositionProtection, ProtectAt, ProtectionRules
from domain.model.trading import Account, Position
from domain.rules.bracket_request import BracketRequest
from domain.rules.order_request import OrderRequest
from domain.trading.protection_requests import PositionProtectRequest
from tests.support.plans import set_limits
from tests.support.trading import BTC
from tests.support.trading_node import TradingNode, cents, strategy
from tests.support.waiting import read_until

TWO, THREE = ExitLevel(percent=Decimal(2)), ExitLevel(percent=Decimal(3))
QUANTITY = Decimal("0.01")


async def buy(node: TradingNode, account: Account, bracket: BracketRequest | None = None, key: str = "b") -> Order:
    request = OrderRequest(account.id, BTC, OrderSide.BUY, OrderType.MARKET, QUANTITY)
    return await node.orders.place(node.user.id, request, key, bracket)


async def protections(node: TradingNode, account: Account) -> list[PositionProtection]:
    async with node.database.read_only() as reading:
        return await reading.protection.list_open(account.id)


async def active(node: TradingNode, account: Account) -> PositionProtection:
    """Return the account's protection once it knows its position."""

    async def read() -> list[PositionProtection]:
        return [found for found in await protections(node, account) if found.reference_price is not None]

    (found,) = await read_until(read, lambda now: len(now) == 1, "the protection is active")
    return found


async def exits(node: TradingNode, order: Order) -> Sequence[Order]:
    async with node.database.read_only() as reading:
        return await reading.orders.list_children([order.id])


async def open_position(node: TradingNode, account: Account) -> Position:
    async def read() -> list[Position]:
        async with node.database.read_only() as reading:
            return await reading.positions.list_open(account.id)

    (position,) = await read_until(read, lambda now: len(now) == 1, "the position is open")
    return position


async def until_flat(node: TradingNode, account: Account) -> None:
    async def read() -> int:
        async with node.database.read_only() as reading:
            return len(await reading.positions.list_open(account.id))

    await read_until(read, lambda found: found == 0, "the position is closed")

    async def left() -> int:
        return len(await protections(node, account))

    await read_until(left, lambda found: found == 0, "the protection has ended")


@pytest.mark.parametrize(
    ("level", "role"), [("stop_loss_price", OrderRole.STOP_LOSS), ("take_profit_price", OrderRole.TAKE_PROFIT)]
)
async def test_what_an_order_buys_is_sold_at_the_first_level_that_is_reached(
    node: TradingNode, level: str, role: OrderRole
) -> None:
    account = await node.account()
    await node.until_reconciled(account)
    entry = await buy(node, account, BracketRequest(TWO, THREE, ProtectAt.ENGINE))
    protection = await active(node, account)
    await node.feed.trade(getattr(protection, level))
    await until_flat(node, account)
    (sold,) = await exits(node, entry)
    assert (sold.role, sold.status, sold.side) == (role, OrderStatus.FILLED, OrderSide.SELL)
    assert sold.filled_quantity <= QUANTITY


async def test_an_order_beyond_the_plan_is_denied_and_leaves_nothing_to_watch(node: TradingNode) -> None:
    account = await node.account()
    await node.until_reconciled(account)
    await set_limits(node.pool, max_active_orders=0)
    bracket = BracketRequest(stop_loss=TWO)
    denied = await buy(node, account, bracket)
    assert [denial.code.value for denial in denied.denials] == ["PLAN_LIMIT"]
    await read_until(lambda: protections(node, account), lambda now: not now, "its protection has ended")
    await set_limits(node.pool, max_active_orders=1_000)
    assert (await buy(node, account, bracket, "within")).status is OrderStatus.FILLED


async def test_two_brackets_on_one_position_sell_what_is_each_ones_own(node: TradingNode) -> None:
    account = await node.account()
    await node.until_reconciled(account)
    near = await buy(node, account, BracketRequest(stop_loss=TWO, protect_at=ProtectAt.ENGINE), "near")
    far = await buy(
        node, account, BracketRequest(stop_loss=ExitLevel(percent=Decimal(20)), protect_at=ProtectAt.ENGINE), "far"
    )

    async def read() -> list[PositionProtection]:
        return [found for found in await protections(node, account) if found.reference_price is not None]

    both = await read_until(read, lambda now: len(now) == 2, "both are active")
    stops = {found.entry_order_id: found.stop_loss_price for found in both}
    price = stops[near.id]
    assert price is not None
    await node.feed.trade(price)

    async def sold() -> Sequence[Order]:
        return await exits(node, near)

    await read_until(sold, lambda now: len(now) == 1 and now[0].status is OrderStatus.FILLED, "the nearer one has sold")
    assert await exits(node, far) == []
    assert (await open_position(node, account)).quantity > QUANTITY / 2


async def test_an_open_position_is_protected_and_the_protection_changed_and_taken_away(node: TradingNode) -> None:
    account = await node.account()
    await node.until_reconciled(account)
    await buy(node, account)
    position = await open_position(node, account)
    service = node.protection_service

    async def protect(rules: ProtectionRules) -> None:
        await service.protect(node.user.id, PositionProtectRequest(position.id, rules))

    await protect(ProtectionRules(stop_loss=ExitLevel(percent=Decimal(20))))
    await active(node, account)
    await protect(ProtectionRules())
    assert await protections(node, account) == []
    await protect(ProtectionRules(stop_loss=THREE, trailing_stop=TWO))
    protection = await active(node, account)
    assert protection.high_water is not None
    await node.feed.trade(cents(protection.high_water * Decimal("0.97")))
    await until_flat(node, account)


async def test_a_protection_set_by_a_node_whose_clock_of_the_venue_is_behind_counts_nothing_from_before_the_position(
    node: TradingNode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = await node.account()
    await node.until_reconciled(account)
    await buy(node, account)
    position = await open_position(node, account)
    rules = ProtectionRules(stop_loss=ExitLevel(percent=Decimal(20)))
    behind = node.hub.venue_now("sandbox") - timedelta(minutes=3)
    with monkeypatch.context() as patch:
        patch.setattr(node.hub, "venue_now", lambda _: behind)
        await node.protection_service.protect(node.user.id, PositionProtectRequest(position.id, rules))
    (protection,) = await protections(node, account)
    assert protection.watched_until is not None
    assert protection.watched_until >= position.opened_at


async def test_a_protection_that_is_changed_while_the_keeper_acts_on_it_is_no_deadlock(node: TradingNode) -> None:
    account = await node.account()
    await node.until_reconciled(account)
    await buy(node, account)
    position = await open_position(node, account)
    rules = ProtectionRules(stop_loss=ExitLevel(percent=Decimal(20)))
    await node.protection_service.protect(node.user.id, PositionProtectRequest(position.id, rules))
    protection = await active(node, account)

    async def waiting() -> int:
        async with node.pool.acquire() as connection:
            query = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            return await connection.fetchval(query)

    async with node.database.transaction() as keeper:
        await keeper.protection.get_for_update(protection.id)
        request = PositionProtectRequest(position.id, ProtectionRules())
        changing = asyncio.create_task(node.protection_service.protect(node.user.id, request))
        await read_until(waiting, lambda count: count > 0, "the change waits for the keeper")
        assert await keeper.positions.get_open_for_update(account.id, position.market, None) is not None
    await changing
    assert await protections(node, account) == []


async def test_an_account_with_a_protected_position_is_not_archived(node: TradingNode) -> None:
    account = await node.account()
    await node.until_reconciled(account)
    await buy(node, account)
    position = await open_position(node, account)
    rules = ProtectionRules(stop_loss=ExitLevel(percent=Decimal(20)))
    await node.protection_service.protect(node.user.id, PositionProtectRequest(position.id, rules))
    with pytest.raises(InputError) as refused:
        await node.accounts.archive(node.user.id, account.id)
    assert refused.value.code is ErrorCode.CONFLICT
    await node.protection_service.protect(node.user.id, PositionProtectRequest(position.id, ProtectionRules()))
    assert (await node.accounts.archive(node.user.id, account.id)).archived_at is not None


async def test_a_level_that_the_market_has_passed_is_refused(node: TradingNode) -> None:
    account = await node.account()
    await node.until_reconciled(account)
    await buy(node, account)
    position = await open_position(node, account)
    assert position.average_price is not None
    service = node.protection_service
    above = ExitLevel(price=cents(position.average_price * 2))
    with pytest.raises(InputErrors) as caught:
        await service.protect(node.user.id, PositionProtectRequest(position.id, ProtectionRules(stop_loss=above)))
    assert [error.path for error in caught.value.errors] == [("input", "stopLoss")]
    assert await protections(node, account) == []


async def test_a_sessions_position_is_its_strategys(node: TradingNode) -> None:
    account = await node.account()
    session = await node.session(account, strategy())
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    position = await node.position(session)
    assert position is not None
    service = node.protection_service
    with pytest.raises(InputError) as caught:
        await service.protect(node.user.id, PositionProtectRequest(position.id, ProtectionRules(stop_loss=TWO)))
    assert caught.value.code is ErrorCode.UNSUPPORTED


@pytest.mark.parametrize(("reduce_only", "has_free_coins"), [(True, False), (False, False), (False, True)])
async def test_an_order_by_hand_that_closes_the_position_does_not_keep_its_stop_loss_from_selling(
    node: TradingNode, *, reduce_only: bool, has_free_coins: bool
) -> None:
    account = await node.account()
    if has_free_coins:
        session = await node.session(account, strategy())
        await node.feed.close_candle()
        await node.until_position(session, lambda now: now.quantity > 0, "another position has coins")
    await node.until_reconciled(account)
    entry = await buy(node, account, BracketRequest(stop_loss=TWO, protect_at=ProtectAt.ENGINE))

    async def of_entry() -> list[PositionProtection]:
        known = await protections(node, account)
        return [found for found in known if found.entry_order_id == entry.id and found.quantity]

    (protection,) = await read_until(of_entry, lambda now: len(now) == 1, "the protection is active")
    assert protection.quantity is not None
    resting = OrderRequest(
        account.id, BTC, OrderSide.SELL, OrderType.LIMIT, protection.quantity,
        price=cents(node.feed.price * Decimal("1.03")), time_in_force=TimeInForce.GTC, reduce_only=reduce_only,
    )  # fmt: skip
    by_hand = await node.orders.place(node.user.id, resting, "take-profit")
    assert by_hand.status is OrderStatus.OPEN
    assert protection.stop_loss_price is not None
    await node.feed.trade(protection.stop_loss_price - 1)

    async def left() -> list[Position]:
        async with node.database.read_only() as reading:
            return [found for found in await reading.positions.list_open(account.id) if not found.trading_session_id]

    await read_until(left, lambda now: not now, "the stop-loss sells")
    assert (await node.order(by_hand.id)).status is OrderStatus.CANCELED
    assert [alert for alert in await node.alerts() if by_hand.client_order_id in alert]


async def test_a_fill_that_is_recorded_after_a_later_one_is_protected_too(node: TradingNode) -> None:
    account = await node.account()
    await node.until_reconciled(account)
    await buy(node, account)
    opened = await open_position(node, account)
    later = opened.opened_at + timedelta(hours=1)
    async with node.database.transaction() as transaction:  # as if a later fill had been recorded first
        await transaction.positions.save(opened.changed(opened_at=later))
    assert (await open_position(node, account)).opened_at == later
    entry = await buy(node, account, BracketRequest(stop_loss=TWO), "bracket")
    protection = await active(node, account)
    assert (protection.entry_order_id, protection.quantity) == (entry.id, QUANTITY * Decimal("0.999"))
    assert (await open_position(node, account)).opened_at < later


@pytest.mark.parametrize("keeper_looks_between", [True, False])
async def test_the_stop_of_a_bracket_does_not_sell_what_was_bought_after_a_sale_by_hand(
    node: TradingNode, *, keeper_looks_between: bool
) -> None:
    account = await node.account()
    await node.until_reconciled(account)
    entry = await buy(node, account, BracketRequest(stop_loss=TWO, protect_at=ProtectAt.ENGINE))
    protection = await active(node, account)
    assert protection.quantity is not None
    assert protection.stop_loss_price is not None
    kept = protection.quantity - Decimal("0.006")

    async def parts() -> list[Decimal | None]:
        return [found.quantity for found in await protections(node, account)]

    sale = OrderRequest(account.id, BTC, OrderSide.SELL, OrderType.MARKET, Decimal("0.006"))
    assert (await node.orders.place(node.user.id, sale, "sale")).status is OrderStatus.FILLED
    if keeper_looks_between:
        await read_until(parts, lambda now: now == [kept], "the bracket protects what is left of it")
    await buy(node, account, key="later")
    await read_until(parts, lambda now: now == [kept], "the bracket protects what is left of it alone")
    held = (await open_position(node, account)).quantity
    await node.feed.trade(protection.stop_loss_price)
    await read_until(lambda: protections(node, account), lambda now: not now, "the bracket has done its work")
    (sold,) = await exits(node, entry)
    left = (await open_position(node, account)).quantity
    assert (sold.status, held - left) == (OrderStatus.FILLED, sold.filled_quantity)
    assert kept - Decimal("0.00001") < sold.filled_quantity <= kept


async def test_a_sale_by_hand_of_all_that_the_newest_bracket_protects_ends_it_and_leaves_the_older_one(
    node: TradingNode,
) -> None:
    account = await node.account()
    await node.until_reconciled(account)
    older = await buy(node, account, BracketRequest(stop_loss=TWO, protect_at=ProtectAt.ENGINE), "older")
    part = (await active(node, account)).quantity
    newer = await buy(node, account, BracketRequest(stop_loss=THREE, protect_at=ProtectAt.ENGINE), "newer")

    async def parts() -> dict[UUID | None, Decimal | None]:
        return {found.entry_order_id: found.quantity for found in await protections(node, account)}

    await read_until(parts, lambda now: now == {older.id: part, newer.id: part}, "both are active")
    assert part is not None
    await node.orders.place(node.user.id, OrderRequest(account.id, BTC, OrderSide.SELL, OrderType.MARKET, part), "sale")
    await read_until(parts, lambda now: now == {older.id: part}, "the newer one has ended")
    assert await exits(node, newer) == []
