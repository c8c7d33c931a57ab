"""The input of an order, and its validation before any risk check."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.errors import ErrorCode, InputError
from domain.core.money import ZERO, plain, size_error
from domain.core.time import expiry_error
from domain.model.markets import Market, MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderType, TimeInForce
from domain.model.trading import Account


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """The input of `orderPlace`; `trailing`, `stop_loss` and `take_profit` only mean that those were given.

    They are part of the digest by which a repeated request is known; what was given is in a `BracketRequest`.
    """

    account_id: UUID
    market: MarketSymbol
    side: OrderSide
    type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    expires_at: datetime | None = None
    post_only: bool = False
    reduce_only: bool = False
    trailing: bool = False
    stop_loss: bool = False
    take_profit: bool = False

    def normalised(self) -> "OrderRequest":
        """Return the request with each number written one way, so that 0.10 and 0.1 are the same input.

        Idempotency compares numbers by value by itself now; but version 0.1 stored the digest of the request in this
        form, and a request repeated after an upgrade must still match it.
        """
        price, stop_price = self.price, self.stop_price
        return replace(
            self,
            quantity=Decimal(plain(self.quantity)),
            price=None if price is None else Decimal(plain(price)),
            stop_price=None if stop_price is None else Decimal(plain(stop_price)),
        )

    @property
    def effective_time_in_force(self) -> TimeInForce | None:
        """The given one, or else GTC for an order with a limit price; None for one that executes at once."""
        if self.time_in_force is None and self.type.has_price:
            return TimeInForce.GTC
        return self.time_in_force


def validate_order(
    request: OrderRequest, account: Account | None, market: Market | None, now: datetime
) -> list[InputError]:
    """Return all errors of the request; none if it can become an order."""
    return [
        *_place_errors(request, account, market),
        *_unsupported_errors(request),
        *_number_errors(request),
        *_time_errors(request, now),
    ]


def _place_errors(request: OrderRequest, account: Account | None, market: Market | None) -> Iterator[InputError]:
    if account is None:
        yield _error("account", "There is no such account of yours.", ErrorCode.NOT_FOUND)
    elif account.archived_at is not None:
        yield _error("account", "The account is archived; choose another.", ErrorCode.CONFLICT)
    if market is None:
        yield _error("market", f"There is no market {request.market}.", ErrorCode.NOT_FOUND)
    elif account is not None and account.venue != request.market.venue:
        yield _error("market", f"The account trades at {account.venue}; {request.market} is another venue's.")


def _unsupported_errors(request: OrderRequest) -> Iterator[InputError]:
    if request.type is OrderType.TRAILING_STOP and not request.trailing:
        yield _error("trailing", "A TRAILING_STOP needs trailing: the distance at which it follows the price.")
    if request.post_only and request.type is not OrderType.LIMIT:
        yield _error("postOnly", f"Only a LIMIT order can be post-only, not a {request.type}.", ErrorCode.UNSUPPORTED)


def _number_errors(request: OrderRequest) -> Iterator[InputError]:
    if request.quantity <= ZERO:
        yield _error("quantity", f"The quantity is {plain(request.quantity)} and must be above 0.")
    elif error := size_error(request.quantity):
        yield _error("quantity", f"The quantity {error}.")
    yield from _price_errors("price", request.type, request.price, belongs=request.type.has_price)
    yield from _price_errors("stopPrice", request.type, request.stop_price, belongs=request.type.has_stop_price)


def _price_errors(field: str, type_: OrderType, price: Decimal | None, *, belongs: bool) -> Iterator[InputError]:
    if price is None:
        if belongs:
            yield _error(field, f"A {type_} order needs a {field}.")
    elif not belongs:
        yield _error(field, f"A {type_} order takes no {field}.")
    elif price <= ZERO:
        yield _error(field, f"The {field} is {plain(price)} and must be above 0.")
    elif error := size_error(price):
        yield _error(field, f"The {field} {error}.")


def _time_errors(request: OrderRequest, now: datetime) -> Iterator[InputError]:
    time_in_force, expires_at = request.time_in_force, request.expires_at
    if time_in_force is not None and not request.type.has_price:
        yield _error("timeInForce", f"A {request.type} order executes at once and takes no timeInForce.")
    if request.post_only and time_in_force in {TimeInForce.IOC, TimeInForce.FOK}:
        yield _error("timeInForce", f"A post-only order rests, and can't be {time_in_force}.")
    if time_in_force is TimeInForce.GTD and expires_at is None:
        yield _error("expiresAt", "A GTD order needs expiresAt.")
    if expires_at is not None and time_in_force is not TimeInForce.GTD:
        yield _error("expiresAt", "expiresAt belongs to timeInForce GTD alone.")
    elif expires_at is not None and (error := expiry_error(expires_at, now)):
        yield _error("expiresAt", f"expiresAt {error}.")


def _error(field: str, message: str, code: ErrorCode = ErrorCode.INVALID) -> InputError:
    return InputError(code, message, ("input", field))
