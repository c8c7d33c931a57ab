"""What the risk checks look at, in one statement: it runs in the transaction that decides whether an order is sent."""

from datetime import datetime

from asyncpg import Record

from domain.model.orders import Order
from domain.model.trading import Balance
from domain.model.trading_state import TradingState
from domain.ports.orders import RiskSnapshot
from infra.postgres.repositories.accounts import account_from_row
from infra.postgres.repositories.positions import position_from_row
from infra.postgres.rows.columns import members_by_value
from infra.postgres.rows.orders import order_from_row
from infra.postgres.rows.trading_sessions import trading_session_from_row

# Whole rows as arrays of the tables' own types, whose fields have names and keep their types. PENDING is left out of
# the condition on the status, which the partial index orders_active still implies.
SELECT_RISK_SNAPSHOT = """
SELECT account.id, account.user_id, account.name, account.kind, account.venue, account.currency, account.created_at,
    account.archived_at, account.trading_state, account.risk, account.reconciled_at,
    users.trading_state AS user_state,
    (SELECT trading_state FROM engine_state) AS engine_state,
    (SELECT one FROM trading_sessions AS one WHERE one.id = $3) AS session,
    ARRAY (SELECT one FROM balances AS one WHERE one.account_id = account.id) AS balances,
    ARRAY (SELECT one FROM positions AS one WHERE one.account_id = account.id AND one.closed_at IS NULL
        ORDER BY one.id) AS positions,
    ARRAY (SELECT one FROM orders AS one WHERE one.account_id = account.id AND one.id <> $2
        AND one.status IN ('SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL')
        ORDER BY one.id) AS active,
    (SELECT count(*) FROM orders AS one WHERE one.account_id = account.id AND one.submitted_at >= $4)
        AS sent_by_account,
    (SELECT count(*) FROM orders AS one WHERE one.account_id = account.id AND one.submitted_at >= $4
        AND one.trading_session_id = $3) AS sent_by_session
FROM accounts AS account JOIN users ON users.id = account.user_id
WHERE account.id = $1"""

_STATES = members_by_value(TradingState)


def risk_snapshot_params(order: Order, sent_since: datetime) -> tuple[object, ...]:
    """Return the arguments of `SELECT_RISK_SNAPSHOT`."""
    return order.account_id, order.id, order.trading_session_id, sent_since


def risk_snapshot_from_row(row: Record) -> RiskSnapshot:
    """Return the facts in a row of `SELECT_RISK_SNAPSHOT`."""
    session = row["session"]
    return RiskSnapshot(
        engine_state=_STATES[row["engine_state"]],
        user_state=_STATES[row["user_state"]],
        account=account_from_row(row),
        session=None if session is None else trading_session_from_row(session),
        balances=tuple(Balance(one["currency"], one["total"], one["free"]) for one in row["balances"]),
        positions=tuple(position_from_row(one) for one in row["positions"]),
        active=tuple(order_from_row(one) for one in row["active"]),
        sent_by_account=row["sent_by_account"],
        sent_by_session=row["sent_by_session"],
    )
