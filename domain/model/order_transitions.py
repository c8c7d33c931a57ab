"""Which state of an order may follow which: the table of the order protocol."""

from domain.model.orders import Order, OrderStatus

ABSENCES_TO_REJECT = 3
"""How many clean "no such order" answers prove that an order in doubt never arrived."""

_S = OrderStatus
_LIVE = frozenset({_S.OPEN, _S.PARTIALLY_FILLED, _S.FILLED})
_RESTING = frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.PENDING_CANCEL, _S.CANCELED, _S.EXPIRED})

LEGAL: dict[OrderStatus, frozenset[OrderStatus]] = {
    _S.PENDING: frozenset({_S.DENIED, _S.SUBMITTED, _S.CANCELED, _S.EXPIRED}),
    _S.SUBMITTED: _LIVE | {_S.REJECTED, _S.IN_DOUBT, _S.PENDING_CANCEL, _S.CANCELED, _S.EXPIRED},
    _S.IN_DOUBT: _LIVE | {_S.PENDING_CANCEL, _S.CANCELED, _S.EXPIRED, _S.REJECTED},
    _S.OPEN: _RESTING,
    _S.PARTIALLY_FILLED: _RESTING,
    _S.PENDING_CANCEL: _LIVE | {_S.CANCELED, _S.EXPIRED, _S.REJECTED, _S.IN_DOUBT},
    _S.CANCELED: frozenset({_S.FILLED}),
    _S.EXPIRED: frozenset({_S.FILLED}),
    _S.DENIED: frozenset(),
    _S.FILLED: frozenset(),
    _S.REJECTED: frozenset(),
}
"""What may follow each state; a REJECTED that rests on absence alone may also be revived (`followers`)."""


class IllegalTransition(Exception):
    """An order was told to go where its state does not lead."""

    def __init__(self, order: Order, status: OrderStatus) -> None:
        self.order = order
        self.status = status
        super().__init__(f"order {order.id} can't go from {order.status} to {status}")


def rejected_by_absence(order: Order) -> bool:
    """Tell whether the order was given up because the venue did not know it, rather than refused by the venue."""
    return order.status is OrderStatus.REJECTED and order.absences >= ABSENCES_TO_REJECT


def followers(order: Order) -> frozenset[OrderStatus]:
    """Return the states that may follow the order's present one."""
    return _LIVE if rejected_by_absence(order) else LEGAL[order.status]


def require_legal(order: Order, status: OrderStatus) -> None:
    """Raise `IllegalTransition` where the order may neither stay in nor go to `status`."""
    if status is not order.status and status not in followers(order):
        raise IllegalTransition(order, status)
