import itertools

import pytest

from domain.model.order_transitions import IllegalTransition, require_legal
from domain.model.orders import OrderStatus
from tests.support.orders import an_order

# The table of the order protocol, written out a second time on purpose.
TABLE = {
    "PENDING": "DENIED SUBMITTED CANCELED EXPIRED",
    "SUBMITTED": "OPEN PARTIALLY_FILLED FILLED REJECTED IN_DOUBT PENDING_CANCEL CANCELED EXPIRED",
    "IN_DOUBT": "OPEN PARTIALLY_FILLED FILLED PENDING_CANCEL CANCELED EXPIRED REJECTED",
    "OPEN": "PARTIALLY_FILLED FILLED PENDING_CANCEL CANCELED EXPIRED",
    "PARTIALLY_FILLED": "FILLED PENDING_CANCEL CANCELED EXPIRED",
    "PENDING_CANCEL": "OPEN PARTIALLY_FILLED FILLED CANCELED EXPIRED REJECTED IN_DOUBT",
    "CANCELED": "FILLED",
    "EXPIRED": "FILLED",
    "DENIED": "",
    "FILLED": "",
    "REJECTED": "OPEN PARTIALLY_FILLED FILLED",
}
PAIRS = [(a, b) for a, b in itertools.product(OrderStatus, OrderStatus) if a is not b]


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=lambda status: status.value)
def test_only_transitions_of_the_table_are_legal(before: OrderStatus, after: OrderStatus) -> None:
    order = an_order(status=before)
    if after.value in TABLE[before.value].split():
        require_legal(order, after)
    else:
        with pytest.raises(IllegalTransition, match=f"from {before} to {after}"):
            require_legal(order, after)


@pytest.mark.parametrize("status", OrderStatus)
def test_every_order_may_stay_what_it_is(status: OrderStatus) -> None:
    require_legal(an_order(status=status), status)
