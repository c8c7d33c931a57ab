"""The conditions of queries that filter orders and fills."""

from domain.model.orders import ACTIVE
from domain.ports.orders import OrderFilter
from infra.postgres.repositories.trading_sessions import OF_STRATEGY
from infra.postgres.rows.orders import IS_ACTIVE
from infra.postgres.sql import Condition


def order_conditions(order_filter: OrderFilter) -> list[Condition]:
    """Return the conditions of a filter of orders, without a user."""
    # Implied by the statuses, but only this text makes PostgreSQL use the partial index of active orders.
    is_active = order_filter.statuses is not None and ACTIVE.issuperset(order_filter.statuses)
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
    """Return the conditions of a filter of fills, without a user."""
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
