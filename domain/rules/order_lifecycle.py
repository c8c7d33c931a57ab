"""The life cycle of an order: pure functions that return the order after a change, and the events of the change.

A venue's messages may come late, twice or in another order. None of these functions moves an order backwards, and a
fill is counted once, by the transaction that stores it first (`OrderRepository.add_fill` returns whether it is new).
Only fills decide the filled quantity and FILLED; only the venue's status decides the other final states.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT
from domain.model.events import NewEvent, UserEventKind
from domain.model.order_transitions import ABSENCES_TO_REJECT, IllegalTransition, rejected_by_absence, require_legal
from domain.model.orders import (
    CancelCode,
    Fill,
    Order,
    OrderEvent,
    OrderEventKind,
    OrderStatus,
    OrderType,
    RejectCode,
    RiskDenial,
)
from domain.ports.execution_client import FillReport, OrderReport

_UNANSWERED = frozenset({OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT})
_RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
_KEPT_BY_A_FILL = frozenset({OrderStatus.PENDING_CANCEL, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.FILLED})
_REPORTED_LIVE = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED})
_CANCEL_REASONS = {
    CancelCode.TRADING_SESSION: "the trading session cancels it",
    CancelCode.HALT: "a halt of trading cancels it",
    CancelCode.EXPIRED: "its time ran out",
    CancelCode.AMENDED: "an amended order takes its place",
    CancelCode.EXIT: "a position is being closed, and the order stands in its way",
}
"""Those that say more than that somebody asked for the cancel."""


@dataclass(frozen=True, slots=True)
class Transition:
    """An order after a change, and the events of the change; no events if nothing changed that users are shown."""

    order: Order
    events: tuple[OrderEvent, ...] = ()

    def then(self, following: "Transition") -> "Transition":
        """Return both transitions as one."""
        return Transition(following.order, self.events + following.events)

    def log_events(self) -> list[NewEvent]:
        """Return the events for the user's event log: FILL if an event has a fill, else ORDER."""
        return [
            NewEvent(
                event.order.user_id,
                event.order.updated_at,
                UserEventKind.ORDER if event.fill is None else UserEventKind.FILL,
                event,
            )
            for event in self.events
        ]


def initial_transition(order: Order) -> Transition:
    """Return the first event of a new order."""
    return Transition(order, (OrderEvent(OrderEventKind.PENDING, order),))


def submit(
    order: Order, at: datetime, arrival_price: Decimal | None = None, venue_time: datetime | None = None
) -> Transition:
    """PENDING → SUBMITTED: the order may be sent once this is committed."""
    kind, status = OrderEventKind.SUBMITTED, OrderStatus.SUBMITTED
    changes = {"submitted_at": at, "venue_submitted_at": venue_time, "arrival_price": arrival_price}
    return _transition(order, at, kind, status, None, None, **changes)


def hold(order: Order, at: datetime, high_water: Decimal, stop_price: Decimal) -> Transition:
    """PENDING → OPEN: the engine holds the order, and sends it when the price has fallen back far enough."""
    changes = {"high_water": high_water, "stop_price": stop_price}
    reason = "the engine watches the price for it"
    return _transition(order, at, OrderEventKind.ACCEPTED, OrderStatus.OPEN, reason, None, **changes)


def hold_again(order: Order, at: datetime, reason: str) -> Transition:
    """SUBMITTED or IN_DOUBT → OPEN: the venue doesn't have a triggered order, and the engine holds it until it has."""
    reason = f"{reason}; the engine holds it and tries again"
    changes = {"submitted_at": None, "arrival_price": None, "absences": 0}
    return _transition(order, at, OrderEventKind.ACCEPTED, OrderStatus.OPEN, reason, None, **changes)


def is_held_again(order: Order) -> bool:
    """Return whether an order that did not get to the venue is held again: a triggered trailing stop protects."""
    is_triggered = order.type is OrderType.TRAILING_STOP and order.triggered_at is not None
    return is_triggered and order.venue_order_id is None and order.cancel_requested_at is None


