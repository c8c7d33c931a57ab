"""Orders and fills in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.core.pagination import KeysetPage
from domain.model.markets import MarketSymbol
from domain.model.orders import ACTIVE as ACTIVE_STATES
from domain.model.orders import Fill, Order, OrderStatus
from domain.ports.leases import Lease
from domain.ports.orders import DuplicateOrder, OrderFilter, RiskSnapshot, StaleOrder
from infra.postgres.repositories.base import Repository
from infra.postgres.repositories.order_updates import OrderUpdateStatement
from infra.postgres.repositories.trading_sessions import OF_STRATEGY
from infra.postgres.rows.columns import members_by_value
from infra.postgres.rows.orders import (
    INSERT_FILL,
    INSERT_ORDER,
    ORDER_COLUMNS,
    SELECT_FILL,
    SELECT_ORDER,
    UPDATE_ORDER,
    fill_from_row,
    fill_params,
    order_from_row,
    order_params,
)
from infra.postgres.rows.risk import SELECT_RISK_SNAPSHOT, risk_snapshot_from_row, risk_snapshot_params
from infra.postgres.sql import Condition, where

# The texts below are those of the partial indexes orders_active and orders_commands, or PostgreSQL won't use them.
IS_ACTIVE = "status IN ('PENDING', 'SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL')"
IS_COMMAND = (
    "(status = 'PENDING' OR (cancel_requested_at IS NOT NULL"
    " AND status IN ('SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED')))"
)

# Not FOR UPDATE: a row that refers to the order (a fill of it) may be written by others meanwhile.
LOCK = " FOR NO KEY UPDATE"
GET = SELECT_ORDER + " WHERE id = $1 AND user_id = $2"
LOCKED = SELECT_ORDER + " WHERE id = $1" + LOCK
LOCKED_BY_CLIENT_ID = SELECT_ORDER + " WHERE account_id = $1 AND client_order_id = $2" + LOCK
LOCKED_BY_VENUE_ID = SELECT_ORDER + " WHERE account_id = $1 AND market = $2 AND venue_order_id = $3" + LOCK
COMMANDS = SELECT_ORDER + f" WHERE account_id = $1 AND {IS_COMMAND} ORDER BY id"
ACTIVE = SELECT_ORDER + f" WHERE account_id = $1 AND {IS_ACTIVE} ORDER BY id"
EXPIRED = SELECT_ORDER + (
    f" WHERE account_id = $1 AND {IS_ACTIVE} AND expires_at <= $2 AND cancel_requested_at IS NULL ORDER BY id"
)
RECENT = SELECT_ORDER + " WHERE account_id = $1 AND updated_at >= $2 ORDER BY id"
MANY = SELECT_ORDER + " WHERE id = ANY($1::uuid[])"
REPLACING = SELECT_ORDER + " WHERE replaces_id = ANY($1::uuid[])"
PROTECTING = SELECT_ORDER + " WHERE parent_id = ANY($1::uuid[])"

RECORDED_TRADES = """
SELECT fills.venue_trade_id, orders.venue_order_id FROM fills JOIN orders ON orders.id = fills.order_id
WHERE fills.account_id = $1 AND fills.market = $2 AND fills.venue_trade_id = ANY($3::text[])"""
FILL = SELECT_FILL + " WHERE id = $1 AND user_id = $2"
FILLS_OF_ORDER = SELECT_FILL + " WHERE order_id = $1 ORDER BY at, id"
FILLS_OF_ORDERS = SELECT_FILL + " WHERE order_id = ANY($1::uuid[]) ORDER BY id DESC"
OUTCOME_COUNTS = "SELECT status, count(*) FROM orders"
# The rows are locked oldest first: two who cancel at once wait for each other instead of deadlocking.
REQUEST_CANCELS = f"""
UPDATE orders SET cancel_requested_at = {{at}}, updated_at = greatest(updated_at, {{at}}), revision = revision + 1
WHERE id IN (
    SELECT id FROM orders{{conditions}} AND {IS_ACTIVE} AND status <> 'PENDING_CANCEL' AND cancel_requested_at IS NULL
    ORDER BY id FOR NO KEY UPDATE
) RETURNING {ORDER_COLUMNS}"""

_STATUSES = members_by_value(OrderStatus)


class PostgresOrders(Repository):
    """See `domain.ports.orders.OrderRepository`."""

    step: OrderUpdateStatement | None = None

    async def add(self, order: Order) -> None:
        """Store a new order; raises `DuplicateOrder` where its account has that client order id already."""
        if await self._connection.execute(INSERT_ORDER, *order_params(order)) == "INSERT 0 0":
            raise DuplicateOrder(order)

    async def save(self, order: Order) -> None:
        """Store a changed order; raises `StaleOrder` unless its revision is higher than the stored one."""
        if await self._connection.execute(UPDATE_ORDER, *order_params(order)) == "UPDATE 0":
            raise StaleOrder(order)

    def compare_and_save(self, before: Order, after: Order, lease: Lease | None = None) -> None:
        """Write a step at the end of the transaction, together with its events, instead of `save` now."""
        assert self.step is None, "one step of one order a transaction"
        self.step = OrderUpdateStatement(before, after, lease)

    async def get(self, user_id: UUID, order_id: UUID) -> Order | None:
        """Return an order of the user."""
        return await self._one(GET, order_id, user_id)

    async def get_for_update(self, order_id: UUID) -> Order | None:
        """Return an order and hold its row until the transaction ends."""
        return await self._one(LOCKED, order_id)

    async def get_for_update_by_client_id(self, account_id: UUID, client_order_id: str) -> Order | None:
        """Return an order by its client order id and hold its row."""
        return await self._one(LOCKED_BY_CLIENT_ID, account_id, client_order_id)

    async def get_for_update_by_venue_id(
        self, account_id: UUID, market: MarketSymbol, venue_order_id: str
    ) -> Order | None:
        """Return an order by the id that its venue gave it on that market, and hold its row."""
        return await self._one(LOCKED_BY_VENUE_ID, account_id, str(market), venue_order_id)

    async def recorded_trades(
        self, account_id: UUID, market: MarketSymbol, venue_trade_ids: Sequence[str]
    ) -> set[tuple[str, str]]:
        """Return which of the venue's trades are stored as fills: the trade's id with the venue's id of its order."""
        rows = await self._connection.fetch(RECORDED_TRADES, account_id, str(market), list(venue_trade_ids))
        return {(row["venue_trade_id"], row["venue_order_id"]) for row in rows}

    async def list_commands(self, account_id: UUID) -> list[Order]:
        """Return what the account's executor has to do, oldest first."""
        return await self._all(COMMANDS, account_id)

    async def list_active(self, account_id: UUID) -> list[Order]:
        """Return the account's orders that are not final, oldest first."""
        return await self._all(ACTIVE, account_id)

    async def list_expired(self, account_id: UUID, now: datetime) -> list[Order]:
        """Return active orders whose `expires_at` has passed and whose cancel is not requested yet."""
        return await self._all(EXPIRED, account_id, now)

    async def list_changed_since(self, account_id: UUID, since: datetime) -> list[Order]:
        """Return the account's orders, final ones too, that changed since then, oldest first."""
        return await self._all(RECENT, account_id, since)

    async def list_page(self, user_id: UUID, page: KeysetPage, order_filter: OrderFilter) -> list[Order]:
        """Return the user's orders."""
        rows = await self._page(SELECT_ORDER, page, _of_user(user_id, order_conditions(order_filter)))
        return [order_from_row(row) for row in rows]

    async def get_many(self, ids: Sequence[UUID]) -> list[Order]:
        """Return the orders that exist, in any order (for batches)."""
        return await self._all(MANY, list(ids))

    async def list_replacements(self, ids: Sequence[UUID]) -> list[Order]:
        """Return the orders that replace one of `ids` (for batches)."""
        return await self._all(REPLACING, list(ids))

    async def list_children(self, parent_ids: Sequence[UUID]) -> list[Order]:
        """Return the orders whose parent is one of `parent_ids` (for batches)."""
        return await self._all(PROTECTING, list(parent_ids))

    async def risk_snapshot(self, order: Order, sent_since: datetime) -> RiskSnapshot:
        """Return what the risk checks of an order look at, read in one statement."""
        row = await self._connection.fetchrow(SELECT_RISK_SNAPSHOT, *risk_snapshot_params(order, sent_since))
        assert row is not None  # the order's row refers to the account's
        return risk_snapshot_from_row(row)

    async def request_cancels(
        self,
        user_id: UUID,
        account_id: UUID,
        market: MarketSymbol | None,
        trading_session_id: UUID | None,
        at: datetime,
    ) -> list[Order]:
        """Ask for the cancel of every active order that fits and isn't being cancelled; return them, oldest first."""
        conditions, arguments = where(
            _of_user(user_id, _shared_conditions(OrderFilter(account_id, trading_session_id, market)))
        )
        text = REQUEST_CANCELS.format(conditions=conditions, at=f"${len(arguments) + 1}")
        rows = await self._connection.fetch(text, *arguments, at)
        return sorted((order_from_row(row) for row in rows), key=lambda order: order.id)

    async def add_fill(self, fill: Fill) -> bool:
        """Store a fill; False where that venue trade of the account and market is there already."""
        return await self._connection.execute(INSERT_FILL, *fill_params(fill)) == "INSERT 0 1"

    async def get_fill(self, user_id: UUID, fill_id: UUID) -> Fill | None:
        """Return a fill of the user."""
        row = await self._connection.fetchrow(FILL, fill_id, user_id)
        return None if row is None else fill_from_row(row)

    async def list_fills_page(self, user_id: UUID, page: KeysetPage, order_filter: OrderFilter) -> list[Fill]:
        """Return the user's fills."""
        rows = await self._page(SELECT_FILL, page, _of_user(user_id, fill_conditions(order_filter)))
        return [fill_from_row(row) for row in rows]

    async def list_fills_of_order(self, order_id: UUID) -> list[Fill]:
        """Return the fills of one order, oldest first."""
        return await self._all_fills(FILLS_OF_ORDER, order_id)

    async def list_fills_of_orders(self, order_ids: Sequence[UUID]) -> list[Fill]:
        """Return the fills of several orders, newest first (for batches)."""
        return await self._all_fills(FILLS_OF_ORDERS, list(set(order_ids)))

    async def list_all_fills(self, user_id: UUID, order_filter: OrderFilter) -> list[Fill]:
        """Return every fill that fits, oldest first (for reports)."""
        conditions, arguments = where(_of_user(user_id, fill_conditions(order_filter)))
        return await self._all_fills(f"{SELECT_FILL}{conditions} ORDER BY at, id", *arguments)

    async def count_by_status(self, user_id: UUID, order_filter: OrderFilter) -> dict[OrderStatus, int]:
        """Return how many orders that fit are in each state (for reports)."""
        conditions, arguments = where(_of_user(user_id, order_conditions(order_filter)))
        rows = await self._connection.fetch(f"{OUTCOME_COUNTS}{conditions} GROUP BY status", *arguments)
        return {_STATUSES[status]: count for status, count in rows}

    async def _one(self, text: str, *arguments: object) -> Order | None:
        row = await self._connection.fetchrow(text, *arguments)
        return None if row is None else order_from_row(row)

    async def _all(self, text: str, *arguments: object) -> list[Order]:
        return [order_from_row(row) for row in await self._connection.fetch(text, *arguments)]

    async def _all_fills(self, text: str, *arguments: object) -> list[Fill]:
        return [fill_from_row(row) for row in await self._connection.fetch(text, *arguments)]


