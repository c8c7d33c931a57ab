"""Position sizing: the quantity of an entry from what a strategy is to spend or to risk."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.core.money import EXACT, ZERO, divide
from domain.model.definitions import ExitDistance, Sizing
from domain.model.markets import Market, PriceLevel
from domain.model.orders import OrderType
from domain.rules.grid import Grid, grid_of

HUNDRED = Decimal(100)
MARKET_MARGIN = Decimal("1.001")
"""How far the book may move between the sizing of a market order and the risk check of its balance."""


@dataclass(frozen=True, slots=True)
class SizingContext:
    """The market and the means that an entry is sized by.

    `price`, `atr` and `stop_distance` (from the entry to the stop-loss) are in quote per base; `free_quote` is what can
    be spent, in quote. `equity` is the part of it that can be priced, in the account's currency; None if nothing can.
    `quote_rate` is the price of one unit of quote in the account's currency; None if unknown. `asks` is the book that a
    market order would take from, best first.
    """

    market: Market
    price: Decimal
    free_quote: Decimal
    equity: Decimal | None = None
    quote_rate: Decimal | None = Decimal(1)
    atr: Decimal | None = None
    stop_distance: Decimal | None = None
    asks: Sequence[PriceLevel] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """An entry's part of a ladder's size: its own factor, the sum of those that are `left` with it, and of all."""

    factor: Decimal
    left: Decimal
    total: Decimal


WHOLE = Share(Decimal(1), Decimal(1), Decimal(1))
"""The share of an entry that no other follows."""


class SizingError(Exception):
    """The entry can't be sized; the message is the reason."""


def size_entry(sizing: Sizing, context: SizingContext, share: Share = WHOLE) -> Decimal:
    """Return the quantity in base, rounded down to the market's increment so that the risk never grows.

    A quantity by share of equity is limited to what the free balance can pay with its fee, for all entries of a ladder
    that are left; a fixed amount isn't, so that the risk check reports what is missing. Raises `SizingError`.
    """
    grid = _grid(context)
    return grid.quantity(entry_lots(sizing, context, grid, share))


def entry_lots(sizing: Sizing, context: SizingContext, grid: Grid, share: Share = WHOLE) -> int:
    """Return what `size_entry` does as a count of lots of the grid for the entry's type of order."""
    target = _part(_target_quantity(sizing, context), share.left, share.total)
    if sizing.quote_amount is None:
        target = _limit(target, context)
    target = _part(target, share.factor, share.left)
    if sizing.quote_amount is None and grid.most_lots is not None:
        target = min(target, grid.quantity(grid.most_lots))
    lots = grid.lots_down(target)
    if lots <= 0:
        raise SizingError(f"{target:f} {context.market.base} is below the lot of {grid.lot:f}")
    return lots


def check_sellable(quantity: Decimal, context: SizingContext, base_fee: Decimal) -> None:
    """Raise `SizingError` if an entry of `quantity` would bring too little to be sold again at its stop.

    `base_fee`, a fraction of it, is taken off, and then what is less than a lot. Without a stop it must be sellable at
    the entry. What is too little even for the entry is left to the risk checks.
    """
    market = context.market
    kept = EXACT.multiply(quantity, 1 - base_fee)
    price = max(context.price - (context.stop_distance or ZERO), ZERO)
    is_bought = not _grid(context).is_too_small(quantity, context.price)
    if is_bought and grid_of(market, OrderType.MARKET).is_too_small(kept, price):
        raise SizingError(f"{quantity:f} {market.base} would be too little to be sold again at {price:f}")


def exit_distance(exit_: ExitDistance, price: Decimal, atr: Decimal | None) -> Decimal | None:
    """Return the distance of an exit from `price`, in quote per base; None if it needs an unknown ATR."""
    if exit_.percent is not None:
        return divide(EXACT.multiply(price, exit_.percent), HUNDRED)
    if exit_.atr_multiple is not None:
        return EXACT.multiply(exit_.atr_multiple, atr) if atr is not None else None
    return exit_.absolute


def _target_quantity(sizing: Sizing, context: SizingContext) -> Decimal:
    if sizing.quote_amount is not None:
        return divide(sizing.quote_amount, context.price)
    if sizing.equity_percent is not None:
        return divide(_share(context, sizing.equity_percent), context.price)
    if sizing.risk_percent is not None:
        return _by_distance(context, sizing.risk_percent, context.stop_distance, "riskPercent needs a stop-loss")
    if sizing.volatility_percent is not None:
        return _by_distance(context, sizing.volatility_percent, context.atr, "volatilityPercent needs ATR(14)")
    raise SizingError("the sizing names no amount")


def _by_distance(context: SizingContext, percent: Decimal, unit_risk: Decimal | None, otherwise: str) -> Decimal:
    if unit_risk is None or unit_risk <= 0:
        raise SizingError(otherwise)
    return divide(_share(context, percent), unit_risk)


def _share(context: SizingContext, percent: Decimal) -> Decimal:
    """Return a share of the equity, in quote."""
    if context.equity is None or not context.quote_rate:
        raise SizingError("the account's equity can't be priced now")
    return divide(divide(EXACT.multiply(context.equity, percent), HUNDRED), context.quote_rate)


def _limit(target: Decimal, context: SizingContext) -> Decimal:
    """Return the target limited to what the free balance can pay."""
    cost_of_one = EXACT.multiply(_worst_price(target, context), 1 + (context.market.taker_fee or ZERO))
    return min(target, divide(max(context.free_quote, ZERO), cost_of_one))


def _part(target: Decimal, factor: Decimal, total: Decimal) -> Decimal:
    return target if factor == total else divide(EXACT.multiply(target, factor), total)


def _grid(context: SizingContext) -> Grid:
    return grid_of(context.market, OrderType.MARKET if context.asks else OrderType.LIMIT)


def _worst_price(target: Decimal, context: SizingContext) -> Decimal:
    """Return the price of the last level that a market order would reach, plus a margin since the book moves."""
    price, left = context.price, target
    for level in context.asks:
        price, left = max(price, level.price), left - level.quantity
        if left <= 0:
            break
    return EXACT.multiply(price, MARKET_MARGIN) if context.asks else price
