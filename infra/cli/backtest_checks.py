"""Runs and prints the bias checks of `r3edge backtest --checks`."""

import asyncio
from dataclasses import dataclass

from rich.table import Table

from domain.backtest.checks import LookAheadCheck, WarmUpCheck, check_look_ahead, check_warm_up
from domain.backtest.monte_carlo import MINIMUM_TRIPS, MonteCarlo, Quantiles, monte_carlo
from infra.cli.backtest_run import StoredBacktest
from infra.cli.backtest_tables import result_console
from infra.cli.progress import ProgressReporter

_STEPS = 100


@dataclass(frozen=True, slots=True)
class BacktestChecks:
    """What the checks of a backtest have found; None of a Monte Carlo if there are too few round trips."""

    look_ahead: LookAheadCheck
    warm_up: list[WarmUpCheck]
    monte_carlo: MonteCarlo | None


async def run_checks(ran: StoredBacktest, seed: int, progress: ProgressReporter) -> BacktestChecks:
    """Return the checks of a backtest, computed in a thread that ends at its next progress if the command does."""
    is_stopped, done = False, 0
    progress.start("checking", _STEPS)

    def on_progress(share: float) -> None:
        nonlocal done
        if is_stopped:
            raise InterruptedError
        reached = int(share * _STEPS)
        progress.advance(reached - done)
        done = reached

    def check() -> BacktestChecks:
        return BacktestChecks(
            check_look_ahead(ran.plan, ran.bars, ran.start, ran.result, detail=ran.detail, on_progress=on_progress),
            check_warm_up(ran.plan.compiled, ran.bars.candles),
            monte_carlo(ran.result.round_trips, ran.plan.initial_equity, seed),
        )

    try:
        return await asyncio.to_thread(check)
    finally:
        is_stopped = True


def print_checks(checks: BacktestChecks) -> None:
    """Print what the checks have found."""
    console = result_console()
    table = Table("check", "found", title="Checks", show_header=False)
    table.add_row("look ahead", _look_ahead(checks.look_ahead))
    for warm_up in checks.warm_up:
        name = f"{warm_up.function} after {warm_up.candles:,} candles" if warm_up.candles else warm_up.function
        table.add_row(
            name, f"off by {warm_up.deviation:.1e} at most" if warm_up.samples else "too few candles to check"
        )
    found = checks.monte_carlo
    if found is None:
        table.add_row("Monte Carlo", f"needs {MINIMUM_TRIPS} closed round trips")
    else:
        table.add_row(f"drawdown in {found.runs:,} other orders", _quantiles(found.drawdown))
        table.add_row("drawdown in the order that was", f"{found.actual_drawdown:,.2f} %")
        table.add_row("orders with a deeper one", f"{found.deeper_percent:,.1f} %")
        table.add_row(f"profit of {found.trips:,} drawn trips", _quantiles(found.profit))
        table.add_row("draws that end with a loss", f"{found.loss_percent:,.1f} %")
    console.print(table)


def _look_ahead(check: LookAheadCheck) -> str:
    if not check.different:
        return f"none: {check.runs} runs on fewer candles made the same trades"
    return f"trades differ if the candles end at {', '.join(f'{at:%Y-%m-%d %H:%M}' for at in check.different)} UTC"


def _quantiles(values: Quantiles) -> str:
    return f"{values.low:,.2f} % / {values.median:,.2f} % / {values.high:,.2f} % (5 / 50 / 95 of 100)"
