"""The legal transitions between the statuses of an order."""

from domain.model.orders import Order, OrderStatus, OrderType

ABSENCES_TO_REJECT = 3
"""How many definite answers "no such order" prove that an order in doubt never arrived."""

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
    _S.REJECTED: _LIVE,
}
"""The statuses that may follow each status; REJECTED is taken back if the venue reports the order all the same.

An order that the engine holds opens before it is sent: see `successors`.
"""


class IllegalTransition(Exception):
    """A transition of an order that its status doesn't allow."""

    def __init__(self, order: Order, status: OrderStatus) -> None:
        self.order = order
        self.status = status
        super().__init__(f"order {order.id} can't go from {order.status} to {status}")


def rejected_by_absence(order: Order) -> bool:
    """Return whether the order is REJECTED because the venue didn't know it, not because it rejected it."""
    return order.status is OrderStatus.REJECTED and order.absences >= ABSENCES_TO_REJECT


def successors(order: Order) -> frozenset[OrderStatus]:
    """Return the statuses that may follow the order's."""
    if order.type is OrderType.TRAILING_STOP and order.status is OrderStatus.PENDING:
        return LEGAL[order.status] | {OrderStatus.OPEN}
    return LEGAL[order.status] | {OrderStatus.SUBMITTED} if order.is_held else LEGAL[order.status]


def require_legal(order: Order, status: OrderStatus) -> None:
    """Raise `IllegalTransition` unless `status` is the order's status or may follow it."""
    if status is not order.status and status not in successors(order):
        raise IllegalTransition(order, status)
