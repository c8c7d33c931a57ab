"""The page of an operators' report, in the style of the reports of users: one file without scripts."""

from collections.abc import Iterable

from domain.model.operator_reports import OperatorReport
from infra.report_files.markup import Markup, table, tag
from infra.report_files.page import POLICY
from infra.report_files.style import STYLE
from infra.report_files.wording import UNKNOWN, moment, words


def operator_page(report: OperatorReport) -> bytes:
    """Return the page, in UTF-8."""
    title = "All users"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{title} · report"),
        tag("style", Markup(STYLE)),
    )
    period = f"{moment(report.from_)} to {moment(report.to)} (UTC)"
    sections = (_section(name, rows) for name, rows in report_rows(report))
    main = tag("main", tag("header", tag("h1", title), tag("p", period, class_="faint")), *sections)
    return f"<!doctype html>\n{tag('html', head, tag('body', main), lang='en')}\n".encode()


def report_rows(report: OperatorReport) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the numbers as they are read: sections, each with its rows of a name and a number."""
    users, latency, errors = report.users, report.latency, report.errors
    return [
        (
            "Users",
            [
                ("active", f"{users.active:,}"),
                ("registered", f"{users.registered:,}"),
                ("with orders", f"{users.trading:,}"),
            ],
        ),
        ("Orders by status", [(words(status), f"{count:,}") for status, count in report.orders.items()]),
        ("Denied by", [(words(code), f"{count:,}") for code, count in report.denials.items()]),
        ("Fills", [("fills", f"{report.fills:,}")]),
        (
            "From submission to the venue's answer",
            [
                ("orders", f"{latency.orders:,}"),
                ("median", _milliseconds(latency.median)),
                ("90 of 100 within", _milliseconds(latency.p90)),
                ("99 of 100 within", _milliseconds(latency.p99)),
                ("longest", _milliseconds(latency.longest)),
            ],
        ),
        (
            "Errors",
            [
                ("trading sessions that failed", f"{errors.trading_sessions:,}"),
                *((f"jobs that failed: {kind}", f"{count:,}") for kind, count in errors.jobs.items()),
                ("mails given up", f"{errors.mails:,}"),
                ("alerts of accounts", f"{errors.account_alerts:,}"),
            ],
        ),
    ]


def _section(name: str, rows: Iterable[tuple[str, str]]) -> Markup:
    listed = list(rows) or [("none", "0")]
    return tag("section", tag("h2", name), table(("", "number"), listed))


def _milliseconds(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.1f} ms"
