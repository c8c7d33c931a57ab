"""Writes the summary of a scheduled report as people read it in a mail or a chat."""

from decimal import Decimal

from domain.core.money import plain, rounded
from domain.model.report_schedules import ReportCadence, ScheduledReport


def report_summary(report: ScheduledReport, url: object) -> str:
    """Return the summary of a scheduled report, or why there is none, with the address of its page if there is one."""
    about = f"{report.name}, {_period(report)}"
    left_out = _left_out(report.left_out)
    if report.error is not None:
        return f"{about}: the report could not be made. {report.error}{left_out}"
    figures = [
        f"net profit {_amount(report.net_profit, report.currency)}{_percent(report.net_profit_percent)}",
        f"equity {_amount(report.end_equity, report.currency)}",
        f"greatest drawdown {report.max_drawdown_percent or 0.0:.2f} %",
        f"{report.round_trips} round trips",
        f"fees {_amount(report.fees, report.currency)}",
    ]
    page = "" if url is None else f"\n{url}"
    return f"{about}: {', '.join(figures)}.{left_out}{page}"


def shown_amount(amount: Decimal | None) -> str | None:
    """Return an amount as the API writes it."""
    return None if amount is None else plain(rounded(amount))


def _period(report: ScheduledReport) -> str:
    if report.cadence is ReportCadence.MONTHLY:
        return report.period[:7]
    return f"week from {report.period}" if report.cadence is ReportCadence.WEEKLY else report.period


def _amount(amount: Decimal | None, currency: str | None) -> str:
    return f"{shown_amount(amount)} {currency}"


def _percent(percent: float | None) -> str:
    return "" if percent is None else f" ({percent:.2f} %)"


def _left_out(count: int) -> str:
    if not count:
        return ""
    were = "report before it was" if count == 1 else "reports before it were"
    return f" {count} {were} left out, since they couldn't be made at their times."
