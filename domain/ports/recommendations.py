"""The port of recommendations: how strategies did on markets, and the jobs that find it out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.jobs import JobStatus
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.recommendations import RecommendationRun, WalkForwardAnalysis


class RecommendationRepository(Protocol):
    """Analyses, which all users share: one is found by the hash of its definition. Runs belong to users."""

    async def analyses(
        self, market: MarketSymbol, timeframe: Timeframe, hashes: Sequence[bytes]
    ) -> list[WalkForwardAnalysis]:
        """Return the newest analysis of each of the definitions that has one, in any order."""
        ...

    async def save_analyses(self, analyses: Sequence[WalkForwardAnalysis]) -> None:
        """Store analyses in the place of earlier ones of the same definition, market and timeframe."""
        ...

    async def add_run(self, run: RecommendationRun) -> None:
        """Insert a run whose job has yet to run."""
        ...

    async def get_run_for_job(self, job_id: UUID) -> RecommendationRun | None:
        """Return the run that the job computes."""
        ...

    async def latest_run(
        self, user_id: UUID, market: MarketSymbol, timeframe: Timeframe
    ) -> tuple[RecommendationRun, JobStatus] | None:
        """Return the user's newest run on a market, and the status of its job."""
        ...

    async def count_open_runs(self, user_id: UUID) -> int:
        """Return how many runs of the user wait or are computed, on all markets together."""
        ...

    async def delete_before(self, before: datetime, limit: int) -> int:
        """Delete analyses that are older, and ended runs with their jobs; return how many rows of both."""
        ...
