"""What a file of a report is made of."""

from dataclasses import dataclass
from datetime import datetime

from domain.model.backtests import MonteCarlo
from domain.model.reports import Report, ReportResult
from domain.model.statistics import Figure


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """A computed report with all that its page shows; `title` may contain names that the user chose.

    `monte_carlo` is None if there are too few round trips.
    """

    report: Report
    result: ReportResult
    title: str
    figures: tuple[Figure, ...]
    monte_carlo: MonteCarlo | None
    generated_at: datetime
