"""How much of a position one order closes: what is held of it, on the market's grid and within its limits of now."""

from dataclasses import dataclass
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.markets import Market
from domain.model.orders import OrderType
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
