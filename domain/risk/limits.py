"""Checks of the limits that users set for an account and for a trading session; an order must pass both."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

from domain.core.money import EXACT, ZERO, divide, plain, rounded
from domain.model.order_side import OrderSide
from domain.model.orders import Order, RiskCode, RiskDenial
from domain.risk.context import LimitScope, RiskContext

LimitCheck = Callable[[Order, RiskContext, LimitScope], Iterator[RiskDenial]]

_HUNDRED = Decimal(100)


def limit_checks(order: Order, context: RiskContext) -> Iterator[RiskDenial]:
    """Yield the limits of the account and of the trading session that the order would break."""
    for scope in context.scopes:
        for limit_check in LIMIT_CHECKS:
            yield from limit_check(order, context, scope)


def price_collar(order: Order, context: RiskContext, scope: LimitScope) -> Iterator[RiskDenial]:
    """PRICE_COLLAR if the order could trade at a price that is worse than the market's by more than allowed.

    A buy far below the market does no harm and passes. For a market order the worst price that it would reach counts,
    and where the book ends before that, the price isn't known; for an order with a stop price the distance of its limit
    from that.
    """
    collar = scope.limits.price_collar_percent
    if collar is None or order.reduces_risk:
        return
    if order.type.trades_at_market and not context.is_covered(order):
        visible = context.visible_quantity(order.side)
        message = (
            f"The book shows {plain(visible)} {context.base} of the {plain(order.quantity)} of the order, so its price "
            f"isn't known; {scope.name} allows {plain(collar)} % from the market."
        )
        yield RiskDenial(RiskCode.PRICE_COLLAR, message, limit=collar)
        return
    start = order.stop_price or context.best_price(order.side)
    end = context.worst_price(order) if order.type.trades_at_market else order.price
    if end is None and not order.type.has_price:
        return  # a STOP or TAKE_PROFIT: what it trades at once it triggers is the market's
    if start is None or end is None:
        yield RiskDenial(RiskCode.PRICE_COLLAR, f"There is no price to hold the order's against, as {scope.name} asks.")
        return
    percent = divide(EXACT.multiply((end - start) * order.side.sign, _HUNDRED), start)
    if percent > collar:
        percent = rounded(percent)
        message = f"The order could trade {plain(percent)} % from the market; {scope.name} allows {plain(collar)} %."
        yield RiskDenial(RiskCode.PRICE_COLLAR, message, limit=collar, actual=percent)


def order_notional(order: Order, context: RiskContext, scope: LimitScope) -> Iterator[RiskDenial]:
    """MAX_ORDER_NOTIONAL, in the account's currency."""
    limit = scope.limits.max_order_notional
    if limit is None or order.reduces_risk:
        return
    actual = _notional(order, context, order.quantity)
    if actual is None:
        yield _unmeasured(RiskCode.MAX_ORDER_NOTIONAL, context, scope)
    elif actual > limit:
        actual = rounded(actual)
        message = f"The order is worth {plain(actual)}; {scope.name} allows {plain(limit)}."
        yield RiskDenial(RiskCode.MAX_ORDER_NOTIONAL, message, limit=limit, actual=actual)


def position_notional(order: Order, context: RiskContext, scope: LimitScope) -> Iterator[RiskDenial]:
    """MAX_POSITION_NOTIONAL: the value that the market's position could reach, active orders to buy included.

    On a spot market no sale makes a position greater.
    """
    limit = scope.limits.max_position_notional
    if limit is None or order.side is OrderSide.SELL:
        return
    held = sum((position.quantity for position in scope.positions), ZERO)
    working = sum(
        (o.outstanding_quantity for o in scope.active if (o.market, o.side) == (order.market, OrderSide.BUY)), ZERO
    )
    actual = _notional(order, context, held + working + order.quantity)
    if actual is None:
        yield _unmeasured(RiskCode.MAX_POSITION_NOTIONAL, context, scope)
    elif actual > limit:
        actual = rounded(actual)
        message = f"The position could be worth {plain(actual)}; {scope.name} allows {plain(limit)}."
        yield RiskDenial(RiskCode.MAX_POSITION_NOTIONAL, message, limit=limit, actual=actual)


def open_orders(order: Order, context: RiskContext, scope: LimitScope) -> Iterator[RiskDenial]:
    """MAX_OPEN_ORDERS, the new one included; an order that closes a position always passes."""
    limit, actual = scope.limits.max_open_orders, len(scope.active) + 1
    if limit is not None and actual > limit and not _reduces(order, context):
        message = f"This would be open order number {actual}; {scope.name} allows {limit}."
        yield RiskDenial(RiskCode.MAX_OPEN_ORDERS, message, limit=Decimal(limit), actual=Decimal(actual))


