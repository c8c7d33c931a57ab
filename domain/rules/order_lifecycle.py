"""What happens to an order: pure functions from an order and a happening to the order after it and its events.

A venue's messages may come late, twice or in another order: none of these functions moves an order backwards, and a
fill is counted by whoever stores it first (`OrderRepository.add_fill` says whether it is new). Fills alone decide the
filled quantity and FILLED; a venue's status alone decides the other ends.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT
from domain.model.order_transitions import ABSENCES_TO_REJECT, IllegalTransition, rejected_by_absence, require_legal
from domain.model.orders import Fill, Order, OrderEvent, OrderEventKind, OrderStatus, RiskDenial
from domain.model.reject_codes import RejectCode
from domain.ports.execution_client import FillReport, OrderReport

_UNANSWERED = frozenset({OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT})
_RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
_KEPT_BY_A_FILL = frozenset({OrderStatus.PENDING_CANCEL, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.FILLED})
_TOLD_LIVE = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED})


@dataclass(frozen=True, slots=True)
class Step:
    """An order after something happened to it, and the events that tell it; no events where nothing changed."""

    order: Order
    events: tuple[OrderEvent, ...] = ()

    def then(self, following: "Step") -> "Step":
        """Return both steps as one."""
        return Step(following.order, self.events + following.events)


def pending(order: Order) -> Step:
    """Tell of a new order."""
    return Step(order, (OrderEvent(OrderEventKind.PENDING, order),))


def submit(order: Order, at: datetime, arrival_price: Decimal | None = None) -> Step:
    """PENDING → SUBMITTED: its bytes may leave once this is committed."""
    kind = OrderEventKind.SUBMITTED
    return _moved(order, at, kind, OrderStatus.SUBMITTED, submitted_at=at, arrival_price=arrival_price)


def deny(order: Order, denials: tuple[RiskDenial, ...], at: datetime) -> Step:
    """PENDING → DENIED: the risk checks failed."""
    reason = "; ".join(denial.message for denial in denials)
    return _moved(order, at, OrderEventKind.DENIED, OrderStatus.DENIED, reason, denials=denials)


def cancel_unsent(order: Order, at: datetime, reason: str) -> Step:
    """PENDING or SUBMITTED → CANCELED: it is certain that it never left."""
    return _moved(order, at, OrderEventKind.CANCELED, OrderStatus.CANCELED, reason)


def expire_unsent(order: Order, at: datetime) -> Step:
    """PENDING → EXPIRED: its time ran out before it was sent."""
    reason = "the order expired before it was sent"
    return _moved(order, at, OrderEventKind.EXPIRED, OrderStatus.EXPIRED, reason)


def doubt(order: Order, at: datetime, reason: str) -> Step:
    """SUBMITTED or PENDING_CANCEL → IN_DOUBT: whether the venue has it is not known."""
    return _moved(order, at, OrderEventKind.IN_DOUBT, OrderStatus.IN_DOUBT, reason)


def reject(order: Order, at: datetime, reason: str, code: RejectCode = RejectCode.UNKNOWN) -> Step:
    """→ REJECTED by the venue's own word; an order that is already further is left alone."""
    if order.status not in _UNANSWERED and order.status is not OrderStatus.PENDING_CANCEL:
        return Step(order)
    told = {"reject_reason": reason, "reject_code": code, "absences": 0}
    return _moved(order, at, OrderEventKind.REJECTED, OrderStatus.REJECTED, reason, None, **told)


def accept(order: Order, venue_order_id: str, at: datetime, reason: str | None = None) -> Step:
    """→ OPEN where the venue had not confirmed the order yet, or had denied knowing it; else nothing."""
    if order.status in _UNANSWERED:
        kind = OrderEventKind.ACCEPTED
    elif rejected_by_absence(order):
        kind, reason = OrderEventKind.RECONCILED, "the venue has the order after all"
    else:
        return Step(order)
    known = {"venue_order_id": venue_order_id, "absences": 0, "reject_reason": None, "reject_code": None}
    return _moved(order, at, kind, OrderStatus.OPEN, reason, None, **known)


def apply_venue_order(order: Order, told: OrderReport, at: datetime) -> Step:
    """Take over what the venue says of the order's state; its fills have been applied before as far as known.

    Raises `IllegalTransition` where the venue has an order that was never sent or that it had refused.
    """
    if told.status in _TOLD_LIVE:
        return _apply_live(order, told, at)
    if told.status is OrderStatus.REJECTED:
        return _apply_rejected(order, at)
    return _apply_ended(order, told, at)


def apply_fill(order: Order, fill: Fill, venue_order_id: str, at: datetime) -> Step:
    """Count a fill that was not counted before.

    While a cancel is under way, and after a cancel or an expiry, the state stays until the fills complete the order.
    What a venue fills beyond the order's quantity is counted too: it moved money. Raises `IllegalTransition` where the
    order was never sent, or was refused by the venue.
    """
    accepted = accept(order, venue_order_id, at)
    order = accepted.order
    filled = EXACT.add(order.filled_quantity, fill.quantity)
    if filled >= order.quantity:
        status = OrderStatus.FILLED
    else:
        status = order.status if order.status in _KEPT_BY_A_FILL else OrderStatus.PARTIALLY_FILLED
    cost = EXACT.add(order.filled_cost, EXACT.multiply(fill.price, fill.quantity))
    reason = "the venue filled more than was asked for" if filled > order.quantity else None
    return accepted.then(
        _moved(order, at, OrderEventKind.FILL, status, reason, fill, filled_quantity=filled, filled_cost=cost)
    )


