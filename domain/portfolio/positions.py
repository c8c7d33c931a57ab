"""Positions: what fills add up to, by account, market and trading session.

The arithmetic keeps one identity exact, but for the rounding of the average price to 18 places: realised profit plus
`quantity` times (price - average price) equals the cash that the fills moved plus `quantity` times price. A fee in the
quote currency is cash; a fee in the base currency lessens the quantity and is valued at the fill's price; a fee in a
third currency (BNB) counts by the rate that is kept with its fill, so that the same fills always give the same
position. Where no rate was known then, the position names the currency among its `unpriced_fees`.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, ZERO, divide
from domain.model.markets import Market
from domain.model.orders import Fill
from domain.model.trading import Position


@dataclass(frozen=True, slots=True)
class Effect:
    """What a fill does: the signed change of the base quantity, at a price, and its fees in quote.

    `unpriced_fee` is the currency of a fee whose worth in quote isn't known, which `fees` leaves out.
    """

    quantity: Decimal
    price: Decimal
    fees: Decimal
    unpriced_fee: str | None = None


def effect_of(fill: Fill, market: Market) -> Effect:
    """Return the fill's effect on a position of `market`."""
    quantity = EXACT.multiply(Decimal(fill.side.sign), fill.quantity)
    if fill.fee_currency == market.base:
        return Effect(EXACT.subtract(quantity, fill.fee), fill.price, EXACT.multiply(fill.fee, fill.price))
    if fill.fee_currency == market.quote or not fill.fee:
        return Effect(quantity, fill.price, fill.fee)
    if fill.fee_rate is None:
        return Effect(quantity, fill.price, ZERO, fill.fee_currency)
    return Effect(quantity, fill.price, EXACT.multiply(fill.fee, fill.fee_rate))


def apply_fill(position: Position | None, fill: Fill, market: Market, new_id: UUID) -> tuple[Position, ...]:
    """Return the position after the fill; `new_id` names the one that the fill opens, if it does.

    Two positions come back where the fill goes through flat: the closed one and the one that it opened on the other
    side. The fees are then all the closed one's.
    """
    effect = effect_of(fill, market)
    current = position or _opened(fill, new_id)
    charged = current.changed(
        fees=EXACT.add(current.fees, effect.fees),
        realized_profit=EXACT.subtract(current.realized_profit, effect.fees),
        unpriced_fees=_with(current.unpriced_fees, effect.unpriced_fee),
    )
    if current.quantity * effect.quantity >= 0:
        return (_grown(charged, effect),)
    if abs(effect.quantity) <= abs(current.quantity):
        return (_reduced(charged, effect, fill.at),)
    rest = Effect(EXACT.add(charged.quantity, effect.quantity), effect.price, ZERO)
    closing = Effect(EXACT.minus(charged.quantity), effect.price, ZERO)
    return (_reduced(charged, closing, fill.at), _grown(_opened(fill, new_id), rest))


def close_dust(position: Position, market: Market, price: Decimal, at: datetime) -> Position:
    """Return the position closed where what is left can't be sold; else as it is.

    Less than the lot, or worth less than the market's minimum notional at `price`, can't. Only to be asked once no
    order works on the position any more: the rest of a half-filled order is not dust.
    """
    if position.closed_at is not None or not is_dust(position.quantity, market, price):
        return position
    return position.changed(quantity=ZERO, dust=position.quantity, closed_at=at)


def is_dust(quantity: Decimal, market: Market, price: Decimal) -> bool:
    """Tell whether a signed base quantity is too small to be traded at `price`."""
    size = abs(quantity)
    if size < max(market.quantity_increment, market.minimum_quantity):
        return True
    return market.minimum_notional is not None and EXACT.multiply(size, price) < market.minimum_notional


def unrealized_profit(position: Position, price: Decimal) -> Decimal:
    """Return what closing at `price` would add to the realised profit, before fees, in quote."""
    if position.average_price is None:
        return ZERO
    return EXACT.multiply(EXACT.subtract(price, position.average_price), position.quantity)


def _with(known: tuple[str, ...], currency: str | None) -> tuple[str, ...]:
    return known if currency is None or currency in known else (*known, currency)


def _opened(fill: Fill, position_id: UUID) -> Position:
    return Position(
        id=position_id,
        user_id=fill.user_id,
        account_id=fill.account_id,
        market=fill.market,
        trading_session_id=fill.trading_session_id,
        opened_at=fill.at,
    )


def _grown(position: Position, effect: Effect) -> Position:
    quantity = EXACT.add(position.quantity, effect.quantity)
    if not quantity:
        return position
    before = EXACT.multiply(position.average_price or ZERO, position.quantity)
    cost = EXACT.add(before, EXACT.multiply(effect.price, effect.quantity))
    return position.changed(quantity=quantity, average_price=divide(cost, quantity))


def _reduced(position: Position, effect: Effect, at: datetime) -> Position:
    assert position.average_price is not None
    gain = EXACT.multiply(EXACT.subtract(position.average_price, effect.price), effect.quantity)
    quantity = EXACT.add(position.quantity, effect.quantity)
    return position.changed(
        quantity=quantity,
        realized_profit=EXACT.add(position.realized_profit, gain),
        closed_at=None if quantity else at,
    )