def order_conditions(order_filter: OrderFilter) -> list[Condition]:
    """Return the conditions of a filter of orders, whoever's they are."""
    # Implied, but PostgreSQL sees only by this text that the few active orders have an index of their own.
    is_active = order_filter.statuses is not None and ACTIVE_STATES.issuperset(order_filter.statuses)
    return [
        *([(IS_ACTIVE,)] if is_active else []),
        *_shared_conditions(order_filter),
        ("status = ANY({}::text[])", order_filter.statuses),
        ("type = ANY({}::text[])", order_filter.types),
        ("role = ANY({}::text[])", order_filter.roles),
        ("created_at >= {}", order_filter.start),
        ("created_at < {}", order_filter.end),
    ]


def fill_conditions(order_filter: OrderFilter) -> list[Condition]:
    """Return the conditions of a filter of fills, whoever's they are."""
    return [
        *_shared_conditions(order_filter),
        ("order_id IN (SELECT id FROM orders WHERE status = ANY({}::text[]))", order_filter.statuses),
        ("order_id IN (SELECT id FROM orders WHERE type = ANY({}::text[]))", order_filter.types),
        ("order_id IN (SELECT id FROM orders WHERE role = ANY({}::text[]))", order_filter.roles),
        ("at >= {}", order_filter.start),
        ("at < {}", order_filter.end),
    ]


def _shared_conditions(order_filter: OrderFilter) -> list[Condition]:
    """Return the conditions that orders and fills have in common."""
    return [
        ("account_id = {}", order_filter.account_id),
        ("trading_session_id = {}", order_filter.trading_session_id),
        ("market = {}", None if order_filter.market is None else str(order_filter.market)),
        ("side = {}", order_filter.side),
        (
            f"trading_session_id IN (SELECT session.id FROM trading_sessions AS session WHERE {OF_STRATEGY})",
            order_filter.strategy_id,
        ),
    ]


def _of_user(user_id: UUID, conditions: list[Condition]) -> list[Condition]:
    return [("user_id = {}", user_id), *conditions]
