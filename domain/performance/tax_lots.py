"""What coins have cost: lots, taken first in, first out, and the average cost of all that is held.

Costs are cut to 18 decimals where a lot is divided, and what is cut stays with the rest of it, so that all parts of a
lot cost what the lot did; once all is sold, both methods come to the same sum.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.core.money import EXACT, ZERO, divide
from domain.model.tax import Disposal


@dataclass(frozen=True, slots=True)
class Lot:
    """A quantity that was acquired at once, and what it has cost; None if that isn't known."""

    at: datetime
    quantity: Decimal
    cost: Decimal | None


class AssetBook:
    """The lots of one coin on one account. Its memory grows with the lots that are held, not with those that were."""

    def __init__(self) -> None:
        self._lots: deque[Lot] = deque()
        self._quantity = ZERO
        self._cost: Decimal | None = ZERO

    @property
    def quantity(self) -> Decimal:
        """The quantity that is held."""
        return self._quantity

    @property
    def cost(self) -> Decimal | None:
        """What all that is held has cost by average cost; None if that of a part isn't known."""
        return self._cost

    def acquire(self, at: datetime, quantity: Decimal, cost: Decimal | None) -> None:
        """Add a lot."""
        self._lots.append(Lot(at, quantity, cost))
        self._quantity = EXACT.add(self._quantity, quantity)
        self._cost = None if self._cost is None or cost is None else EXACT.add(self._cost, cost)

    def dispose(self, quantity: Decimal) -> Disposal:
        """Take a quantity away; return what it has cost. The cost of what was never acquired isn't known."""
        covered = min(quantity, self._quantity)
        uncovered = EXACT.subtract(quantity, covered)
        average = self._take_average(covered)
        lots = self._take_lots(covered)
        fifo: Decimal | None = ZERO
        for lot in lots:
            fifo = None if fifo is None or lot.cost is None else EXACT.add(fifo, lot.cost)
        first, last = (lots[0].at, lots[-1].at) if lots else (None, None)
        if uncovered:
            return Disposal(None, None, first, last, uncovered)
        return Disposal(fifo, average, first, last)

    def _take_average(self, quantity: Decimal) -> Decimal | None:
        left = EXACT.subtract(self._quantity, quantity)
        taken = self._cost
        if self._cost is not None and left:
            taken = divide(EXACT.multiply(self._cost, quantity), self._quantity)
        self._quantity = left
        if not left:
            self._cost = ZERO
        elif self._cost is not None and taken is not None:
            self._cost = EXACT.subtract(self._cost, taken)
        return taken

    def _take_lots(self, quantity: Decimal) -> list[Lot]:
        taken = []
        while quantity > 0 and self._lots:
            lot = self._lots.popleft()
            if lot.quantity > quantity:
                lot, rest = _divided(lot, quantity)
                self._lots.appendleft(rest)
            taken.append(lot)
            quantity = EXACT.subtract(quantity, lot.quantity)
        return taken


def _divided(lot: Lot, quantity: Decimal) -> tuple[Lot, Lot]:
    """Return the part of a lot, and its rest."""
    rest = EXACT.subtract(lot.quantity, quantity)
    if lot.cost is None:
        return Lot(lot.at, quantity, None), Lot(lot.at, rest, None)
    cost = divide(EXACT.multiply(lot.cost, quantity), lot.quantity)
    return Lot(lot.at, quantity, cost), Lot(lot.at, rest, EXACT.subtract(lot.cost, cost))