def order_rate(order: Order, context: RiskContext, scope: LimitScope) -> Iterator[RiskDenial]:
    """ORDER_RATE: orders in the last minute, the new one included; an order that closes a position always passes."""
    limit, actual = scope.limits.max_orders_per_minute, scope.sent_last_minute + 1
    if limit is not None and actual > limit and not _reduces(order, context):
        message = f"This would be order number {actual} within a minute; {scope.name} allows {limit}."
        yield RiskDenial(RiskCode.ORDER_RATE, message, limit=Decimal(limit), actual=Decimal(actual))


def daily_loss(order: Order, context: RiskContext, scope: LimitScope) -> Iterator[RiskDenial]:
    """MAX_DAILY_LOSS: no new risk once the day's loss has reached the limit, or while it isn't known."""
    limit, actual = scope.limits.max_daily_loss, scope.losses.daily_loss
    if limit is None or _adds_no_risk(order, context):
        return
    if actual is None:
        yield _unknown_loss(RiskCode.MAX_DAILY_LOSS, "the loss of the day", limit, scope)
    elif actual >= limit:
        actual = rounded(actual)
        message = f"The loss of the day is {plain(actual)}; {scope.name} allows {plain(limit)}."
        yield RiskDenial(RiskCode.MAX_DAILY_LOSS, message, limit=limit, actual=actual)


def drawdown(order: Order, context: RiskContext, scope: LimitScope) -> Iterator[RiskDenial]:
    """MAX_DRAWDOWN: no new risk once equity has fallen by the limit from its peak, or while that isn't known."""
    limit, actual = scope.limits.max_drawdown_percent, scope.losses.drawdown_percent
    if limit is None or _adds_no_risk(order, context):
        return
    if actual is None:
        yield _unknown_loss(RiskCode.MAX_DRAWDOWN, "the drawdown", limit, scope)
    elif actual >= limit:
        actual = rounded(actual)
        message = f"Equity is {plain(actual)} % below its highest; {scope.name} allows {plain(limit)} %."
        yield RiskDenial(RiskCode.MAX_DRAWDOWN, message, limit=limit, actual=actual)


def cool_down(order: Order, context: RiskContext, scope: LimitScope) -> Iterator[RiskDenial]:
    """COOL_DOWN: no new risk for a while after so many losing round trips in a row."""
    losses, minutes, record = scope.limits.cool_down_losses, scope.limits.cool_down_minutes, scope.losses
    if losses is None or minutes is None or record.last_loss_at is None or record.losing_streak < losses:
        return
    until = record.last_loss_at + timedelta(minutes=minutes)
    if context.now < until and not _adds_no_risk(order, context):
        message = (
            f"After {record.losing_streak} losses in a row {scope.name} pauses entries until {until:%H:%M:%S} UTC."
        )
        yield RiskDenial(RiskCode.COOL_DOWN, message, limit=Decimal(losses), actual=Decimal(record.losing_streak))


LIMIT_CHECKS: tuple[LimitCheck, ...] = (
    price_collar,
    order_notional,
    position_notional,
    open_orders,
    order_rate,
    daily_loss,
    drawdown,
    cool_down,
)


def _reduces(order: Order, context: RiskContext) -> bool:
    """Return whether the order can only close a position; `checks.reduce_only` denies what is more than that."""
    return order.reduce_only or order.quantity <= context.closable(order.side)


def _adds_no_risk(order: Order, context: RiskContext) -> bool:
    """Return whether the order closes a position, or sells what is held for the account's own currency."""
    sells_for_own = order.side is OrderSide.SELL and context.quote == context.currency
    return sells_for_own or _reduces(order, context)


def _notional(order: Order, context: RiskContext, quantity: Decimal) -> Decimal | None:
    price = context.reference_price(order)
    if price is None or context.quote_rate is None:
        return None
    return EXACT.multiply(EXACT.multiply(quantity, price), context.quote_rate)


def _unknown_loss(code: RiskCode, what: str, limit: Decimal, scope: LimitScope) -> RiskDenial:
    because = scope.losses.unknown or "nothing is known of it"
    message = f"{scope.name.capitalize()} limits {what}, which can't be measured now: {because}."
    return RiskDenial(code, message, limit=limit)


def _unmeasured(code: RiskCode, context: RiskContext, scope: LimitScope) -> RiskDenial:
    message = f"The limit of {scope.name} can't be measured: {context.quote} has no known price in its currency."
    return RiskDenial(code, message)
