"""Runs a search for `r3edge optimize`, over stored candles, with or without a running engine."""

from dataclasses import dataclass

from domain.core.errors import InputError, InputErrors
from domain.model.optimizations import OptimizationObjective, Trial
from domain.optimization.folds import walk_forward_folds
from domain.optimization.limits import trials_error
from domain.optimization.search import Search
from domain.optimization.space import search_space, strategies_at_ends
from domain.optimization.summary import FoldSummary, fold_summary, fold_trials
from domain.optimization.trial import TrialPlan
from infra.candle_files.errors import did_you_mean
from infra.cli.arguments import BadArgument
from infra.cli.local_backtest import LocalBacktest, check_request
from infra.cli.local_search import LocalSearch, search_locally
from infra.cli.progress import ProgressReporter
from infra.cli.stored_candles import load_candles
from infra.runtime.compute_pool import ProcessPool
from infra.settings import Settings
from infra.tpe_sampler import TpeSampler


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to search; `backtest` has the values of parameters that are not searched."""

    backtest: LocalBacktest
    trials: int
    objective: OptimizationObjective
    folds: int
    seed: int
    processes: int


@dataclass(frozen=True, slots=True)
class FoundParameters:
    """All trials by their number, and the best of each fold, the oldest fold first."""

    trials: list[Trial]
    folds: list[FoldSummary]


def parse_objective(text: str) -> OptimizationObjective:
    """Return the objective that is written as `profit_factor` or `profit-factor`; raises `BadArgument`."""
    names = {objective.value.lower(): objective for objective in OptimizationObjective}
    found = names.get(text.strip().lower().replace("-", "_"))
    if found is None:
        raise BadArgument(f"--objective is {text!r}{did_you_mean(text, names)}; it may be {', '.join(names)}")
    return found


async def run_stored_search(settings: Settings, request: SearchRequest, progress: ProgressReporter) -> FoundParameters:
    """Return what was found; raises `BadArgument` and `StartupError`."""
    backtest = request.backtest
    check_request(backtest)
    try:
        error = trials_error(request.trials, request.folds)
        if error is not None:
            raise BadArgument(error)
        folds = walk_forward_folds(backtest.start, backtest.end, backtest.timeframe, request.folds)
        space = search_space(backtest.definition, backtest.parameters, backtest.timeframe)
    except InputError as one:
        raise BadArgument(one.message) from None
    except InputErrors as errors:
        raise BadArgument("\n".join(one.message for one in errors.errors)) from None
    strategies = strategies_at_ends(backtest.definition, space, backtest.timeframe)
    stored = await load_candles(settings, backtest, strategies, progress)
    plan = TrialPlan(
        backtest.definition,
        backtest.timeframe,
        backtest.costs(*(candles.market for candles in stored.markets)),
        backtest.equity,
        backtest.latency_milliseconds,
        request.objective,
        backtest.settings,
    )
    search = Search(space, request.folds, request.trials, request.seed)
    progress.start("searching", search.size, "trials")
    pool = ProcessPool(min(request.processes, search.size))
    try:
        trials = await search_locally(
            LocalSearch(search, plan, stored.markets, folds),
            TpeSampler(),
            pool,
            request.processes,
            lambda _trial: progress.advance(1),
        )
    finally:
        await pool.close()
    return FoundParameters(trials, [fold_summary(fold, fold_trials(fold, trials)) for fold in folds])
