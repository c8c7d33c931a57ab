"""Computed reports of made-up trading, as their files are made of."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import cycle
from uuid import UUID

from domain.backtest.monte_carlo import monte_carlo
from domain.model.markets import MarketSymbol
from domain.model.orders import OrderRole
from domain.model.report_documents import ReportDocument
from domain.model.reports import (
    BenchmarkPrices,
    EquityPoint,
    PositionSide,
    PricePoint,
    Report,
    ReportResult,
    ReportScope,
    RoundTrip,
)
from domain.performance.equity_curve import with_drawdown
from domain.performance.metrics import MetricsInput, metrics
from domain.performance.statistics.catalogue import figures

START = datetime(2024, 2, 10, tzinfo=UTC)
BTC, ETH = MarketSymbol.parse("sandbox:BTC/USDT"), MarketSymbol.parse("sandbox:ETH/USDT")


def report_of(days: int) -> Report:
    ids = [UUID(int=number) for number in range(1, 5)]
    return Report(
        ids[0], ids[1], ReportScope.ACCOUNT, ids[2], START, START + timedelta(days=days), START, ids[3]
    )  # fmt: skip


def document(days: int, marks_a_day: int = 1, trips: int = 0, seed: int = 1) -> ReportDocument:
    """Return a report of random walks, the same for the same arguments."""
    chance = random.Random(seed)
    equity, price, points, prices = 10_000.0, 42_000.0, [], []
    for mark in range(days * marks_a_day + 1):
        at = START + mark * timedelta(days=1) / marks_a_day
        move = chance.gauss(0.0005, 0.03) / marks_a_day**0.5
        price *= 1 + move
        equity *= 1 + 0.5 * move + chance.gauss(0.0004, 0.01) / marks_a_day**0.5
        points.append(EquityPoint(at, Decimal(f"{equity:.8f}"), 0.0))
        prices.append(PricePoint(at, Decimal(f"{price:.2f}")))
    curve = with_drawdown(points)
    done = _round_trips(chance, timedelta(days=days) / max(trips, 1), trips)
    given = MetricsInput(
        "USDT", curve, done, curve[0].equity, Decimal(3_000_000), Decimal(3_000), {}, slippage=Decimal("812.5")
    )
    result = ReportResult(metrics(given), curve, done, BenchmarkPrices(BTC, tuple(prices)))
    checked = monte_carlo(done, curve[0].equity, runs=200)
    return ReportDocument(
        report_of(days), result, "Account momentum", figures(result), checked, START + timedelta(days=days)
    )


def empty_document() -> ReportDocument:
    """Return a report of an account on which nothing has happened."""
    curve = tuple(EquityPoint(START + number * timedelta(days=1), Decimal(0), 0.0) for number in range(2))
    result = ReportResult(metrics(MetricsInput("USDT", curve, (), Decimal(0), Decimal(0), Decimal(0), {})), curve, ())
    return ReportDocument(report_of(1), result, "Account empty", figures(result), None, START)


def _round_trips(chance: random.Random, step: timedelta, count: int) -> tuple[RoundTrip, ...]:
    reasons = cycle((OrderRole.EXIT, OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT))
    made = []
    for number in range(count):
        percent = chance.gauss(0.3, 2.4)
        made.append(
            RoundTrip(
                opened_at=START + number * step,
                closed_at=START + number * step + step * chance.uniform(0.1, 0.9),
                side=PositionSide.LONG,
                quantity=Decimal("0.1"),
                entry_price=Decimal("42000.5"),
                exit_price=Decimal("42100.25"),
                profit=Decimal(f"{percent * 42:.4f}"),
                profit_percent=percent,
                fees=Decimal("4.2"),
                exit_reason=next(reasons),
                max_adverse_excursion=abs(chance.gauss(0, 1.5)) + max(-percent, 0),
                max_favorable_excursion=abs(chance.gauss(0, 2)) + max(percent, 0),
                market=chance.choice([BTC, ETH]),
            )
        )
    return tuple(made)
