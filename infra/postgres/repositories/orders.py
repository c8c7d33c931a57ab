"""Orders and fills in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from asyncpg import Record

from domain.core.pagination import KeysetPage
from domain.model.markets import MarketSymbol
from domain.model.orders import CancelCode, Fill, Order, OrderStatus
from domain.model.plans import PlanUsage
from domain.ports.idempotency import KeyReservation
from domain.ports.orders import (
    NO_CONDITIONS,
    DuplicateOrder,
    OrderChange,
    OrderFilter,
    PlacingConditions,
    RiskSnapshot,
    StepConditions,
)
from infra.postgres.connection import Connection
from infra.postgres.repositories.base import Repository
from infra.postgres.repositories.order_conditions import fill_conditions, order_conditions
from infra.postgres.repositories.order_updates import (
    OrderInsertStatement,
    OrderStatement,
    OrderUpdateStatement,
    write_rows,
)
from infra.postgres.repositories.plans import PLAN_OF_USER, plan_from_json
from infra.postgres.repositories.risk_snapshot import SELECT_RISK_SNAPSHOT, risk_snapshot_from_row, risk_snapshot_params
from infra.postgres.rows.columns import members_by_value
from infra.postgres.rows.halts import applies_to
from infra.postgres.rows.orders import (
    INSERT_FILL,
    INSERT_ORDER,
    IS_ACTIVE,
    ORDER_COLUMNS,
    SELECT_FILL,
    SELECT_ORDER,
    fill_from_row,
    fill_params,
    fills_from_rows,
    order_from_row,
    order_params,
)
from infra.postgres.sql import Condition, where

# Repeats the condition of the partial index orders_commands: otherwise it wouldn't be used.
IS_COMMAND = (
    "(status = 'PENDING' OR (cancel_requested_at IS NOT NULL"
    " AND status IN ('SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED')))"
)

# Not FOR UPDATE, which would block inserts of rows that refer to the order, such as its fills.
LOCK = " FOR NO KEY UPDATE"
GET = SELECT_ORDER + " WHERE id = $1 AND user_id = $2"
GET_FOR_UPDATE = SELECT_ORDER + " WHERE id = $1" + LOCK
GET_BY_CLIENT_ID = SELECT_ORDER + " WHERE account_id = $1 AND client_order_id = $2"
GET_FOR_UPDATE_BY_CLIENT_ID = GET_BY_CLIENT_ID + LOCK
GET_FOR_UPDATE_BY_VENUE_ID = SELECT_ORDER + " WHERE account_id = $1 AND market = $2 AND venue_order_id = $3" + LOCK
IS_FOLLOWED = """
SELECT EXISTS (SELECT FROM accounts JOIN orders ON orders.account_id = accounts.id AND orders.client_order_id = $2
    WHERE accounts.venue = $1 AND accounts.archived_at IS NULL)"""
# Looks for nothing while no halt cancels orders, as nearly always.
IS_HALTED = f"""
EXISTS (SELECT FROM halts WHERE cancel_orders)
AND status IN ('SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED') AND cancel_requested_at IS NULL
AND NOT reduce_only AND role IN ('ENTRY', 'MANUAL', 'FOREIGN')
AND EXISTS (SELECT FROM halts WHERE cancel_orders
    AND {applies_to("orders.user_id", "orders.account_id", "orders.trading_session_id")})"""
IS_REFUSED = (
    "status IN ('OPEN', 'PARTIALLY_FILLED') AND cancel_code = 'TRADING_SESSION' AND cancel_requested_at IS NULL"
)
COMMANDS = (
    f"{SELECT_ORDER} WHERE account_id = $1 AND {IS_COMMAND}"
    f" UNION ALL {SELECT_ORDER} WHERE account_id = $1 AND {IS_HALTED} ORDER BY id"
)
# The rows of the partial indexes are few, whatever the number of orders and accounts.
COMMANDED_ACCOUNTS = f"""
SELECT account_id FROM orders
WHERE {IS_COMMAND} AND status <> 'IN_DOUBT'
UNION SELECT account_id FROM orders
WHERE {IS_HALTED} AND status <> 'IN_DOUBT'
UNION SELECT account_id FROM orders
WHERE {IS_ACTIVE} AND expires_at IS NOT NULL AND expires_at <= $1 AND cancel_requested_at IS NULL
UNION SELECT account_id FROM orders
WHERE {IS_ACTIVE} AND {IS_REFUSED}"""
PLAN_LOCKS = 1_886_151_022
"""The class of the advisory locks under which orders are counted for a user's plan."""

