"""What a report is computed from, and the pure computation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.markets.types import Market, MarketSymbol
from domain.money import EXACT, ZERO
from domain.orders.types import Fill, OrderRole, OrderStatus
from domain.reports.equity_curve import CurveInput, equity_curve
from domain.reports.metrics import MetricsInput, metrics
from domain.reports.prices import Mark, Prices, Valuation
from domain.reports.round_trips import Ledger, round_trips
from domain.reports.types import EquityPoint, ReportResult, RoundTrip
from domain.trading.types import AccountTransfer


@dataclass(frozen=True, slots=True)
class ReportData:
    """All that a report says follows from this.

    `earlier` are the fills before the period, which may have opened what the period closed; `holdings` is what was held
    at the start of the period by currency, `transfers` what came in and went out after that; `traded` are the markets
    whose change is the yardstick.
    """

    venue: str
    currency: str
    start: datetime
    end: datetime
    holdings: Mapping[str, Decimal]
    earlier: Sequence[Fill]
    fills: Sequence[Fill]
    marks: Sequence[Mark]
    markets: Mapping[MarketSymbol, Market]
    traded: frozenset[MarketSymbol]
    exit_reasons: Mapping[UUID, OrderRole]
    order_counts: Mapping[OrderStatus, int]
    transfers: Sequence[AccountTransfer] = ()


def result_of(data: ReportData) -> ReportResult:
    """Return what the report says; takes some seconds of processor time for a hundred thousand fills."""
    valuation = Valuation(data.venue, data.currency, Prices(data.marks, [*data.earlier, *data.fills]))
    given = CurveInput(data.start, data.end, data.holdings, data.fills, data.marks, data.markets, valuation)
    curve = equity_curve(replace(given, transfers=data.transfers))
    trips = _trips(data, valuation)
    return ReportResult(metrics(_figures(data, valuation, curve, trips)), curve, trips)


def _trips(data: ReportData, valuation: Valuation) -> tuple[RoundTrip, ...]:
    """Return the round trips that were open at some time of the period."""
    ledger = Ledger([*data.earlier, *data.fills], data.markets, data.exit_reasons, valuation.worth)
    return tuple(trip for trip in round_trips(ledger) if trip.closed_at is None or trip.closed_at >= data.start)


def _figures(
    data: ReportData, valuation: Valuation, curve: Sequence[EquityPoint], trips: Sequence[RoundTrip]
) -> MetricsInput:
    return MetricsInput(
        currency=data.currency,
        curve=curve,
        trips=trips,
        start_equity=curve[0].equity,
        turnover=_total(_cost(fill, data.markets[fill.market], valuation) for fill in data.fills),
        fees=_total(_fee(fill, data.markets[fill.market], valuation) for fill in data.fills),
        order_counts=data.order_counts,
        market_change_percent=_market_change(data),
    )


def _cost(fill: Fill, market: Market, valuation: Valuation) -> Decimal:
    return valuation.worth(market.quote, EXACT.multiply(fill.price, fill.quantity), fill.at)


def _fee(fill: Fill, market: Market, valuation: Valuation) -> Decimal:
    if fill.fee_currency == market.base:
        # At the fill's own price, as the position's profit counts it.
        return valuation.worth(market.quote, EXACT.multiply(fill.fee, fill.price), fill.at)
    return valuation.worth(fill.fee_currency, fill.fee, fill.at)


def _total(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def _market_change(data: ReportData) -> float | None:
    """Return how much the traded market changed in percent; None where there are several, or no prices."""
    if len(data.traded) != 1:
        return None
    marks = [mark for mark in data.marks if mark.market in data.traded]
    if not marks or not marks[0].price:
        return None
    return float((marks[-1].price - marks[0].price) / marks[0].price * 100)
