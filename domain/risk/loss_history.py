"""Recent losses, for the limits that depend on them: the day's loss, the drawdown, and losses in a row."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from domain.core.money import EXACT, ZERO, divide
from domain.model.markets import MarketSymbol
from domain.model.trading import Position, RiskLimits
from domain.portfolio.positions import unrealized_profit
from domain.risk.context import LossRecord

LOOK_BACK = 500
"""How many closed positions are taken into account."""

_HUNDRED = Decimal(100)

RateOf = Callable[[MarketSymbol], Decimal | None]
"""The price of one unit of a market's quote in the account's currency; None if unknown."""

PriceOf = Callable[[MarketSymbol], Decimal | None]


def needs_history(limits: RiskLimits) -> bool:
    """Return whether any of the limits depends on recent losses."""
    history_limits = (limits.max_daily_loss, limits.max_drawdown_percent, limits.cool_down_losses)
    return any(limit is not None for limit in history_limits)


def compute_losses(
    closed: Sequence[Position],
    opened: Sequence[Position],
    equity: Decimal | None,
    rate_of: RateOf,
    price_of: PriceOf,
    day_start: datetime,
) -> LossRecord:
    """Return the losses of closed positions (newest first) and the unrealised ones of open positions.

    `equity` is the present one in the account's currency; without it there is no drawdown. A market whose quote can't
    be converted into that currency counts as 0. The equity before each round trip is computed backwards from the
    present one, so that deposits count neither as profit nor as a higher peak.
    """
    profits = [_worth(position.realized_profit, rate_of(position.market)) for position in closed]
    pending = sum((_worth(_profit_now(position, price_of), rate_of(position.market)) for position in opened), ZERO)
    today = (profit for profit, position in zip(profits, closed, strict=True) if _ended(position) >= day_start)
    streak = next((number for number, profit in enumerate(profits) if profit >= 0), len(profits))
    return LossRecord(
        daily_loss=EXACT.minus(EXACT.add(sum(today, ZERO), pending)),
        drawdown_percent=None if equity is None else _drawdown(equity, [pending, *profits]),
        losing_streak=streak,
        last_loss_at=closed[0].closed_at if streak else None,
    )


def day_start(now: datetime, reset_hour: int | None) -> datetime:
    """Return the start of the present day of the daily loss: the last time that UTC was at the reset hour."""
    start = now.replace(hour=reset_hour or 0, minute=0, second=0, microsecond=0)
    return start if start <= now else start - timedelta(days=1)


def _drawdown(equity: Decimal, profits: Sequence[Decimal]) -> Decimal:
    peak, before = equity, equity
    for profit in profits:
        before = EXACT.subtract(before, profit)
        peak = max(peak, before)
    return divide(EXACT.multiply(peak - equity, _HUNDRED), peak) if peak > 0 else ZERO


def _profit_now(position: Position, price_of: PriceOf) -> Decimal:
    price = price_of(position.market)
    return position.realized_profit + (ZERO if price is None else unrealized_profit(position, price))


def _worth(amount: Decimal, rate: Decimal | None) -> Decimal:
    return ZERO if rate is None else EXACT.multiply(amount, rate)


def _ended(position: Position) -> datetime:
    return position.closed_at or position.opened_at
