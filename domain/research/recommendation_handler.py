"""Computes as jobs how strategies did lately on a market."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from domain.core.clock import Clock
from domain.core.errors import InputErrors
from domain.indicators.candle_arrays import SeriesKey
from domain.indicators.trend_series import direction_bars
from domain.jobs.handler import JobFailed, JobOutcome, JobRun
from domain.model.events import NewEvent
from domain.model.jobs import JobKind
from domain.model.markets import Market, Timeframe
from domain.model.plans import Plan
from domain.model.recommendations import RecommendationRun, WalkForwardAnalysis
from domain.model.strategy_templates import TemplateCatalogue
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.recommendations.walk_forward import CANDLES
from domain.research.candle_coverage import NoCandles
from domain.research.candle_loader import CandleLoader
from domain.research.candle_needs import CandleNeeds, excess_of, needs_of
from domain.research.compute_pool import ComputePool, OnProgress, compute_for_job
from domain.research.listed_markets import NotListed, listed_markets
from domain.research.recommendation_candidates import RecommendationCandidate, candidates_of, is_old
from domain.research.recommendation_task import AnalysisTask, Evaluated, evaluate_all
from domain.strategies.compiled import CompiledStrategy, compile_definition

FETCHED: Final = 0.2
"""The progress after the missing candles were fetched and all of them read."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why `count` candidates could not be evaluated this time."""

    count: int
    reason: str

    def __str__(self) -> str:
        return f"{self.count:,} {'was' if self.count == 1 else 'were'} not: {self.reason}"


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
            user = await reading.users.get(requested.user_id)
            if user is None:
                raise JobFailed("The user no longer exists.")
            (market,) = await listed_markets(reading, [requested.market])
            candidates = await self._missing(reading, requested)
        now, timeframe = self._clock.now(), requested.timeframe
        end = timeframe.open_time(now)
        evaluated, failures = await self._evaluate_all(candidates, market, end, timeframe, user.plan, run)
        if failures and not evaluated:
            raise JobFailed(failures[0].reason)
        analyses = [
            WalkForwardAnalysis(requested.market, timeframe, one.hash, now, one.result, one.message)
            for one in evaluated
        ]

        async def store(transaction: UnitOfWork) -> Sequence[NewEvent]:
            await transaction.recommendations.save_analyses(analyses)
            return ()

        name = f"{requested.market} {timeframe.venue_name}"
        count = "1 strategy was" if len(analyses) == 1 else f"{len(analyses):,} strategies were"
        return JobOutcome(" ".join([f"{count} evaluated on {name}.", *map(str, failures)]), store)

    async def _missing(self, reading: UnitOfWork, run: RecommendationRun) -> list[RecommendationCandidate]:
        """Return the candidates without an analysis that is new enough."""
        candidates = await candidates_of(reading, run.user_id, self._templates)
        hashes, now = [candidate.hash for candidate in candidates], self._clock.now()
        known = await reading.recommendations.analyses(run.market, run.timeframe, hashes)
        fresh = {analysis.definition_hash for analysis in known if not is_old(analysis, now)}
        return [candidate for candidate in candidates if candidate.hash not in fresh]

    async def _evaluate_all(
        self,
        candidates: Sequence[RecommendationCandidate],
        market: Market,
        end: datetime,
        timeframe: Timeframe,
        plan: Plan,
        run: JobRun,
    ) -> tuple[list[Evaluated], list[_Failure]]:
        """Evaluate the candidates in groups that name the same candles beside those of the market.

        Where these can't be had for good, that is found about the candidates of the group. What may pass, as a venue
        that doesn't answer, or is this user's alone, as the plan, is returned as a failure: it is no finding to share.
        """
        evaluated, failures, tried = list[Evaluated](), list[_Failure](), 0
        for group in _grouped(candidates, timeframe).values():
            done = tried / len(candidates)
            tried += len(group)

            def report(share: float, done: float = done, part: float = len(group) / len(candidates)) -> None:
                run.report(done + part * share)

            strategies = [compiled for _, compiled in group if compiled is not None]
            period = (end - CANDLES * timeframe.duration, end)
            needs = needs_of((market,), timeframe, period, strategies)
            needs = replace(needs, warm_up=max(direction_bars(), needs.warm_up))
            try:
                evaluated += await self._evaluate([candidate for candidate, _ in group], needs, plan, report)
            except NotListed as error:
                evaluated += [Evaluated(candidate.hash, None, str(error)) for candidate, _ in group]
            except NoCandles as error:
                if error.key is None:
                    raise
                evaluated += [Evaluated(candidate.hash, None, str(error)) for candidate, _ in group]
            except JobFailed as error:
                failures.append(_Failure(len(group), str(error)))
        return evaluated, failures

    async def _evaluate(
        self, candidates: Sequence[RecommendationCandidate], needs: CandleNeeds, plan: Plan, on_progress: OnProgress
    ) -> Sequence[Evaluated]:
        excess = excess_of(needs, plan)
        if excess is not None:
            raise JobFailed(excess)
        (market,) = needs.markets
        async with self._database.read_only() as reading:
            await listed_markets(reading, [request.market for request in needs.named(market).values()])
        loaded = await self._candles.load(needs, lambda share: on_progress(FETCHED * share))
        (candles,) = loaded.markets
        return await compute_for_job(
            self._processes,
            evaluate_all,
            AnalysisTask([(candidate.hash, candidate.definition) for candidate in candidates], candles),
            lambda share: on_progress(FETCHED + (1 - FETCHED) * share),
            "The analysis",
        )


def _grouped(
    candidates: Sequence[RecommendationCandidate], timeframe: Timeframe
) -> dict[frozenset[SeriesKey], list[tuple[RecommendationCandidate, CompiledStrategy | None]]]:
    """Return the candidates by what their rules name beside the market's own candles, those that name nothing first.

    A definition that can't be compiled is among these: the analysis reports why.
    """
    groups: dict[frozenset[SeriesKey], list[tuple[RecommendationCandidate, CompiledStrategy | None]]] = {}
    for candidate in candidates:
        try:
            compiled = compile_definition(candidate.definition, {}, timeframe)
        except InputErrors:
            compiled = None
        keys = frozenset(compiled.sources if compiled is not None else ())
        groups.setdefault(keys, []).append((candidate, compiled))
    return dict(sorted(groups.items(), key=lambda group: len(group[0])))
