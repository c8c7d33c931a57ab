"""Steps of orders: one as one statement with its events, several by one statement for each kind; all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias
from uuid import UUID

import asyncpg

from domain.model.events import NewEvent
from domain.model.orders import Order
from domain.ports.idempotency import KeyReservation
from domain.ports.orders import OrderChange, PlacingConditions, StaleOrder, StepConditions
from infra.postgres.connection import Connection
from infra.postgres.repositories.event_log import append_statement, event_params
from infra.postgres.repositories.halts import HALT_LOCK, SHARE_HALT_LOCK
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
from infra.postgres.transaction_connection import TransactionConnection

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
_UPDATE_ROW = f"""
WITH held AS (SELECT true FROM leases WHERE {_IS_HELD} {LOCK})
{UPDATE_ORDER} AND revision = ${_REVISION}
    AND (${_LEASE}::text IS NULL OR EXISTS (SELECT FROM held)){{condition}} RETURNING id"""
UPDATE_ORDER_ROW = _UPDATE_ROW.format(condition="")
UPDATE_ORDER_ROW_IF_ALLOWED = _UPDATE_ROW.format(condition=_IS_ALLOWED)


_KEY = ORDER_PARAMS + 1
_KEY_PARAMS = 4
_NEW_LEASE = _KEY + _KEY_PARAMS
_NEW_UNLESS = _NEW_LEASE + _LEASE_PARAMS
_NEW_LIMITS = _NEW_UNLESS + 1
_PLACED_AT_ONCE = _NEW_LIMITS + 1
_NEW_IS_HELD = IS_HELD.format(*(f"${_NEW_LEASE + place}" for place in range(_LEASE_PARAMS)))
_USER, _ACCOUNT, _SESSION = (order_placeholder(name) for name in ("user_id", "account_id", "trading_session_id"))
# The rows of user and account are locked, as by foreign keys, but before they are read: the user may just be erased.
# A key that another transaction stores at the same time for another order violates its uniqueness: nothing is stored.
_ADD_ORDER = f"""
WITH held AS (SELECT true FROM leases WHERE {_NEW_IS_HELD} {LOCK}),
account AS (
    SELECT true FROM users JOIN accounts ON accounts.user_id = users.id
    WHERE users.id = {_USER} AND accounts.id = {_ACCOUNT}
        AND archived_at IS NULL AND accounts.risk::text = ${_NEW_LIMITS} FOR KEY SHARE OF users, accounts
), added AS (
    INSERT INTO orders ({ORDER_COLUMNS}) SELECT {ORDER_PLACEHOLDERS}
    WHERE NOT halt_forbids(${_NEW_UNLESS}::text[], {_USER}, {_ACCOUNT}, {_SESSION}) AND EXISTS (SELECT FROM held)
        AND EXISTS (SELECT FROM account)
        AND NOT EXISTS (SELECT FROM idempotency
            WHERE idempotency.user_id = {_USER} AND operation = ${_KEY} AND key = ${_KEY + 1})
        AND (SELECT count(*) FROM orders AS other WHERE other.user_id = {_USER} AND {IS_ACTIVE})
            <= (SELECT max_active_orders FROM plans WHERE name = plan_of({_USER})) - ${_PLACED_AT_ONCE}::integer
    ON CONFLICT (account_id, client_order_id) DO NOTHING RETURNING id
), reserved AS (
    INSERT INTO idempotency (user_id, operation, key, input_hash, result_id, at)
    SELECT {_USER}, ${_KEY}, ${_KEY + 1}, ${_KEY + 2}, added.id, ${_KEY + 3} FROM added
)"""
ADD_ORDER_ONCE = f"""{_ADD_ORDER}, {append_statement(_PLACED_AT_ONCE + 1, "WHERE EXISTS (SELECT FROM added)")}
SELECT EXISTS (SELECT FROM added)"""
ADD_ORDER_ROW_ONCE = f"{_ADD_ORDER} SELECT id FROM added"


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
        """The statement that stores the order, together with events."""
        return ADD_ORDER_ONCE

    @property
    def row_statement(self) -> str:
        """The statement that stores the order alone, and returns its id if it has."""
        return ADD_ORDER_ROW_ONCE

    @property
    def sends(self) -> bool:
        """Whether halts may forbid it."""
        return True

    def params(self) -> tuple[object, ...]:
        """Return the parameters of `row_statement`; in `statement` those of the events follow."""
        key, conditions = self.reservation, self.conditions
        return (
            *order_params(self.order),
            *(key.operation, key.key, key.input_hash, key.at),
            *lease_params(conditions.lease),
            list(conditions.unless),
            conditions.limits,
            conditions.placed_at_once,
        )


@dataclass(frozen=True, slots=True)
class OrderUpdateStatement:
    """One row is changed if the conditions hold; see `domain.ports.orders.OrderRepository.write`."""

    change: OrderChange
    conditions: StepConditions

    @property
    def after(self) -> Order:
        """The order as it is after the statement."""
        return self.change.after

    @property
    def statement(self) -> str:
        """The statement that makes the update, together with events."""
        return UPDATE_ORDER_IF_ALLOWED if self._is_conditional else UPDATE_ORDER_WITH_EVENTS

    @property
    def row_statement(self) -> str:
        """The statement that makes the update alone, and returns the order's id if it has."""
        return UPDATE_ORDER_ROW_IF_ALLOWED if self._is_conditional else UPDATE_ORDER_ROW

    @property
    def sends(self) -> bool:
        """Whether halts may forbid it."""
        return bool(self.change.unless)

    def params(self) -> tuple[object, ...]:
        """Return the parameters of `statement`, before those of the events."""
        lease = self.conditions.lease
        held = (None,) * _LEASE_PARAMS if lease is None else lease_params(lease)
        conditions = (list(self.change.unless), self.conditions.limits) if self._is_conditional else ()
        return (*order_params(self.change.after), self.change.before.revision, *held, *conditions)

    @property
    def _is_conditional(self) -> bool:
        return bool(self.change.unless) or self.conditions.limits is not None


OrderStatement: TypeAlias = OrderInsertStatement | OrderUpdateStatement


async def write_with_events(
    connection: TransactionConnection, statement: OrderStatement, events: Sequence[NewEvent]
) -> None:
    """Write one order and the events by one statement, the transaction's last; raises `StaleOrder`."""
    try:
        is_written = await connection.execute_final(statement.statement, *statement.params(), *event_params(events))
    except asyncpg.UniqueViolationError:
        is_written = False
    if not is_written:
        raise StaleOrder(statement.after)


async def write_rows(connection: Connection, statements: Sequence[OrderStatement]) -> None:
    """Write orders, those of the same kind by one round trip, the older first; raises `StaleOrder`."""
    if any(statement.sends for statement in statements):
        # Before any row is locked: a halt holds this lock when it asks for rows.
        await connection.execute(SHARE_HALT_LOCK, HALT_LOCK)
    by_age = sorted(statements, key=lambda statement: statement.after.id)
    for text, group in groupby(by_age, key=lambda statement: statement.row_statement):
        rows = list(group)
        try:
            written = {row["id"] for row in await connection.fetchmany(text, [row.params() for row in rows])}
        except asyncpg.UniqueViolationError:
            written = set[UUID]()
        for row in rows:
            if row.after.id not in written:
                raise StaleOrder(row.after)
