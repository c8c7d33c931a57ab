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
    one_of=True, description="How far a trailing stop follows the price; exactly one of the two is given."
)
class TrailInput:
    """How far a trailing stop follows."""

    percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description='The distance in percent of the best price so far, such as "1.5".'
    )
    absolute: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="A price in quote currency for one unit of the base currency."
    )


@strawberry.input(one_of=True, description="Where a protecting order lies; exactly one of the two is given.")
class ProtectionInput:
    """Where a protecting order lies."""

    price: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="A price in quote currency for one unit of the base currency."
    )
    percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="Of the entry's price, away from it."
    )


@strawberry.input(description="An instruction to buy or sell.")
class OrderPlaceInput:
    """The input of `orderPlace`."""

    account: strawberry.ID = strawberry.field(description="The account to trade on.")
    market: MarketSymbol = strawberry.field(description="A market of the account's venue.")
    side: OrderSide = strawberry.field(description="BUY or SELL, of the base currency.")
    type: OrderType = strawberry.field(description="How it is to be executed.")
    quantity: Decimal = strawberry.field(description="More than 0, in base currency, in steps of the market's.")
    price: Decimal | None = strawberry.field(
        default=None,
        description="The limit price of the types that have one, in quote currency for one unit of the base currency.",
    )
    stop_price: Decimal | None = strawberry.field(
        default=None,
        description="The price that STOP and TAKE_PROFIT orders wait for, in quote currency for one unit of the base "
        "currency.",
    )
    time_in_force: TimeInForce | None = strawberry.field(
        default=None,
        description="How long the order rests. GTC where none is given, for the types that have a limit price; the "
        "others take none.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="When a GTD order is given up; it needs this and no other may have it."
    )
    post_only: bool | None = strawberry.field(
        default=None, description="Whether a LIMIT order is refused where it would be filled at once."
    )
    reduce_only: bool | None = strawberry.field(
        default=None, description="Whether the order may only make a position smaller."
    )
    trailing: TrailInput | None = strawberry.field(
        default=None, description="How far a TRAILING_STOP follows. Not supported yet: it is answered with UNSUPPORTED."
    )
    stop_loss: ProtectionInput | None = strawberry.field(
        default=None,
        description="An order that limits the loss. Not supported yet: it is answered with UNSUPPORTED.",
    )
    take_profit: ProtectionInput | None = strawberry.field(
        default=None, description="An order that takes the profit. Not supported yet: it is answered with UNSUPPORTED."
    )
    idempotency_key: str = strawberry.field(
        description="The same key with the same input answers with the same order; with another input, with CONFLICT."
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


@strawberry.input(description="Which orders are to be cancelled: all of an account that fit.")
class OrdersCancelInput:
    """The input of `ordersCancel`."""

    account: strawberry.ID = strawberry.field(description="The account that they are on.")
    market: MarketSymbol | None = strawberry.field(
        default=None, description="Only orders on this market are cancelled."
    )
    trading_session: strawberry.ID | None = strawberry.field(
        default=None, description="Those of this trading session alone."
    )


@strawberry.type(description="The answer of `orderPlace`.")
class OrderPlacePayload(Payload):
    """The answer of `orderPlace`."""

    order: Order | None = strawberry.field(
        description="The order, one that was DENIED or REJECTED too; null where there is none."
    )


@strawberry.type(description="The answer of `orderCancel`.")
class OrderCancelPayload(Payload):
    """The answer of `orderCancel`."""

    order: Order | None = strawberry.field(
        description="The order, one that was DENIED or REJECTED too; null where there is none."
    )


@strawberry.type(description="`requested`: how many orders are being cancelled; the events tell the rest.")
class OrdersCancelPayload(Payload):
    """The answer of `ordersCancel`."""

    requested: int = strawberry.field(description="How many orders are being cancelled; 0 where there are errors.")
    orders: list[Order] | None = strawberry.field(
        description="The orders that are being cancelled, oldest first; null where there are errors."
    )


@strawberry.type
class OrderMutation:
    """The orders' part of the mutation root."""

    @strawberry.mutation(
        description="Place an order. Answers when the order has left PENDING and SUBMITTED, or after 2 s with the "
        "state it then has. An order that fails the risk checks is stored as DENIED and told with ORDER_DENIED; one "
        "that the venue refuses is REJECTED and told with ORDER_REJECTED; one that can't be read leaves nothing."
    )
    @payload(OrderPlacePayload)
    async def order_place(self, info: Info, input: Annotated[OrderPlaceInput, INPUT]) -> OrderPlacePayload | None:
        """Place an order."""
        info.context.require(ApiScope.TRADE)
        order = await orders.place(info.context, input.to_domain(), input.idempotency_key)
        refusal = orders.refusal(order)
        return answer(OrderPlacePayload, order=order, errors=[user_error(refusal)] if refusal else [])

    @strawberry.mutation(
        description="Cancel an order. Answers when the cancel has ended, or after 2 s with the state the order then "
        "has; one that was cancelled or has expired already is answered as it is, one that is at another end with "
        "CONFLICT."
    )
    @payload(OrderCancelPayload)
    async def order_cancel(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The order.")]
    ) -> OrderCancelPayload | None:
        """Cancel an order."""
        info.context.require(ApiScope.TRADE)
        return answer(OrderCancelPayload, order=await orders.cancel(info.context, decode_uuid(id, "Order", ("id",))))

    @strawberry.mutation(description="Cancel all orders of an account that fit.")
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
