"""Positions, computed from fills by account, market and trading session.

What is sold beyond a position were holdings of the account that no position counts: coins that were deposited, or
bought elsewhere. On a spot market that is no short sale. It opens no position; its proceeds are in the account's
balances, as its fill is in their ledger.

One identity holds for the fills of a position, except for the rounding of the average price and of a part's fees to 18
decimals: realised profit plus `quantity` times (price - average price) equals the cash that the fills moved plus
`quantity` times price. A fee in the quote currency is cash; a fee in the base currency lessens the quantity and is
valued at the fill's price; a fee in a third currency (BNB) counts by the rate that is kept with its fill, so that the
same fills always give the same position. If no rate was known then, the position has the currency in its
`unpriced_fees`.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from domain.core.money import EXACT, ZERO, divide
from domain.model.markets import Market
from domain.model.order_side import OrderSide
from domain.model.orders import Fill, OrderType
from domain.model.trading import Position
from domain.rules.grid import grid_of


class FillEffect(NamedTuple):
    """A fill's effect on a position: the signed change of the base quantity, at a price, and the fees in quote.

    `unpriced_fee` is the currency of a fee whose value in quote isn't known, which `fees` leaves out.
    """

    quantity: Decimal
    price: Decimal
    fees: Decimal
    unpriced_fee: str | None = None


@dataclass(slots=True)
class PositionSums:
    """What the fills of a position have added up to so far: the fields of `Position` that they change.

    It changes in place, for reports of very many fills.
    """

    quantity: Decimal = ZERO
    average_price: Decimal | None = None
    realized_profit: Decimal = ZERO
    fees: Decimal = ZERO
    unpriced_fees: tuple[str, ...] = ()

    @classmethod
    def of(cls, position: Position) -> "PositionSums":
        """Return the sums of a position."""
        return cls(
            position.quantity,
            position.average_price,
            position.realized_profit,
            position.fees,
            position.unpriced_fees,
        )

    def apply(self, effect: FillEffect) -> None:
        """Add the effect of a fill; of one that sells more than the quantity, the part that is the position's."""
        if effect.quantity > 0:
            self._increase(effect)
        else:
            self._reduce(_share(effect, min(self.quantity, EXACT.minus(effect.quantity))))
        if effect.unpriced_fee is not None and effect.unpriced_fee not in self.unpriced_fees:
            self.unpriced_fees = (*self.unpriced_fees, effect.unpriced_fee)

    def _increase(self, effect: FillEffect) -> None:
        cost = EXACT.multiply(effect.price, effect.quantity)
        if self.average_price is not None:
            cost = EXACT.add(EXACT.multiply(self.average_price, self.quantity), cost)
        self.quantity = EXACT.add(self.quantity, effect.quantity)
        self.average_price = divide(cost, self.quantity)
        self.fees = EXACT.add(self.fees, effect.fees)
        self.realized_profit = EXACT.subtract(self.realized_profit, effect.fees)

    def _reduce(self, effect: FillEffect) -> None:
        assert self.average_price is not None
        gain = EXACT.multiply(EXACT.subtract(self.average_price, effect.price), effect.quantity)
        self.quantity = EXACT.add(self.quantity, effect.quantity)
        self.fees = EXACT.add(self.fees, effect.fees)
        self.realized_profit = EXACT.add(EXACT.subtract(self.realized_profit, effect.fees), gain)


def fill_effect(fill: Fill, market: Market) -> FillEffect:
    """Return the fill's effect on a position of `market`."""
    quantity = fill.quantity if fill.side is OrderSide.BUY else EXACT.minus(fill.quantity)
    if fill.fee_currency == market.base:
        return FillEffect(EXACT.subtract(quantity, fill.fee), fill.price, EXACT.multiply(fill.fee, fill.price))
    if fill.fee_currency == market.quote or not fill.fee:
        return FillEffect(quantity, fill.price, fill.fee)
    if fill.fee_rate is None:
        return FillEffect(quantity, fill.price, ZERO, fill.fee_currency)
    return FillEffect(quantity, fill.price, EXACT.multiply(fill.fee, fill.fee_rate))


def apply_fill(position: Position | None, fill: Fill, market: Market, new_id: UUID) -> Position | None:
    """Return the position after the fill; None if there was none and the fill sells holdings.

    `new_id` is the id of the position that the fill opens, if it opens one. Of a fill that sells more than the
    position, the part that is the position's closes it, with its share of the fees.
    """
    effect = fill_effect(fill, market)
    opens = effect.quantity > 0
    if position is None and not opens:
        return None
    current = _opened(fill, new_id) if position is None else _opened_by(position, fill) if opens else position
    sums = PositionSums.of(current)
    sums.apply(effect)
    return current.changed(
        quantity=sums.quantity,
        average_price=sums.average_price,
        fees=sums.fees,
        realized_profit=sums.realized_profit,
        unpriced_fees=sums.unpriced_fees,
        closed_at=current.closed_at if opens or sums.quantity else fill.at,
    )


def close_dust(position: Position, market: Market, price: Decimal, at: datetime) -> Position:
    """Return the position closed if what is left of it can't be sold; else unchanged.

    That is less than the lot, or worth less than the market's minimum notional at `price`. Call it only if no order of
    the position is active: the rest of a partially filled order isn't dust.
    """
    if position.closed_at is not None or not is_dust(position.quantity, market, price):
        return position
    return position.changed(quantity=ZERO, dust=position.quantity, closed_at=at)


def may_leave_dust(side: OrderSide, trading_session_id: UUID | None) -> bool:
    """Return whether what an order leaves of its position is closed if it is dust.

    A purchase by hand may be followed by another one, which makes it enough for a sale; a trading session would wait
    for an exit that sells nothing.
    """
    return side is OrderSide.SELL or trading_session_id is not None


def is_dust(quantity: Decimal, market: Market, price: Decimal) -> bool:
    """Return whether a signed base quantity is too small to be traded at `price` by a MARKET order."""
    return grid_of(market, OrderType.MARKET).is_too_small(EXACT.abs(quantity), price)


def unrealized_profit(position: Position, price: Decimal) -> Decimal:
    """Return what closing at `price` would add to the realised profit, before fees, in quote."""
    if position.average_price is None:
        return ZERO
    return EXACT.multiply(EXACT.subtract(price, position.average_price), position.quantity)


def _share(effect: FillEffect, sold: Decimal) -> FillEffect:
    """Return the part of a sale that is `sold`, with its share of the fees."""
    whole = EXACT.minus(effect.quantity)
    if sold == whole:
        return effect
    fees = divide(EXACT.multiply(effect.fees, sold), whole)
    return FillEffect(EXACT.minus(sold), effect.price, fees, effect.unpriced_fee)


def _opened(fill: Fill, position_id: UUID) -> Position:
    return Position(
        id=position_id,
        user_id=fill.user_id,
        account_id=fill.account_id,
        market=fill.market,
        trading_session_id=fill.trading_session_id,
        opened_at=fill.at,
    )


def _opened_by(position: Position, fill: Fill) -> Position:
    """Return the position opened no later than by this fill: venues may report an earlier one after a later one."""
    return position if position.opened_at <= fill.at else position.changed(opened_at=fill.at)
