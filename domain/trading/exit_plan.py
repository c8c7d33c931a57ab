"""How much of a position one order closes: what is held of it, on the market's grid and within its limits of now."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.markets import Market
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderRole, OrderType
from domain.model.trading import Balance
from domain.portfolio.positions import is_dust
from domain.rules.grid import grid_of


@dataclass(frozen=True, slots=True)
class ExitPlan:
    """What can be done about a quantity that is to be sold, in base.

    `quantity` is that of the next order, zero if nothing can be ordered; `missing` is what the account doesn't hold any
    more; `locked` is what it holds, but not free, because another order is to sell it.
    """

    quantity: Decimal
    missing: Decimal = ZERO
    locked: Decimal = ZERO


def plan_exit(target: Decimal, market: Market, price: Decimal, held: Balance | None) -> ExitPlan:
    """Return the plan of selling `target`, rounded down to the lot and to the most that one market order may have.

    Without `held`, the balance of the base currency as the venue has just reported it, all of it is taken to be there:
    the venue has the last word.
    """
    missing = ZERO if held is None else max(EXACT.subtract(target, held.total), ZERO)
    present = EXACT.subtract(target, missing)
    free = present if held is None or held.free is None else max(min(present, held.free), ZERO)
    quantity = grid_of(market, OrderType.MARKET).largest_order(free)
    return ExitPlan(ZERO if is_dust(quantity, market, price) else quantity, missing, EXACT.subtract(present, free))


def orders_to_release(active: Iterable[Order], market: Market, locked: Decimal) -> tuple[Order, ...]:
    """Return the orders to cancel so that an exit can sell what they lock: the newest, as many as it takes."""
    chosen: list[Order] = []
    covered = ZERO
    for order in sorted(active, key=lambda order: order.id, reverse=True):
        released = _released(order, market)
        if covered < locked and released > 0:
            chosen.append(order)
            covered = EXACT.add(covered, released)
    return tuple(chosen)


def has_lots(quantity: Decimal, market: Market) -> bool:
    """Return whether a quantity is a lot at least; less is left of nearly every position after its fees."""
    return grid_of(market, OrderType.MARKET).lots_down(quantity) > 0


def _released(order: Order, market: Market) -> Decimal:
    """Return how much of a market's base the cancel of an active order sets free.

    A sale of the base locks it, and so does a purchase that pays with it, such as one on ETH/BTC where BTC is to be
    sold. Only orders by hand and entries of trading sessions are cancelled for an exit, and none that only reduces a
    position.
    """
    has_to_stay = order.reduce_only or order.role not in {OrderRole.MANUAL, OrderRole.ENTRY}
    if has_to_stay or order.is_held or order.market.venue != market.symbol.venue:
        return ZERO
    base, _, quote = order.market.symbol.partition("/")
    if order.side is OrderSide.SELL:
        return order.remaining_quantity if base == market.base else ZERO
    price = order.price or order.stop_price or ZERO
    return EXACT.multiply(order.remaining_quantity, price) if quote == market.base else ZERO
