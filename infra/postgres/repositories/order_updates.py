"""The update of an order as one statement with its events, under the lease if one is given: all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.model.events import NewEvent
from domain.model.orders import Order
from domain.ports.leases import Lease
from infra.postgres.repositories.event_log import append_statement, event_params
from infra.postgres.repositories.leases import IS_HELD, lease_params
from infra.postgres.rows.orders import ORDER_PARAMS, UPDATE_ORDER, order_params

_LEASE_PARAMS = 4
_REVISION = ORDER_PARAMS + 1
_LEASE = ORDER_PARAMS + 2
_EVENTS = _LEASE + _LEASE_PARAMS
_IS_HELD = IS_HELD.format(*(f"${_LEASE + place}" for place in range(_LEASE_PARAMS)))

# The stored revision is compared with that of the order as the caller knew it, so no change in between is overwritten.
UPDATE_ORDER_WITH_EVENTS = f"""
WITH held AS (SELECT true FROM leases WHERE {_IS_HELD} FOR SHARE),
updated AS ({UPDATE_ORDER} AND revision = ${_REVISION}
    AND (${_LEASE}::text IS NULL OR EXISTS (SELECT FROM held)) RETURNING id),
{append_statement(_EVENTS, "WHERE EXISTS (SELECT FROM updated)")}
SELECT EXISTS (SELECT FROM updated)"""


@dataclass(frozen=True, slots=True)
class OrderUpdateStatement:
    """`before` is replaced by `after` if `lease` is held; the lease isn't checked if it is None."""

    before: Order
    after: Order
    lease: Lease | None

    def params(self, events: Sequence[NewEvent]) -> tuple[object, ...]:
        """Return the parameters of `UPDATE_ORDER_WITH_EVENTS`."""
        lease = (None,) * _LEASE_PARAMS if self.lease is None else lease_params(self.lease)
        return (*order_params(self.after), self.before.revision, *lease, *event_params(events))
