"""What a strategy's rules see of the open position, as it is when a candle has closed."""

from datetime import datetime
from decimal import Decimal

from domain.model.markets import Candle
from domain.strategies.expressions import PositionFacts

_HUNDRED = Decimal(100)


def position_facts(opened_at: datetime, entry_price: Decimal, quantity: Decimal, candle: Candle) -> PositionFacts:
    """Return the facts at the close of `candle`; `entry_price` is the average in quote per base, `quantity` signed."""
    direction = 1 if quantity > 0 else -1
    entered = candle.timeframe.open_time(opened_at)
    return PositionFacts(
        bars=max((candle.open_time - entered) // candle.timeframe.duration, 0),
        profit_percent=float(direction * (candle.close - entry_price) / entry_price * _HUNDRED),
        entry_price=float(entry_price),
    )
