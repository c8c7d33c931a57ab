"""What sales by hand have taken of the parts of a position that protections of single entry orders protect."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, ZERO


@dataclass(frozen=True, slots=True)
class PositionChange:
    """A fill of a position: the signed change of its size, in base net of fees, and the protection whose fill it is.

    That is the protection of the entry order that bought, or for which was sold; None for any other order by hand.
    """

    quantity: Decimal
    protection_id: UUID | None = None


def taken_by_hand(changes: Iterable[PositionChange]) -> dict[UUID, Decimal]:
    """Return how much sales by hand have taken of each protection's part; `changes` are all of a position, in order.

    A sale by hand takes first what nothing protects, then the part of the newest protection: the older ones keep what
    they have.
    """
    held, protected, taken = ZERO, dict[UUID, Decimal](), dict[UUID, Decimal]()
    for change in changes:
        held = max(EXACT.add(held, change.quantity), ZERO)
        if change.protection_id is not None:
            part = EXACT.add(protected.get(change.protection_id, ZERO), change.quantity)
            protected[change.protection_id] = max(part, ZERO)
        excess = EXACT.subtract(sum(protected.values(), ZERO), held)
        for protection_id in sorted(protected, reverse=True):
            if excess <= 0:
                break
            sold = min(protected[protection_id], excess)
            protected[protection_id] = EXACT.subtract(protected[protection_id], sold)
            taken[protection_id] = EXACT.add(taken.get(protection_id, ZERO), sold)
            excess = EXACT.subtract(excess, sold)
    return taken
