"""One step of an order as one statement: the lease, the order's row and its events, all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.model.events import NewEvent
from domain.model.orders import Order
from domain.ports.leases import Lease
from infra.postgres.repositories.event_log import append_statement, event_params
from infra.postgres.repositories.leases import IS_HELD, lease_params
from infra.postgres.rows.orders import UPDATE_ORDER, order_params

_ORDER_VALUES = 33
_LEASE_VALUES = 4
_HELD = IS_HELD.format(*(f"${_ORDER_VALUES + 2 + place}" for place in range(_LEASE_VALUES)))

# The row is compared with what the caller saw of it, so nothing that happened in between is written over.
STEP = f"""
WITH held AS (SELECT true FROM leases WHERE {_HELD} FOR SHARE),
moved AS ({UPDATE_ORDER} AND revision = ${_ORDER_VALUES + 1}
    AND (${_ORDER_VALUES + 2}::text IS NULL OR EXISTS (SELECT FROM held)) RETURNING id),
{append_statement(_ORDER_VALUES + _LEASE_VALUES + 2, "WHERE EXISTS (SELECT FROM moved)")}
SELECT EXISTS (SELECT FROM moved)"""


@dataclass(frozen=True, slots=True)
class OrderUpdateStatement:
    """`before` becomes `after`, if `lease` is held; it isn't looked at where it is None."""

    before: Order
    after: Order
    lease: Lease | None

    def values(self, events: Sequence[NewEvent]) -> tuple[object, ...]:
        """Return the arguments of `STEP`."""
        lease = (None,) * _LEASE_VALUES if self.lease is None else lease_params(self.lease)
        return (*order_params(self.after), self.before.revision, *lease, *event_params(events))
