"""Recent losses, for the limits that depend on them: the day's loss, the drawdown, and losses in a row."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from domain.core.money import EXACT, ZERO, divide
from domain.model.equity import ClosedResult, StoredEquity
from domain.model.trading import RiskLimits
from domain.portfolio.equity_points import Standing
from domain.risk.context import LossRecord

_HUNDRED = Decimal(100)


def needs_equity(limits: RiskLimits) -> bool:
    """Return whether any of the limits depends on equity."""
    return limits.max_daily_loss is not None or limits.max_drawdown_percent is not None


def needs_streak(limits: RiskLimits) -> bool:
    """Return whether losses in a row stop the trading for a time."""
    return limits.cool_down_losses is not None and limits.cool_down_minutes is not None


def measure_losses(
    standing: Standing,
    baseline: StoredEquity | None,
    last: StoredEquity | None,
    *,
    began_today: bool,
    results: Sequence[ClosedResult] = (),
) -> LossRecord:
    """Return the losses of an account or a trading session.

    The day's loss is what trading has earned at `baseline`, the newest point until the day began (or the first one, if
    the day began before all of them), less what it has earned now: deposits and withdrawals are in neither. What
    `began_today` had earned nothing before. The drawdown is from the most that was ever earned, in percent of what
    equity would be now without it. What can't be measured is None, and `unknown` says why.
    """
    record = _streak(results)
    if standing.missing:
        return LossRecord(None, None, *record, f"there is no price now of {', '.join(standing.missing)}")
    if baseline is None and not began_today:
        return LossRecord(None, None, *record, "no equity is stored yet, which is within some seconds")
    began = ZERO if began_today or baseline is None else baseline.profit
    peak = max(standing.profit, last.peak if last is not None else ZERO)
    return LossRecord(EXACT.subtract(began, standing.profit), _drawdown(standing, peak), *record)


def measure_streak(results: Sequence[ClosedResult]) -> LossRecord:
    """Return the losses in a row alone, for limits that need no equity; the newest closing first."""
    losses, last_loss_at = _streak(results)
    return LossRecord(losing_streak=losses, last_loss_at=last_loss_at)


def day_start(now: datetime, reset_hour: int | None) -> datetime:
    """Return the start of the present day of the daily loss: the last time that UTC was at the reset hour."""
    start = now.replace(hour=reset_hour or 0, minute=0, second=0, microsecond=0)
    return start if start <= now else start - timedelta(days=1)


def _drawdown(standing: Standing, peak: Decimal) -> Decimal:
    lost = EXACT.subtract(peak, standing.profit)
    without = EXACT.add(standing.equity, lost)
    return divide(EXACT.multiply(lost, _HUNDRED), without) if without > 0 else ZERO


def _streak(results: Sequence[ClosedResult]) -> tuple[int, datetime | None]:
    """Return how many of the newest results are losses in a row, and when the newest one closed."""
    losses = next((number for number, result in enumerate(results) if result.realized_profit >= 0), len(results))
    return losses, results[0].closed_at if losses else None
