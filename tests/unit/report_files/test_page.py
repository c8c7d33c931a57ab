"""The page of a report: safe, self-contained and small, whatever is in the report."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from domain.model.markets import MarketSymbol
from domain.model.report_documents import ReportDocument
from domain.model.reports import ReportNote, ReportNoteCode
from infra.report_files.markup import Markup, tag
from infra.report_files.page import POLICY, report_page
from infra.report_files.style import STYLE
from tests.support.report_documents import document, empty_document

LIMIT_BYTES = 2_000_000


class Reader(HTMLParser):
    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def long_report() -> ReportDocument:
    return document(days=730, marks_a_day=24, trips=400)


@pytest.fixture(scope="module")
def page(long_report: ReportDocument) -> bytes:
    return report_page(long_report)


def test_the_page_of_two_years_of_hours_is_small(page: bytes) -> None:
    assert len(page) < LIMIT_BYTES / 4


def test_the_page_loads_and_runs_nothing(page: bytes) -> None:
    tags = Reader(page).tags
    assert not {name for name, _ in tags} & {"script", "link", "img", "iframe", "object", "base", "form", "a"}
    names = {attribute for _, attributes in tags for attribute in attributes}
    assert not {name for name in names if name.startswith("on")} | names & {"src", "href", "style", "xlink:href"}
    assert "url(" not in STYLE
    assert "@import" not in STYLE


def test_the_policy_allows_the_style_of_the_page_alone(page: bytes) -> None:
    policies = [given["content"] for name, given in Reader(page).tags if given.get("http-equiv") is not None]
    assert policies == [POLICY]
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY


def test_the_page_follows_light_dark_and_paper() -> None:
    assert "@media (prefers-color-scheme:dark)" in STYLE
    assert "@media print" in STYLE


def test_names_of_users_are_text_and_nothing_else() -> None:
    nasty = '</title><script>alert(1)</script><img src=x onerror="alert(2)">'
    note = ReportNote(ReportNoteCode.BACKTEST, f"a note {nasty}")
    made = document(days=30, trips=12)
    made = replace(made, title=nasty, result=replace(made.result, metrics=replace(made.result.metrics, notes=(note,))))
    market = MarketSymbol("sandbox", "<b>BTC</b>/USDT")
    trips = tuple(replace(trip, market=market) for trip in made.result.round_trips)
    reader = Reader(report_page(replace(made, result=replace(made.result, round_trips=trips))))
    assert not {name for name, _ in reader.tags} & {"script", "img"}
    assert reader.text.count(nasty) >= 2
    assert "<b>BTC</b>/USDT" in reader.text


def test_each_chart_is_well_formed(page: bytes) -> None:
    charts = re.findall(r"<svg.*?</svg>", page.decode(), re.DOTALL)
    assert len(charts) >= 6
    for chart in charts:
        root = ET.fromstring(chart)
        assert root.find("title") is not None
        numbers = re.findall(r"nan|inf", chart.partition("</title>")[2])
        assert not numbers


@pytest.mark.parametrize(
    "heading",
    ["Return", "Equity, USDT", "Returns by month, %", "Daily returns", "Round trips", "Costs", "Was the order luck?"],
)
def test_the_page_shows_what_a_reader_looks_for(heading: str, page: bytes) -> None:
    assert f"<h2>{heading}</h2>" in page.decode()


def test_the_summary_says_what_happened(page: bytes, long_report: ReportDocument) -> None:
    metrics = long_report.result.metrics
    text = Reader(page).text
    assert f"{metrics.round_trips:,} positions closed, {metrics.wins:,} of them with a profit" in text
    assert "for holding sandbox:BTC/USDT" in text


def test_a_report_of_nothing_is_a_page_too() -> None:
    text = Reader(report_page(empty_document())).text
    assert "0 positions closed" in text
    assert "Was the order luck?" not in text


def test_a_report_without_a_curve_or_returns_is_a_page_too() -> None:
    made = document(days=30, trips=12)
    metrics = replace(made.result.metrics, net_profit_percent=None)
    unknown = replace(made, result=replace(made.result, metrics=metrics), figures=())
    assert b"<h2>Costs</h2>" in report_page(unknown)
    assert b"There is no equity" in report_page(replace(made, result=replace(made.result, equity_curve=())))


def test_only_what_is_markup_stays_as_it_is() -> None:
    made = tag("p", "a < b", Markup("<b>c</b>"), class_='"', data_x=1.5)
    assert made == '<p class="&quot;" data-x="1.5">a &lt; b<b>c</b></p>'
