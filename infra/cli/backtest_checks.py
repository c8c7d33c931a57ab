"""Runs and prints the bias checks of `r3edge backtest --checks`."""

from functools import partial

from rich.table import Table

from domain.backtest import checks
from domain.backtest.monte_carlo import MINIMUM_TRIPS
from domain.model.backtests import BacktestChecks, LookAheadCheck, Quantiles, WarmUpCheck
from infra.cli.backtest_run import StoredBacktest
from infra.cli.backtest_tables import result_console
from infra.cli.progress import ProgressReporter, compute_in_thread

_STEPS = 100


async def run_checks(ran: StoredBacktest, seed: int, progress: ProgressReporter) -> BacktestChecks:
    """Return the checks of a backtest, computed in a thread."""
    progress.start("checking", _STEPS)
    return await compute_in_thread(
        progress, partial(checks.run_checks, ran.plan, ran.markets, ran.start, ran.result, seed)
    )


def print_checks(found: BacktestChecks) -> None:
    """Print what the checks have found."""
    console = result_console()
    table = Table("check", "found", title="Checks", show_header=False)
    table.add_row("look ahead", _look_ahead(found.look_ahead))
    for warm_up in found.warm_up:
        name = f"{warm_up.function} after {warm_up.candles:,} candles" if warm_up.candles else warm_up.function
        table.add_row(name, _deviation(warm_up))
    drawn = found.monte_carlo
    if drawn is None:
        table.add_row("Monte Carlo", f"needs {MINIMUM_TRIPS} closed round trips")
    else:
        table.add_row(f"drawdown in {drawn.runs:,} other orders", _quantiles(drawn.drawdown))
        table.add_row("drawdown in the order that was", f"{drawn.actual_drawdown:,.2f} %")
        table.add_row("orders with a deeper one", f"{drawn.deeper_percent:,.1f} %")
        table.add_row(f"profit of {drawn.trips:,} drawn trips", _quantiles(drawn.profit))
        table.add_row("draws that end with a loss", f"{drawn.loss_percent:,.1f} %")
    console.print(table)


def _deviation(check: WarmUpCheck) -> str:
    if not check.samples:
        return "too few candles to check"
    if check.deviation is None:
        return "without a value where there should be one"
    return f"off by {check.deviation:.1e} at most"


def _look_ahead(check: LookAheadCheck) -> str:
    if not check.different:
        return f"none: {check.runs} runs on fewer candles made the same trades"
    return f"trades differ if the candles end at {', '.join(f'{at:%Y-%m-%d %H:%M}' for at in check.different)} UTC"


def _quantiles(values: Quantiles) -> str:
    return f"{values.low:,.2f} % / {values.median:,.2f} % / {values.high:,.2f} % (5 / 50 / 95 of 100)"