def trail_to(order: Order, at: datetime, high_water: Decimal, stop_price: Decimal) -> Order:
    """Return a held order with the best price that the market has had, and the price that triggers it now."""
    if (order.high_water, order.stop_price) == (high_water, stop_price):
        return order
    return order.changed(at, high_water=high_water, stop_price=stop_price)


def cancel_held(order: Order, at: datetime, denials: tuple[RiskDenial, ...] = ()) -> Transition:
    """→ CANCELED: the engine lets go of an order that it held, as it was asked to or for the `denials`."""
    kind, status = OrderEventKind.CANCELED, OrderStatus.CANCELED
    if not denials:
        return _transition(order, at, kind, status, cancel_code=order.cancel_code or CancelCode.REQUESTED)
    reason = "; ".join(denial.message for denial in denials)
    return _transition(order, at, kind, status, reason, None, denials=denials, cancel_code=CancelCode.DENIED)


def deny(order: Order, denials: tuple[RiskDenial, ...], at: datetime) -> Transition:
    """PENDING → DENIED: the risk checks failed."""
    reason = "; ".join(denial.message for denial in denials)
    return _transition(order, at, OrderEventKind.DENIED, OrderStatus.DENIED, reason, denials=denials)


def cancel_unsent(order: Order, at: datetime, reason: str, code: CancelCode) -> Transition:
    """PENDING or SUBMITTED → CANCELED: the order was certainly never sent."""
    kind, code = OrderEventKind.CANCELED, order.cancel_code or code
    return _transition(order, at, kind, OrderStatus.CANCELED, reason, cancel_code=code)


def expire_unsent(order: Order, at: datetime) -> Transition:
    """PENDING → EXPIRED: its time ran out before it was sent."""
    kind, reason = OrderEventKind.EXPIRED, "the order expired before it was sent"
    return _transition(order, at, kind, OrderStatus.EXPIRED, reason, cancel_code=CancelCode.EXPIRED)


def mark_in_doubt(order: Order, at: datetime, reason: str) -> Transition:
    """SUBMITTED or PENDING_CANCEL → IN_DOUBT: it isn't known whether the venue has the order."""
    return _transition(order, at, OrderEventKind.IN_DOUBT, OrderStatus.IN_DOUBT, reason)


def doubt_unsent(order: Order, at: datetime, reason: str, sent_at: datetime) -> Transition:
    """PENDING, or OPEN of an order that the engine holds → IN_DOUBT: what became of it after that isn't known.

    `sent_at` is the venue's time before which it wasn't sent.
    """
    submitted = trigger(order, at, reason) if order.is_held else Transition(order)
    submitted = submitted.then(submit(submitted.order, at, venue_time=sent_at))
    return submitted.then(mark_in_doubt(submitted.order, at, reason))


def reject(order: Order, at: datetime, reason: str, code: RejectCode = RejectCode.UNKNOWN) -> Transition:
    """→ REJECTED by the venue; an order that the venue had confirmed stays as it is."""
    if order.status not in _UNANSWERED and order.status is not OrderStatus.PENDING_CANCEL:
        return Transition(order)
    changes = {"reject_reason": reason, "reject_code": code, "absences": 0}
    return _transition(order, at, OrderEventKind.REJECTED, OrderStatus.REJECTED, reason, None, **changes)


def accept(
    order: Order, venue_order_id: str, at: datetime, reason: str | None = None, accepted_at: datetime | None = None
) -> Transition:
    """→ OPEN if the venue had not confirmed the order yet, or had rejected it or denied knowing it; else no change.

    A triggered order that is held again because the venue denied knowing it is then the venue's.

    `accepted_at` is the venue's time at which it had the order; without it that is taken as `at`.
    """
    if order.status in _UNANSWERED:
        kind = OrderEventKind.ACCEPTED
    elif order.status is OrderStatus.REJECTED:
        kind = OrderEventKind.RECONCILED
        reason = "the venue has the order" + (" after all" if rejected_by_absence(order) else ", which it had rejected")
    elif order.is_held and order.triggered_at is not None:
        kind, reason = OrderEventKind.RECONCILED, "the venue has the order after all"
    else:
        return Transition(order)
    changes = {"venue_order_id": venue_order_id, "absences": 0, "reject_reason": None, "reject_code": None}
    accepted_at = order.accepted_at or accepted_at or at
    return _transition(order, at, kind, OrderStatus.OPEN, reason, None, accepted_at=accepted_at, **changes)


