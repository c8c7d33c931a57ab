"""Prints what a search has found as tables, in-sample and out-of-sample figures side by side."""

from rich.table import Table

from domain.core.money import plain
from domain.model.optimizations import Trial, TrialResult
from domain.model.reports import PerformanceMetrics
from domain.optimization.summary import FoldSummary
from infra.cli.backtest_tables import result_console, shown_money
from infra.cli.optimize_run import FoundParameters, SearchRequest

LUCK = (
    "Luck is the probability that the best of so many trials is no better than the best of as many without any skill "
    "(deflated Sharpe ratio, Bailey and López de Prado 2014). See docs/optimization.md."
)


def print_search(found: FoundParameters, request: SearchRequest, listed: int) -> None:
    """Print the best `listed` trials of the newest fold, and the best of each fold if there are several."""
    console = result_console()
    newest = found.folds[-1]
    of_fold = [trial for trial in found.trials if trial.fold == newest.fold.number]
    best = sorted((trial for trial in of_fold if _score(trial) is not None), key=_rank)[:listed]
    if not best:
        console.print(_why_nothing(of_fold, request), soft_wrap=True)
        return
    title = f"The best of {len(of_fold)} trials, by {request.objective.value.lower()} in sample"
    console.print(_trials(title, best))
    if len(found.folds) > 1:
        console.print(_folds(found.folds))
    console.print(_verdict(newest), soft_wrap=True)
    console.print(LUCK, soft_wrap=True)


def _trials(title: str, trials: list[Trial]) -> Table:
    table = Table(title=title)
    for name in ("trial", *trials[0].parameters):
        table.add_column(name, justify="right")
    _add_metric_columns(table)
    for trial in trials:
        values = (plain(value) for value in trial.parameters.values())
        table.add_row(str(trial.number), *values, *_metric_cells(trial))
    return table


def _folds(folds: list[FoldSummary]) -> Table:
    table = Table(title="The best trial of each walk-forward fold")
    for name in ("fitted from", "judged from", "to", "parameters", "luck"):
        table.add_column(name, no_wrap=name in {"fitted from", "judged from", "to"})
    _add_metric_columns(table)
    for summary in folds:
        fold, best = summary.fold, summary.best
        days = [f"{at:%Y-%m-%d}" for at in (fold.start, fold.split, fold.end)]
        named = "" if best is None else ", ".join(f"{name}={plain(value)}" for name, value in best.parameters.items())
        table.add_row(*days, named, _luck(summary), *_metric_cells(best))
    return table


def _add_metric_columns(table: Table) -> None:
    for part in ("in", "out"):
        for name in ("score", "profit", "trips") if part == "in" else ("Sharpe", "profit", "trips"):
            table.add_column(f"{name} ({part})", justify="right")


def _metric_cells(trial: Trial | None) -> list[str]:
    result = TrialResult() if trial is None or trial.result is None else trial.result
    judged = result.out_of_sample
    return [
        _number(result.score),
        *_profit_and_trips(result.in_sample),
        _number(None if judged is None else judged.sharpe),
        *_profit_and_trips(judged),
    ]


def _profit_and_trips(metrics: PerformanceMetrics | None) -> tuple[str, str]:
    return ("-", "-") if metrics is None else (shown_money(metrics.net_profit), str(metrics.round_trips))


def _verdict(summary: FoldSummary) -> str:
    best = summary.best
    assert best is not None
    parameters = " ".join(f"--parameter {name}={plain(value)}" for name, value in best.parameters.items())
    return f"The best: {parameters}. Luck: {_luck(summary)}."


def _luck(summary: FoldSummary) -> str:
    return "-" if summary.luck_probability is None else f"{summary.luck_probability:.0%}"


def _why_nothing(trials: list[Trial], request: SearchRequest) -> str:
    messages = [trial.result.message for trial in trials if trial.result is not None and trial.result.message]
    if messages:
        return f"No trial could be run: {messages[-1]}"
    name = request.objective.value.lower()
    return f"No trial has a {name}: each made no round trip, or the in-sample part is too short for it."


def _score(trial: Trial) -> float | None:
    return None if trial.result is None else trial.result.score


def _rank(trial: Trial) -> tuple[float, int]:
    score = _score(trial)
    assert score is not None
    return -score, trial.number


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"