# The statement doesn't see the row that it inserts.
_USAGE = f"""{PLAN_OF_USER.format("{user}")} AS plan,
    (SELECT count(*) FROM orders AS other WHERE other.user_id = {{user}} AND other.id <> {{orders}} AND {IS_ACTIVE})
    AS active_orders"""
ADD = f"{INSERT_ORDER} RETURNING {_USAGE.format(user='orders.user_id', orders='orders.id')}"
PLAN_USAGE = f"SELECT {_USAGE.format(user='$1', orders='ALL($2::uuid[])')}"
PLAN_USAGE_OF_ADDED = f"{PLAN_USAGE}, ARRAY(SELECT id FROM orders WHERE id = ANY($2)) AS stored"
LOCK_PLAN = "SELECT pg_advisory_xact_lock($1, hashtext($2))"
AWAITS_FILLS = "reported_quantity > filled_quantity AND awaits_fills"
ACTIVE = (
    f"{SELECT_ORDER} WHERE account_id = $1 AND {IS_ACTIVE}"
    f" UNION ALL {SELECT_ORDER} WHERE account_id = $1 AND {AWAITS_FILLS} ORDER BY id"
)
MISSING_FILLS = SELECT_ORDER + " WHERE account_id = $1 AND reported_quantity > filled_quantity ORDER BY id"
EXPIRED = SELECT_ORDER + (
    f" WHERE account_id = $1 AND {IS_ACTIVE} AND expires_at <= $2 AND cancel_requested_at IS NULL ORDER BY id"
)
REFUSED_CANCELS = SELECT_ORDER + f" WHERE account_id = $1 AND {IS_ACTIVE} AND {IS_REFUSED} ORDER BY id"
CHANGED_SINCE = SELECT_ORDER + " WHERE account_id = $1 AND updated_at >= $2 ORDER BY id"
UNCONFIRMED = SELECT_ORDER + (
    " WHERE account_id = $1 AND submitted_at >= $2 AND submitted_at IS NOT NULL AND venue_order_id IS NULL ORDER BY id"
)
AGES = """
SELECT id, extract(epoch FROM clock_timestamp() - coalesce(placed_at, created_at)) AS age_seconds
FROM orders WHERE id = ANY($1::uuid[])"""
GET_MANY = SELECT_ORDER + " WHERE id = ANY($1::uuid[])"
LAST_ENTRY = SELECT_ORDER + (
    " WHERE trading_session_id = $1 AND market = $2 AND role = 'ENTRY' AND filled_quantity > 0 ORDER BY id DESC LIMIT 1"
)
REPLACEMENTS = SELECT_ORDER + " WHERE replaces_id = ANY($1::uuid[]) ORDER BY id"
GROUPS = SELECT_ORDER + " WHERE group_id = ANY($1::uuid[]) ORDER BY id"
GROUP_FOR_UPDATE = SELECT_ORDER + " WHERE group_id = $1 ORDER BY id" + LOCK
LATEST_OF_PROTECTIONS = f"""
SELECT latest.* FROM unnest($1::uuid[]) AS protection (id)
CROSS JOIN LATERAL ({SELECT_ORDER} WHERE protection_id = protection.id ORDER BY id DESC LIMIT 2) AS latest
ORDER BY latest.id"""
FILLED_OF_PROTECTION = """
SELECT coalesce(sum(greatest(filled_quantity, reported_quantity)), 0) FROM orders WHERE protection_id = $1"""
CHILDREN = SELECT_ORDER + " WHERE parent_id = ANY($1::uuid[])"

