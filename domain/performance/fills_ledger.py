"""The computation of a report from fills, transfers and prices; pure."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Final
from uuid import UUID

from domain.core.money import EXACT, ZERO
from domain.model.conversion import CurrencyGraph
from domain.model.markets import Market, MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import Fill, OrderRole, OrderStatus
from domain.model.prices import Mark, Prices, Valuation
from domain.model.reports import EquityPoint, ReportNote, ReportNoteCode, ReportResult, RoundTrip
from domain.model.trading import AccountTransfer
from domain.performance.equity_curve import MOST_POINTS, CurveInput, curve_points, thinned, with_drawdown
from domain.performance.metrics import MetricsInput, metrics
from domain.performance.notes import are_prices_known, period_notes, price_notes
from domain.performance.round_trips import RoundTripInput, RoundTripLedger

MOST_TRIPS: Final = 50_000
"""So many round trips of a report are kept: more take too long to read."""


@dataclass(frozen=True, slots=True)
class ReportData:
    """The complete input of a report.

    `earlier` are the fills before the period, which may have opened what the period closed; `holdings` are those at the
    start of the period by currency, `transfers` the deposits and withdrawals after that; `traded` are the markets whose
    price change is the benchmark. `graph` holds the markets of the venue (None: `markets`), `notes` those that are
    known already, `arrival_prices` the prices that the slippage of orders is measured from, by order, and `unfinished`
    the orders that have more fills after these. `priced_by` are older fills, whose prices are known.
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
    arrival_prices: Mapping[UUID, Decimal] = field(default_factory=dict)
    unfinished: AbstractSet[UUID] = frozenset()
    priced_by: Sequence[Fill] = ()


def compute_result(data: ReportData) -> ReportResult:
    """Return the result of a report; takes some seconds of processor time for a hundred thousand fills."""
    ledger = FillsLedger()
    ledger.add(data)
    return ledger.result()


