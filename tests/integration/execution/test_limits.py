"""Limits and halts are read in the order's own transaction."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.execution.risk_loader import remembered_risk_context
from domain.model.markets import Depth, FeedState
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole, OrderStatus, OrderType
from domain.model.protection import ExitLevel
from domain.model.trading import AccountTransfer, RiskLimits, TransferKind
from domain.model.trading_state import ENGINE_ID, Halt, HaltAuthor, HaltLevel, TradingState
from domain.risk.context import RiskContext
from tests.support.order_harness import OrderHarness
from tests.support.orders import a_book
from tests.support.scripted_venue import ScriptedVenue
from tests.support.waiting import eventually


async def limit_account(harness: OrderHarness, **limits: object) -> None:
    async with harness.database.transaction() as transaction:
        account = await transaction.accounts.get_for_update(harness.account.id)
        assert account is not None
        await transaction.accounts.update(replace(account, risk=RiskLimits(**limits)))  # type: ignore[arg-type]


def codes(order: Order) -> list[str]:
    return [denial.code.value for denial in order.denials]


async def deposit(harness: OrderHarness, amount: str) -> None:
    """Record a deposit of USDT."""
    paid = AccountTransfer(
        harness.ids.next_id(), harness.user.id, harness.account.id, TransferKind.DEPOSIT, "USDT", Decimal(amount),
        harness.clock.now(), f"deposit:{harness.ids.next_id()}",
    )  # fmt: skip
    async with harness.database.transaction() as transaction:
        await transaction.transfers.add(paid)


async def losing_round_trip(harness: OrderHarness, venue: ScriptedVenue) -> None:
    """Buy one at 100 and sell it at 90."""
    await harness.place("in")
    out = await harness.limit("out", "90", side=OrderSide.SELL)
    venue.fill(out.client_order_id, 1, "90")
    await harness.until(out.id, "FILLED")


async def halt(harness: OrderHarness, level: HaltLevel, state: TradingState = TradingState.HALTED) -> None:
    """Store a halt of the engine, the harness's user or its account."""
    ids = {HaltLevel.ENGINE: ENGINE_ID, HaltLevel.USER: harness.user.id, HaltLevel.ACCOUNT: harness.account.id}
    async with harness.database.transaction() as transaction:
        await transaction.halts.put(Halt(level, ids[level], state, harness.clock.now(), HaltAuthor.OPERATOR, None))


@pytest.mark.parametrize("level", [HaltLevel.ENGINE, HaltLevel.USER, HaltLevel.ACCOUNT])
async def test_a_halt_of_anybody_concerned_denies_the_next_order(
    harness: OrderHarness, venue: ScriptedVenue, level: HaltLevel
) -> None:
    await harness.start()
    await halt(harness, level)
    assert codes(await harness.place()) == ["TRADING_HALTED"]
    assert venue.sent == 0


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCING])
@pytest.mark.parametrize("level", [HaltLevel.ENGINE, HaltLevel.USER, HaltLevel.ACCOUNT])
async def test_a_halt_that_is_committed_while_an_order_is_checked_denies_it(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch, level: HaltLevel, state: TradingState
) -> None:
    await harness.start()

    async def halted_after(*arguments: Any, **options: Any) -> RiskContext:
        risk = await remembered_risk_context(*arguments, **options)
        monkeypatch.undo()
        await halt(harness, level, state)
        return risk

    monkeypatch.setattr("domain.execution.risk_assessment.remembered_risk_context", halted_after)
    denied = {TradingState.HALTED: "TRADING_HALTED", TradingState.REDUCING: "REDUCE_ONLY"}
    assert codes(await harness.place()) == [denied[state]]
    assert venue.sent == 0