RECORDED_TRADES = """
SELECT fills.venue_trade_id, orders.venue_order_id FROM fills JOIN orders ON orders.id = fills.order_id
WHERE fills.account_id = $1 AND fills.market = $2 AND fills.venue_trade_id = ANY($3::text[])"""
FILL = SELECT_FILL + " WHERE id = $1 AND user_id = $2"
FILLS_OF_ORDER = SELECT_FILL + " WHERE order_id = $1 ORDER BY at, id"
FILLS_OF_ORDERS = SELECT_FILL + " WHERE order_id = ANY($1::uuid[]) ORDER BY id DESC"
COUNT_BY_STATUS = "SELECT status, count(*) FROM orders"
# The rows are locked oldest first, so that two simultaneous requests wait for each other and can't deadlock.
CANCEL_HALTED = f"""
UPDATE orders SET cancel_requested_at = $1, cancel_code = 'HALT', updated_at = greatest(updated_at, $1),
    revision = revision + 1
WHERE id IN (
    SELECT id FROM orders WHERE {IS_HALTED} AND ($2::uuid[] IS NULL OR account_id = ANY ($2))
        AND (coalesce(cancel_code, '') NOT IN ('HALT', 'EXPIRED') OR id = ANY ($3::uuid[]))
    ORDER BY id FOR NO KEY UPDATE
) RETURNING {ORDER_COLUMNS}"""
REQUEST_CANCELS = f"""
UPDATE orders SET cancel_requested_at = {{at}}, cancel_code = {{code}}, updated_at = greatest(updated_at, {{at}}),
    revision = revision + 1
WHERE id IN (
    SELECT id FROM orders{{conditions}} AND {IS_ACTIVE}
        AND (cancel_requested_at IS NULL AND status <> 'PENDING_CANCEL' OR cancel_code = 'AMENDED')
    ORDER BY id FOR NO KEY UPDATE
) RETURNING {ORDER_COLUMNS}"""

_STATUSES = members_by_value(OrderStatus)


