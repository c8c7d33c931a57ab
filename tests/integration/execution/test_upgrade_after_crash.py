"""A database of version 0.1 whose engine was killed with orders under way: the openings are right all the same."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from domain.accounts.late_deposits import record_late_deposit
from domain.core.money import round_down
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType
from domain.model.reports import ReportNoteCode, ReportScope
from domain.model.trading import Account, AccountTransfer, Balance, TransferKind
from domain.model.users import User
from domain.ports.execution_client import ExecutionClient, FillReport
from domain.reports.request import ReportRequest
from domain.reports.service import ReportService
from infra.clock import SystemClock
from infra.postgres.migrate import migrate, upgrade
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues
from tests.support.order_harness import FAST_TIMINGS, FixedMarkets, OrderHarness, open_order_harness_for
from tests.support.orders import BTC, a_book
from tests.support.postgres import patient_pool
from tests.support.reporting import report_worker
from tests.support.sandbox import SandboxProcess, running_sandbox
from tests.support.scripted_venue import ScriptedVenue
from tests.support.trading import new_account, new_user
from tests.support.venues import Trader, allow, new_order, open_trader
from tests.support.waiting import read_until

OPENED = datetime.now(UTC) - timedelta(days=2)
LAST_OF_0_1 = "0003"
SMALL = Decimal("0.01")
Amounts = dict[str, str]


@dataclass
class Old:
    """What an engine of version 0.1 left of one account."""

    connection: asyncpg.Connection
    user: User
    account: Account

    def order(self, **changes: object) -> Order:
        """Return a market order that was being sent when the engine was killed."""
        at = datetime.now(UTC)
        sent = {"status": OrderStatus.SUBMITTED, "submitted_at": at, "revision": 2}
        return new_order(user_id=self.user.id, account_id=self.account.id, **(sent | changes))

    async def keep(self, order: Order) -> None:
        await self.connection.execute(
            "INSERT INTO orders (id, user_id, account_id, market, client_order_id, side, type, role, quantity,"
            " created_at, updated_at, status, revision, price, post_only, reduce_only, filled_quantity, filled_cost,"
            " absences, venue_order_id, submitted_at, cancel_requested_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
            " $10, $10, $11, $12, $13, false, false, $14, $15, 0, $16, $17, $18)",
            order.id, order.user_id, order.account_id, str(order.market), order.client_order_id, order.side,
            order.type, order.role, order.quantity, order.created_at, order.status, order.revision, order.price,
            order.filled_quantity, order.filled_cost, order.venue_order_id, order.submitted_at,
            order.cancel_requested_at,
        )  # fmt: skip

    async def keep_fill(self, order: Order, fill: FillReport) -> None:
        await self.connection.execute(
            "INSERT INTO fills VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, false)",
            order.id, order.user_id, order.account_id, str(fill.market), fill.side, fill.venue_trade_id, fill.at,
            fill.price, fill.quantity, fill.fee, fill.fee_currency,
        )  # fmt: skip

    async def keep_balances(self, balances: tuple[Balance, ...]) -> None:
        await self.connection.executemany(
            "INSERT INTO balances VALUES ($1, $2, $3, $4)",
            [(self.account.id, balance.currency, balance.total, balance.free) for balance in balances],
        )


@pytest.fixture
async def old_database(empty_database_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    await upgrade(empty_database_dsn, LAST_OF_0_1)
    connection = await asyncpg.connect(empty_database_dsn)
    yield connection
    await connection.close()


async def old_account(connection: asyncpg.Connection) -> Old:
    user = new_user()
    account = new_account(user.id, created_at=OPENED)
    await connection.execute(
        "INSERT INTO users (id, email, password_hash, created_at, role, plan_name, trading_state)"
        " VALUES ($1, $2, '', $3, 'USER', 'standard', 'ACTIVE')", user.id, user.email, OPENED,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO accounts (id, user_id, name, kind, venue, currency, created_at, trading_state, risk,"
        " sealed_credentials) VALUES ($1, $2, 'paper', 'PAPER', 'sandbox', 'USDT', $3, 'ACTIVE', '{}', '')",
        account.id, user.id, OPENED,
    )  # fmt: skip
    return Old(connection, user, account)


@asynccontextmanager
async def upgraded(
    dsn: str, old: Old, venue: ExecutionClient, markets: FixedMarkets | None = None, agreement: float = 0.05
) -> AsyncIterator[OrderHarness]:
    """The account under this version, whose executor isn't started yet."""
    await migrate(dsn)
    async with (
        await patient_pool(dsn) as pool,
        open_order_harness_for(pool, venue, old.user, old.account, markets) as harness,
    ):
        harness.timings = replace(FAST_TIMINGS, checkpoint_interval=agreement)
        yield harness