def apply_report(order: Order, report: OrderReport, at: datetime, *, complete: bool = False) -> Transition:
    """Apply the venue's status of the order; the fills that are known must have been applied before.

    `complete` means that the venue reports no more fills: an order that it counts as filled is then FILLED even if
    fills are missing. Raises `IllegalTransition` if the venue has an order that was never sent.
    """
    if report.status in _REPORTED_LIVE:
        return _apply_live(order, report, at, complete=complete)
    if report.status is OrderStatus.REJECTED:
        return _apply_rejected(order, at)
    return _apply_ended(order, report, at)


def apply_fill(order: Order, fill: Fill, venue_order_id: str, at: datetime) -> Transition:
    """Add a fill that was not counted before.

    While a cancel is pending, and after a cancel or an expiry, the status stays until the fills complete the order. A
    quantity that a venue fills beyond the order's is counted too, since it moved money. Raises `IllegalTransition` if
    the order was never sent.
    """
    accepted = accept(order, venue_order_id, at, accepted_at=fill.at)
    accepted = accepted.then(trigger(accepted.order, at))
    order = accepted.order
    filled = EXACT.add(order.filled_quantity, fill.quantity)
    if filled >= order.quantity:
        status = OrderStatus.FILLED
    else:
        status = order.status if order.status in _KEPT_BY_A_FILL else OrderStatus.PARTIALLY_FILLED
    cost = EXACT.add(order.filled_cost, EXACT.multiply(fill.price, fill.quantity))
    reason = "the venue filled more than was asked for" if filled > order.quantity else None
    awaits_fills = order.awaits_fills and filled < order.reported_quantity
    changes = {"filled_quantity": filled, "filled_cost": cost, "awaits_fills": awaits_fills}
    return accepted.then(_transition(order, at, OrderEventKind.FILL, status, reason, fill, **changes))


def trigger(order: Order, at: datetime, reason: str | None = None) -> Transition:
    """Note that an order with a trigger has gone off; it has if it has a fill, and its status stays."""
    if not order.type.waits_for_trigger or order.triggered_at is not None:
        return Transition(order)
    return _transition(order, at, OrderEventKind.TRIGGERED, order.status, reason, triggered_at=at)


def request_cancel(order: Order, at: datetime) -> Transition:
    """→ PENDING_CANCEL: the cancel may be sent once this is committed."""
    requested_at = order.cancel_requested_at or at
    kind, status = OrderEventKind.PENDING_CANCEL, OrderStatus.PENDING_CANCEL
    reason = None if order.cancel_code is None else _CANCEL_REASONS.get(order.cancel_code)
    return _transition(order, at, kind, status, reason, cancel_requested_at=requested_at)


def reject_cancel(order: Order, at: datetime, reason: str) -> Transition:
    """PENDING_CANCEL → OPEN or PARTIALLY_FILLED: the venue rejected the cancel and still has the order."""
    if order.status is not OrderStatus.PENDING_CANCEL:
        return Transition(order)
    status = OrderStatus.PARTIALLY_FILLED if order.filled_quantity else OrderStatus.OPEN
    code = None if order.cancel_code is CancelCode.AMENDED else order.cancel_code
    kind = OrderEventKind.CANCEL_REJECTED
    return _transition(order, at, kind, status, reason, None, cancel_requested_at=None, cancel_code=code)


def confirm_absent(order: Order, at: datetime) -> Transition:
    """Count one definite answer "no such order"; the third ends the order.

    An order that the venue never confirmed becomes REJECTED and may be revived, and a triggered trailing stop is held
    again, so that what it protects is sold after all; one that the venue had confirmed becomes CANCELED. Before the
    third answer the transition has no events, and an order with one absence more. One that the engine holds is absent
    as it should be.
    """
    if order.status.is_final or order.status is OrderStatus.PENDING or order.is_held:
        return Transition(order)
    counted = order.changed(at, absences=order.absences + 1)
    if counted.absences < ABSENCES_TO_REJECT:
        return Transition(counted)
    if order.venue_order_id is not None:
        reason = "the venue no longer knows the order"
        return _transition(counted, at, OrderEventKind.CANCELED, OrderStatus.CANCELED, reason)
    reason = "the venue never received the order"
    if is_held_again(counted):
        return hold_again(counted, at, reason)
    changes = {"reject_reason": reason, "reject_code": RejectCode.NOT_RECEIVED}
    return _transition(counted, at, OrderEventKind.REJECTED, OrderStatus.REJECTED, reason, None, **changes)


