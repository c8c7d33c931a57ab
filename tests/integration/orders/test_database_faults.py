"""The database goes away at any transaction of an order's life, before or after it has committed."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal

import pytest

from domain.errors import Unavailable
from domain.orders.types import OrderStatus
from domain.storage import Storage, Transaction
from tests.support.order_floor import Floor
from tests.support.scripted_venue import Fate, ScriptedVenue


class FlakyStorage:
    """A storage whose n-th transaction from now (counted from 0) breaks at its commit."""

    def __init__(self, real: Storage) -> None:
        self._real = real
        self.breaks_at = -1
        self.commits_first = False

    def reading(self) -> AbstractAsyncContextManager[Transaction]:
        return self._real.reading()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.breaks_at -= 1
        breaks = self.breaks_at == -1
        async with self._real.transaction() as transaction:
            yield transaction
            if breaks and not self.commits_first:
                raise Unavailable("the connection broke before the commit")
        if breaks:
            raise Unavailable("the connection broke, and the commit had happened")


@pytest.mark.parametrize("commits_first", [False, True], ids=["rolled back", "committed"])
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("fate", [Fate.ANSWERED, Fate.SWALLOWED, Fate.LOST])
async def test_no_order_is_lost_or_sent_twice(
    floor: Floor, venue: ScriptedVenue, fate: Fate, number: int, *, commits_first: bool
) -> None:
    flaky = FlakyStorage(floor.storage)
    executor = await floor.start()
    executor._desk.storage = flaky
    venue.fates.append(fate)
    flaky.breaks_at, flaky.commits_first = number, commits_first
    placed = await floor.place()
    order = await floor.until(placed.id, "FILLED", "REJECTED")
    assert not floor.task.done()
    assert len(venue.received) <= 1
    assert venue.sent <= 1
    assert order.filled_quantity == Decimal(len(venue.received))
    assert order.status is (OrderStatus.FILLED if venue.received else OrderStatus.REJECTED)
    assert len(await floor.fills(order.id)) == len(venue.received)
    revisions = [event.order.revision for event in await floor.story(order.id)]
    assert revisions == sorted(set(revisions))
    venue.fates.clear()
    flaky.breaks_at = -1
    assert (await floor.place("next")).status is OrderStatus.FILLED
    assert sum(position.quantity for position in await floor.positions()) == len(venue.received)