async def transfers(harness: OrderHarness) -> list[tuple[str, str, str]]:
    async with harness.database.read_only() as reading:
        found = await reading.transfers.list_all(harness.account.id)
    return sorted((transfer.kind.value, transfer.currency, str(transfer.amount.normalize())) for transfer in found)


async def settled(harness: OrderHarness) -> list[tuple[str, str, str]]:
    """Return the transfers once the opening is corrected no more."""

    async def is_provisional() -> bool:
        async with harness.database.read_only() as reading:
            return await reading.transfers.has_provisional_opening(harness.account.id)

    await read_until(is_provisional, lambda provisional: not provisional, "the opening is settled")
    async with harness.database.read_only() as reading:
        assert await reading.transfers.unexplained(harness.account.id) == {}
        assert all(transfer.at == OPENED for transfer in await reading.transfers.list_all(harness.account.id))
    return await transfers(harness)


def openings(**amounts: str) -> list[tuple[str, str, str]]:
    return [("OPENING", currency, str(Decimal(amount).normalize())) for currency, amount in sorted(amounts.items())]


def holdings(**amounts: str) -> tuple[Balance, ...]:
    return tuple(Balance(currency, Decimal(amount), Decimal(amount)) for currency, amount in amounts.items())


# ---- at the sandbox exchange


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxProcess]:
    async with running_sandbox(tmp_path / "sandbox", seed=7) as process:
        yield process


@pytest.fixture
async def venues(sandbox: SandboxProcess) -> AsyncIterator[Venues]:
    settings = VenueSettings("sandbox", "binance", sandbox.url, live=False)
    venues = Venues([settings], SystemClock(), {"sandbox": sandbox.admin_token})
    yield venues
    await venues.close()


@pytest.fixture
async def markets(venues: Venues, sandbox: SandboxProcess) -> FixedMarkets:
    (listed,) = [market for market in await venues.public("sandbox").load_markets() if market.symbol == BTC]
    book = await sandbox.get("/api/v3/depth?symbol=BTCUSDT&limit=5")
    return FixedMarkets(a_book(bid=book["bids"][0][0], ask=book["asks"][0][0], quantity=50), listed)


async def test_orders_that_two_accounts_had_sent_are_no_adjustments_whenever_their_balances_were_stored(
    empty_database_dsn: str, old_database: asyncpg.Connection, venues: Venues, markets: FixedMarkets
) -> None:
    opened = {"USDT": Decimal("100000.00000001"), "BTC": Decimal("0.5")}
    accounts: list[tuple[Old, Trader, Order]] = []
    for name, stores_newest_balances in (("ann", True), ("bob", False)):
        trader, old = await open_trader(venues, name, opened), await old_account(old_database)
        order = old.order(quantity=SMALL)
        before = await trader.venue.balances()
        await trader.venue.place(order, allow)
        await old.keep(order)
        await old.keep_balances(await trader.venue.balances() if stores_newest_balances else before)
        accounts.append((old, trader, order))
    for old, trader, order in accounts:
        async with upgraded(empty_database_dsn, old, trader.venue, markets) as harness:
            await harness.start()
            await harness.until(order.id, "FILLED")
            assert await settled(harness) == openings(USDT="100000.00000001", BTC="0.5")
            (position,) = await harness.positions()
            assert position.quantity == SMALL - sum(fill.fee for fill in await harness.fills(order.id))
        await trader.venue.close()


