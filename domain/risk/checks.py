"""The risk checks that an order must pass before it is sent.

All checks run and all failures are reported. Their whole input is a `RiskContext`; nothing here reads anything.

An order that closes a position (`Order.reduces_risk`) has to pass only what the venue itself would refuse, and
`reduce_only`, which keeps it from closing more than there is: a limit that keeps a position open protects nobody. A
reduce-only order that is placed by hand passes the same checks, except for a halt, the price collar and the greatest
notional of an order, which guard against the hand.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from domain.core.money import EXACT, ZERO, plain, rounded
from domain.model.order_side import OrderSide
from domain.model.orders import Order, RiskCode, RiskDenial
from domain.model.trading_state import TradingState
from domain.risk.context import RiskContext
from domain.risk.limits import limit_checks
from domain.rules.grid import Grid, grid_of

Check = Callable[[Order, RiskContext], Iterator[RiskDenial]]


def check_order(order: Order, context: RiskContext) -> tuple[RiskDenial, ...]:
    """Return every reason not to send the order, in the order of `CHECKS`; none if it may be sent."""
    return tuple(denial for check in CHECKS for denial in check(order, context))


def trading_state(order: Order, context: RiskContext) -> Iterator[RiskDenial]:
    """TRADING_HALTED while the engine, the user, the account or the trading session is halted."""
    if context.state is TradingState.HALTED and not order.reduces_risk:
        yield RiskDenial(RiskCode.TRADING_HALTED, "Trading is halted; it stays so until it is resumed.")


def reduce_only(order: Order, context: RiskContext) -> Iterator[RiskDenial]:
    """REDUCE_ONLY if the order or a REDUCING state demands it and the order would open or reverse a position."""
    if not (order.reduce_only or context.state is TradingState.REDUCING):
        return
    closable = context.closable(order.side)
    if order.quantity > closable:
        message = f"Only {plain(closable)} {context.base} can be reduced by this order."
        yield RiskDenial(RiskCode.REDUCE_ONLY, message, limit=closable, actual=order.quantity)


def short_sale(order: Order, context: RiskContext) -> Iterator[RiskDenial]:
    """UNSUPPORTED_ORDER if a trading session would sell on a spot market what it didn't buy."""
    if order.side is not OrderSide.SELL or order.trading_session_id is None or order.reduce_only:
        return
    closable = context.closable(order.side)
    if order.quantity > closable:
        message = f"A trading session can't sell short on a spot market; it can sell {plain(closable)} {context.base}."
        yield RiskDenial(RiskCode.UNSUPPORTED_ORDER, message, limit=closable, actual=order.quantity)


def reconciled(order: Order, context: RiskContext) -> Iterator[RiskDenial]:
    """NOT_RECONCILED until the account agrees with the venue after a start or a reconnect."""
    if not context.reconciled and not order.reduce_only:
        message = "The account does not agree with the venue yet; try again in a moment."
        yield RiskDenial(RiskCode.NOT_RECONCILED, message if context.refusal is None else f"{context.refusal}.")


def market_data(order: Order, context: RiskContext) -> Iterator[RiskDenial]:
    """MARKET_INACTIVE if the market doesn't trade now; STALE_MARKET_DATA if there is no complete fresh book.

    A reduce-only order needs no book: its risk is to stay unsent.
    """
    if context.market is None or not context.market.active:
        yield RiskDenial(RiskCode.MARKET_INACTIVE, f"{order.market} is not traded at its venue now.")
    if not order.reduce_only and not context.has_fresh_book:
        yield RiskDenial(RiskCode.STALE_MARKET_DATA, f"There is no fresh book of {order.market}.")


def filters(order: Order, context: RiskContext) -> Iterator[RiskDenial]:
    """PRICE_PRECISION, QUANTITY_PRECISION, QUANTITY_TOO_SMALL, _LARGE and NOTIONAL_TOO_SMALL: the market's filters."""
    if context.market is None:
        return
    grid = grid_of(context.market, order.type)
    yield from _price_filters(order, grid)
    yield from _quantity_filters(order.quantity, grid)
    price = context.reference_price(order)
    minimum = context.market.minimum_order_notional(at_market=order.type.trades_at_market)
    if price is None or minimum is None:
        return
    notional = EXACT.multiply(order.quantity, price)
    if notional < minimum:
        notional = rounded(notional)
        message = f"The order is worth {plain(notional)} and must be worth at least {plain(minimum)} {context.quote}."
        yield RiskDenial(RiskCode.NOTIONAL_TOO_SMALL, message, limit=minimum, actual=notional)


def balance(order: Order, context: RiskContext) -> Iterator[RiskDenial]:
    """INSUFFICIENT_BALANCE if the free balance doesn't cover what the order needs.

    A market order needs its quantity at the worst price that it would reach in the book, with the taker's fee. The
    sale of a position that fills prove passes: a balance message may be late or lost, and the venue has the last word.
    A trading session can't spend what is in a position of a trading session.
    """
    needed = context.needed(order)
    if needed is None or context.sells_position(order):
        return
    currency = context.quote if order.side is OrderSide.BUY else context.base
    held = context.held_by_others(order)
    free = max(EXACT.subtract(context.free(currency), held), ZERO)
    if needed > free:
        needed = rounded(needed)
        others = f"; {plain(held)} are held by positions of trading sessions" if held else ""
        message = f"The order needs {plain(needed)} {currency}, and {plain(free)} are free{others}."
        yield RiskDenial(RiskCode.INSUFFICIENT_BALANCE, message, limit=free, actual=needed)


CHECKS: tuple[Check, ...] = (
    trading_state,
    reduce_only,
    short_sale,
    reconciled,
    market_data,
    filters,
    balance,
    limit_checks,
)


def _price_filters(order: Order, grid: Grid) -> Iterator[RiskDenial]:
    for name, price in (("price", order.price), ("stop price", order.stop_price)):
        if price is not None and not grid.has_price(price):
            message = f"The {name} {plain(price)} is not a multiple of the market's {plain(grid.tick)}."
            yield RiskDenial(RiskCode.PRICE_PRECISION, message, limit=grid.tick, actual=price)


def _quantity_filters(quantity: Decimal, grid: Grid) -> Iterator[RiskDenial]:
    if not grid.has_quantity(quantity):
        message = f"The quantity {plain(quantity)} is not a multiple of the market's {plain(grid.lot)}."
        yield RiskDenial(RiskCode.QUANTITY_PRECISION, message, limit=grid.lot, actual=quantity)
    least = grid.quantity(grid.least_lots)
    if quantity < least:
        message = f"The quantity {plain(quantity)} is below the market's {plain(least)}."
        yield RiskDenial(RiskCode.QUANTITY_TOO_SMALL, message, limit=least, actual=quantity)
    most = None if grid.most_lots is None else grid.quantity(grid.most_lots)
    if most is not None and quantity > most:
        message = f"The quantity {plain(quantity)} is above the market's {plain(most)}."
        yield RiskDenial(RiskCode.QUANTITY_TOO_LARGE, message, limit=most, actual=quantity)
