"""What a report is asked for."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.core.errors import ErrorCode, InputError
from domain.model.markets import MarketSymbol
from domain.model.reports import ReportScope


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What a report is about; `start` None is the beginning of what it is about, `end` None is now.

    A report of a backtest is about all of its period. It is compared with the `benchmark`, or with the market that was
    traded if there is just one.
    """

    scope: ReportScope
    scope_id: UUID
    start: datetime | None = None
    end: datetime | None = None
    benchmark: MarketSymbol | None = None


def nothing_to_report() -> InputError:
    """Return the error that the user has nothing with that id."""
    return InputError(ErrorCode.NOT_FOUND, "You have nothing like that to report on.", ("input", "scope"))
