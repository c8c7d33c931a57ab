"""The page of a report: one file without scripts that needs nothing else, on a screen, on paper, and offline."""

import base64
import hashlib
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from domain.model.report_documents import ReportDocument
from domain.model.statistics import FigureGroup
from domain.performance.statistics.sample import sample
from infra.report_files.markup import Markup, table, tag
from infra.report_files.performance_sections import (
    cards,
    distribution,
    joined,
    months,
    performance,
    side_by_side,
    summary,
)
from infra.report_files.style import STYLE
from infra.report_files.trading_sections import costs, monte_carlo, round_trips
from infra.report_files.wording import moment, value_of, words

_GROUPS: Final = {
    FigureGroup.RETURN: "Returns",
    FigureGroup.RATIO: "Ratios",
    FigureGroup.RISK: "Risk",
    FigureGroup.DRAWDOWN: "Drawdowns",
    FigureGroup.TRADE: "Round trips",
    FigureGroup.BENCHMARK: "Beside the benchmark",
}
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
"""Nothing is loaded or run, whatever a name in the report says; the page's own style alone applies."""


def report_page(document: ReportDocument) -> bytes:
    """Return the page, in UTF-8."""
    report, of = document.report, sample(document.result)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{document.title} · report"),
        tag("style", Markup(STYLE)),
    )
    period = f"{words(report.scope).capitalize()} · {moment(report.from_)} to {moment(report.to)} (UTC)"
    main = tag(
        "main",
        tag("header", tag("h1", document.title), tag("p", period, class_="faint")),
        summary(document),
        cards(document),
        *_notes(document),
        joined(performance(document, of)),
        joined(side_by_side(document)),
        joined(months(of)),
        joined(distribution(document, of)),
        joined(round_trips(document, of)),
        joined(costs(document)),
        joined(monte_carlo(document.monte_carlo)),
        joined(_figures(document)),
        _footer(document),
    )
    page = tag("html", head, tag("body", main), lang="en")
    return f"<!doctype html>\n{page}\n".encode()


def _notes(document: ReportDocument) -> Iterator[Markup]:
    notes = document.result.metrics.notes
    if notes:
        yield tag("h2", "What to know about these figures")
        yield tag("ul", *(tag("li", note.message) for note in notes), class_="notes")


def _figures(document: ReportDocument) -> Iterator[Markup]:
    yield tag("h2", "All figures")
    for group, members in groupby(document.figures, key=lambda figure: figure.group):
        known = [figure for figure in members if figure.value is not None]
        if known:
            yield tag("h3", _GROUPS[group])
            rows = ((figure.label, value_of(figure), figure.definition) for figure in known)
            yield table(("", "", "How it is computed"), rows, class_="figures")


def _footer(document: ReportDocument) -> Markup:
    text = (
        f"Computed on {moment(document.generated_at)} (UTC) by r3edge-engine from fills, transfers and stored prices. "
        "Days are UTC days, a year has 365 of them, and no interest is assumed. Past results say nothing about those "
        "to come."
    )
    return tag("footer", text)