async def test_an_upgrade_that_is_killed_before_and_during_the_recovery_is_gone_on_with(
    empty_database_dsn: str, old_database: asyncpg.Connection, venues: Venues, markets: FixedMarkets
) -> None:
    trader, old = await open_trader(venues, "ann", {"USDT": Decimal(1000)}), await old_account(old_database)
    order = old.order(quantity=SMALL / 2)
    await trader.venue.place(order, allow)
    await old.keep(order)
    await old.keep_balances(await trader.venue.balances())
    assert "0012" in await migrate(empty_database_dsn)
    # The second run corrects the opening and ends before a look has confirmed it.
    for agreement in (600, 600, 0.05):
        async with upgraded(empty_database_dsn, old, trader.venue, markets, agreement) as harness:
            if agreement < 1:
                await harness.start()
                assert await settled(harness) == openings(USDT="1000")
                await check_report(harness, order)
            else:
                await harness.start_unreconciled()
                await harness.until(order.id, "FILLED")
                await harness.kill()
    await trader.venue.close()


async def check_report(harness: OrderHarness, order: Order) -> None:
    """See that the one order is all that the account has won or lost since it was opened with 1000 USDT."""
    service = ReportService(harness.database, lambda _market: None, harness.bus, harness.clock, harness.ids)
    request = ReportRequest(ReportScope.ACCOUNT, harness.account.id, None, harness.clock.now() + timedelta(seconds=1))
    report = await service.generate(harness.user.id, request, None)
    assert harness.markets.listed is not None
    assert await report_worker(harness.database, lambda: {BTC: harness.markets.listed}).work_once()
    async with harness.database.read_only() as reading:
        result = await reading.reports.get_result(report.id)
    fills = await harness.fills(order.id)
    bought = sum(fill.quantity - fill.fee for fill in fills)
    profit = bought * fills[-1].price - sum(fill.price * fill.quantity for fill in fills)
    assert result is not None
    figures = result.metrics
    assert (figures.start_equity, figures.net_deposits, figures.net_profit) == (1000, 0, profit)
    assert figures.net_profit_percent == pytest.approx(float(profit / 10))
    assert {note.code for note in figures.notes} == {ReportNoteCode.PERIOD_TOO_SHORT}


async def test_a_cancel_that_was_on_its_way_leaves_the_opening_as_it_was(
    empty_database_dsn: str, old_database: asyncpg.Connection, venues: Venues, markets: FixedMarkets
) -> None:
    trader, old = await open_trader(venues, "ann", {"USDT": Decimal(1000)}), await old_account(old_database)
    at = datetime.now(UTC)
    assert markets.book is not None
    resting = round_down(markets.book.bids[0].price * Decimal("0.97"), Decimal("0.01"))
    order = old.order(
        type=OrderType.LIMIT, price=resting, quantity=SMALL, status=OrderStatus.PENDING_CANCEL,
        cancel_requested_at=at,
    )  # fmt: skip
    report = await trader.venue.place(order, allow)
    await old.keep(replace(order, venue_order_id=report.venue_order_id))
    await old.keep_balances(await trader.venue.balances())
    async with upgraded(empty_database_dsn, old, trader.venue, markets) as harness:
        await harness.start()
        await harness.until(order.id, "CANCELED")
        assert await settled(harness) == openings(USDT="1000")
    await trader.venue.close()


# ---- at a venue that does what a sandbox can't be made to do


@pytest.fixture
def venue() -> ScriptedVenue:
    return ScriptedVenue()


