"""The inputs of the mutations of orders."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import strawberry

from domain.core.errors import ErrorCode, InputError
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderType, TimeInForce
from domain.model.protection import ExitLevel, ProtectAt
from domain.rules import order_request as service
from domain.rules.bracket_request import BracketRequest
from domain.rules.order_amendment import AmendmentRequest
from schema.common.node import decode_uuid


@strawberry.input(
    one_of=True,
    description="The distance at which a trailing stop follows the price. Give exactly one of the two fields.",
)
class TrailInput:
    percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description='The distance in percent of the best price so far, such as "1.5".'
    )
    absolute: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description="The distance as a difference of prices, in quote currency for one unit of the base currency.",
    )


@strawberry.input(one_of=True, description="The price of a protecting order. Give exactly one of the two fields.")
class ProtectionInput:
    price: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="The price, in quote currency for one unit of the base currency."
    )
    percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="The distance from the entry's price, in percent of it."
    )


@strawberry.input(description="The order to place.")
class OrderPlaceInput:
    account: strawberry.ID = strawberry.field(description="The id of the account on which to trade.")
    market: MarketSymbol = strawberry.field(description="The market. It must be a market of the account's venue.")
    side: OrderSide = strawberry.field(description="Whether to buy or to sell the base currency.")
    type: OrderType = strawberry.field(description="How the order is executed.")
    quantity: Decimal = strawberry.field(
        description="The quantity, in base currency. It must be more than 0 and a multiple of "
        "`Market.quantityIncrement`."
    )
    price: Decimal | None = strawberry.field(
        default=None,
        description=(
            "The limit price, in quote currency for one unit of the base currency. It must be a multiple of "
            "`Market.priceIncrement`. It is required for LIMIT, STOP_LIMIT and TAKE_PROFIT_LIMIT, and invalid for "
            "other types."
        ),
    )
    stop_price: Decimal | None = strawberry.field(
        default=None,
        description=(
            "The price that triggers the order, in quote currency for one unit of the base currency. It must be a "
            "multiple of `Market.priceIncrement`. It is required for STOP, STOP_LIMIT, TAKE_PROFIT and "
            "TAKE_PROFIT_LIMIT, and invalid for other types."
        ),
    )
    time_in_force: TimeInForce | None = strawberry.field(
        default=None,
        description=(
            "How long the order rests in the book. Only valid for types with a limit price, for which the default is "
            "GTC."
        ),
    )
    expires_at: datetime | None = strawberry.field(
        default=None,
        description="The time at which a GTD order expires. It must be in the future. Required for GTD, invalid "
        "otherwise.",
    )
    post_only: bool | None = strawberry.field(
        default=None,
        description="Reject instead of taking liquidity (LIMIT only, and not with IOC or FOK). The default is false.",
    )
    reduce_only: bool | None = strawberry.field(
        default=None, description="Only reduce a position, and never open or enlarge one. The default is false."
    )
    trailing: TrailInput | None = strawberry.field(
        default=None,
        description=(
            "The distance at which a TRAILING_STOP follows the price. Required for it, and invalid for other types."
        ),
    )
    stop_loss: ProtectionInput | None = strawberry.field(
        default=None,
        description=(
            "Sell what the order has bought when the market falls to this price: a percentage below the order's mean "
            "price, or a price. It covers what is filled from the first fill on, and grows with every fill. When the "
            "stop-loss or the take-profit closes the position, the other one ends. Only for orders that buy."
        ),
    )
    take_profit: ProtectionInput | None = strawberry.field(
        default=None,
        description=(
            "Sell what the order has bought when the market rises to this price: a percentage above the order's mean "
            "price, or a price. Otherwise as `stopLoss`."
        ),
    )
    protect_at: ProtectAt | None = strawberry.field(
        default=None,
        description=(
            "Where `stopLoss` and `takeProfit` are kept. The default is BEST. With VENUE, the result is UNSUPPORTED "
            "where the venue lacks the orders that it takes. Invalid without one of them."
        ),
    )
    idempotency_key: str = strawberry.field(
        description=(
            "The key makes it safe to repeat the request: the same key with the same input returns the same "
            "order and sends "
            "nothing again. With another input the result is the error CONFLICT. At most 128 characters."
        )
    )

    def bracket(self) -> BracketRequest | None:
        """Return the protection that is asked for; None if there is none."""
        stop_loss, take_profit = exit_level(self.stop_loss), exit_level(self.take_profit)
        if stop_loss is None and take_profit is None:
            if self.protect_at is not None:
                message = "protectAt belongs to stopLoss and takeProfit; give one of them, or leave it out."
                raise InputError(ErrorCode.INVALID, message, ("input", "protectAt"))
            return None
        return BracketRequest(stop_loss, take_profit, self.protect_at or ProtectAt.BEST)

    def trail(self) -> ExitLevel | None:
        """Return the distance of a trailing stop; None if there is none."""
        return trail_level(self.trailing)

    def to_domain(self) -> service.OrderRequest:
        """Return the request. Raises NOT_FOUND for an id that is no id of an account."""
        return service.OrderRequest(
            account_id=decode_uuid(self.account, "Account", ("input", "account")),
            market=self.market,
            side=self.side,
            type=self.type,
            quantity=self.quantity,
            price=self.price,
            stop_price=self.stop_price,
            time_in_force=self.time_in_force,
            expires_at=self.expires_at,
            post_only=bool(self.post_only),
            reduce_only=bool(self.reduce_only),
            trailing=self.trailing is not None,
            stop_loss=self.stop_loss is not None,
            take_profit=self.take_profit is not None,
        )


def exit_level(given: ProtectionInput | None) -> ExitLevel | None:
    """Return the level of an exit; None if there is none."""
    if given is None:
        return None
    price, percent = given.price, given.percent
    return ExitLevel(
        price=None if price is strawberry.UNSET else price, percent=None if percent is strawberry.UNSET else percent
    )


def trail_level(given: TrailInput | None) -> ExitLevel | None:
    """Return the distance of a trailing stop; None if there is none."""
    if given is None:
        return None
    percent, absolute = given.percent, given.absolute
    return ExitLevel(
        percent=None if percent is strawberry.UNSET else percent,
        absolute=None if absolute is strawberry.UNSET else absolute,
    )


@strawberry.input(description="What to change of an order. A field that is not given stays as it is.")
class OrderAmendInput:
    quantity: Decimal | None = strawberry.field(
        default=None,
        description=(
            "The new quantity, in base currency, with everything that the order has filled already. It must be more "
            "than that, and a multiple of `Market.quantityIncrement`."
        ),
    )
    price: Decimal | None = strawberry.field(
        default=None,
        description=(
            "The new limit price, in quote currency for one unit of the base currency. It must be a multiple of "
            "`Market.priceIncrement`. Invalid for types without a limit price."
        ),
    )
    stop_price: Decimal | None = strawberry.field(
        default=None,
        description=(
            "The new price that triggers the order, in quote currency for one unit of the base currency. It must be a "
            "multiple of `Market.priceIncrement`. Invalid for types without a stop price."
        ),
    )
    trailing: TrailInput | None = strawberry.field(
        default=None,
        description=(
            "The new distance at which a TRAILING_STOP follows the price, measured from the best price so far. Invalid "
            "for other types."
        ),
    )
    idempotency_key: str = strawberry.field(
        description=(
            "The key makes it safe to repeat the request: the same key with the same input returns the same new order "
            "and amends nothing again. With another input the result is the error CONFLICT. At most 128 characters."
        )
    )

    def to_domain(self, order_id: UUID) -> AmendmentRequest:
        """Return the request."""
        return AmendmentRequest(order_id, self.quantity, self.price, self.stop_price, trail_level(self.trailing))


@strawberry.input(
    description="The orders to cancel: all open orders of an account, or those that the other fields select."
)
class OrdersCancelInput:
    account: strawberry.ID = strawberry.field(description="The id of the account.")
    market: MarketSymbol | None = strawberry.field(default=None, description="Only cancel orders on this market.")
    trading_session: strawberry.ID | None = strawberry.field(
        default=None, description="Only cancel orders of the trading session with this id."
    )
