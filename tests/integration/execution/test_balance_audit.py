"""What moves an account's balances beside its fills is noticed, and recorded once it has lasted."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.accounts.late_deposits import record_late_deposit
from domain.execution.balance_audit import BalanceAudit
from domain.model.trading import AccountTransfer, Balance, TransferKind
from domain.ports.execution_client import BalanceReport
from infra.postgres.pool import Pool
from tests.support.order_harness import FAST_TIMINGS, OrderHarness, open_order_harness
from tests.support.scripted_venue import ScriptedVenue
from tests.support.waiting import read_until


def held(**balances: object) -> BalanceReport:
    amounts = {currency: Decimal(str(amount)) for currency, amount in balances.items()}
    return BalanceReport(tuple(Balance(currency, amount, amount) for currency, amount in amounts.items()))


async def recorded(harness: OrderHarness) -> list[tuple[str, str, Decimal]]:
    async with harness.database.read_only() as reading:
        transfers = await reading.transfers.list_all(harness.account.id)
    return [(transfer.kind.value, transfer.currency, transfer.amount) for transfer in transfers]


async def open_with(harness: OrderHarness, **balances: object) -> None:
    """Store what the account opens with, and that it holds it."""
    async with harness.database.transaction() as transaction:
        await transaction.accounts.replace_balances(harness.account.id, held(**balances).balances)
        for balance in held(**balances).balances:
            await transaction.transfers.add(
                AccountTransfer(
                    harness.ids.next_id(), harness.user.id, harness.account.id, TransferKind.OPENING, balance.currency,
                    balance.total, harness.account.created_at, f"opening:{balance.currency}",
                )
            )  # fmt: skip


async def hold(harness: OrderHarness, **balances: object) -> None:
    async with harness.database.transaction() as transaction:
        await transaction.accounts.replace_balances(harness.account.id, held(**balances).balances)


@pytest.fixture
async def audit(harness: OrderHarness) -> BalanceAudit:
    async with harness.database.transaction() as transaction:
        harness.lease = await transaction.leases.acquire("account", str(harness.account.id), "node", 600)
    return BalanceAudit(harness.new_context())


async def test_a_difference_counts_when_it_is_found_twice_with_the_time_of_the_first(
    harness: OrderHarness, audit: BalanceAudit
) -> None:
    await open_with(harness, USDT=1000)
    await hold(harness, USDT=1500, SOL=2)
    await audit.run()
    noticed = harness.clock.now()
    assert await recorded(harness) == [("OPENING", "USDT", 1000)]
    await audit.run()
    assert await recorded(harness) == [("OPENING", "USDT", 1000), ("ADJUSTMENT", "SOL", 2), ("ADJUSTMENT", "USDT", 500)]
    async with harness.database.read_only() as reading:
        transfers = await reading.transfers.list_all(harness.account.id)
        assert await reading.transfers.unexplained(harness.account.id) == {}
        events = await reading.events.read_after(harness.user.id, 0, None, 10)
    assert all(transfer.at <= noticed for transfer in transfers)
    assert [event.message for event in events if event.kind.value == "ACCOUNT"] == [
        "balance adjusted by 2 SOL, which no fill explains", "balance adjusted by 500 USDT, which no fill explains",
    ]  # fmt: skip


async def test_a_difference_that_passes_or_changes_is_no_transfer(harness: OrderHarness, audit: BalanceAudit) -> None:
    await open_with(harness, USDT=1000)
    for amount in (900, 1000, 950, 960, 1000, 1000):
        await hold(harness, USDT=amount)
        audit.is_due = True
        await audit.run()
    assert await recorded(harness) == [("OPENING", "USDT", 1000)]


async def test_what_rounding_leaves_is_kept_until_it_adds_up(harness: OrderHarness, audit: BalanceAudit) -> None:
    await open_with(harness, USDT=1000)
    for amount in ("1000.00000001", "1000.00000002"):
        await hold(harness, USDT=amount)
        for _ in range(3):
            audit.is_due = True
            await audit.run()
    assert await recorded(harness) == [("OPENING", "USDT", 1000), ("ADJUSTMENT", "USDT", Decimal("2E-8"))]


@pytest.mark.parametrize("reported", ["1000.1234", "1000.1235", "1000.12346", "1000.12345678"])
async def test_a_balance_that_the_venue_rounds_is_no_movement(
    harness: OrderHarness, audit: BalanceAudit, reported: str
) -> None:
    await open_with(harness, USDT="1000.123456784")
    await hold(harness, USDT=reported)
    for _ in range(3):
        audit.is_due = True
        await audit.run()
    assert [kind for kind, *_ in await recorded(harness)] == ["OPENING"]


async def test_a_withdrawal_of_everything_is_noticed_though_its_balance_is_gone(
    harness: OrderHarness, audit: BalanceAudit
) -> None:
    await open_with(harness, USDT=1000, ETH=3)
    await hold(harness, USDT=1000)
    await audit.run()
    await audit.run()
    assert ("ADJUSTMENT", "ETH", Decimal(-3)) in await recorded(harness)


async def test_without_a_change_nothing_is_compared(harness: OrderHarness, audit: BalanceAudit) -> None:
    await audit.run()
    await hold(harness, USDT=5)
    await audit.run()
    await audit.run()
    assert await recorded(harness) == []


@pytest.fixture
async def quick(pool: Pool, venue: ScriptedVenue) -> AsyncIterator[OrderHarness]:
    async with open_order_harness(pool, venue) as harness:
        harness.timings = replace(FAST_TIMINGS, checkpoint_interval=0.05)
        yield harness


async def test_fills_explain_what_they_moved_and_a_deposit_at_the_venue_is_recorded_while_the_engine_runs(
    quick: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.holdings = held(USDT=1000).balances
    await open_with(quick, USDT=1000)
    await quick.start()
    order = await quick.place()
    await quick.until(order.id, "FILLED")
    (fill,) = await quick.fills(order.id)
    # A look between the fill and its balances may record what isn't so, and takes it back at the next.
    left = 1000 - fill.price * fill.quantity + 250
    venue.holdings = held(USDT=left, BTC=fill.quantity - fill.fee).balances
    venue.publish(BalanceReport(venue.holdings))

    async def unexplained() -> dict[str, Decimal] | None:
        async with quick.database.read_only() as reading:
            arrived = len((await reading.accounts.balances([quick.account.id]))[quick.account.id]) == 2
            return await reading.transfers.unexplained(quick.account.id) if arrived else None

    await read_until(unexplained, lambda found: found == {}, "all of it is explained")
    transfers = await recorded(quick)
    assert sum(amount for _, currency, amount in transfers if currency == "USDT") == 1250
    assert sum(amount for _, currency, amount in transfers if currency == "BTC") == 0


async def test_a_late_deposit_during_an_order_leaves_the_opening_as_it_was(harness: OrderHarness) -> None:
    await open_with(harness, USDT=1000)
    # 100 were deposited, and an order that isn't known as filled yet has already paid 50.
    await hold(harness, USDT=1050)
    deposit = AccountTransfer(
        harness.ids.next_id(), harness.user.id, harness.account.id, TransferKind.DEPOSIT, "USDT", Decimal(100),
        harness.clock.now(), "deposit:rent",
    )  # fmt: skip
    async with harness.database.transaction() as transaction:
        await record_late_deposit(transaction, deposit)
    assert await recorded(harness) == [("OPENING", "USDT", 1000), ("DEPOSIT", "USDT", 100)]


async def test_rounding_does_not_keep_an_opening_provisional(harness: OrderHarness, pool: Pool) -> None:
    await open_with(harness, USDT=1000)
    await pool.execute("UPDATE accounts SET opening_is_provisional = true WHERE id = $1", harness.account.id)
    async with harness.database.transaction() as transaction:
        harness.lease = await transaction.leases.acquire("account", str(harness.account.id), "node", 600)
    audit = BalanceAudit(harness.new_context())
    await hold(harness, USDT="1000.00000001")
    await audit.run()
    assert await recorded(harness) == [("OPENING", "USDT", 1000)]
    async with harness.database.read_only() as reading:
        assert not await reading.transfers.has_provisional_opening(harness.account.id)
