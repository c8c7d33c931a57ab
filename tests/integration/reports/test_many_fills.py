"""A report of many fills is computed in windows of time, with the figures of one that is computed at once."""

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.model.jobs import JobStatus
from domain.model.orders import OrderRole, OrderStatus
from domain.model.reports import EquityPoint, ReportNoteCode, ReportResult, ReportScope
from domain.performance import fills_ledger
from domain.performance.equity_curve import MOST_POINTS, thinned
from domain.performance.returns import daily_returns, drawdowns, growth_index
from domain.reports.service import ReportService
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.fill_ledgers import BUY, SELL
from tests.support.orders import D
from tests.support.reporting import (
    START,
    hour,
    job_and_result,
    report_worker,
    request_report,
    set_account_opening,
    set_balances,
    store_transfer,
)
from tests.support.trading import World


async def store_trading(database: PostgresDatabase, world: World, *, session: bool = False) -> None:
    """Store orders of several fills each, from six hours before the period to its end."""
    chance, price, held = random.Random(5), 100.0, 0.0
    session_id = world.session.id if session else None
    async with database.transaction() as transaction:
        for number in range(60):
            side = SELL if held > 0.1 and chance.random() < 0.5 else BUY
            quantity = round(held if side is SELL and chance.random() < 0.6 else chance.uniform(0.5, 2), 2)
            quantity = min(quantity, round(held, 2)) if side is SELL else quantity
            held = round(held + (-quantity if side is SELL else quantity), 2)
            order = world.order(
                side=side,
                role=OrderRole.ENTRY if side is BUY else OrderRole.STOP_LOSS,
                created_at=hour(-6 + number / 2),
                status=OrderStatus.FILLED,
                quantity=D(str(quantity)),
                arrival_price=D(str(round(price, 2))),
                trading_session_id=session_id,
            )
            await transaction.orders.add(order)
            for part in range(3):
                price *= 1 + chance.gauss(0, 0.01)
                fill = world.fill(
                    order,
                    at=hour(-6 + number / 2 + part / 10),
                    price=D(str(round(price, 2))),
                    quantity=D(str(quantity)) / 4 if part < 2 else D(str(quantity)) / 2,
                    fee=D("0.05"),
                    fee_currency="USDT",
                )
                assert await transaction.orders.add_fill(fill)


async def computed(
    database: PostgresDatabase, service: ReportService, world: World, most_fills: int, scope: ReportScope
) -> ReportResult:
    report = await request_report(service, world, scope=scope)
    assert await report_worker(database, most_fills=most_fills).work_once()
    job, result = await job_and_result(database, report)
    assert job.status is JobStatus.SUCCEEDED, job.message
    assert result is not None
    return result


@pytest.mark.parametrize("scope", [ReportScope.ACCOUNT, ReportScope.TRADING_SESSION])
async def test_windows_of_any_size_have_the_figures_of_the_whole(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World, scope: ReportScope
) -> None:
    is_session = scope is ReportScope.TRADING_SESSION
    await store_trading(database, world, session=is_session)
    if is_session:
        await pool.execute(
            "UPDATE trading_sessions SET started_at = $1, start_equity = 1000 WHERE id = $2", hour(-7), world.session.id
        )
    else:
        await set_account_opening(pool, world, hour(-10))
        await set_balances(database, world, USDT=5_000, BTC=2)
        await store_transfer(database, world, hour(-3), "USDT", 100)
        await store_transfer(database, world, hour(5.3), "USDT", 250)
        await store_transfer(database, world, hour(9), "USDT", -120, "WITHDRAWAL")
    whole = await computed(database, service, world, 1_000, scope)
    assert whole.metrics.round_trips >= 5
    assert whole.metrics.slippage
    for most_fills in (4, 50):
        parts = await computed(database, service, world, most_fills, scope)
        assert parts.round_trips == whole.round_trips
        assert replace(parts.metrics, sqn=None, max_drawdown_days=None) == replace(
            whole.metrics, sqn=None, max_drawdown_days=None
        )
        assert parts.metrics.sqn == pytest.approx(whole.metrics.sqn)
        # Where windows meet there is a point more, with what was held until then.
        assert set(whole.equity_curve) <= set(parts.equity_curve)


async def test_round_trips_beyond_the_most_are_counted_and_left_out(
    database: PostgresDatabase,
    pool: Pool,
    service: ReportService,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await store_trading(database, world)
    await set_account_opening(pool, world, hour(-10))
    await set_balances(database, world, USDT=5_000, BTC=2)
    whole = await computed(database, service, world, 1_000, ReportScope.ACCOUNT)
    monkeypatch.setattr(fills_ledger.FillsLedger.__init__, "__defaults__", (3,))
    few = await computed(database, service, world, 20, ReportScope.ACCOUNT)
    assert few.round_trips == whole.round_trips[:3]
    assert few.metrics.round_trips == whole.metrics.round_trips
    assert few.metrics.notes[-1].code is ReportNoteCode.ROUND_TRIPS_LEFT_OUT


def test_a_thinned_curve_has_the_same_daily_returns_and_drawdown() -> None:
    chance, equity, points = random.Random(3), 1_000.0, []
    paid_in = Decimal(0)
    for number in range(3 * MOST_POINTS):
        equity *= 1 + chance.gauss(0, 0.001)
        if number == 30_000:
            paid_in, equity = Decimal(500), equity + 500
        at = START + number * timedelta(seconds=29)
        points.append(EquityPoint(at, Decimal(f"{equity:.6f}"), 0.0, paid_in))
    few = thinned(points)
    assert len(few) <= 1.5 * MOST_POINTS
    index, whole = growth_index(few), growth_index(points)
    assert daily_returns(few, index) == pytest.approx(daily_returns(points, whole))
    assert max(drawdowns(index)) == pytest.approx(max(drawdowns(whole)), rel=0.01)
    assert (few[0], few[-1]) == (points[0], points[-1])
    assert {max(points, key=lambda point: point.equity), min(points, key=lambda point: point.equity)} <= set(few)
    assert thinned(points[:MOST_POINTS]) == points[:MOST_POINTS]
