"""What orders take from a balance before the venue's report of the balance shows it.

A venue reports its answer to an order and the balances after it in two messages, and the second may be late or lost. So
an order reserves what it needs from the decision to send it until a balance that is as young as the order at the venue.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus
from domain.model.trading import Balance

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
    Of a balance of which the venue reports the total alone, all that active orders need is not free.
    """
    if balance is None:
        return ZERO
    free = balance.total if balance.free is None else balance.free
    for order in orders:
        is_shown = balance.free is not None and is_included(order, balance)
        if not is_shown and spent_currency(order) == currency:
            free = EXACT.subtract(free, _taken(order, balance, need))
    return free


def is_included(order: Order, balance: Balance) -> bool:
    """Return whether the balance shows that the venue has taken the order; one of an unknown time is believed to."""
    return order.accepted_at is not None and (balance.at is None or order.accepted_at <= balance.at)


def is_settling(order: Order, balance: Balance | None) -> bool:
    """Return whether the order has ended with fills that the balance, by its time, doesn't show yet."""
    if order.status not in _SETTLED or order.awaits_fills or not order.filled_quantity:
        return False
    if balance is None or balance.at is None:
        return False
    return order.accepted_at is not None and order.accepted_at > balance.at


def _taken(order: Order, balance: Balance, need: Need) -> Decimal:
    if order.is_held:
        return ZERO  # The venue doesn't know of it; what it needs is checked when it is triggered.
    is_shown = is_included(order, balance)
    still_needed = need(order) or ZERO if order.outstanding_quantity else ZERO
    if is_shown:
        return still_needed if balance.free is None else ZERO
    return EXACT.add(still_needed, order.filled_cost if order.side is OrderSide.BUY else order.filled_quantity)
