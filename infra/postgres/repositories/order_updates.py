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
_LIMITS = _UNLESS + 1
_IS_HELD = IS_HELD.format(*(f"${_LEASE + place}" for place in range(_LEASE_PARAMS)))

_UPDATE = f"""
WITH held AS (SELECT true FROM leases WHERE {_IS_HELD} FOR SHARE),
updated AS ({UPDATE_ORDER} AND revision = ${_REVISION}
    AND (${_LEASE}::text IS NULL OR EXISTS (SELECT FROM held)){{condition}} RETURNING id),
{{append}}
SELECT EXISTS (SELECT FROM updated)"""
_IF_UPDATED = "WHERE EXISTS (SELECT FROM updated)"
_IS_ALLOWED = f"""
    AND NOT halt_forbids(${_UNLESS}::text[], orders.user_id, orders.account_id, orders.trading_session_id)
    AND (${_LIMITS}::text IS NULL OR EXISTS (
        SELECT FROM accounts WHERE accounts.id = orders.account_id AND accounts.risk::text = ${_LIMITS}))"""

# The stored revision is compared with that of the order as the caller knew it, so no change in between is overwritten.
UPDATE_ORDER_WITH_EVENTS = _UPDATE.format(condition="", append=append_statement(_UNLESS, _IF_UPDATED))
# Halts and limits that were committed after the risk checks read them stop the order here, in the statement that lets
# it be sent.
UPDATE_ORDER_IF_ALLOWED = _UPDATE.format(condition=_IS_ALLOWED, append=append_statement(_LIMITS + 1, _IF_UPDATED))


@dataclass(frozen=True, slots=True)
class OrderUpdateStatement:
    """`before` is replaced by `after` if `lease` is held; the lease isn't checked if it is None.

    Nothing is replaced if a halt that concerns the order is in one of the states `unless`, or if the account's limits
    aren't `limits`.
    """

    before: Order
    after: Order
    lease: Lease | None
    unless: Sequence[TradingState] = ()
    limits: str | None = None

    @property
    def statement(self) -> str:
        """The statement that makes the update."""
        return UPDATE_ORDER_IF_ALLOWED if self._has_conditions else UPDATE_ORDER_WITH_EVENTS

    def params(self, events: Sequence[NewEvent]) -> tuple[object, ...]:
        """Return the parameters of `statement`."""
        lease = (None,) * _LEASE_PARAMS if self.lease is None else lease_params(self.lease)
        conditions = (list(self.unless), self.limits) if self._has_conditions else ()
        return (*order_params(self.after), self.before.revision, *lease, *conditions, *event_params(events))

    @property
    def _has_conditions(self) -> bool:
        return bool(self.unless) or self.limits is not None
