"""Recommends strategies for a market by what is known of them, and has workers find out what isn't."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError
from domain.core.pagination import TimeKeysetPage
from domain.indicators.trend import Trend, bars_needed, latest_trend
from domain.jobs.queue import add_job, notify_workers
from domain.model.jobs import Job, JobKind, JobStatus
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.recommendations import RecommendationRun, WalkForwardAnalysis
from domain.model.reports import PerformanceMetrics
from domain.model.strategies import Strategy
from domain.model.strategy_templates import StrategyTemplate, TemplateCatalogue
from domain.model.trading import ParameterValue
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.recommendations.ranking import Ranked, rank
from domain.recommendations.reasons import reason
from domain.research.recommendation_candidates import RecommendationCandidate, candidates_of, is_old

MOST_OPEN_RUNS: Final = 2
"""How many markets of one user are worked on at a time, so that other jobs of the user have room in the plan."""
PAUSE: Final = timedelta(minutes=10)
"""How long after a run the next one on the same market begins at the earliest, even if it failed."""


@dataclass(frozen=True, slots=True)
class StrategyRecommendation:
    """A strategy of the user or a template, with how well it suits the market now."""

    strategy: Strategy | None
    template: StrategyTemplate | None
    score: float
    trend: Trend
    reason: str
    metrics: PerformanceMetrics
    parameters: tuple[ParameterValue, ...]
    computed_at: datetime


class RecommendationService:
    """Recommends strategies. A query waits for nothing but the database."""

    def __init__(
        self, database: Database, templates: TemplateCatalogue, bus: MessageBus, clock: Clock, ids: IdGenerator
    ) -> None:
        self._database = database
        self._templates = templates
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def recommend(
        self, user_id: UUID, market: MarketSymbol, timeframe: Timeframe, most: int
    ) -> Sequence[StrategyRecommendation]:
        """Return up to `most` recommendations, the best first; none as long as nothing was computed.

        What is missing or old is computed by a job, after the answer.
        """
        async with self._database.read_only() as reading:
            candidates = {one.hash: one for one in await candidates_of(reading, user_id, self._templates)}
            analyses = await reading.recommendations.analyses(market, timeframe, list(candidates))
            page = TimeKeysetPage(bars_needed(), backwards=True)
            trend = latest_trend(await reading.market_data.candles(market, timeframe, page), timeframe)
        if self._lacks_any(candidates, analyses):
            await self._request(user_id, market, timeframe)
        if trend is None:
            return []
        known = {analysis.definition_hash: analysis for analysis in analyses}
        ranked = rank([known[key] for key in candidates if key in known], trend.direction)
        return [_recommendation(candidates[one.analysis.definition_hash], one, trend) for one in ranked[:most]]

    def _lacks_any(
        self, candidates: Mapping[bytes, RecommendationCandidate], analyses: Sequence[WalkForwardAnalysis]
    ) -> bool:
        now = self._clock.now()
        return len(analyses) < len(candidates) or any(is_old(analysis, now) for analysis in analyses)

    async def _request(self, user_id: UUID, market: MarketSymbol, timeframe: Timeframe) -> None:
        """Queue a job, unless one is open, has just ended, or the user has too many; a later query asks again."""
        now, run_id, job_id = self._clock.now(), self._ids.next_id(), self._ids.next_id()
        run = RecommendationRun(run_id, user_id, job_id, market, timeframe, now)
        async with self._database.read_only() as reading:
            if not await self._has_room(reading, run):
                return
        with suppress(InputError):
            async with self._database.transaction() as transaction:
                await transaction.users.lock(user_id)
                if not await self._has_room(transaction, run):
                    raise InputError(ErrorCode.CONFLICT, "Another request was first.")
                await add_job(transaction, Job(job_id, user_id, JobKind.RECOMMENDATION, now))
                await transaction.recommendations.add_run(run)
            await notify_workers(self._bus)

    async def _has_room(self, reading: UnitOfWork, run: RecommendationRun) -> bool:
        latest = await reading.recommendations.latest_run(run.user_id, run.market, run.timeframe)
        if latest is not None:
            earlier, status = latest
            if status in {JobStatus.QUEUED, JobStatus.RUNNING} or run.created_at - earlier.created_at < PAUSE:
                return False
        return await reading.recommendations.count_open_runs(run.user_id) < MOST_OPEN_RUNS


def _recommendation(candidate: RecommendationCandidate, ranked: Ranked, trend: Trend) -> StrategyRecommendation:
    return StrategyRecommendation(
        strategy=candidate.strategy,
        template=candidate.template,
        score=ranked.score,
        trend=trend,
        reason=reason(ranked, trend.direction),
        metrics=ranked.result.metrics,
        parameters=ranked.result.parameters,
        computed_at=ranked.analysis.computed_at,
    )
