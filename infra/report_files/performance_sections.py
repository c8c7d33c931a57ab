"""The page's sections on performance: the summary, equity and drawdown, months, and the distribution of days."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from domain.core.clock import to_milliseconds
from domain.model.report_documents import ReportDocument
from domain.model.reports import BenchmarkPrices, EquityPoint
from domain.performance.drawdown_periods import deepest, drawdown_periods
from domain.performance.statistics.sample import Sample
from domain.performance.statistics.tables import monthly_returns
from infra.report_files.charts import Line, curves, histogram
from infra.report_files.markup import Markup, join, table, tag
from infra.report_files.style import HEAT_LEVELS
from infra.report_files.wording import UNKNOWN, amount, day, duration, percent, ratio, sign_class

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DRAWDOWNS_SHOWN: Final = 8
ROLLING_DAYS: Final = 90
_HEAT_STEP: Final = 0.03
"""By how much the return of a month has to be higher for the next shade."""


def cards(document: ReportDocument) -> Markup:
    """Return the figures that are looked at first."""
    metrics = document.result.metrics
    shown = [
        (f"Net profit, {metrics.currency}", amount(metrics.net_profit), sign_class(metrics.net_profit)),
        ("Return", percent(metrics.net_profit_percent, signed=True), sign_class(metrics.net_profit_percent)),
        ("A year (CAGR)", percent(metrics.cagr, signed=True), sign_class(metrics.cagr)),
        ("Greatest drawdown", percent(metrics.max_drawdown_percent), None),
        ("Sharpe ratio", ratio(metrics.sharpe), None),
        ("Sortino ratio", ratio(metrics.sortino), None),
        ("Profit factor", ratio(metrics.profit_factor), None),
        ("Round trips won", percent(metrics.win_rate, decimals=1), None),
    ]
    return tag(
        "div",
        *(
            tag("div", tag("span", name), tag("b", value, class_=class_), class_="card")
            for name, value, class_ in shown
        ),
        class_="cards",
    )


def summary(document: ReportDocument) -> Markup:
    """Return in two sentences what happened."""
    result, metrics = document.result, document.result.metrics
    if not result.equity_curve:
        return tag("p", "There is no equity in this period.", class_="lead")
    length = duration((result.equity_curve[-1].at - result.equity_curve[0].at).total_seconds())
    text = (
        f"In {length} the equity went from {amount(metrics.start_equity)} to {amount(metrics.end_equity)} "
        f"{metrics.currency}"
    )
    if metrics.net_deposits:
        verb = "paid in" if metrics.net_deposits > 0 else "taken out"
        text += f", of which {amount(abs(metrics.net_deposits))} was {verb}"
    text += f": a return of {percent(metrics.net_profit_percent, signed=True)}"
    market = next((figure.value for figure in document.figures if figure.name == "benchmarkReturn"), None)
    if result.benchmark is not None and market is not None:
        text += f", beside {percent(float(market), signed=True)} for holding {result.benchmark.market}"
    elif metrics.market_change_percent is not None:
        text += f", while the market's price changed by {percent(metrics.market_change_percent, signed=True)}"
    trips = f"{metrics.round_trips:,} position{'s' if metrics.round_trips != 1 else ''} closed"
    won = f", {metrics.wins:,} of them with a profit" if metrics.round_trips else ""
    exposed = metrics.exposure_percent
    time = "" if exposed is None else f"; something was held {percent(exposed, decimals=0)} of the time"
    return tag("p", f"{text}. {trips}{won}{time}.", class_="lead")


def performance(document: ReportDocument, sample: Sample) -> Iterator[Markup]:
    """Yield the charts of return, equity and drawdown, and the table of the deepest drawdowns."""
    curve, index, result = sample.curve, sample.index, document.result
    if len(curve) < 2:  # noqa: PLR2004  # a line needs two points
        return
    times = [to_milliseconds(point.at) for point in curve]
    own = Line("first", [(at, value * 100) for at, value in zip(times, index, strict=True)])
    lines = [own]
    legend = [tag("i"), "what 100 at the start became"]
    if result.benchmark is not None and (line := _benchmark_line(result.benchmark, curve)) is not None:
        lines.append(line)
        legend += [tag("i", class_="second"), f"holding {result.benchmark.market}"]
    yield tag("h2", "Return")
    yield tag("p", *legend, class_="legend")
    yield curves("What 100 at the start became", lines, 260, mark=100.0)
    yield tag("h3", "Drawdown, %")
    falls = [(at, -point.drawdown_percent) for at, point in zip(times, curve, strict=True)]
    yield curves("Drawdown in percent", [Line("deep", falls)], 120, filled=True)
    yield tag("h2", f"Equity, {result.metrics.currency}")
    equity = [Line("first", [(at, float(point.equity)) for at, point in zip(times, curve, strict=True)])]
    if any(point.net_deposits for point in curve):
        yield tag("p", tag("i"), "equity", tag("i", class_="second"), "paid in since the start", class_="legend")
        start = float(curve[0].equity)
        paid = [(at, start + float(point.net_deposits)) for at, point in zip(times, curve, strict=True)]
        equity.append(Line("second", paid))
    yield curves("Equity over time", equity, 200)
    yield from _drawdowns(sample)


def _benchmark_line(benchmark: BenchmarkPrices, curve: Sequence[EquityPoint]) -> Line | None:
    start, end = curve[0].at, curve[-1].at
    before = [point for point in benchmark.prices if point.at <= start][-1:]
    within = [*before, *(point for point in benchmark.prices if start < point.at <= end)]
    if len(within) < 2 or not within[0].price:  # noqa: PLR2004  # a line needs two points
        return None
    first = float(within[0].price)
    points = [(to_milliseconds(max(point.at, start)), float(point.price) / first * 100) for point in within]
    return Line("second", points)


def _drawdowns(sample: Sample) -> Iterator[Markup]:
    worst = deepest(drawdown_periods(sample.curve, sample.index), DRAWDOWNS_SHOWN)
    if worst:
        yield tag("h3", "The deepest drawdowns")
        rows = (
            (
                day(period.started_at),
                day(period.lowest_at),
                "not over" if period.recovered_at is None else day(period.recovered_at),
                duration(period.days * 86_400),
                percent(-period.depth_percent),
            )
            for period in worst
        )
        yield table(("From", "Lowest", "Recovered", "Length", "Depth"), rows)


def side_by_side(document: ReportDocument) -> Iterator[Markup]:
    """Yield the figures of the accounts or versions that the report is about."""
    parts = document.result.parts
    if not parts:
        return
    yield tag("h2", "Side by side")
    head = ("", "Net profit", "Return", "Drawdown", "Sharpe", "Sortino", "Closed", "Won", "Profit factor", "Fees")
    rows = (
        (
            part.name,
            tag("td", amount(part.metrics.net_profit), class_=sign_class(part.metrics.net_profit)),
            percent(part.metrics.net_profit_percent, signed=True),
            percent(part.metrics.max_drawdown_percent),
            ratio(part.metrics.sharpe),
            ratio(part.metrics.sortino),
            f"{part.metrics.round_trips:,}",
            percent(part.metrics.win_rate, decimals=0),
            ratio(part.metrics.profit_factor),
            amount(part.metrics.fees),
        )
        for part in parts
    )
    yield table(head, rows)


def months(sample: Sample) -> Iterator[Markup]:
    """Yield the table of monthly returns."""
    found = monthly_returns(sample.days)
    if not found:
        return
    yield tag("h2", "Returns by month, %")
    rows = ([str(year), *(_heat(values.get(month)) for month in [*range(1, 13), 0])] for year, values in found.items())
    yield table(("", *MONTHS, "Year"), rows, class_="heat")


def _heat(value: float | None) -> Markup:
    if value is None:
        return tag("td", "")
    level = min(math.ceil(abs(value) / _HEAT_STEP), HEAT_LEVELS)
    name = None if not level else f"{'gain' if value > 0 else 'loss'}{level}"
    text = f"{value * 100:.1f}".replace("-", "\N{MINUS SIGN}")
    return tag("td", text, class_=name)


def distribution(document: ReportDocument, sample: Sample) -> Iterator[Markup]:
    """Yield how daily returns are spread, and how the Sharpe ratio went."""
    if not len(sample.returns):
        return
    values = {figure.name: figure.value for figure in document.figures}
    risk = [
        f"{name} {percent(float(value))}"
        for name, value in (
            ("best day", values.get("bestDay")),
            ("worst day", values.get("worstDay")),
            ("value at risk (95 %)", values.get("valueAtRisk95")),
            ("expected shortfall (95 %)", values.get("expectedShortfall95")),
        )
        if value is not None
    ]
    yield tag("h2", "Daily returns")
    yield tag("p", " · ".join(risk) or UNKNOWN, class_="faint")
    yield histogram("Days by their return", (sample.returns * 100).tolist(), " %")
    rolling = _rolling_sharpe(sample)
    if len(rolling) > 1:
        yield tag("h3", f"Sharpe ratio of the last {ROLLING_DAYS} days")
        yield curves(f"Sharpe ratio of {ROLLING_DAYS} days", [Line("first", rolling)], 130, mark=0.0)


def _rolling_sharpe(sample: Sample) -> list[tuple[int, float]]:
    points = []
    returns = sample.returns
    for end in range(ROLLING_DAYS, len(returns) + 1):
        window = returns[end - ROLLING_DAYS : end]
        deviation = float(window.std(ddof=1))
        if deviation > 0:
            at = to_milliseconds(sample.days[end - 1].end)
            points.append((at, float(window.mean()) / deviation * math.sqrt(365)))
    return points


def joined(parts: Iterator[Markup]) -> Markup:
    """Return the parts as one section."""
    return tag("section", join(parts))
