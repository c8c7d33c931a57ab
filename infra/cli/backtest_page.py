"""The page of a backtest's report, beside holding its market."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from domain.backtest.monte_carlo import monte_carlo
from domain.core.clock import from_milliseconds
from domain.model.report_documents import ReportDocument
from domain.model.reports import (
    BenchmarkPrices,
    PricePoint,
    Report,
    ReportNote,
    ReportNoteCode,
    ReportResult,
    ReportScope,
)
from domain.performance.statistics.catalogue import figures
from infra.cli.backtest_run import StoredBacktest
from infra.report_files.page import report_page

_NOBODY = UUID(int=0)
_FEW = 3
_MOST_PRICES = 2_000


def backtest_page(ran: StoredBacktest, name: str) -> str:
    """Return the page of a backtest that has run; it is compared with its market if it traded just one."""
    result, start = ran.result, from_milliseconds(ran.start)
    end = max(result.equity_curve[-1].at, start)
    metrics = result.metrics
    if result.message is not None:
        note = ReportNote(ReportNoteCode.BACKTEST, result.message)
        metrics = replace(metrics, notes=(*metrics.notes, note))
    reported = ReportResult(metrics, result.equity_curve, result.round_trips, _benchmark(ran))
    markets = ", ".join(str(market.market.symbol) for market in ran.markets[:_FEW])
    more = f" and {len(ran.markets) - _FEW} more" if len(ran.markets) > _FEW else ""
    document = ReportDocument(
        Report(_NOBODY, _NOBODY, ReportScope.BACKTEST, _NOBODY, start, end, end, _NOBODY),
        reported,
        f"{name} on {markets}{more}, {ran.plan.timeframe.venue_name}",
        figures(reported),
        monte_carlo(result.round_trips, metrics.start_equity),
        datetime.now(UTC),
    )
    return report_page(document).decode()


def _benchmark(ran: StoredBacktest) -> BenchmarkPrices | None:
    """Return the closes of the market, at most so many."""
    if len(ran.markets) > 1:
        return None
    bars, symbol = ran.markets[0].bars, ran.markets[0].market.symbol
    first = max(bars.index_of(from_milliseconds(ran.start)), 0)
    step = max((len(bars) - first) // _MOST_PRICES, 1)
    indices = [*range(first, len(bars) - 1, step), len(bars) - 1]
    prices = tuple(
        PricePoint(
            from_milliseconds(int(bars.opened[index]) + bars.milliseconds),
            Decimal(repr(float(bars.candles.close[index]))),
        )
        for index in indices
    )
    return BenchmarkPrices(symbol, prices)
