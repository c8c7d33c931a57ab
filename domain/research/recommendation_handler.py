"""Computes as jobs how strategies did lately on a market."""

from collections.abc import Sequence
from typing import Final

from domain.core.clock import Clock
from domain.core.errors import InputErrors
from domain.indicators.trend_series import direction_bars
from domain.jobs.handler import JobFailed, JobOutcome, JobRun
from domain.model.events import NewEvent
from domain.model.jobs import JobKind
from domain.model.markets import Market, Timeframe
from domain.model.recommendations import RecommendationRun, WalkForwardAnalysis
from domain.model.strategy_templates import TemplateCatalogue
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.recommendations.walk_forward import CANDLES
from domain.research.candle_loader import CandleLoader, CandleRequest, LoadedCandles
from domain.research.compute_pool import ComputePool, compute_for_job
from domain.research.listed_markets import listed_markets
from domain.research.recommendation_candidates import RecommendationCandidate, candidates_of, is_old
from domain.research.recommendation_task import AnalysisTask, Evaluated, evaluate_all
from domain.strategies.compiled import compile_definition

FETCHED: Final = 0.2
"""The progress after the missing candles were fetched and all of them read."""


class RecommendationHandler:
    """Evaluates what a user can be recommended; see `domain.jobs.handler.JobHandler`.

    Only what no job has evaluated yet, or not lately: users share what was found about the same definition.
    """

    kind = JobKind.RECOMMENDATION

    def __init__(
        self,
        database: Database,
        candles: CandleLoader,
        processes: ComputePool,
        templates: TemplateCatalogue,
        clock: Clock,
    ) -> None:
        self._database = database
        self._candles = candles
        self._processes = processes
        self._templates = templates
        self._clock = clock

    async def run(self, run: JobRun) -> JobOutcome:
        """Evaluate the candidates of the job's user."""
        async with self._database.read_only() as reading:
            requested = await reading.recommendations.get_run_for_job(run.job.id)
            if requested is None:
                raise JobFailed("The request no longer exists.")
            (market,) = await listed_markets(reading, [requested.market])
            candidates = await self._missing(reading, requested)
        now, timeframe = self._clock.now(), requested.timeframe
        evaluated: Sequence[Evaluated] = []
        if candidates:
            end = timeframe.open_time(now)
            warm_up = max(direction_bars(), *(_warm_up(candidate, timeframe) for candidate in candidates))
            request = CandleRequest(requested.market, timeframe, end - CANDLES * timeframe.duration, end, warm_up)
            loaded = await self._candles.load(request, lambda share: run.report(FETCHED * share))
            run.report(FETCHED)
            evaluated = await self._evaluate(candidates, market, loaded, run)
        analyses = [
            WalkForwardAnalysis(requested.market, timeframe, one.hash, now, one.result, one.message)
            for one in evaluated
        ]

        async def store(transaction: UnitOfWork) -> Sequence[NewEvent]:
            await transaction.recommendations.save_analyses(analyses)
            return ()

        name = f"{requested.market} {timeframe.venue_name}"
        count = "1 strategy was" if len(analyses) == 1 else f"{len(analyses):,} strategies were"
        return JobOutcome(f"{count} evaluated on {name}.", store)

    async def _missing(self, reading: UnitOfWork, run: RecommendationRun) -> list[RecommendationCandidate]:
        """Return the candidates without an analysis that is new enough."""
        candidates = await candidates_of(reading, run.user_id, self._templates)
        hashes, now = [candidate.hash for candidate in candidates], self._clock.now()
        known = await reading.recommendations.analyses(run.market, run.timeframe, hashes)
        fresh = {analysis.definition_hash for analysis in known if not is_old(analysis, now)}
        return [candidate for candidate in candidates if candidate.hash not in fresh]

    async def _evaluate(
        self, candidates: Sequence[RecommendationCandidate], market: Market, candles: LoadedCandles, run: JobRun
    ) -> Sequence[Evaluated]:
        definitions = [(candidate.hash, candidate.definition) for candidate in candidates]
        return await compute_for_job(
            self._processes,
            evaluate_all,
            AnalysisTask(definitions, market, candles.bars),
            lambda share: run.report(FETCHED + (1 - FETCHED) * share),
            "The analysis",
        )


def _warm_up(candidate: RecommendationCandidate, timeframe: Timeframe) -> int:
    try:
        return compile_definition(candidate.definition, {}, timeframe).warm_up
    except InputErrors:  # which the analysis then reports
        return 0