class PostgresOrders(Repository):
    """See `domain.ports.orders.OrderRepository`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._pending: list[OrderStatement] = []

    async def add(self, order: Order) -> PlanUsage:
        row = await self._connection.fetchrow(ADD, *order_params(order))
        if row is None:
            raise DuplicateOrder(order)
        return _plan_usage_from_row(row)

    async def add_many(self, orders: Sequence[Order]) -> PlanUsage:
        await self._connection.executemany(INSERT_ORDER, map(order_params, orders))
        ids = [order.id for order in orders]
        row = await self._connection.fetchrow(PLAN_USAGE_OF_ADDED, orders[0].user_id, ids)
        assert row is not None  # a SELECT without FROM has one
        stored = set(row["stored"])
        for order in orders:
            if order.id not in stored:
                raise DuplicateOrder(order)
        return _plan_usage_from_row(row)

    async def lock_plan_usage(self, user_id: UUID, without: Sequence[UUID]) -> PlanUsage:
        await self._connection.execute(LOCK_PLAN, PLAN_LOCKS, str(user_id))
        return await self._read_plan_usage(user_id, without)

    async def plan_usage(self, user_id: UUID) -> PlanUsage:
        return await self._read_plan_usage(user_id, ())

    async def _read_plan_usage(self, user_id: UUID, without: Sequence[UUID]) -> PlanUsage:
        row = await self._connection.fetchrow(PLAN_USAGE, user_id, without)
        assert row is not None  # a SELECT without FROM has one
        return _plan_usage_from_row(row)

    def add_once(self, order: Order, reservation: KeyReservation, conditions: PlacingConditions) -> None:
        self._defer([OrderInsertStatement(order, reservation, conditions)])

    def write(self, changes: Sequence[OrderChange], conditions: StepConditions = NO_CONDITIONS) -> None:
        self._defer([OrderUpdateStatement(change, conditions) for change in changes])

    def drain(self) -> list[OrderStatement]:
        """Return what is to be written before the commit, which must follow at once."""
        self._connection.before_next = None
        pending, self._pending = self._pending, []
        return pending

    def _defer(self, statements: Sequence[OrderStatement]) -> None:
        """Keep what is to be written until the transaction's next statement, or its end."""
        self._pending += statements
        self._connection.before_next = self._write_pending

    async def _write_pending(self) -> None:
        await write_rows(self._connection, self.drain())

    async def get(self, user_id: UUID, order_id: UUID) -> Order | None:
        return await self._one(GET, order_id, user_id)

    async def get_for_update(self, order_id: UUID) -> Order | None:
        return await self._one(GET_FOR_UPDATE, order_id)

    async def get_by_client_id(self, account_id: UUID, client_order_id: str) -> Order | None:
        return await self._one(GET_BY_CLIENT_ID, account_id, client_order_id)

    async def get_for_update_by_client_id(self, account_id: UUID, client_order_id: str) -> Order | None:
        return await self._one(GET_FOR_UPDATE_BY_CLIENT_ID, account_id, client_order_id)

    async def get_for_update_by_venue_id(
        self, account_id: UUID, market: MarketSymbol, venue_order_id: str
    ) -> Order | None:
        return await self._one(GET_FOR_UPDATE_BY_VENUE_ID, account_id, str(market), venue_order_id)

    async def is_followed(self, venue: str, client_order_id: str) -> bool:
        return bool(await self._connection.fetchval(IS_FOLLOWED, venue, client_order_id))

    async def recorded_trades(
        self, account_id: UUID, market: MarketSymbol, venue_trade_ids: Sequence[str]
    ) -> set[tuple[str, str]]:
        rows = await self._connection.fetch(RECORDED_TRADES, account_id, str(market), list(venue_trade_ids))
        return {(row["venue_trade_id"], row["venue_order_id"]) for row in rows}

    async def list_commands(self, account_id: UUID) -> list[Order]:
        return await self._all(COMMANDS, account_id)

    async def list_commanded_accounts(self, now: datetime) -> list[UUID]:
        rows = await self._connection.fetch(COMMANDED_ACCOUNTS, now)
        return [row["account_id"] for row in rows]

    async def list_active(self, account_id: UUID) -> list[Order]:
        return await self._all(ACTIVE, account_id)

    async def ages(self, order_ids: Sequence[UUID]) -> dict[UUID, float]:
        rows = await self._connection.fetch(AGES, list(order_ids))
        return {row["id"]: float(row["age_seconds"]) for row in rows}

    async def list_missing_fills(self, account_id: UUID) -> list[Order]:
        return await self._all(MISSING_FILLS, account_id)

    async def list_refused_cancels(self, account_id: UUID) -> list[Order]:
        return await self._all(REFUSED_CANCELS, account_id)

    async def list_expired(self, account_id: UUID, now: datetime) -> list[Order]:
        return await self._all(EXPIRED, account_id, now)

    async def list_changed_since(self, account_id: UUID, since: datetime) -> list[Order]:
        return await self._all(CHANGED_SINCE, account_id, since)

    async def list_unconfirmed(self, account_id: UUID, since: datetime) -> list[Order]:
        return await self._all(UNCONFIRMED, account_id, since)

    async def list_page(self, user_id: UUID, page: KeysetPage, order_filter: OrderFilter) -> list[Order]:
        rows = await self._page(SELECT_ORDER, page, _user_conditions(user_id, order_conditions(order_filter)))
        return [order_from_row(row) for row in rows]

    async def get_many(self, ids: Sequence[UUID]) -> list[Order]:
        return await self._all(GET_MANY, list(ids))

    async def list_group_for_update(self, group_id: UUID) -> list[Order]:
        return await self._all(GROUP_FOR_UPDATE, group_id)

    async def list_groups(self, group_ids: Sequence[UUID]) -> list[Order]:
        return await self._all(GROUPS, list(group_ids))

    async def list_latest_of_protections(self, protection_ids: Sequence[UUID]) -> list[Order]:
        return await self._all(LATEST_OF_PROTECTIONS, list(protection_ids))

    async def filled_of_protection(self, protection_id: UUID) -> Decimal:
        return Decimal(await self._connection.fetchval(FILLED_OF_PROTECTION, protection_id))

    async def list_replacements(self, ids: Sequence[UUID]) -> list[Order]:
        return await self._all(REPLACEMENTS, list(ids))

    async def list_children(self, parent_ids: Sequence[UUID]) -> list[Order]:
        return await self._all(CHILDREN, list(parent_ids))

    async def risk_snapshot(self, order: Order, sent_since: datetime) -> RiskSnapshot:
        row = await self._connection.fetchrow(SELECT_RISK_SNAPSHOT, *risk_snapshot_params(order, sent_since))
        assert row is not None  # the order's row refers to the account's
        return risk_snapshot_from_row(row)

    async def request_cancels(
        self, user_id: UUID, selected: OrderFilter, code: CancelCode, at: datetime
    ) -> list[Order]:
        conditions, arguments = where(_user_conditions(user_id, order_conditions(selected)))
        at_place = len(arguments) + 1
        text = REQUEST_CANCELS.format(conditions=conditions, at=f"${at_place}", code=f"${at_place + 1}")
        rows = await self._connection.fetch(text, *arguments, at, code)
        return sorted((order_from_row(row) for row in rows), key=lambda order: order.id)

    async def request_cancels_by_halts(
        self, accounts: Sequence[UUID] | None, at: datetime, retried: Sequence[UUID] = ()
    ) -> list[Order]:
        rows = await self._connection.fetch(CANCEL_HALTED, at, accounts and list(accounts), list(retried))
        return sorted((order_from_row(row) for row in rows), key=lambda order: order.id)

    async def add_fill(self, fill: Fill) -> bool:
        return await self._connection.execute(INSERT_FILL, *fill_params(fill)) == "INSERT 0 1"

    async def get_fill(self, user_id: UUID, fill_id: UUID) -> Fill | None:
        row = await self._connection.fetchrow(FILL, fill_id, user_id)
        return None if row is None else fill_from_row(row)

    async def list_fills_of_order(self, order_id: UUID) -> list[Fill]:
        return await self._all_fills(FILLS_OF_ORDER, order_id)

    async def get_last_entry(self, trading_session_id: UUID, market: MarketSymbol) -> Order | None:
        return await self._one(LAST_ENTRY, trading_session_id, str(market))

    async def list_fills_of_orders(self, order_ids: Sequence[UUID]) -> list[Fill]:
        return await self._all_fills(FILLS_OF_ORDERS, list(set(order_ids)))

    async def list_all_fills(self, user_id: UUID, order_filter: OrderFilter) -> list[Fill]:
        conditions, arguments = where(_user_conditions(user_id, fill_conditions(order_filter)))
        return await self._all_fills(f"{SELECT_FILL}{conditions} ORDER BY at, id", *arguments)

    async def count_by_status(self, user_id: UUID, order_filter: OrderFilter) -> dict[OrderStatus, int]:
        conditions, arguments = where(_user_conditions(user_id, order_conditions(order_filter)))
        rows = await self._connection.fetch(f"{COUNT_BY_STATUS}{conditions} GROUP BY status", *arguments)
        return {_STATUSES[status]: count for status, count in rows}

    async def _one(self, text: str, *arguments: object) -> Order | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else order_from_row(row)

    async def _all(self, text: str, *arguments: object) -> list[Order]:
        return [order_from_row(row) for row in await self._connection.fetch(text, *arguments)]

    async def _all_fills(self, text: str, *arguments: object) -> list[Fill]:
        return fills_from_rows(await self._connection.fetch(text, *arguments))


def _user_conditions(user_id: UUID, conditions: list[Condition]) -> list[Condition]:
    return [("user_id = {}", user_id), *conditions]


def _plan_usage_from_row(row: Record) -> PlanUsage:
    return PlanUsage(plan_from_json(row["plan"]), row["active_orders"])
