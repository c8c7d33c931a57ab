"""Sizes an entry: how much to buy for what a strategy wants to spend or to risk."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.core.money import EXACT, ZERO, divide, round_down
from domain.model.definitions import ExitDistance, Sizing
from domain.model.markets import Market, PriceLevel

HUNDRED = Decimal(100)
MARKET_MARGIN = Decimal("1.001")
"""How far the book may move between the sizing of a market order and the check that its balance suffices."""


@dataclass(frozen=True, slots=True)
class SizingContext:
    """What an entry is sized by.

    `price` in quote per base, `equity` in the account's currency: what of it can be priced (None where nothing can),
    `free_quote` what
    can be spent, `quote_rate` the worth of one unit of quote in the account's currency (None where unknown), `atr` in
    quote per base, `stop_distance` in quote per base from the entry to the stop-loss. `asks` is the book that a market
    order would take from, best first.
    """

    market: Market
    price: Decimal
    free_quote: Decimal
    equity: Decimal | None = None
    quote_rate: Decimal | None = Decimal(1)
    atr: Decimal | None = None
    stop_distance: Decimal | None = None
    asks: Sequence[PriceLevel] = ()


class SizingError(Exception):
    """The entry can't be sized, and why."""


def quantity(sizing: Sizing, context: SizingContext) -> Decimal:
    """Return the quantity in base, rounded down to the market's lot: never up in risk.

    A share of equity is cut to what the free balance pays for with its fee; a fixed amount isn't, so that the risk
    check tells what is missing. Raises `SizingError`.
    """
    wanted = _wanted(sizing, context)
    if sizing.quote_amount is None:
        wanted = _cut(wanted, context)
    rounded = round_down(wanted, context.market.quantity_increment)
    if rounded <= 0:
        lot = context.market.quantity_increment
        raise SizingError(f"{wanted:f} {context.market.base} is below the lot of {lot:f}")
    return rounded


def distance(exit_distance: ExitDistance, price: Decimal, atr: Decimal | None) -> Decimal | None:
    """Return how far an exit lies from `price`, in quote per base; None where it needs an ATR that isn't known."""
    if exit_distance.percent is not None:
        return divide(EXACT.multiply(price, exit_distance.percent), HUNDRED)
    if exit_distance.atr_multiple is not None:
        return EXACT.multiply(exit_distance.atr_multiple, atr) if atr is not None else None
    return exit_distance.absolute


def _wanted(sizing: Sizing, context: SizingContext) -> Decimal:
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


def _cut(wanted: Decimal, context: SizingContext) -> Decimal:
    """Return what of the wanted quantity the free balance pays for, and the market takes in one order."""
    limits = [wanted]
    most = context.market.maximum_of(at_market=bool(context.asks))
    if most is not None:
        limits.append(most)
    cost_of_one = EXACT.multiply(_worst_price(wanted, context), 1 + (context.market.taker_fee or ZERO))
    limits.append(divide(max(context.free_quote, ZERO), cost_of_one))
    return min(limits)


def _worst_price(wanted: Decimal, context: SizingContext) -> Decimal:
    """Return the price of the last level that a market order would reach, and a little more: the book moves."""
    price, left = context.price, wanted
    for level in context.asks:
        price, left = max(price, level.price), left - level.quantity
        if left <= 0:
            break
    return EXACT.multiply(price, MARKET_MARGIN) if context.asks else price
