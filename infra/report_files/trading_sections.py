"""The page's sections on trading: round trips and their excursions, costs, exposure, and what luck may have done."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from domain.core.clock import to_milliseconds
from domain.core.money import plain, rounded
from domain.model.backtests import MonteCarlo, Quantiles
from domain.model.report_documents import ReportDocument
from domain.model.reports import RoundTrip
from domain.performance.statistics.sample import Sample
from domain.performance.statistics.tables import trips_by
from infra.report_files.charts import histogram, scatter, spans
from infra.report_files.markup import Markup, table, tag
from infra.report_files.wording import UNKNOWN, amount, duration, moment, percent, ratio, sign_class, words

TRIPS_SHOWN: Final = 100
EXTREMES_SHOWN: Final = 5
GROUPS_SHOWN: Final = 20

NameOf = Callable[[RoundTrip], str]


def round_trips(document: ReportDocument, sample: Sample) -> Iterator[Markup]:
    """Yield the round trips: how their profits are spread, by market and exit reason, the best and the worst."""
    closed = sample.trips
    if not closed:
        return
    currency = document.result.metrics.currency
    yield tag("h2", "Round trips")
    yield _held(document, closed)
    percents = [trip.profit_percent for trip in closed if trip.profit_percent is not None]
    if percents:
        yield tag("h3", "By their profit, % of the entry")
        yield histogram("Round trips by their profit", percents, " %", 190)
    yield from _excursions(closed)
    yield tag(
        "div",
        *_group("By market", closed, currency, lambda trip: str(trip.market) if trip.market else "not kept"),
        *_group("By exit", closed, currency, lambda trip: words(trip.exit_reason or "unknown")),
        class_="pair",
    )
    ranked = sorted(closed, key=lambda trip: trip.profit, reverse=True)
    if len(ranked) > 2 * EXTREMES_SHOWN:
        yield tag("h3", "The best and the worst")
        yield _trips([*ranked[:EXTREMES_SHOWN], *ranked[-EXTREMES_SHOWN:]], currency)
    last = sorted(document.result.round_trips, key=lambda trip: trip.opened_at)[-TRIPS_SHOWN:]
    more = len(document.result.round_trips) - len(last)
    yield tag("h3", f"The last {len(last)}; {more:,} more are in the tables of the report" if more else "All")
    yield _trips(last[::-1], currency)


def costs(document: ReportDocument) -> Iterator[Markup]:
    """Yield what trading has cost: fees, and slippage against the prices at which orders were decided."""
    metrics = document.result.metrics
    values = {figure.name: figure.value for figure in document.figures}
    turnover = metrics.turnover

    def of_turnover(cost: Decimal | None) -> str:
        return ratio(float(cost / turnover) * 10_000) if turnover and cost is not None else UNKNOWN

    yield tag("h2", "Costs")
    fees_of_profit = values.get("feesOfProfit")
    yield table(
        ("", metrics.currency, "Basis points of turnover"),
        [
            ("Turnover", amount(turnover), ""),
            ("Fees", amount(metrics.fees), of_turnover(metrics.fees)),
            ("Slippage against the price at decision", amount(metrics.slippage), of_turnover(metrics.slippage)),
        ],
    )
    if fees_of_profit is not None:
        text = f"Fees took {percent(float(fees_of_profit), decimals=1)} of the profit before fees."
        yield tag("p", text, class_="faint")
    denied = f"{metrics.orders_denied:,} orders were denied by risk checks, {metrics.orders_rejected:,} by the venue."
    yield tag("p", denied, class_="faint")


def monte_carlo(found: MonteCarlo | None) -> Iterator[Markup]:
    """Yield what other orders of the same round trips would have come to."""
    if found is None:
        return
    yield tag("h2", "Was the order luck?")
    text = (
        f"The {found.trips:,} round trips in {found.runs:,} random orders, and as many drawn at random with "
        f"replacement. {percent(found.deeper_percent, decimals=1)} of the orders had a deeper drawdown than the real "
        f"one, and {percent(found.loss_percent, decimals=1)} of the draws ended with a loss."
    )
    yield tag("p", text)
    rows = [
        ("Greatest drawdown", *(percent(value) for value in _levels(found.drawdown)), percent(found.actual_drawdown)),
        ("Profit of a draw", *(percent(value, signed=True) for value in _levels(found.profit)), ""),
    ]
    yield table(("", "5 of 100 below", "Half below", "95 of 100 below", "Here"), rows)


def _levels(quantiles: Quantiles) -> tuple[float, float, float]:
    return quantiles.low, quantiles.median, quantiles.high


def _held(document: ReportDocument, closed: Sequence[RoundTrip]) -> Markup:
    curve, report = document.result.equity_curve, document.report
    first, last = (curve[0].at, curve[-1].at) if curve else (report.from_, report.to)
    start, end = to_milliseconds(first), to_milliseconds(last)
    held = [
        (
            max(to_milliseconds(trip.opened_at), start),
            min(to_milliseconds(trip.closed_at or last), end),
            trip.profit > 0,
        )
        for trip in closed
    ]
    exposed = document.result.metrics.exposure_percent
    share = "" if exposed is None else f", {percent(exposed, decimals=1)} of the time"
    return tag(
        "div", tag("h3", f"When a position was held{share}"), spans("When positions were held", start, end, held)
    )


def _excursions(closed: Sequence[RoundTrip]) -> Iterator[Markup]:
    dots = [
        (trip.max_adverse_excursion, trip.profit_percent)
        for trip in closed
        if trip.max_adverse_excursion is not None and trip.profit_percent is not None
    ]
    if dots:
        yield tag("h3", "How far each went wrong before it ended")
        yield tag(
            "p",
            "Winners that were far under water, on the right above the line, were luck; losers on the left could have "
            "had a tighter stop.",
            class_="faint",
        )
        yield scatter(
            "Profit by the greatest loss while open", dots, "greatest loss while open, %", "profit, % of the entry"
        )


def _group(title: str, closed: Sequence[RoundTrip], currency: str, name_of: NameOf) -> list[Markup]:
    groups = trips_by(closed, name_of)
    rows: list[tuple[Markup | str, ...]] = [
        (
            group.name,
            f"{group.count:,}",
            percent(group.wins / group.count * 100, decimals=0),
            _signed(group.profit),
        )
        for group in groups[:GROUPS_SHOWN]
    ]
    if len(groups) > GROUPS_SHOWN:
        rows.append((f"and {len(groups) - GROUPS_SHOWN} more", "", "", ""))
    return [tag("div", tag("h3", title), table(("", "Closed", "Won", f"Profit, {currency}"), rows), class_="keep")]


def _trips(trips: Sequence[RoundTrip], currency: str) -> Markup:
    rows = (
        (
            moment(trip.opened_at),
            moment(trip.closed_at) if trip.closed_at else "open",
            str(trip.market or UNKNOWN),
            plain(rounded(trip.quantity)),
            amount(trip.entry_price),
            amount(trip.exit_price),
            _signed(trip.profit),
            percent(trip.profit_percent, signed=True),
            duration((trip.closed_at - trip.opened_at).total_seconds()) if trip.closed_at else UNKNOWN,
            words(trip.exit_reason) if trip.exit_reason else UNKNOWN,
        )
        for trip in trips
    )
    head = ("Opened", "Closed", "Market", "Quantity", "Entry", "Exit", f"Profit, {currency}", "%", "Held", "Exit by")
    return table(head, rows, class_="trips")


def _signed(value: Decimal) -> Markup:
    return tag("td", amount(value), class_=sign_class(value))