def request_cancel(order: Order, at: datetime) -> Step:
    """→ PENDING_CANCEL: the cancel may be sent once this is committed."""
    requested_at = order.cancel_requested_at or at
    kind = OrderEventKind.PENDING_CANCEL
    return _moved(order, at, kind, OrderStatus.PENDING_CANCEL, cancel_requested_at=requested_at)


def cancel_refused(order: Order, at: datetime, reason: str) -> Step:
    """PENDING_CANCEL → OPEN or PARTIALLY_FILLED: the venue would not cancel, and has the order still."""
    if order.status is not OrderStatus.PENDING_CANCEL:
        return Step(order)
    status = OrderStatus.PARTIALLY_FILLED if order.filled_quantity else OrderStatus.OPEN
    return _moved(order, at, OrderEventKind.CANCEL_REJECTED, status, reason, cancel_requested_at=None)


def confirm_absent(order: Order, at: datetime) -> Step:
    """Count one clean "no such order"; the third ends the order.

    One that the venue never confirmed is REJECTED and may be revived; one that it had and has no longer is CANCELED.
    The order comes back changed without an event where this was not the last answer needed.
    """
    if order.status.is_final or order.status is OrderStatus.PENDING:
        return Step(order)
    counted = order.changed(at, absences=order.absences + 1)
    if counted.absences < ABSENCES_TO_REJECT:
        return Step(counted)
    if order.venue_order_id is not None:
        reason = "the venue no longer knows the order"
        return _moved(counted, at, OrderEventKind.CANCELED, OrderStatus.CANCELED, reason)
    reason = "the venue never received the order"
    told = {"reject_reason": reason, "reject_code": RejectCode.NOT_RECEIVED}
    return _moved(counted, at, OrderEventKind.REJECTED, OrderStatus.REJECTED, reason, None, **told)


def fill_of(order: Order, told: FillReport, fill_id: UUID, fee_rate: Decimal | None = None) -> Fill:
    """Return the fill of the order that the venue tells of."""
    return Fill(
        id=fill_id,
        order_id=order.id,
        user_id=order.user_id,
        account_id=order.account_id,
        market=order.market,
        side=order.side,
        venue_trade_id=told.venue_trade_id,
        at=told.at,
        price=told.price,
        quantity=told.quantity,
        fee=told.fee,
        fee_currency=told.fee_currency,
        maker=told.maker,
        trading_session_id=order.trading_session_id,
        fee_rate=fee_rate,
    )


def is_missing_fills(order: Order, told: OrderReport) -> bool:
    """Tell whether the venue counts more filled than the fills that are known."""
    return told.filled_quantity > order.filled_quantity


def _apply_live(order: Order, told: OrderReport, at: datetime) -> Step:
    if order.status in {OrderStatus.PENDING, OrderStatus.DENIED} or _refused(order):
        raise IllegalTransition(order, told.status)
    accepted = accept(order, told.venue_order_id, at)
    order = accepted.order
    complete = told.status is OrderStatus.FILLED and not is_missing_fills(order, told)
    if complete and not order.status.is_final:
        # Some venues fill a little less than was asked for and call it done.
        reason = "the venue counts the order as filled"
        return accepted.then(_moved(order, at, OrderEventKind.RECONCILED, OrderStatus.FILLED, reason))
    return accepted


def _apply_rejected(order: Order, at: datetime) -> Step:
    if order.status in _RESTING:
        # A stop order that the venue refuses when it triggers was accepted once: it has expired, not been rejected.
        reason = "the venue rejected the order after it had accepted it"
        return _moved(order, at, OrderEventKind.EXPIRED, OrderStatus.EXPIRED, reason)
    return reject(order, at, "the venue rejected the order")


def _apply_ended(order: Order, told: OrderReport, at: datetime) -> Step:
    if rejected_by_absence(order):
        revived = accept(order, told.venue_order_id, at)
        return revived.then(_apply_ended(revived.order, told, at))
    if order.status.is_final:
        return Step(order)
    kind, status = OrderEventKind.CANCELED, OrderStatus.CANCELED
    if told.status is OrderStatus.EXPIRED or _ended_by_time(order):
        kind, status = OrderEventKind.EXPIRED, OrderStatus.EXPIRED
    return _moved(order, at, kind, status, venue_order_id=told.venue_order_id, absences=0)


def _ended_by_time(order: Order) -> bool:
    """Tell whether the engine asked for the cancel because the order's time had run out."""
    if order.expires_at is None or order.cancel_requested_at is None:
        return False
    return order.cancel_requested_at >= order.expires_at


def _refused(order: Order) -> bool:
    return order.status is OrderStatus.REJECTED and not rejected_by_absence(order)


def _moved(
    order: Order,
    at: datetime,
    kind: OrderEventKind,
    status: OrderStatus,
    reason: str | None = None,
    fill: Fill | None = None,
    **changes: object,
) -> Step:
    require_legal(order, status)
    moved = order.changed(at, status=status, **changes)
    return Step(moved, (OrderEvent(kind, moved, fill, reason),))
