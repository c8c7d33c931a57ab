"""The computation of a report from fills, transfers and prices; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, ZERO
from domain.model.conversion import CurrencyGraph
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import Fill, OrderRole, OrderStatus
from domain.model.prices import Mark, Prices, Valuation
from domain.model.reports import EquityPoint, Extremes, ReportNote, ReportNoteCode, ReportResult, RoundTrip, Span
from domain.model.trading import AccountTransfer
from domain.performance.equity_curve import CurveInput, equity_curve
from domain.performance.metrics import MetricsInput, metrics
from domain.performance.notes import are_prices_known, period_notes, price_notes
from domain.performance.round_trips import RoundTripInput, round_trips, spans


@dataclass(frozen=True, slots=True)
class ReportData:
    """The complete input of a report.

    `earlier` are the fills before the period, which may have opened what the period closed; `holdings` are those at the
    start of the period by currency, `transfers` the deposits and withdrawals after that; `traded` are the markets whose
    price change is the benchmark. `graph` holds the markets of the venue (None: `markets`), `notes` those that are
    known already, `extremes` the highest and lowest price during each round trip by its index, `arrival_prices` the
    prices that the slippage of orders is measured from, by order.
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
    graph: CurrencyGraph | None = None
    notes: tuple[ReportNote, ...] = ()
    extremes: Mapping[int, Extremes] = field(default_factory=dict)
    arrival_prices: Mapping[UUID, Decimal] = field(default_factory=dict)


def compute_result(data: ReportData) -> ReportResult:
    """Return the result of a report; takes some seconds of processor time for a hundred thousand fills."""
    valuation = _valuation(data)
    data = replace(
        data,
        earlier=[_with_fee_rate(fill, data.markets, valuation) for fill in data.earlier],
        fills=[_with_fee_rate(fill, data.markets, valuation) for fill in data.fills],
    )
    curve_input = CurveInput(data.start, data.end, data.holdings, data.fills, data.marks, data.markets, valuation)
    curve = equity_curve(replace(curve_input, transfers=data.transfers))
    trips = _trips(data, valuation)
    report_metrics = metrics(_metrics_input(data, valuation, curve, trips))
    notes = (*data.notes, *price_notes(valuation), *period_notes(curve))
    return ReportResult(replace(report_metrics, notes=notes), curve, trips)


def unpriced_markets(data: ReportData) -> set[MarketSymbol]:
    """Return the traded markets whose prices are missing to value the holdings at the start and the transfers."""
    valuation = _valuation(data)
    for currency, amount in data.holdings.items():
        valuation.worth(currency, amount, data.start)
    for transfer in data.transfers:
        valuation.worth(transfer.currency, transfer.amount, transfer.at)
    graph = _graph(data)
    paths = [graph.active_path(missing.currency, data.currency) for missing in valuation.missing]
    return {step.market for path in paths for step in path or ()}


def trip_spans(data: ReportData) -> list[Span]:
    """Return the time and the market of every round trip in order; those still open end with the period."""
    return spans(_round_trip_input(data), data.end)


def _valuation(data: ReportData) -> Valuation:
    return Valuation(_graph(data), data.currency, Prices(data.marks, [*data.earlier, *data.fills]), data.end)


def _graph(data: ReportData) -> CurrencyGraph:
    return data.graph or CurrencyGraph(market for market in data.markets.values() if market.symbol.venue == data.venue)


def _with_fee_rate(fill: Fill, markets: Mapping[MarketSymbol, Market], valuation: Valuation) -> Fill:
    """Return the fill with the rate of a fee in a third currency, if none was known when it was recorded."""
    market = markets[fill.market]
    if fill.fee_rate is not None or not fill.fee or fill.fee_currency in {market.base, market.quote}:
        return fill
    return replace(fill, fee_rate=valuation.rate(fill.fee_currency, market.quote, fill.at))


def _round_trip_input(data: ReportData, valuation: Valuation | None = None) -> RoundTripInput:
    fills = [*data.earlier, *data.fills]
    if valuation is None:
        return RoundTripInput(fills, data.markets, data.exit_reasons)
    return RoundTripInput(fills, data.markets, data.exit_reasons, valuation.worth, data.extremes)


def _trips(data: ReportData, valuation: Valuation) -> tuple[RoundTrip, ...]:
    """Return the round trips that were open at any time of the period."""
    trips = round_trips(_round_trip_input(data, valuation))
    return tuple(trip for trip in trips if trip.closed_at is None or trip.closed_at >= data.start)


def _metrics_input(
    data: ReportData, valuation: Valuation, curve: Sequence[EquityPoint], trips: Sequence[RoundTrip]
) -> MetricsInput:
    turnover = _total(_cost(fill, data.markets[fill.market], valuation) for fill in data.fills)
    fees = _total(_fee(fill, data.markets[fill.market], valuation) for fill in data.fills)
    return MetricsInput(
        currency=data.currency,
        curve=curve,
        trips=trips,
        start_equity=curve[0].equity,
        turnover=turnover,
        fees=fees,
        order_counts=data.order_counts,
        market_change_percent=_market_change(data),
        prices_known=_are_returns_known(data, valuation),
        slippage=_slippage(data, valuation),
    )


def _are_returns_known(data: ReportData, valuation: Valuation) -> bool:
    if any(note.code is ReportNoteCode.START_UNKNOWN for note in data.notes):
        return False
    markets = [data.markets[fill.market] for fill in [*data.earlier, *data.fills]]
    currencies = frozenset(currency for market in markets for currency in (market.base, market.quote))
    return are_prices_known(valuation, currencies)


def _cost(fill: Fill, market: Market, valuation: Valuation) -> Decimal:
    return valuation.worth(market.quote, EXACT.multiply(fill.price, fill.quantity), fill.at)


def _fee(fill: Fill, market: Market, valuation: Valuation) -> Decimal:
    if fill.fee_currency == market.base:
        # At the fill's own price, as in the position's profit.
        return valuation.worth(market.quote, EXACT.multiply(fill.fee, fill.price), fill.at)
    return valuation.worth(fill.fee_currency, fill.fee, fill.at)


def _slippage(data: ReportData, valuation: Valuation) -> Decimal | None:
    """Return what the fills cost more than at their orders' arrival prices; None if none of those is known."""
    costs = []
    for fill in data.fills:
        arrival = data.arrival_prices.get(fill.order_id)
        if arrival is not None:
            difference = EXACT.multiply(EXACT.subtract(fill.price, arrival), Decimal(fill.side.sign))
            quote = data.markets[fill.market].quote
            costs.append(valuation.worth(quote, EXACT.multiply(difference, fill.quantity), fill.at))
    return _total(costs) if costs else None


def _total(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def _market_change(data: ReportData) -> float | None:
    """Return the price change of the traded market in percent; None if there are several, or no prices."""
    if len(data.traded) != 1:
        return None
    marks = [mark for mark in data.marks if mark.market in data.traded]
    if not marks or not marks[0].price:
        return None
    return float((marks[-1].price - marks[0].price) / marks[0].price * 100)
