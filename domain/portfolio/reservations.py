"""What orders take from a balance before the venue's report of the balance shows it.

A venue reports its answer to an order and the balances after it in two messages, and the second may be late or lost. So
an order reserves what it needs from the decision to send it until a balance that is as young as the order at the venue.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus
from domain.model.trading import Balance, Position

_SETTLED = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED})

Need = Callable[[Order], Decimal | None]
"""Returns what an active order still needs of the currency that it spends; None if no price is known."""


def spent_currency(order: Order) -> str:
    """Return the currency that the order spends: the quote for a BUY, the base for a SELL."""
    base, _, quote = order.market.symbol.partition("/")
    return quote if order.side is OrderSide.BUY else base


def free_balance(balance: Balance | None, currency: str, orders: Iterable[Order], need: Need) -> Decimal:
    """Return what is free of a currency, less what `orders` take that the balance doesn't show yet.

    `orders` are the active ones, and those that have ended so lately that the balance may be older than their fills.
    An order that the engine holds takes nothing: what it needs is checked when it is triggered. Of a balance of which
    the venue reports the total alone, all that active orders need is not free.
    """
    if balance is None:
        return ZERO
    free = balance.total if balance.free is None else balance.free
    spending = [order for order in orders if spent_currency(order) == currency and not order.is_held]
    # A balance of the millisecond at which several were accepted surely shows the first of them; which one isn't known.
    tied = [order for order in spending if order.accepted_at is not None and order.accepted_at == balance.at]
    in_doubt = {order.id for order in sorted(tied, key=lambda order: _all_of(order, need))[1:]}
    for order in spending:
        if not is_included(order, balance) or order.id in in_doubt:
            free = EXACT.subtract(free, _all_of(order, need))
        elif balance.free is None:
            free = EXACT.subtract(free, _left_of(order, need))
    return free


def held_by_sessions(positions: Iterable[Position], orders: Iterable[Order]) -> dict[str, Decimal]:
    """Return by currency what open positions of trading sessions hold of it, less what their own `orders` lock.

    It is their exits' to sell: no other trading session may spend it, on a market that is quoted in it.
    """
    held: dict[str, Decimal] = {}
    of_sessions = [
        position for position in positions if position.trading_session_id is not None and position.quantity > 0
    ]
    if not of_sessions:
        return held
    active = [order for order in orders if order.side is OrderSide.SELL and not order.is_held]
    for position in of_sessions:
        locked = (
            order.outstanding_quantity
            for order in active
            if (order.trading_session_id, order.market) == (position.trading_session_id, position.market)
        )
        left = max(EXACT.subtract(position.quantity, sum(locked, ZERO)), ZERO)
        base = position.market.symbol.partition("/")[0]
        held[base] = EXACT.add(held.get(base, ZERO), left)
    return held


def is_included(order: Order, balance: Balance) -> bool:
    """Return whether the balance shows that the venue has taken the order; one of an unknown time is believed to."""
    return order.accepted_at is not None and (balance.at is None or order.accepted_at <= balance.at)


def is_settling(order: Order, balance: Balance | None) -> bool:
    """Return whether the order has ended with fills that the balance, by its time, may not show yet."""
    if order.status not in _SETTLED or order.awaits_fills or not order.filled_quantity:
        return False
    if balance is None or balance.at is None:
        return False
    return order.accepted_at is not None and order.accepted_at >= balance.at


def _all_of(order: Order, need: Need) -> Decimal:
    """Return what an order has spent and still needs."""
    spent = order.filled_cost if order.side is OrderSide.BUY else order.filled_quantity
    return EXACT.add(_left_of(order, need), spent)


def _left_of(order: Order, need: Need) -> Decimal:
    return need(order) or ZERO if order.outstanding_quantity else ZERO
