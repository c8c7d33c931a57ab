"""What clients do with orders: place, cancel, cancel all."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderType, TimeInForce
from domain.model.users import ApiScope
from domain.rules import order_request as service
from resolvers import orders
from schema.context import Info
from schema.errors import INPUT, Payload, answer, payload, user_error
from schema.node import decode_uuid
from schema.orders import Order


@strawberry.input(
    one_of=True,
    description="The distance at which a trailing stop follows the price. Give exactly one of the two fields.",
)
class TrailInput:
    """How far a trailing stop follows."""

    percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description='The distance in percent of the best price so far, such as "1.5".'
    )
    absolute: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description="The distance as a difference of prices, in quote currency for one unit of the base currency.",
    )


@strawberry.input(one_of=True, description="The price of a protecting order. Give exactly one of the two fields.")
class ProtectionInput:
    """Where a protecting order lies."""

    price: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="The price, in quote currency for one unit of the base currency."
    )
    percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="The distance from the entry's price, in percent of it."
    )


@strawberry.input(description="The order to place.")
class OrderPlaceInput:
    """The input of `orderPlace`."""

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
            "The limit price, in quote currency for one unit of the base currency. A multiple of "
            "`Market.priceIncrement`. Required for LIMIT, STOP_LIMIT and TAKE_PROFIT_LIMIT, invalid otherwise."
        ),
    )
    stop_price: Decimal | None = strawberry.field(
        default=None,
        description=(
            "The price that triggers the order, in quote currency for one unit of the base currency. A multiple of "
            "`Market.priceIncrement`. Required for STOP, STOP_LIMIT, TAKE_PROFIT and TAKE_PROFIT_LIMIT, invalid "
            "otherwise."
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
            "The distance at which a TRAILING_STOP follows the price. Not supported yet: the result is the error "
            "UNSUPPORTED."
        ),
    )
    stop_loss: ProtectionInput | None = strawberry.field(
        default=None,
        description="An order that limits the loss of the position. Not supported yet: the result is the error "
        "UNSUPPORTED.",
    )
    take_profit: ProtectionInput | None = strawberry.field(
        default=None,
        description="An order that takes the profit of the position. Not supported yet: the result is the error "
        "UNSUPPORTED.",
    )
    idempotency_key: str = strawberry.field(
        description=(
            "Makes it safe to repeat the request: the same key with the same input returns the same order and sends "
            "nothing again. With another input the result is the error CONFLICT. At most 128 characters."
        )
    )

    def to_domain(self) -> service.OrderRequest:
        """Return the request; raises NOT_FOUND for an id that names no account."""
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


@strawberry.input(
    description="The orders to cancel: all open orders of an account, or those that the other fields select."
)
class OrdersCancelInput:
    """The input of `ordersCancel`."""

    account: strawberry.ID = strawberry.field(description="The id of the account.")
    market: MarketSymbol | None = strawberry.field(default=None, description="Only cancel orders on this market.")
    trading_session: strawberry.ID | None = strawberry.field(
        default=None, description="Only cancel orders of the trading session with this id."
    )


@strawberry.type(description="The result of `orderPlace`.")
class OrderPlacePayload(Payload):
    """The answer of `orderPlace`."""

    order: Order | None = strawberry.field(
        description="The order, even if it was DENIED or REJECTED. Null if no order was stored."
    )


@strawberry.type(description="The result of `orderCancel`.")
class OrderCancelPayload(Payload):
    """The answer of `orderCancel`."""

    order: Order | None = strawberry.field(description="The order after the request. Null if there are errors.")


@strawberry.type(
    description="The result of `ordersCancel`. The cancels go on after it: subscribe to `orderEvents` to follow them."
)
class OrdersCancelPayload(Payload):
    """The answer of `ordersCancel`."""

    requested: int = strawberry.field(
        description="The number of orders that are being cancelled. 0 if there are errors."
    )
    orders: list[Order] | None = strawberry.field(
        description="The orders that are being cancelled, oldest first. Null if there are errors."
    )


@strawberry.type
class OrderMutation:
    """The orders' part of the mutation root."""

    @strawberry.mutation(
        description=(
            "Place an order. The request returns when the order is neither PENDING nor SUBMITTED any more, or after 2 "
            "seconds with the status that it has then. An order that fails the risk checks is stored with status "
            "DENIED, and the result has the error ORDER_DENIED. An order that the venue refuses has status REJECTED, "
            "and the result has the error ORDER_REJECTED. If the input is invalid, no order is stored."
        )
    )
    @payload(OrderPlacePayload)
    async def order_place(self, info: Info, input: Annotated[OrderPlaceInput, INPUT]) -> OrderPlacePayload | None:
        """Place an order."""
        info.context.require(ApiScope.TRADE)
        order = await orders.place(info.context, input.to_domain(), input.idempotency_key)
        refusal = orders.refusal(order)
        return answer(OrderPlacePayload, order=order, errors=[user_error(refusal)] if refusal else [])

    @strawberry.mutation(
        description=(
            "Cancel an order. The request returns when the cancel has ended, or after 2 seconds with the status that "
            "the order has then. An order that is already CANCELED or EXPIRED is returned as it is. For an order with "
            "another final status the result is the error CONFLICT."
        )
    )
    @payload(OrderCancelPayload)
    async def order_cancel(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the order.")]
    ) -> OrderCancelPayload | None:
        """Cancel an order."""
        info.context.require(ApiScope.TRADE)
        return answer(OrderCancelPayload, order=await orders.cancel(info.context, decode_uuid(id, "Order", ("id",))))

    @strawberry.mutation(
        description=(
            "Cancel all open orders of an account, or those on a market or of a trading session. The request returns "
            "before the cancels have ended."
        )
    )
    @payload(OrdersCancelPayload, requested=0)
    async def orders_cancel(self, info: Info, input: Annotated[OrdersCancelInput, INPUT]) -> OrdersCancelPayload | None:
        """Cancel many orders."""
        info.context.require(ApiScope.TRADE)
        account_id = decode_uuid(input.account, "Account", ("input", "account"))
        session_id = None
        if input.trading_session is not None:
            session_id = decode_uuid(input.trading_session, "TradingSession", ("input", "tradingSession"))
        asked = await orders.cancel_all(info.context, account_id, input.market, session_id)
        return answer(OrdersCancelPayload, requested=len(asked), orders=asked)
