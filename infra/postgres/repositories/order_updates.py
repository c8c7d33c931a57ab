"""The update of an order as one statement with its events, under the lease if one is given: all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.model.events import NewEvent
from domain.model.orders import Order
from domain.model.trading_state import TradingState
from domain.ports.idempotency import KeyReservation
from domain.ports.leases import Lease
from domain.ports.orders import PlacingConditions
from infra.postgres.repositories.event_log import append_statement, event_params
from infra.postgres.repositories.leases import IS_HELD, LOCK, lease_params
from infra.postgres.rows.orders import (
    IS_ACTIVE,
    ORDER_COLUMNS,
    ORDER_PARAMS,
    ORDER_PLACEHOLDERS,
    UPDATE_ORDER,
    order_params,
    order_placeholder,
)

_LEASE_PARAMS = 4
_REVISION = ORDER_PARAMS + 1
_LEASE = ORDER_PARAMS + 2
_UNLESS = _LEASE + _LEASE_PARAMS
_LIMITS = _UNLESS + 1
_IS_HELD = IS_HELD.format(*(f"${_LEASE + place}" for place in range(_LEASE_PARAMS)))

_UPDATE = f"""
WITH held AS (SELECT true FROM leases WHERE {_IS_HELD} {LOCK}),
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


_KEY = ORDER_PARAMS + 1
_KEY_PARAMS = 4
_NEW_LEASE = _KEY + _KEY_PARAMS
_NEW_UNLESS = _NEW_LEASE + _LEASE_PARAMS
_NEW_LIMITS = _NEW_UNLESS + 1
_MOST_ACTIVE = _NEW_LIMITS + 1
_NEW_IS_HELD = IS_HELD.format(*(f"${_NEW_LEASE + place}" for place in range(_LEASE_PARAMS)))
_USER, _ACCOUNT, _SESSION = (order_placeholder(name) for name in ("user_id", "account_id", "trading_session_id"))
# A key that another transaction stores at the same time for another order violates its uniqueness: nothing is stored.
ADD_ORDER_ONCE = f"""
WITH held AS (SELECT true FROM leases WHERE {_NEW_IS_HELD} {LOCK}),
added AS (
    INSERT INTO orders ({ORDER_COLUMNS}) SELECT {ORDER_PLACEHOLDERS}
    WHERE NOT halt_forbids(${_NEW_UNLESS}::text[], {_USER}, {_ACCOUNT}, {_SESSION}) AND EXISTS (SELECT FROM held)
        AND EXISTS (SELECT FROM accounts WHERE accounts.id = {_ACCOUNT} AND accounts.user_id = {_USER}
            AND archived_at IS NULL AND accounts.risk::text = ${_NEW_LIMITS})
        AND NOT EXISTS (SELECT FROM idempotency
            WHERE idempotency.user_id = {_USER} AND operation = ${_KEY} AND key = ${_KEY + 1})
        AND (SELECT count(*) FROM orders AS other WHERE other.user_id = {_USER} AND {IS_ACTIVE}) <= ${_MOST_ACTIVE}
    ON CONFLICT (account_id, client_order_id) DO NOTHING RETURNING id
), reserved AS (
    INSERT INTO idempotency (user_id, operation, key, input_hash, result_id, at)
    SELECT {_USER}, ${_KEY}, ${_KEY + 1}, ${_KEY + 2}, added.id, ${_KEY + 3} FROM added
), {append_statement(_MOST_ACTIVE + 1, "WHERE EXISTS (SELECT FROM added)")}
SELECT EXISTS (SELECT FROM added)"""


@dataclass(frozen=True, slots=True)
class OrderInsertStatement:
    """`order` is stored with its key, unless that was used, or what the decision about it counted on has changed."""

    order: Order
    reservation: KeyReservation
    conditions: PlacingConditions

    @property
    def after(self) -> Order:
        """The order as it is after the statement."""
        return self.order

    @property
    def statement(self) -> str:
        """The statement that stores the order."""
        return ADD_ORDER_ONCE

    def params(self, events: Sequence[NewEvent]) -> tuple[object, ...]:
        """Return the parameters of `statement`."""
        key, conditions = self.reservation, self.conditions
        return (
            *order_params(self.order),
            *(key.operation, key.key, key.input_hash, key.at),
            *lease_params(conditions.lease),
            list(conditions.unless),
            conditions.limits,
            conditions.most_active,
            *event_params(events),
        )


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
