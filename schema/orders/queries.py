"""What placing or amending an order would do now, in the query root."""

from decimal import Decimal
from typing import Annotated

import strawberry

from domain.core.errors import InputError
from domain.execution import order_preview as domain
from domain.model.orders import RiskCode
from domain.model.users import ApiScope
from resolvers import orders
from schema.common.errors import UserError, user_error
from schema.common.node import decode_uuid
from schema.common.rounded import rounded_field
from schema.common.types import Info
from schema.orders.inputs import OrderAmendInput, OrderPlaceInput
from schema.orders.types import RiskDenial


@strawberry.type(description="What one risk check says of an order.")
class OrderCheck:
    code: RiskCode = strawberry.field(description="The check.")
    passed: bool | None = strawberry.field(
        description=(
            "True if the order passes. Null if this node does not know: whether an account is reconciled is only known "
            "to the node that trades it."
        )
    )
    message: str | None = strawberry.field(
        description="The failure in words: what is wrong, with which value, and what would be right. Null if it passes."
    )
    limit: Decimal | None = strawberry.field(
        description="The limit of a failed check, in the unit that `RiskCode` names. Null if the check has none."
    )
    actual: Decimal | None = strawberry.field(
        description="The value that the order would have, in the same unit as `limit`. Null if the check has none."
    )


@strawberry.type(description="What an order would cost by the book as it is now.")
class OrderEstimate:
    quantity: Decimal = strawberry.field(
        description=(
            "The quantity, rounded down to a multiple of `Market.quantityIncrement`. An order is never rounded when it "
            "is placed: it is denied if its quantity is another one than this."
        )
    )
    price: Decimal | None = strawberry.field(
        description="The limit price, rounded down to a multiple of `Market.priceIncrement`. Null if there is none."
    )
    stop_price: Decimal | None = strawberry.field(
        description="The stop price, rounded down to a multiple of `Market.priceIncrement`. Null if there is none."
    )
    average_price: Decimal | None = rounded_field(
        "The mean price at which the book would fill an order of type MARKET or TRAILING_STOP, in quote currency for "
        "one unit of the base currency. Null for other types, and if the book shows less than the quantity."
    )
    worst_price: Decimal | None = strawberry.field(
        description="The price of the last level of the book that the order would reach. Null as `averagePrice`."
    )
    worth: Decimal | None = rounded_field(
        "The quantity times the price that the order is reckoned at, in quote currency, before fees: what a BUY costs "
        "and a SELL brings. Null if no such price is known."
    )
    fee: Decimal | None = rounded_field(
        "The fee, as an amount in quote currency; the venue may take it in another one. That of a maker for a LIMIT "
        "order that would rest in the book, else that of a taker. Null if it isn't known."
    )
    fee_percent: Decimal | None = strawberry.field(
        description="The rate of that fee in percent: 0.1 is a thousandth. Null if it isn't known."
    )
    required: Decimal | None = rounded_field(
        "What the balance has to cover, in `currency`: an order of type MARKET is reckoned at its worst price, with "
        "the fee. Null if no price is known."
    )
    available: Decimal = rounded_field("What the account has for this order, in `currency`.")
    currency: str = strawberry.field(description="The currency that the order spends.")


@strawberry.type(
    description=(
        "What would become of an order that was placed now. It may come otherwise: the market moves, and the venue has "
        "the last word."
    )
)
class OrderPreview:
    accepted: bool = strawberry.field(
        description="True if the order would be sent to its venue: it has neither `errors` nor `denials`."
    )
    errors: list[UserError] = strawberry.field(
        description="All errors in the input, as the mutation would return them. If there are any, no order is stored."
    )
    denials: list[RiskDenial] = strawberry.field(
        description="The `Order.denials` that the order would have. Empty if there are errors."
    )
    checks: list[OrderCheck] = strawberry.field(
        description="The verdict of every risk check, failed or passed. Empty if there are errors."
    )
    estimate: OrderEstimate | None = strawberry.field(
        description="What the order would cost. Null if there are errors."
    )


def _shown(preview: domain.OrderPreview) -> OrderPreview:
    return OrderPreview(
        accepted=preview.accepted,
        errors=[user_error(error) for error in preview.errors],
        denials=list(preview.denials),  # type: ignore[arg-type]  # read by attribute
        checks=list(preview.checks),  # type: ignore[arg-type]  # read by attribute
        estimate=preview.estimate,  # type: ignore[arg-type]  # read by attribute
    )


@strawberry.type
class OrderQuery:
    @strawberry.field(
        description=(
            "What `orderPlace` would do now with this input and a new `idempotencyKey`: errors in the input, the "
            "verdict of every risk check, and what the order would cost. Nothing is stored, and nothing is sent to the "
            "venue. Needs the scope TRADE, as `orderPlace` does."
        )
    )
    async def order_preview(
        self, info: Info, input: Annotated[OrderPlaceInput, strawberry.argument(description="The order.")]
    ) -> OrderPreview | None:
        info.context.require(ApiScope.TRADE)
        try:
            request, bracket, trail = input.to_domain(), input.bracket(), input.trail()
        except InputError as error:
            return _shown(domain.OrderPreview((error,)))
        return _shown(await orders.preview(info.context, request, input.idempotency_key, bracket, trail))

    @strawberry.field(
        description=(
            "What `orderAmend` would do now with this input, in the form of `orderPreview`: the checks are "
            "those of the new order, which takes the place of the amended one."
        )
    )
    async def order_amend_preview(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the order that would be amended.")],
        input: Annotated[OrderAmendInput, strawberry.argument(description="What would change.")],
    ) -> OrderPreview | None:
        info.context.require(ApiScope.TRADE)
        try:
            request = input.to_domain(decode_uuid(id, "Order", ("id",)))
        except InputError as error:
            return _shown(domain.OrderPreview((error,)))
        return _shown(await orders.preview_amendment(info.context, request))