def fill_from_report(order: Order, report: FillReport, fill_id: UUID, fee_rate: Decimal | None = None) -> Fill:
    """Return the fill that a report describes."""
    return Fill(
        id=fill_id,
        order_id=order.id,
        user_id=order.user_id,
        account_id=order.account_id,
        market=order.market,
        side=order.side,
        venue_trade_id=report.venue_trade_id,
        at=report.at,
        price=report.price,
        quantity=report.quantity,
        fee=report.fee,
        fee_currency=report.fee_currency,
        maker=report.maker,
        trading_session_id=order.trading_session_id,
        fee_rate=fee_rate,
    )


def is_missing_fills(order: Order, report: OrderReport) -> bool:
    """Return whether the venue reports a higher filled quantity than that of the known fills."""
    return report.filled_quantity > order.filled_quantity


def _apply_live(order: Order, report: OrderReport, at: datetime, *, complete: bool) -> Transition:
    if order.status in {OrderStatus.PENDING, OrderStatus.DENIED}:
        raise IllegalTransition(order, report.status)
    accepted = accept(order, report.venue_order_id, at, accepted_at=report.at)
    if report.triggered:
        accepted = accepted.then(trigger(accepted.order, at))
    order = accepted.order
    is_missing = is_missing_fills(order, report)
    if report.status is OrderStatus.FILLED and (complete or not is_missing) and not order.status.is_final:
        # Some venues fill a little less than was asked for and report FILLED.
        reason = "the venue counts the order as filled"
        reason += ", and reports no more of its trades" if is_missing else ""
        kind, reported = OrderEventKind.RECONCILED, max(order.reported_quantity, report.filled_quantity)
        return accepted.then(_transition(order, at, kind, OrderStatus.FILLED, reason, reported_quantity=reported))
    return accepted


def _apply_rejected(order: Order, at: datetime) -> Transition:
    if order.status in _RESTING:
        # A stop order that the venue rejects when it triggers had been accepted before: it has expired.
        reason = "the venue rejected the order after it had accepted it"
        return _transition(order, at, OrderEventKind.EXPIRED, OrderStatus.EXPIRED, reason)
    return reject(order, at, "the venue rejected the order")


def _apply_ended(order: Order, report: OrderReport, at: datetime) -> Transition:
    if rejected_by_absence(order):
        revived = accept(order, report.venue_order_id, at, accepted_at=report.at)
        return revived.then(_apply_ended(revived.order, report, at))
    if order.status.is_final:
        return Transition(order)
    if report.triggered and order.type.waits_for_trigger and order.triggered_at is None:
        triggered = trigger(order, at)
        return triggered.then(_apply_ended(triggered.order, report, at))
    kind, status = OrderEventKind.CANCELED, OrderStatus.CANCELED
    if report.status is OrderStatus.EXPIRED or _ended_by_time(order):
        kind, status = OrderEventKind.EXPIRED, OrderStatus.EXPIRED
    return _transition(order, at, kind, status, venue_order_id=report.venue_order_id, absences=0)


def _ended_by_time(order: Order) -> bool:
    """Return whether the engine requested the cancel because the order had expired."""
    if order.expires_at is None or order.cancel_requested_at is None:
        return False
    return order.cancel_requested_at >= order.expires_at


def _transition(
    order: Order,
    at: datetime,
    kind: OrderEventKind,
    status: OrderStatus,
    reason: str | None = None,
    fill: Fill | None = None,
    **changes: object,
) -> Transition:
    require_legal(order, status)
    after = order.changed(at, status=status, **changes)
    return Transition(after, (OrderEvent(kind, after, fill, reason),))
