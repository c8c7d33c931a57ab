"""Points of equity from an account's real ledger, and the limits that are measured by them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.model.equity import StoredEquity
from domain.model.order_side import OrderSide
from domain.model.orders import Order
from domain.model.trading import AccountTransfer, RiskLimits, TransferKind
from domain.trading.equity_recorder import EquityRecorder
from infra.postgres.pool import Pool
from tests.support.order_harness import FixedMarkets, OrderHarness, open_order_harness
from tests.support.scripted_venue import ScriptedVenue

D = Decimal


@pytest.fixture
def venue() -> ScriptedVenue:
    return ScriptedVenue()


@pytest.fixture
async def harness(pool: Pool, venue: ScriptedVenue) -> AsyncIterator[OrderHarness]:
    async with open_order_harness(pool, venue) as harness:
        yield harness


def recorder(harness: OrderHarness) -> EquityRecorder:
    return EquityRecorder(harness.account.id, harness.database, harness.markets, harness.clock)  # type: ignore[arg-type]


async def move(harness: OrderHarness, amount: object, currency: str = "USDT") -> None:
    """Record money that came or, if negative, left."""
    value = D(str(amount))
    kind = TransferKind.DEPOSIT if value > 0 else TransferKind.WITHDRAWAL
    moved = AccountTransfer(
        harness.ids.next_id(), harness.user.id, harness.account.id, kind, currency, value, harness.clock.now(),
        f"test:{harness.ids.next_id()}",
    )  # fmt: skip
    async with harness.database.transaction() as transaction:
        await transaction.transfers.add(moved)


async def last(harness: OrderHarness) -> StoredEquity | None:
    async with harness.database.read_only() as reading:
        ledger = await reading.equity.account_ledger(harness.account.id, harness.clock.now())
    assert ledger is not None
    return ledger.last


async def limit(harness: OrderHarness, **limits: object) -> None:
    async with harness.database.transaction() as transaction:
        account = await transaction.accounts.get_for_update(harness.account.id)
        assert account is not None
        await transaction.accounts.update(replace(account, risk=RiskLimits(**limits)))  # type: ignore[arg-type]


async def put(harness: OrderHarness, at: datetime, equity: object, deposited: object, peak: object = 0) -> None:
    """Store a point as of a past time."""
    amounts = (D(str(equity)), D(str(deposited)), D(str(peak)))
    async with harness.database.transaction() as transaction:
        await transaction.equity.save(StoredEquity(harness.account.id, harness.account.id, at, *amounts), {})


def codes(order: Order) -> list[str]:
    return [denial.code.value for denial in order.denials]


async def older(harness: OrderHarness) -> None:
    """Have the account be some days old."""
    async with harness.pool.acquire() as connection:
        await connection.execute("UPDATE accounts SET created_at = now() - interval '9 days'")


async def test_a_point_follows_fills_and_leaves_deposits_out_of_what_was_earned(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    await move(harness, 1000)
    assert await recorder(harness).record()
    point = await last(harness)
    assert point is not None
    assert (point.equity, point.deposited, point.profit) == (1000, 1000, 0)

    await harness.place("in")
    out = await harness.limit("out", "90", side=OrderSide.SELL)
    venue.fill(out.client_order_id, 1, "90")
    await harness.until(out.id, "FILLED")
    await move(harness, 500)
    await move(harness, -300)
    await move(harness, 2, "BTC")
    assert await recorder(harness).record()
    point = await last(harness)
    assert point is not None
    assert (point.equity, point.deposited, point.profit, point.peak) == (1390, 1400, -10, 0)


async def test_nothing_is_stored_while_nothing_has_moved_and_at_once_after_a_change(harness: OrderHarness) -> None:
    await move(harness, 1000)
    watching = recorder(harness)
    await watching.record()
    first = await last(harness)
    await watching.record()
    assert await last(harness) == first
    await move(harness, 1)
    await watching.record()
    assert (await last(harness)) != first


async def test_a_coin_without_a_market_stops_no_point_and_one_without_a_price_now_does(harness: OrderHarness) -> None:
    await move(harness, 1000)
    await move(harness, 3, "AIRDROP")
    assert await recorder(harness).record()
    assert isinstance(harness.markets, FixedMarkets)
    harness.markets.book = None
    await move(harness, 1, "BTC")
    assert not await recorder(harness).record()
    point = await last(harness)
    assert point is not None
    assert point.equity == 1000


async def test_points_of_a_clock_that_was_ahead_give_way_to_those_of_the_right_one(harness: OrderHarness) -> None:
    harness.clock.ahead = timedelta(hours=5)
    await move(harness, 1000)
    await put(harness, harness.clock.now(), 1200, 1000, peak=200)
    harness.clock.ahead = timedelta(0)
    assert await recorder(harness).record()
    point = await last(harness)
    assert point is not None
    assert point.at <= harness.clock.now()
    assert (point.equity, point.peak) == (1000, 200)


async def test_a_loss_of_days_ago_is_not_todays_and_a_withdrawal_is_none(harness: OrderHarness) -> None:
    await harness.start()
    await older(harness)
    await limit(harness, max_daily_loss=D(50))
    assert codes(await harness.place("before any point")) == ["MAX_DAILY_LOSS"]
    await move(harness, 10_000)
    await put(harness, datetime.now(UTC) - timedelta(days=5), 11_000, 10_000, 1000)
    await put(harness, datetime.now(UTC) - timedelta(days=2), 10_000, 10_000, 1000)
    await recorder(harness).record()
    await move(harness, -4_000)
    assert (await harness.place("in")).status.value == "FILLED"


async def test_a_gain_of_yesterday_that_is_lost_today_is_todays_loss(harness: OrderHarness) -> None:
    await harness.start()
    await older(harness)
    await limit(harness, max_daily_loss=D(50))
    await put(harness, datetime.now(UTC) - timedelta(days=2), 11_000, 10_000, 1000)
    await move(harness, 10_000)
    denied = await harness.place("again")
    assert codes(denied) == ["MAX_DAILY_LOSS"]
    assert denied.denials[0].actual == 1000


async def test_the_drawdown_is_from_a_peak_that_was_never_realised(harness: OrderHarness) -> None:
    await harness.start()
    await move(harness, 1000)
    await put(harness, datetime.now(UTC), 1300, 1000, 300)
    await limit(harness, max_drawdown_percent=D(24))
    assert (await harness.place("in")).status.value == "FILLED"
    await limit(harness, max_drawdown_percent=D(23))
    denied = await harness.place("again")
    assert codes(denied) == ["MAX_DRAWDOWN"]
    assert await harness.place("out", side=OrderSide.SELL, reduce_only=True)


async def test_what_has_no_price_now_denies_and_is_named(harness: OrderHarness) -> None:
    await harness.start()
    await move(harness, 1000)
    await move(harness, 1, "BNB")
    await limit(harness, max_daily_loss=D(50), max_drawdown_percent=D(5))
    denied = await harness.place("blind")
    assert codes(denied) == ["MAX_DAILY_LOSS", "MAX_DRAWDOWN"]
    assert "there is no price now of BNB" in denied.denials[0].message
    harness.markets.rates["BNB"] = D(600)
    assert (await harness.place("priced")).status.value == "FILLED"


async def test_a_position_that_was_held_for_days_and_has_just_closed_at_a_loss_starts_a_cool_down(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    await limit(harness, cool_down_losses=1, cool_down_minutes=10)
    await harness.place("in")
    async with harness.pool.acquire() as connection:
        await connection.execute("UPDATE positions SET opened_at = now() - interval '9 days'")
    out = await harness.limit("out", "90", side=OrderSide.SELL)
    venue.fill(out.client_order_id, 1, "90")
    await harness.until(out.id, "FILLED")
    assert codes(await harness.place("again")) == ["COOL_DOWN"]


async def test_old_points_are_thinned_to_one_an_hour_then_a_day_and_the_newest_stays(
    harness: OrderHarness,
) -> None:
    start = datetime(2026, 3, 1, 10, tzinfo=UTC)
    for minute in (-1440, 0, 1, 59, 60, 61, 150):
        await put(harness, start + timedelta(minutes=minute), 1, 1)
    async with harness.database.transaction() as transaction:
        day = timedelta(days=1)
        assert await transaction.equity.delete_old(start + day, start - day, 100) == 3
        assert await transaction.equity.delete_old(start + day, start + day, 100) == 2
        assert await transaction.equity.delete_old(start + day, start + day, 100) == 0
        _, days = await transaction.equity.history(harness.account.id, [(start - 2 * day, start), (start, start + day)])
    assert [each.at for each in days] == [start - day, start + timedelta(minutes=150)]


async def test_points_say_what_has_no_price_and_whether_the_account_rests(harness: OrderHarness) -> None:
    await move(harness, 1000)
    await recorder(harness).record()
    point = await last(harness)
    assert point is not None
    assert (point.rests, point.unpriced) == (True, ())
    await move(harness, 3, "AIRDROP")
    await recorder(harness).record()
    point = await last(harness)
    assert point is not None
    assert (point.rests, point.unpriced) == (False, ("AIRDROP",))


async def test_the_return_follows_trades_and_no_payments(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    await move(harness, 1000)
    await recorder(harness).record()
    await harness.place("in")
    out = await harness.limit("out", "90", side=OrderSide.SELL)
    venue.fill(out.client_order_id, 1, "90")
    await harness.until(out.id, "FILLED")
    await recorder(harness).record()
    await move(harness, 5000)
    await recorder(harness).record()
    point = await last(harness)
    assert point is not None
    assert (point.equity, point.deposited) == (5990, 6000)
    assert round(point.return_percent, 9) == -1
    assert round(point.drawdown_percent, 9) == 1
