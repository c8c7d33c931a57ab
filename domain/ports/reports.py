"""The ports of reports: jobs, reports, and the historical prices that they are computed from."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage, TimeKeysetPage
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.model.prices import Mark
from domain.model.reports import Extremes, Job, JobStatus, Report, ReportResult, Span


class PastCandles(Protocol):
    """Historical candles, fetched from the venue if need be; implemented by `domain.market_data.history`."""

    async def candles(self, market: MarketSymbol, timeframe: Timeframe, page: TimeKeysetPage) -> list[Candle]:
        """Return closed candles, including those that weren't stored and arrived within some seconds."""
        ...


class PriceRepository(Protocol):
    """Historical prices from stored candles of whichever timeframes are stored."""

    async def priced_markets(self, markets: Sequence[MarketSymbol], before: datetime) -> set[MarketSymbol]:
        """Return those of the markets of which any candle before that time is stored."""
        ...

    async def closes(
        self, market: MarketSymbol, timeframes: Sequence[Timeframe], start: datetime, end: datetime
    ) -> list[Mark]:
        """Return the closes of candles of these timeframes that closed after `start` and until `end`."""
        ...

    async def last_closes(
        self, moments: Sequence[tuple[MarketSymbol, datetime]], max_age: timedelta | None = None
    ) -> list[Mark]:
        """Return for each market and time the last close before it, unless that is `max_age` old or older."""
        ...

    async def extremes(self, spans: Sequence[Span]) -> dict[int, Extremes]:
        """Return, by the index of each span, the extremes of the stored candles that lie wholly inside of it.

        For a span too short to contain one, those of the minute candles that overlap it. A span without candles is
        left out.
        """
        ...


class ReportRepository(Protocol):
    """Jobs, and the reports that they compute."""

    async def add_job(self, job: Job) -> None:
        """Insert a job for a worker to claim."""
        ...

    async def claim_job(self, kinds: tuple[str, ...], worker: str, lease_seconds: float) -> Job | None:
        """Claim the oldest job that is queued, or whose worker's lease has expired; it is RUNNING from then on."""
        ...

    async def renew_job(self, job_id: UUID, worker: str, lease_seconds: float, progress: float) -> bool:
        """Store progress and renew the lease; False if the job is no longer this worker's or was cancelled."""
        ...

    async def finish_job(self, job_id: UUID, status: JobStatus, message: str | None, at: datetime) -> Job | None:
        """Store the end of a job; None if it had ended already."""
        ...

    async def get_job(self, user_id: UUID, job_id: UUID) -> Job | None:
        """Return a job of the user."""
        ...

    async def get_many_jobs(self, ids: list[UUID]) -> list[Job]:
        """Return the jobs that exist, in any order (for batches)."""
        ...

    async def list_jobs(
        self, user_id: UUID, page: KeysetPage, statuses: tuple[JobStatus, ...] | None = None
    ) -> list[Job]:
        """Return a page of the user's jobs, with any status unless `statuses` names some."""
        ...

    async def add_report(self, report: Report) -> None:
        """Insert a report whose job has yet to run."""
        ...

    async def get_report(self, user_id: UUID, report_id: UUID) -> Report | None:
        """Return a report of the user."""
        ...

    async def get_report_for_job(self, job_id: UUID) -> Report | None:
        """Return the report that the job computes."""
        ...

    async def list_reports(self, user_id: UUID, page: KeysetPage) -> list[Report]:
        """Return a page of the user's reports."""
        ...

    async def set_result(self, report_id: UUID, result: ReportResult) -> None:
        """Store the report's result."""
        ...

    async def get_result(self, report_id: UUID) -> ReportResult | None:
        """Return the report's result; None until its job has succeeded."""
        ...
