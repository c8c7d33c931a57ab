"""Accounts with fills, transfers, balances and candles on a real database, and the reports of them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from domain.jobs.runner import JobRunner
from domain.model.jobs import Job, JobStatus
from domain.model.markets import Candle, Market, MarketSymbol, Timeframe
from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole, OrderStatus
from domain.model.reports import Report, ReportResult, ReportScope
from domain.model.trading import AccountTransfer, Balance, TradingSession, TransferKind
from domain.reports.file_maker import ReportFileMaker
from domain.reports.handler import MOST_FILLS, ReportHandler
from domain.reports.request import ReportRequest
from domain.reports.service import ReportService
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from infra.report_files.writer import ReportFileWriter
from tests.support.fill_ledgers import BUY, MARKETS
from tests.support.orders import BTC, D
from tests.support.trading import World, new_id

START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=4)
END = START + timedelta(days=1)


def report_worker(
    database: PostgresDatabase,
    markets: Callable[[], Mapping[MarketSymbol, Market]] = lambda: MARKETS,
    most_fills: int = MOST_FILLS,
) -> JobRunner:
    handler = ReportHandler(
        database,
        SystemClock(),
        markets,
        ReportFileMaker(database, ReportFileWriter(), TimeOrderedIds()),
        most_fills=most_fills,
    )
    return JobRunner(database, EmbeddedBus(), SystemClock(), "one", [handler])


async def store_fills(
    database: PostgresDatabase,
    world: World,
    *rows: tuple[datetime, OrderSide, object, object],
    session: TradingSession | None = None,
) -> None:
    """Store an order with its fill for each row (time, side, quantity, price), of a trading session if one is given."""
    session_id = None if session is None else session.id
    async with database.transaction() as transaction:
        for at, side, quantity, price in rows:
            role = OrderRole.ENTRY if side is BUY else OrderRole.EXIT
            order = world.order(
                side=side, role=role, created_at=at, status=OrderStatus.FILLED, trading_session_id=session_id
            )
            await transaction.orders.add(order)
            amount = {"price": D(str(price)), "quantity": D(str(quantity)), "fee": D(0), "fee_currency": "USDT"}
            assert await transaction.orders.add_fill(world.fill(order, at=at, **amount))


async def set_unexplained_balances(database: PostgresDatabase, world: World, **balances: object) -> None:
    stored = [Balance(currency, D(str(amount)), D(str(amount))) for currency, amount in balances.items()]
    async with database.transaction() as transaction:
        await transaction.accounts.replace_balances(world.account.id, stored)


async def set_balances(database: PostgresDatabase, world: World, **balances: object) -> None:
    """Store the balances; what transfers and fills so far don't explain was there long before."""
    await set_unexplained_balances(database, world, **balances)
    async with database.transaction() as transaction:
        for currency, amount in (await transaction.transfers.unexplained(world.account.id)).items():
            await transaction.transfers.add(
                AccountTransfer(
                    new_id(), world.user.id, world.account.id, TransferKind.OPENING, currency, amount,
                    START - timedelta(days=365), f"opening:{currency}",
                )
            )  # fmt: skip


async def store_minute_candles(database: PostgresDatabase, pool: Pool, *rows: tuple[datetime, object]) -> None:
    """Store closed one-minute candles of rows (close time, close)."""
    candles = [
        Candle(BTC, Timeframe.M1, at - timedelta(minutes=1), *[D(str(price))] * 4, D(1), closed=True)
        for at, price in rows
    ]
    async with pool.acquire() as driver:
        await ensure_months(Connection(driver), "candles", rows[0][0], rows[-1][0])
    async with database.transaction() as transaction:
        await transaction.market_data.upsert_candles(candles)


async def set_account_opening(pool: Pool, world: World, at: datetime) -> None:
    async with pool.acquire() as driver:
        await driver.execute("UPDATE accounts SET created_at = $2 WHERE id = $1", world.account.id, at)


async def request_report(
    service: ReportService, world: World, start: datetime = START, end: datetime = END, scope: ReportScope | None = None
) -> Report:
    asked_scope = scope or ReportScope.ACCOUNT
    scope_id = world.session.id if asked_scope is ReportScope.TRADING_SESSION else world.account.id
    return await service.generate(world.user.id, ReportRequest(asked_scope, scope_id, start, end), None)


async def job_and_result(database: PostgresDatabase, report: Report) -> tuple[Job, ReportResult | None]:
    async with database.read_only() as reading:
        job = await reading.jobs.get(report.user_id, report.job_id)
        assert job is not None
        return job, await reading.reports.get_result(report.id)


async def computed_result(
    database: PostgresDatabase,
    service: ReportService,
    world: World,
    markets: Mapping[MarketSymbol, Market] = MARKETS,
    **request: object,
) -> ReportResult:
    report = await request_report(service, world, **request)  # type: ignore[arg-type]
    assert await report_worker(database, lambda: markets).work_once()
    job, result = await job_and_result(database, report)
    assert job.status is JobStatus.SUCCEEDED, job.message
    assert result is not None
    return result


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


async def store_transfer(
    database: PostgresDatabase, world: World, at: datetime, currency: str, amount: object, kind: str = "DEPOSIT"
) -> None:
    moved = AccountTransfer(
        new_id(), world.user.id, world.account.id, TransferKind(kind), currency, D(str(amount)), at, str(at)
    )
    async with database.transaction() as transaction:
        assert await transaction.transfers.add(moved)


async def store_candles(
    database: PostgresDatabase,
    pool: Pool,
    timeframe: Timeframe,
    *rows: tuple[datetime, object],
    market: MarketSymbol = BTC,
) -> None:
    """Store closed candles of rows (close time, close)."""
    stored = [
        Candle(market, timeframe, at - timeframe.duration, *[D(str(price))] * 4, D(1), closed=True)
        for at, price in rows
    ]
    async with pool.acquire() as driver:
        await ensure_months(Connection(driver), "candles", stored[0].open_time, stored[-1].open_time)
    async with database.transaction() as transaction:
        await transaction.market_data.upsert_candles(stored)