class FillsLedger:
    """Computes a report from fills in one or more windows of time, which follow on each other.

    What it holds grows with the round trips, of which the first `MOST_TRIPS` are kept, and no further with the fills.
    """

    def __init__(self, most_trips: int = MOST_TRIPS) -> None:
        self._most_trips = most_trips
        self._ledger = RoundTripLedger()
        self._points: list[EquityPoint] = []
        self._turnover, self._fees, self._slippage = ZERO, ZERO, ZERO
        self._has_arrival = False
        self._prices_known = True
        self._notes: dict[ReportNote, None] = {}
        self._first: ReportData | None = None
        self._last: ReportData | None = None

    def add_earlier(self, data: ReportData) -> None:
        """Add fills from before the period, which may have opened what the period closed."""
        self._ledger.add(replace(_round_trip_input(data), fills=data.earlier))
        self._ledger.drop_closed()

    def add(self, data: ReportData) -> None:
        """Add the next window; the first one has the fills before the period that weren't added before."""
        valuation = _valuation(data)
        data = replace(
            data,
            earlier=[_with_fee_rate(fill, data.markets, valuation) for fill in data.earlier],
            fills=[_with_fee_rate(fill, data.markets, valuation) for fill in data.fills],
        )
        self._ledger.add(_round_trip_input(data, valuation))
        self._add_points(data, valuation)
        self._add_costs(data, valuation)
        self._prices_known = self._prices_known and _are_returns_known(data, valuation)
        self._notes |= dict.fromkeys([*data.notes, *price_notes(valuation)])
        self._first = self._first or data
        self._last = data

    def result(self) -> ReportResult:
        """Return the result of all windows."""
        assert self._first is not None
        assert self._last is not None
        curve = with_drawdown(thinned(self._points))
        start = self._first.start
        trips = [trip for trip in self._ledger.trips() if trip.closed_at is None or trip.closed_at >= start]
        found = metrics(
            MetricsInput(
                currency=self._first.currency,
                curve=curve,
                trips=trips,
                start_equity=curve[0].equity,
                turnover=self._turnover,
                fees=self._fees,
                order_counts=self._last.order_counts,
                market_change_percent=_market_change(self._first, self._last),
                prices_known=self._prices_known,
                slippage=self._slippage if self._has_arrival else None,
            )
        )
        notes = (*self._notes, *period_notes(curve), *self._left_out(trips))
        return ReportResult(replace(found, notes=notes), curve, tuple(trips[: self._most_trips]))

    def _left_out(self, trips: Sequence[RoundTrip]) -> list[ReportNote]:
        if len(trips) <= self._most_trips:
            return []
        message = (
            f"The first {self._most_trips:,} of {len(trips):,} round trips are kept and shown; the basic figures count "
            "all of them, the further figures of round trips those that are kept. The fills are all in the files."
        )
        return [ReportNote(ReportNoteCode.ROUND_TRIPS_LEFT_OUT, message)]

    def _add_points(self, data: ReportData, valuation: Valuation) -> None:
        given = CurveInput(data.start, data.end, data.holdings, data.fills, data.marks, data.markets, valuation)
        added = curve_points(replace(given, transfers=data.transfers))
        if self._points:
            paid_in = self._points[-1].net_deposits
            # A window begins where the one before ended, with the same holdings.
            added = (
                added[1:]
                if not paid_in
                else [
                    EquityPoint(point.at, point.equity, 0.0, EXACT.add(point.net_deposits, paid_in))
                    for point in added[1:]
                ]
            )
        self._points += added
        if len(self._points) > 2 * MOST_POINTS:
            self._points = list(thinned(self._points))

    def _add_costs(self, data: ReportData, valuation: Valuation) -> None:
        turnover, fees, slippage = self._turnover, self._fees, self._slippage
        for fill in data.fills:
            market = data.markets[fill.market]
            cost = valuation.worth(market.quote, EXACT.multiply(fill.price, fill.quantity), fill.at)
            turnover = EXACT.add(turnover, cost)
            fees = EXACT.add(fees, _fee(fill, market, valuation))
            arrival = data.arrival_prices.get(fill.order_id)
            if arrival is not None:
                self._has_arrival = True
                above = EXACT.multiply(EXACT.subtract(fill.price, arrival), fill.quantity)
                worth = valuation.worth(market.quote, above, fill.at)
                slippage = (EXACT.add if fill.side is OrderSide.BUY else EXACT.subtract)(slippage, worth)
        self._turnover, self._fees, self._slippage = turnover, fees, slippage


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


def _valuation(data: ReportData) -> Valuation:
    return Valuation(
        _graph(data), data.currency, Prices(data.marks, [*data.priced_by, *data.earlier, *data.fills]), data.end
    )


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
    given = RoundTripInput(fills, data.markets, data.exit_reasons, unfinished=data.unfinished)
    return given if valuation is None else replace(given, worth=valuation.worth)


def _are_returns_known(data: ReportData, valuation: Valuation) -> bool:
    if any(note.code is ReportNoteCode.START_UNKNOWN for note in data.notes):
        return False
    markets = [data.markets[symbol] for symbol in {fill.market for fill in chain(data.earlier, data.fills)}]
    currencies = frozenset(currency for market in markets for currency in (market.base, market.quote))
    return are_prices_known(valuation, currencies)


def _fee(fill: Fill, market: Market, valuation: Valuation) -> Decimal:
    if fill.fee_currency == market.base:
        # At the fill's own price, as in the position's profit.
        return valuation.worth(market.quote, EXACT.multiply(fill.fee, fill.price), fill.at)
    return valuation.worth(fill.fee_currency, fill.fee, fill.at)


def _market_change(first: ReportData, last: ReportData) -> float | None:
    """Return the price change of the traded market in percent; None if there are several, or no prices."""
    if len(first.traded) != 1:
        return None
    opening = [mark for mark in first.marks if mark.market in first.traded]
    closing = [mark for mark in last.marks if mark.market in first.traded]
    if not opening or not closing or not opening[0].price:
        return None
    return float((closing[-1].price - opening[0].price) / opening[0].price * 100)