@pytest.mark.parametrize("stored", [0, 1, 2])
async def test_an_order_that_was_filled_in_part_counts_its_fills_wherever_the_crash_came(
    empty_database_dsn: str, old_database: asyncpg.Connection, venue: ScriptedVenue, stored: int
) -> None:
    old = await old_account(old_database)
    order = old.order(type=OrderType.LIMIT, price=Decimal(100), quantity=Decimal(3), status=OrderStatus.OPEN)
    report = await venue.place(order, allow)
    order = replace(order, venue_order_id=report.venue_order_id)
    fills = [venue.fill(order.client_order_id, 1) for _ in range(2)]
    counted = Decimal(min(stored, 1))
    await old.keep(replace(
        order, filled_quantity=counted, filled_cost=counted * 100,
        status=OrderStatus.PARTIALLY_FILLED if counted else OrderStatus.OPEN,
    ))  # fmt: skip
    for fill in fills[: int(counted)]:
        await old.keep_fill(order, fill)
    # Balances of before the first fill, between the two, and after both of which one is not stored.
    await old.keep_balances(holdings(USDT=str(1000 - 100 * stored), BTC=str(stored)))
    venue.holdings = holdings(USDT="800", BTC="2")
    async with upgraded(empty_database_dsn, old, venue) as harness:
        await harness.start()
        assert await settled(harness) == openings(USDT="1000")
        venue.fill(order.client_order_id, 1)
        await harness.until(order.id, "FILLED")


@pytest.mark.parametrize("is_stored", [True, False])
async def test_a_fill_whose_fee_is_in_a_third_currency_leaves_all_three_openings_exact(
    empty_database_dsn: str, old_database: asyncpg.Connection, venue: ScriptedVenue, *, is_stored: bool
) -> None:
    old = await old_account(old_database)
    order = old.order(type=OrderType.LIMIT, price=Decimal(100), quantity=Decimal(1), side=OrderSide.SELL)
    await venue.place(order, allow)
    paid = replace(venue.fill(order.client_order_id, 1), fee=Decimal("0.0000000123"), fee_currency="BNB")
    report = venue.orders[order.client_order_id]
    venue.orders[order.client_order_id] = replace(report, fills=(paid,))
    await old.keep(order)
    venue.holdings = holdings(USDT="100", BNB="0.9999999877")
    await old.keep_balances(venue.holdings if is_stored else holdings(BTC="1", BNB="1"))
    async with upgraded(empty_database_dsn, old, venue) as harness:
        await harness.start()
        await harness.until(order.id, "FILLED")
        # What it opened with is gone again, and no opening of nothing is left of USDT.
        assert await settled(harness) == openings(BTC="1", BNB="1")


async def test_what_moves_once_the_opening_is_confirmed_is_an_adjustment(
    empty_database_dsn: str, old_database: asyncpg.Connection, venue: ScriptedVenue
) -> None:
    old = await old_account(old_database)
    venue.holdings = holdings(USDT="1000")
    await old.keep_balances(venue.holdings)
    async with upgraded(empty_database_dsn, old, venue) as harness:
        await harness.start()
        await settled(harness)
        await harness.kill()
        venue.holdings = holdings(USDT="1500")
        await harness.start()
        expected = [("ADJUSTMENT", "USDT", "5E+2"), *openings(USDT="1000")]
        await read_until(lambda: transfers(harness), lambda found: found == expected, "the payment is noticed")


async def test_a_deposit_that_was_paid_but_not_recorded_is_taken_out_of_the_opening_when_it_is_asked_for_again(
    empty_database_dsn: str, old_database: asyncpg.Connection, venue: ScriptedVenue
) -> None:
    old = await old_account(old_database)
    venue.holdings = holdings(USDT="1500")
    await old.keep_balances(holdings(USDT="1000"))
    async with upgraded(empty_database_dsn, old, venue) as harness:
        await harness.start()
        assert await settled(harness) == openings(USDT="1500")
        deposit = AccountTransfer(
            harness.ids.next_id(), old.user.id, old.account.id, TransferKind.DEPOSIT, "USDT", Decimal(500),
            harness.clock.now(), "deposit:rent",
        )  # fmt: skip
        async with harness.database.transaction() as transaction:
            await record_late_deposit(transaction, deposit)
        assert await settled(harness) == [("DEPOSIT", "USDT", "5E+2"), *openings(USDT="1000")]
