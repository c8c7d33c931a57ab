"""The round trips of a backtest, from the positions that its books have."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from domain.backtest.bars import PriceTicks
from domain.backtest.ledger import BookedPosition, Ledger
from domain.backtest.run_context import RunContext
from domain.core.clock import from_milliseconds
from domain.core.money import MAX_PLACES, divide, rounded_quotient
from domain.model.reports import PositionSide, RoundTrip

_PERCENT_SCALE = 10**MAX_PLACES


def round_trips(context: RunContext) -> list[RoundTrip]:
    """Return the round trips of a market, in the order of their entries; the last one may still be open."""
    ledger = context.ledger
    positions = ledger.closed if ledger.open is None else [*ledger.closed, ledger.open]
    adverse, favorable = _excursions(positions, context.prices, ledger)
    return [
        _round_trip(position, ledger, worst, best)
        for position, worst, best in zip(positions, adverse, favorable, strict=True)
    ]


def _round_trip(position: BookedPosition, ledger: Ledger, worst: float, best: float) -> RoundTrip:
    units = ledger.units
    percent = rounded_quotient(position.profit * 100 * _PERCENT_SCALE, position.cost * units.profit)
    return RoundTrip(
        opened_at=from_milliseconds(position.opened_at),
        closed_at=None if position.closed_at is None else from_milliseconds(position.closed_at),
        side=PositionSide.LONG,
        quantity=units.base(position.bought),
        entry_price=_mean_price(position.cost, position.bought, ledger),
        exit_price=_mean_price(position.proceeds, position.sold, ledger) if position.sold else None,
        profit=units.quote_of_profit(position.profit),
        profit_percent=percent / _PERCENT_SCALE,
        fees=units.quote(position.fees),
        exit_reason=position.exit_role,
        max_adverse_excursion=worst,
        max_favorable_excursion=best,
        market=ledger.market.symbol,
    )


def _mean_price(value: int, quantity: int, ledger: Ledger) -> Decimal:
    """Return the price at which a quantity, in units of base, is worth `value`, in units of quote."""
    ticks, rest = divmod(value, quantity * ledger.units.tick)
    return ledger.price(ticks) if not rest else divide(ledger.units.quote(value), ledger.units.base(quantity))


def _excursions(
    positions: Sequence[BookedPosition], prices: PriceTicks, ledger: Ledger
) -> tuple[list[float], list[float]]:
    """Return how far the price went against each position and in its favour, in percent of its mean entry price.

    Of a position that was entered within a bar the low and the close of that count, and of the bar in which it ended
    the open. Fills count too.
    """
    if not positions:
        return [], []
    count = len(prices.close)
    first = np.array([position.bar for position in positions])
    in_bar = np.array([position.in_bar for position in positions])
    until = np.array([count if position.closed_at is None else position.last_bar for position in positions])
    low = np.array([position.lowest for position in positions])
    high = np.array([position.highest for position in positions])
    lasted = until > first
    for is_known, bars, lows, highs in (
        (lasted & in_bar, first, prices.low, prices.close),
        (lasted & in_bar, first, prices.close, prices.close),
        (lasted & (until < count), until, prices.open, prices.open),
    ):
        known = np.flatnonzero(is_known)
        low[known] = np.minimum(low[known], lows[bars[known]])
        high[known] = np.maximum(high[known], highs[bars[known]])
    start = first + in_bar
    whole = np.flatnonzero(until > start)
    if len(whole):
        spans = np.column_stack((start[whole], until[whole])).ravel()
        if spans[-1] == count:
            spans = spans[:-1]
        low[whole] = np.minimum(low[whole], np.minimum.reduceat(prices.low, spans)[::2])
        high[whole] = np.maximum(high[whole], np.maximum.reduceat(prices.high, spans)[::2])
    tick = float(prices.tick)
    entry = np.array([position.cost / (position.bought * ledger.units.tick) for position in positions]) * tick
    adverse, favorable = (entry - low * tick) / entry * 100, (high * tick - entry) / entry * 100
    return np.maximum(adverse, 0.0).tolist(), np.maximum(favorable, 0.0).tolist()
