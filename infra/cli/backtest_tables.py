"""Prints the result of a backtest as tables."""

from decimal import Decimal
from typing import Final

from rich.console import Console
from rich.table import Table

from domain.backtest.result import BacktestResult
from domain.core.money import plain
from domain.model.markets import Market
from domain.model.reports import PerformanceMetrics, RoundTrip

_LEAST_WIDTH: Final = 160
"""How wide the tables are in a file or a pipe, where a terminal's width says nothing: no number is cut off."""


def result_console() -> Console:
    """Return where results are printed."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=max(console.width, _LEAST_WIDTH))


def shown_money(value: Decimal) -> str:
    """Return an amount as people read it: to the cent, or with its first digits if it is less than one."""
    return f"{value:,.2f}" if abs(value) >= 1 or not value else f"{value:.4g}"


def print_result(result: BacktestResult, market: Market, trips: int) -> None:
    """Print the figures, the last `trips` round trips, what there is to know about both, and the hash."""
    console = result_console()
    console.print(_figures(result.metrics))
    if trips and result.round_trips:
        console.print(_trips(result.round_trips[-trips:], market))
    notes = [note.message for note in result.metrics.notes]
    for line in [*([result.message] if result.message else []), *notes]:
        console.print(line, soft_wrap=True)
    console.print(f"hash {result.hash}", soft_wrap=True)


def _figures(metrics: PerformanceMetrics) -> Table:
    currency = metrics.currency
    table = Table("figure", "", title="Backtest", show_header=False)
    rows: list[tuple[str, Decimal | float | None, str]] = [
        ("start equity", metrics.start_equity, currency),
        ("end equity", metrics.end_equity, currency),
        ("net profit", metrics.net_profit, currency),
        ("net profit", metrics.net_profit_percent, "%"),
        ("market change", metrics.market_change_percent, "%"),
        ("growth a year (CAGR)", metrics.cagr, "%"),
        ("maximum drawdown", metrics.max_drawdown, currency),
        ("maximum drawdown", metrics.max_drawdown_percent, "%"),
        ("longest drawdown", metrics.max_drawdown_days, "days"),
        ("Sharpe", metrics.sharpe, ""),
        ("Sortino", metrics.sortino, ""),
        ("Calmar", metrics.calmar, ""),
        ("round trips", metrics.round_trips, ""),
        ("winning", metrics.win_rate, "%"),
        ("profit factor", metrics.profit_factor, ""),
        ("expectancy", metrics.expectancy, currency),
        ("exposure", metrics.exposure_percent, "%"),
        ("fees", metrics.fees, currency),
        ("slippage", metrics.slippage, currency),
        ("orders denied", metrics.orders_denied, ""),
        ("orders rejected", metrics.orders_rejected, ""),
    ]
    for name, value, unit in rows:
        table.add_row(name, f"{_number(value)} {unit}".rstrip())
    return table


def _trips(trips: tuple[RoundTrip, ...], market: Market) -> Table:
    table = Table(title=f"The last {len(trips)} round trips")
    table.add_column("opened (UTC)", no_wrap=True)
    table.add_column("closed (UTC)", no_wrap=True)
    several = len({trip.market for trip in trips}) > 1
    if several:
        table.add_column("market", no_wrap=True)
    for name in (
        "quantity" if several else f"quantity ({market.base})",
        "entry",
        "exit",
        f"profit ({market.quote})",
        "%",
        "ended by",
    ):
        table.add_column(name, justify="right")
    for trip in trips:
        table.add_row(
            f"{trip.opened_at:%Y-%m-%d %H:%M}",
            "open" if trip.closed_at is None else f"{trip.closed_at:%Y-%m-%d %H:%M}",
            *([trip.market.symbol if trip.market is not None else ""] if several else []),
            plain(trip.quantity),
            f"{trip.entry_price:.8g}",
            "-" if trip.exit_price is None else f"{trip.exit_price:.8g}",
            shown_money(trip.profit),
            _number(trip.profit_percent),
            "" if trip.exit_reason is None else trip.exit_reason.value,
        )
    return table


def _number(value: Decimal | float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, Decimal):
        return shown_money(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
