"""Adds the results of several accounts or trading sessions up to one, as a composite of portfolios.

Each part is a portfolio of its own: what it is worth when it begins counts as a deposit, and what it is worth when it
ends as a withdrawal, so that the combined return is the time-weighted return of all of them, weighted by their equity
(Global Investment Performance Standards 2020, 2.A.32: composite returns by asset-weighting the portfolios).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from heapq import merge

from domain.core.money import EXACT, ZERO
from domain.model.orders import OrderStatus
from domain.model.reports import EquityPoint, ReportNote, ReportNoteCode, ReportResult
from domain.performance.equity_curve import with_drawdown
from domain.performance.metrics import MetricsInput, metrics
from domain.performance.notes import period_notes

_OF_CURVE = frozenset({ReportNoteCode.PERIOD_TOO_SHORT})


def combined(results: Sequence[ReportResult], currency: str) -> ReportResult:
    """Return the result of all parts together; their amounts are all in `currency`, and there is at least one."""
    if len(results) == 1:
        return results[0]
    curve = combined_curve([result.equity_curve for result in results])
    trips = sorted((trip for result in results for trip in result.round_trips), key=lambda trip: trip.opened_at)
    every = [result.metrics for result in results]
    slippages = [each.slippage for each in every if each.slippage is not None]
    found = metrics(
        MetricsInput(
            currency=currency,
            curve=curve,
            trips=trips,
            start_equity=curve[0].equity,
            turnover=_sum(each.turnover for each in every),
            fees=_sum(each.fees for each in every),
            order_counts={
                OrderStatus.DENIED: sum(each.orders_denied for each in every),
                OrderStatus.REJECTED: sum(each.orders_rejected for each in every),
            },
            market_change_percent=_same(each.market_change_percent for each in every),
            prices_known=all(_is_known(result) for result in results),
            slippage=_sum(slippages) if slippages else None,
        )
    )
    notes = (*_notes(results), *period_notes(curve))
    return ReportResult(replace(found, notes=notes), curve, tuple(trips))


def combined_curve(curves: Sequence[Sequence[EquityPoint]]) -> tuple[EquityPoint, ...]:
    """Return the sum of the curves at each of their points; none is empty."""
    start, end = min(curve[0].at for curve in curves), max(curve[-1].at for curve in curves)
    equities, deposits = [ZERO] * len(curves), [ZERO] * len(curves)
    total, paid_in, points = ZERO, ZERO, list[EquityPoint]()
    for at, is_end, part, position in merge(*(_steps(curve, part, end) for part, curve in enumerate(curves))):
        point = curves[part][position]
        if is_end:
            # What it is worth leaves, after a point at which it still counts.
            total, paid_in = EXACT.subtract(total, point.equity), EXACT.subtract(paid_in, point.equity)
            points.append(EquityPoint(at, total, 0.0, paid_in))
            continue
        payment = EXACT.subtract(point.net_deposits, deposits[part])
        if position == 0 and at > start:
            payment = EXACT.add(payment, point.equity)
        total = EXACT.add(total, EXACT.subtract(point.equity, equities[part]))
        paid_in = EXACT.add(paid_in, payment)
        equities[part], deposits[part] = point.equity, point.net_deposits
        _add(points, EquityPoint(at, total, 0.0, paid_in))
    return with_drawdown(points)


def _add(points: list[EquityPoint], point: EquityPoint) -> None:
    """Add a point; parts that have one at the same time make one point, unless money left in between."""
    if points and points[-1].at == point.at and points[-1].net_deposits == point.net_deposits:
        points[-1] = point
    else:
        points.append(point)


def _steps(curve: Sequence[EquityPoint], part: int, end: datetime) -> Iterable[tuple[datetime, bool, int, int]]:
    """Yield a step for each point, and one for the end of a part that ends before all others have."""
    for position, point in enumerate(curve):
        yield point.at, False, part, position
    if curve[-1].at < end:
        yield curve[-1].at, True, part, len(curve) - 1


def _is_known(result: ReportResult) -> bool:
    return result.metrics.net_profit_percent is not None or all(not point.equity for point in result.equity_curve)


def _same(values: Iterable[float | None]) -> float | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None


def _notes(results: Sequence[ReportResult]) -> list[ReportNote]:
    """Return the notes of all parts, each once."""
    notes = dict.fromkeys(note for result in results for note in result.metrics.notes if note.code not in _OF_CURVE)
    return list(notes)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
