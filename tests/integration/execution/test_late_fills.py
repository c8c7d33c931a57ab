"""A fill that is told after its order, and what was to become of its fills, had ended."""

from decimal import Decimal

from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderType
from domain.model.protection import ExitLevel, PositionProtection, ProtectionRules
from domain.rules.bracket_request import BracketRequest
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import ScriptedVenue
from tests.support.waiting import read_until

STOP = ExitLevel(percent=Decimal(5))


async def closed_entry(
    harness: OrderHarness, venue: ScriptedVenue, bracket: BracketRequest | None = None
) -> tuple[Order, list[PositionProtection]]:
    """Return an order that was cancelled after a part had filled and was sold again; its protection has ended."""
    await harness.start()
    order = await harness.service.place(
        harness.user.id, harness.request(type=OrderType.LIMIT, price=Decimal(90), quantity=Decimal(2)), "entry", bracket
    )
    venue.fill(order.client_order_id, 1, "90")
    await harness.until(order.id, "PARTIALLY_FILLED")
    await harness.service.cancel(harness.user.id, order.id)
    await harness.until(order.id, "CANCELED")
    await harness.place("sold", side=OrderSide.SELL)
    assert await harness.positions() == []
    async with harness.database.transaction() as transaction:
        protections = await transaction.protection.list_open(harness.account.id)
        for protection in protections:
            await transaction.protection.save(protection.changed(ended_at=harness.clock.now()))
    return order, protections


async def until_reopened(harness: OrderHarness) -> str:
    """Return the alert once there is a position again."""
    await read_until(harness.positions, lambda now: len(now) == 1, "a position is opened")
    (alert,) = await harness.until_alerts(1)
    return alert


async def test_a_late_fill_is_protected_again_as_its_order_asked(harness: OrderHarness, venue: ScriptedVenue) -> None:
    bracket = BracketRequest(stop_loss=STOP)
    order, (ended,) = await closed_entry(harness, venue, bracket)
    venue.fill(order.client_order_id, 1, "90")
    assert (await until_reopened(harness)).endswith("It is protected as its order asked.")
    async with harness.database.read_only() as reading:
        (protection,) = await reading.protection.list_open(harness.account.id)
        assert await reading.protection.list_open_intents(harness.account.id) == []
    assert (protection.id, protection.rules, protection.position_id) == (ended.id, ProtectionRules(STOP), None)


async def test_a_late_fill_of_an_order_without_protection_alerts(harness: OrderHarness, venue: ScriptedVenue) -> None:
    order, _ = await closed_entry(harness, venue)
    venue.fill(order.client_order_id, 1, "90")
    assert (await until_reopened(harness)).endswith("Nothing protects it.")


async def test_a_fill_in_time_alerts_nobody(harness: OrderHarness) -> None:
    await harness.start()
    await harness.place("entry")
    assert len(await harness.positions()) == 1
    assert await harness.alerts() == []
