"""The input of an amendment of an order: its validation, and the new order that it asks for."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.errors import ErrorCode, InputError
from domain.core.money import ZERO, plain
from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, Order, OrderStatus, OrderType
from domain.model.protection import ExitLevel
from domain.rules.bracket_request import validate_trail


@dataclass(frozen=True, slots=True)
class AmendmentRequest:
    """The input of `orderAmend`; what is None stays as it is. `quantity` includes what the order has filled.

    `trail` is the distance of a TRAILING_STOP.
    """

    order_id: UUID
    quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: ExitLevel | None = None


def validate_amendment(request: AmendmentRequest, order: Order, replacement: Order | None) -> list[InputError]:
    """Return all errors of an amendment of `order`, which `replacement` may be replacing already."""
    errors = [*_state_errors(order, replacement), *_number_errors(request, order)]
    best = order.high_water if order.side is OrderSide.SELL else None
    return errors + validate_trail(order.type, request.trail, best)


def amended_order(request: AmendmentRequest, order: Order, order_id: UUID, client_id: str, now: datetime) -> Order:
    """Return the new order, PENDING: `order` with the amended numbers, as if nothing of it had been sent yet.

    Until it is sent, its quantity is the total that was asked for. What the replaced order filled is taken off when
    that has ended, since only then nothing of it can fill any more.
    """
    trail = request.trail or ExitLevel(percent=order.trail_percent, absolute=order.trail_absolute)
    is_trailing = order.type is OrderType.TRAILING_STOP
    return Order(
        id=order_id,
        user_id=order.user_id,
        account_id=order.account_id,
        market=order.market,
        client_order_id=client_id,
        side=order.side,
        type=order.type,
        role=order.role,
        quantity=order.quantity if request.quantity is None else request.quantity,
        created_at=now,
        updated_at=now,
        price=order.price if request.price is None else request.price,
        stop_price=None if is_trailing else order.stop_price if request.stop_price is None else request.stop_price,
        time_in_force=order.time_in_force,
        expires_at=order.expires_at,
        post_only=order.post_only,
        reduce_only=order.reduce_only,
        trading_session_id=order.trading_session_id,
        signal_id=order.signal_id,
        parent_id=order.parent_id,
        protection_id=order.protection_id,
        trail_percent=trail.percent,
        trail_absolute=trail.absolute,
        replaces_id=order.id,
    )


def _state_errors(order: Order, replacement: Order | None) -> Iterator[InputError]:
    if order.cancel_code is CancelCode.AMENDED and replacement is not None and order.status.is_final:
        message = f"The order was replaced by {replacement.client_order_id}; amend that one."
        yield _error(("id",), message, ErrorCode.CONFLICT)
    elif order.status.is_final:
        yield _error(("id",), f"The order is {order.status} and can't be amended any more.", ErrorCode.CONFLICT)
    elif order.protection_id is not None:
        means = "change that with positionProtect" if order.trading_session_id is None else "its strategy sets it"
        message = f"The order keeps a protection at the venue: {means}, or cancel the order."
        yield _error(("id",), message, ErrorCode.UNSUPPORTED)
    elif order.type is OrderType.TRAILING_STOP and order.triggered_at is not None:
        message = "The order was triggered and can't be amended any more; cancel it if it isn't to sell."
        yield _error(("id",), message, ErrorCode.CONFLICT)
    elif order.type is OrderType.MARKET:
        message = f"A {order.type} order has nothing to amend; cancel it and place another."
        yield _error(("id",), message, ErrorCode.UNSUPPORTED)
    elif replacement is not None and not replacement.status.is_final:
        message = f"The order is being replaced by {replacement.client_order_id} already; amend that one."
        yield _error(("id",), message, ErrorCode.CONFLICT)
    elif order.replaces_id is not None and order.status is OrderStatus.PENDING:
        message = "The order is itself an amendment that isn't carried out yet; amend it once it is OPEN."
        yield _error(("id",), message, ErrorCode.CONFLICT)
    elif order.cancel_requested_at is not None:
        yield _error(("id",), "The order is being cancelled and can't be amended.", ErrorCode.CONFLICT)


def _number_errors(request: AmendmentRequest, order: Order) -> Iterator[InputError]:
    if request.quantity is not None and request.quantity <= ZERO:
        message = f"The quantity is {plain(request.quantity)} and must be above 0."
        yield _error(("input", "quantity"), message)
    elif request.quantity is not None and request.quantity <= order.filled_quantity:
        message = (
            f"The order has filled {plain(order.filled_quantity)}, which counts in the amended quantity of "
            f"{plain(request.quantity)}; ask for more, or cancel the order."
        )
        yield _error(("input", "quantity"), message)
    yield from _price_errors("price", order, request.price, belongs=order.type.has_price)
    yield from _price_errors("stopPrice", order, request.stop_price, belongs=order.type.has_stop_price)
    amended = replace(
        order,
        quantity=order.quantity if request.quantity is None else request.quantity,
        price=order.price if request.price is None else request.price,
        stop_price=order.stop_price if request.stop_price is None else request.stop_price,
    )
    trail = request.trail
    moves_trail = trail is not None and (trail.percent, trail.absolute) != (order.trail_percent, order.trail_absolute)
    if amended == order and not moves_trail:
        message = "Nothing would change: give a quantity, price, stopPrice or trailing that differs from the order's."
        yield _error(("input",), message)


def _price_errors(field: str, order: Order, price: Decimal | None, *, belongs: bool) -> Iterator[InputError]:
    if price is None:
        return
    if not belongs:
        yield _error(("input", field), f"A {order.type} order has no {field}.")
    elif price <= ZERO:
        yield _error(("input", field), f"The {field} is {plain(price)} and must be above 0.")


def _error(path: tuple[str, ...], message: str, code: ErrorCode = ErrorCode.INVALID) -> InputError:
    return InputError(code, message, path)
