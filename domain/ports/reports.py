"""What the reports' domain needs of the outside."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from domain.core.pagination import KeysetPage, TimeKeysetPage
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.model.prices import Mark
from domain.model.reports import Extremes, Job, JobStatus, Report, ReportResult, Span


class PastCandles(Protocol):
    """The past of markets, which may have to be fetched; `domain.market_data.history.MarketHistory` is one."""

    async def candles(self, market: MarketSymbol, timeframe: Timeframe, window: TimeKeysetPage) -> list[Candle]:
        """Return closed candles, those included that weren't stored and came within some seconds."""
        ...


class PriceRepository(Protocol):
    """Prices of the past out of stored candles, whichever timeframes of a market are there."""

    async def priced_markets(self, markets: Sequence[MarketSymbol], before: datetime) -> set[MarketSymbol]:
        """Return those of the markets of which any candle from before that moment is stored."""
        ...

    async def closes(
        self, market: MarketSymbol, timeframes: Sequence[Timeframe], start: datetime, end: datetime
    ) -> list[Mark]:
        """Return the closes of candles of these timeframes that closed after `start` and until `end`."""
        ...

    async def last_closes(
        self, asked: Sequence[tuple[MarketSymbol, datetime]], reach: timedelta | None = None
    ) -> list[Mark]:
        """Return for each market and moment the newest close until then, however old, or less than `reach` old."""
        ...

    async def extremes(self, spans: Sequence[Span]) -> dict[int, Extremes]:
        """Return by the place of each span the extremes of the candles during it, where there are any.

        Of those that lie wholly in it; of a span too short to hold one, of the minute candles that it touches.
        """
        ...


class ReportRepository(Protocol):
    """Jobs, and the reports that they compute."""

    async def add_job(self, job: Job) -> None:
        """Store a job that waits for a worker."""
        ...

    async def claim_job(self, kinds: tuple[str, ...], worker: str, lease_seconds: float) -> Job | None:
        """Take the oldest job that waits, or whose worker has let its lease run out; it is RUNNING from then on."""
        ...

    async def renew_job(self, job_id: UUID, worker: str, lease_seconds: float, progress: float) -> bool:
        """Store progress and go on; False where the job is no longer this worker's or was cancelled."""
        ...

    async def finish_job(self, job_id: UUID, status: JobStatus, message: str | None, at: datetime) -> Job | None:
        """Store the end of a job that is not yet ended; None where it was."""
        ...

    async def get_job(self, user_id: UUID, job_id: UUID) -> Job | None:
        """Return a job of the user."""
        ...

    async def get_many_jobs(self, ids: list[UUID]) -> list[Job]:
        """Return the jobs that exist, in any order (for batches)."""
        ...

    async def list_jobs(
        self, user_id: UUID, window: KeysetPage, statuses: tuple[JobStatus, ...] | None = None
    ) -> list[Job]:
        """Return the user's jobs."""
        ...

    async def add_report(self, report: Report) -> None:
        """Store a report whose job is still to run."""
        ...

    async def get_report(self, user_id: UUID, report_id: UUID) -> Report | None:
        """Return a report of the user."""
        ...

    async def get_report_for_job(self, job_id: UUID) -> Report | None:
        """Return the report that the job computes."""
        ...

    async def list_reports(self, user_id: UUID, window: KeysetPage) -> list[Report]:
        """Return the user's reports."""
        ...

    async def set_result(self, report_id: UUID, result: ReportResult) -> None:
        """Store what the report says."""
        ...

    async def get_result(self, report_id: UUID) -> ReportResult | None:
        """Return what the report says; None until its job has succeeded."""
        ...
