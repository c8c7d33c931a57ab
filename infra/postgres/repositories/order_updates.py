"""The update of an order as one statement with its events, under the lease if one is given: all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.model.events import NewEvent
from domain.model.orders import Order
from domain.model.trading_state import TradingState
from domain.ports.leases import Lease
from infra.postgres.repositories.event_log import append_statement, event_params
from infra.postgres.repositories.leases import IS_HELD, lease_params
from infra.postgres.rows.orders import ORDER_PARAMS, UPDATE_ORDER, order_params

_LEASE_PARAMS = 4
_REVISION = ORDER_PARAMS + 1
_LEASE = ORDER_PARAMS + 2
_UNLESS = _LEASE + _LEASE_PARAMS
_IS_HELD = IS_HELD.format(*(f"${_LEASE + place}" for place in range(_LEASE_PARAMS)))

_UPDATE = f"""
WITH held AS (SELECT true FROM leases WHERE {_IS_HELD} FOR SHARE),
updated AS ({UPDATE_ORDER} AND revision = ${_REVISION}
    AND (${_LEASE}::text IS NULL OR EXISTS (SELECT FROM held)){{condition}} RETURNING id),
{{append}}
SELECT EXISTS (SELECT FROM updated)"""
_IF_UPDATED = "WHERE EXISTS (SELECT FROM updated)"
_IS_NOT_HALTED = f"""
    AND NOT halt_forbids(${_UNLESS}::text[], orders.user_id, orders.account_id, orders.trading_session_id)"""

# The stored revision is compared with that of the order as the caller knew it, so no change in between is overwritten.
UPDATE_ORDER_WITH_EVENTS = _UPDATE.format(condition="", append=append_statement(_UNLESS, _IF_UPDATED))
# A halt that was committed after the risk checks read them stops the order here, in the statement that lets it be sent.
UPDATE_ORDER_UNLESS_HALTED = _UPDATE.format(condition=_IS_NOT_HALTED, append=append_statement(_UNLESS + 1, _IF_UPDATED))


@dataclass(frozen=True, slots=True)
class OrderUpdateStatement:
    """`before` is replaced by `after` if `lease` is held; the lease isn't checked if it is None.

    Nothing is replaced if a halt that concerns the order is in one of the states `unless`.
    """

    before: Order
    after: Order
    lease: Lease | None
    unless: Sequence[TradingState] = ()

    @property
    def statement(self) -> str:
        """The statement that makes the update."""
        return UPDATE_ORDER_UNLESS_HALTED if self.unless else UPDATE_ORDER_WITH_EVENTS

    def params(self, events: Sequence[NewEvent]) -> tuple[object, ...]:
        """Return the parameters of `statement`."""
        lease = (None,) * _LEASE_PARAMS if self.lease is None else lease_params(self.lease)
        unless = (list(self.unless),) if self.unless else ()
        return (*order_params(self.after), self.before.revision, *lease, *unless, *event_params(events))