async def test_a_halt_that_is_committed_before_a_trailing_stop_is_triggered_keeps_it_from_being_sent(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    request = harness.request(side=OrderSide.SELL, type=OrderType.TRAILING_STOP, trailing=True)
    order = await harness.service.place(harness.user.id, request, "t", trail=ExitLevel(absolute=Decimal(5)))

    await eventually(lambda: harness.markets.readers == 1, "the market's trades are read")
    await halt(harness, HaltLevel.ACCOUNT)
    harness.markets.trade(90)
    assert codes(await harness.until(order.id, "CANCELED")) == ["TRADING_HALTED"]
    assert venue.sent == 0


async def test_reducing_lets_a_position_be_closed(harness: OrderHarness) -> None:
    await harness.start()
    await harness.place("in")
    await halt(harness, HaltLevel.USER, TradingState.REDUCING)
    assert codes(await harness.place("more")) == ["REDUCE_ONLY"]
    assert (await harness.place("out", side=OrderSide.SELL)).status is OrderStatus.FILLED


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_daily_loss": Decimal(10)}, "MAX_DAILY_LOSS"),
        ({"max_drawdown_percent": Decimal("0.009")}, "MAX_DRAWDOWN"),
        ({"cool_down_losses": 1, "cool_down_minutes": 10}, "COOL_DOWN"),
    ],
)
async def test_a_loss_stops_the_next_entry(
    harness: OrderHarness, venue: ScriptedVenue, limits: dict[str, object], code: str
) -> None:
    await harness.start()
    await limit_account(harness, **limits)
    await deposit(harness, "100000")
    await losing_round_trip(harness, venue)
    assert codes(await harness.place("again")) == [code]


async def test_a_loss_within_the_limits_stops_nothing(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    await limit_account(harness, max_daily_loss=Decimal("10.01"), cool_down_losses=2, cool_down_minutes=10)
    await losing_round_trip(harness, venue)
    assert (await harness.place("again")).status is OrderStatus.FILLED


async def test_open_orders_and_the_rate_are_counted_from_what_is_stored(harness: OrderHarness) -> None:
    await harness.start()
    await limit_account(harness, max_open_orders=2, max_orders_per_minute=3)
    for key in ("1", "2"):
        assert (await harness.limit(key)).status is OrderStatus.OPEN
    assert codes(await harness.limit("3")) == ["MAX_OPEN_ORDERS"]
    for order in await harness.service.cancel_all(harness.user.id, harness.account.id):
        await harness.until(order.id, "CANCELED")
    assert (await harness.place("4")).status is OrderStatus.FILLED
    assert "ORDER_RATE" in codes(await harness.place("5"))


async def test_a_limit_is_measured_by_the_book_of_the_moment(harness: OrderHarness) -> None:
    await harness.start()
    await limit_account(harness, price_collar_percent=Decimal(1))
    thin: Depth = a_book(step="5", quantity="0.5")
    harness.markets.book = thin
    assert codes(await harness.place("thin")) == ["PRICE_COLLAR"]
    harness.markets.book = a_book(quantity=100)
    assert (await harness.place("deep")).status is OrderStatus.FILLED


async def test_a_stop_loss_is_sent_while_the_book_is_stale_and_the_account_is_not_reconciled(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    entry = await harness.place("in")
    await harness.kill()
    async with harness.database.transaction() as transaction:
        await transaction.accounts.update(replace(harness.account, trading_state=TradingState.HALTED))
        await transaction.accounts.replace_balances(harness.account.id, [])
        stop = replace(
            entry,
            id=harness.ids.next_id(),
            client_order_id="r3-stop",
            side=OrderSide.SELL,
            role=OrderRole.STOP_LOSS,
            reduce_only=True,
            status=OrderStatus.PENDING,
            revision=1,
            filled_quantity=Decimal(0),
            filled_cost=Decimal(0),
            venue_order_id=None,
        )
        await transaction.orders.add(stop)
    harness.markets.book, harness.markets.state = None, FeedState.STALE
    venue.unreachable = True
    await harness.start_unreconciled()
    await harness.until(stop.id, "FILLED")
    assert not await harness.positions()
