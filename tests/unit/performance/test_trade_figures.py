"""Figures of round trips, counted by hand."""

import statistics
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.model.markets import MarketSymbol
from domain.model.reports import EquityPoint, PositionSide, ReportResult, RoundTrip
from domain.performance.metrics import MetricsInput, metrics
from domain.performance.statistics.catalogue import figures

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BTC = MarketSymbol.parse("sandbox:BTC/USDT")
ETH = MarketSymbol.parse("sandbox:ETH/BTC")


def trip(profit: str, hours: int, *, opened: int = 0, market: MarketSymbol = BTC, is_open: bool = False) -> RoundTrip:
    return RoundTrip(
        opened_at=START + opened * HOUR,
        closed_at=None if is_open else START + (opened + hours) * HOUR,
        side=PositionSide.LONG,
        quantity=Decimal(2),
        entry_price=Decimal(100),
        exit_price=None,
        profit=Decimal(profit),
        profit_percent=float(profit) / 2,
        fees=Decimal("0.5"),
        max_adverse_excursion=max(1.0, -float(profit)),
        max_favorable_excursion=max(2.0, float(profit)),
        market=market,
    )


TRIPS = (
    trip("10", 2),
    trip("-4", 1, opened=3),
    trip("6", 5, opened=5),
    trip("-2", 4, opened=12),
    trip("0", 3, opened=20),
)


def values(trips: tuple[RoundTrip, ...]) -> dict[str, float | Decimal | None]:
    curve = (EquityPoint(START, Decimal(1_000), 0.0), EquityPoint(START + 48 * HOUR, Decimal(1_010), 0.0))
    given = MetricsInput("USDT", curve, trips, Decimal(1_000), Decimal(2_010), Decimal(2), {}, slippage=Decimal("2.01"))
    return {figure.name: figure.value for figure in figures(ReportResult(metrics(given), curve, trips))}


def test_round_trips_are_counted_by_hand() -> None:
    found = values(TRIPS)
    profits = [10, -4, 6, -2, 0]
    expected: dict[str, float | Decimal] = {
        "tradesPerDay": 2.5,
        "grossProfit": Decimal(16),
        "grossLoss": Decimal(-6),
        "averageStake": Decimal(200),
        "lossRate": 40,
        "payoff": 8 / 3,
        "expectancyRatio": (1 + 8 / 3) * 0.4 - 1,
        "averageTradePercent": 1,
        "averageWinPercent": 4,
        "averageLossPercent": -1.5,
        "bestTradePercent": 5,
        "worstTradePercent": -2,
        "tradeSharpe": 2 / statistics.stdev(profits),
        "tradeSortino": 2 / (20 / 5) ** 0.5,
        "profitToMaxDrawdown": 10 / 4,
        "medianDuration": 3 * 3_600,
        "averageDurationOfWinners": 3.5 * 3_600,
        "averageDurationOfLosers": 2.5 * 3_600,
        "longestDuration": 5 * 3_600,
        "averageAdverseExcursion": (1 + 4 + 1 + 2 + 1) / 5,
        "averageFavorableExcursion": (10 + 2 + 6 + 2 + 2) / 5,
        "greatestAdverseExcursion": 4,
        "greatestFavorableExcursion": 10,
        "feesOfProfit": 2.5 / 12.5 * 100,
        "slippageOfTurnover": 10,
        "turnoverPerDay": 100,
    }
    for name, value in expected.items():
        assert found[name] == (value if isinstance(value, Decimal) else pytest.approx(value)), name
    deviation = found["tradeDeviation"]
    assert isinstance(deviation, Decimal)
    assert float(deviation) == pytest.approx(statistics.stdev(profits))


def test_positions_that_are_open_are_left_out() -> None:
    assert values((*TRIPS, trip("-900", 1, is_open=True))) == values(TRIPS)


def test_a_stake_in_several_quotes_is_no_amount() -> None:
    assert values((*TRIPS, trip("1", 1, market=ETH)))["averageStake"] is None


def test_without_round_trips_nothing_is_known_of_them() -> None:
    found = values(())
    assert (found["grossProfit"], found["payoff"], found["medianDuration"], found["feesOfProfit"]) == (None,) * 4
    assert found["tradesPerDay"] == 0
