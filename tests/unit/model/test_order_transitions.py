import itertools
from dataclasses import replace

import pytest

from domain.model.order_transitions import ABSENCES_TO_REJECT, IllegalTransition, require_legal
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
    "REJECTED": "",
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


@pytest.mark.parametrize("after", [status for status in OrderStatus if status is not OrderStatus.REJECTED])
def test_only_a_rejection_by_absence_is_taken_back(after: OrderStatus) -> None:
    absent = an_order(status=OrderStatus.REJECTED, absences=ABSENCES_TO_REJECT)
    if after in {OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED}:
        require_legal(absent, after)
    else:
        with pytest.raises(IllegalTransition):
            require_legal(absent, after)
    with pytest.raises(IllegalTransition):
        require_legal(replace(absent, absences=ABSENCES_TO_REJECT - 1), after)


@pytest.mark.parametrize("status", OrderStatus)
def test_every_order_may_stay_what_it_is(status: OrderStatus) -> None:
    require_legal(an_order(status=status), status)
