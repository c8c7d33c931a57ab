"""The replacement of an order by an amended one: what comes next, by the states of the two orders alone.

Both orders are rows, so a replacement that was cut off anywhere goes on from them. The replaced order is cancelled
first, and the new one is sent only once nothing of the old one can fill any more; a venue that does both in one request
does the same for us. So there is no moment in which both can fill.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from domain.core.money import EXACT, ZERO, plain
from domain.model.orders import CancelCode, Order, OrderStatus

_RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
_IN_FLIGHT = frozenset({OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT})


class ReplacementAction(StrEnum):
    """What the executor does next for an amendment."""

    WAIT = "WAIT"
    CHECK = "CHECK"
    PLACE = "PLACE"
    ABANDON = "ABANDON"


class UncanceledStep(StrEnum):
    """What becomes of an order whose cancel hasn't taken effect: CANCEL_AGAIN, WAIT, or PUT_BACK as it was."""

    CANCEL_AGAIN = "CANCEL_AGAIN"
    WAIT = "WAIT"
    PUT_BACK = "PUT_BACK"


@dataclass(frozen=True, slots=True)
class ReplacementStep:
    """The next step of an amendment, and why.

    WAIT: nothing, the replaced order will change. CHECK: run the risk checks, and let the replaced order be cancelled
    if they pass. PLACE: send what is left. ABANDON: cancel the amendment, which was never sent.
    """

    action: ReplacementAction
    reason: str = ""


_WAIT = ReplacementStep(ReplacementAction.WAIT)


def has_begun(replaced: Order) -> bool:
    """Return whether the replaced order is being cancelled, or was, for the sake of its amendment."""
    return replaced.cancel_code is CancelCode.AMENDED


def quantity_left(replaced: Order, amendment: Order) -> Decimal:
    """Return what is left to order of the amended total, which counts what the replaced order filled; at least 0."""
    return max(EXACT.subtract(amendment.quantity, replaced.executed_quantity), ZERO)


def next_step(replaced: Order, amendment: Order, *, is_too_old: bool) -> ReplacementStep:
    """Return the next step of a PENDING amendment.

    `is_too_old` means that it has waited longer than a command may. An amendment that has begun is carried through all
    the same, because its user would be left with neither order.
    """
    if amendment.cancel_requested_at is not None:
        return _abandon("cancelled before it was sent")
    if replaced.status.is_final:
        return _after_the_end(replaced, amendment)
    if has_begun(replaced):
        return _WAIT
    if replaced.cancel_requested_at is not None:
        return _abandon("the order that it replaces is being cancelled")
    if is_too_old:
        return _abandon("the order that it replaces could not be cancelled in time")
    return ReplacementStep(ReplacementAction.CHECK) if replaced.status in _RESTING else _WAIT


def replaces_at_once(replaced: Order) -> bool:
    """Return whether a venue may cancel the order and place the amendment in one request.

    Only if nothing of it has filled and the venue is asked to leave it alone if anything has by then: the amendment's
    quantity is fixed when it is sent, and a fill in between would come on top of it.
    """
    return replaced.status is OrderStatus.OPEN and replaced.filled_quantity == ZERO


def uncanceled_step(replaced: Order, amendment: Order | None) -> UncanceledStep:
    """Return what becomes of an order that still rests at the venue although its cancel was sent a while ago.

    A request that does both or neither has done neither if the venue doesn't have the amendment: the order is put back.
    """
    if amendment is None or not has_begun(replaced) or amendment.status is OrderStatus.PENDING:
        return UncanceledStep.CANCEL_AGAIN
    if amendment.status in _IN_FLIGHT:
        return UncanceledStep.WAIT
    if amendment.status.is_final and amendment.filled_quantity == ZERO:
        return UncanceledStep.PUT_BACK
    return UncanceledStep.CANCEL_AGAIN


def _after_the_end(replaced: Order, amendment: Order) -> ReplacementStep:
    if replaced.status is not OrderStatus.CANCELED:
        return _abandon(f"the order that it replaces is {replaced.status}")
    if not has_begun(replaced):
        return _abandon("the order that it replaces was cancelled before it could be amended")
    if quantity_left(replaced, amendment) == ZERO:
        return _abandon(f"the order that it replaces has filled {plain(replaced.executed_quantity)}: nothing is left")
    return ReplacementStep(ReplacementAction.PLACE)


def _abandon(reason: str) -> ReplacementStep:
    return ReplacementStep(ReplacementAction.ABANDON, reason)
