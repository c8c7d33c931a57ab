"""A trailing stop as an order of its own: the best price that the market had, and whether it has come back too far.

A SELL follows the price up and is triggered when it falls by the distance; a BUY follows it down.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.core.money import EXACT
from domain.model.markets import Market
from domain.model.order_side import OrderSide
from domain.model.orders import Order
from domain.model.protection import ExitLevel, PositionProtection, ProtectionRules
from domain.rules.direction import Direction
from domain.rules.protected_position import protection_state, step_trade

_NO_INCREMENT = Decimal("1E-18")


@dataclass(frozen=True, slots=True)
class Trail:
    """The best price since the order was placed, the price that triggers it, and whether a trade has reached that."""

    high_water: Decimal
    stop_price: Decimal
    is_triggered: bool = False


def start_trail(order: Order, price: Decimal, at: datetime, market: Market) -> Trail:
    """Return where a trailing stop stands if the market is at `price` when it is placed."""
    return step_trail(order, Trail(price, price), price, at, market)


def step_trail(order: Order, trail: Trail, price: Decimal, at: datetime, market: Market) -> Trail:
    """Return where a trailing stop stands after a trade."""
    direction = Direction.LONG if order.side is OrderSide.SELL else Direction.SHORT
    level = ExitLevel(percent=order.trail_percent, absolute=order.trail_absolute)
    protection = PositionProtection(
        order.id,
        order.user_id,
        order.account_id,
        order.market,
        ProtectionRules(trailing_stop=level),
        order.created_at,
        reference_price=trail.high_water,
        high_water=trail.high_water,
    )
    before = protection_state(protection, market, direction)
    after, exit_ = step_trade(before, price, at, market, direction)
    tick = market.price_increment or _NO_INCREMENT
    assert after.trailing_stop is not None
    return Trail(
        high_water=EXACT.multiply(tick, Decimal(abs(after.high_water))),
        stop_price=EXACT.multiply(tick, Decimal(abs(after.trailing_stop))),
        is_triggered=exit_ is not None,
    )
