"""The stored input of the risk checks, read in one statement by the transaction that decides about an order."""

from datetime import datetime

from asyncpg import Record

from domain.model.orders import Order
from domain.model.trading import Balance, TradingSession
from domain.model.trading_state import TradingState
from domain.ports.orders import RiskSnapshot
from infra.postgres.rows.accounts import account_from_row, position_from_row
from infra.postgres.rows.columns import members_by_value
from infra.postgres.rows.halts import applies_to
from infra.postgres.rows.orders import order_from_row
from infra.postgres.rows.trading_sessions import trading_session_from_row

# Arrays of whole rows, whose composite types keep the names and types of the columns. The condition on the status
# leaves PENDING out, and still implies that of the partial index orders_active.
# The account's limits come as text too: another node may have changed them when the decision is committed.
SELECT_RISK_SNAPSHOT = f"""
SELECT account.id, account.user_id, account.name, account.kind, account.venue, account.currency, account.created_at,
    account.archived_at, account.risk, account.reconciled_at, account.reconciled_until, account.risk::text AS limits,
    halt_state('ACCOUNT', account.id) AS trading_state,
    ARRAY (SELECT state FROM halts WHERE {applies_to("account.user_id", "account.id", "$3")}) AS halts,
    halt_state('TRADING_SESSION', $3) AS session_state,
    (SELECT extract(epoch FROM clock_timestamp() - coalesce(placed.placed_at, placed.created_at))
        FROM orders AS placed WHERE placed.id = $2) AS age_seconds,
    (SELECT session_row FROM trading_sessions AS session_row WHERE session_row.id = $3) AS session,
    ARRAY (SELECT balance_row FROM balances AS balance_row WHERE balance_row.account_id = account.id) AS balances,
    ARRAY (SELECT position_row FROM positions AS position_row WHERE position_row.account_id = account.id
        AND position_row.closed_at IS NULL ORDER BY position_row.id) AS positions,
    ARRAY (SELECT order_row FROM orders AS order_row WHERE order_row.account_id = account.id AND order_row.id <> $2
        AND order_row.status IN ('SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL')
        ORDER BY order_row.id) AS active,
    ARRAY (SELECT ended FROM orders AS ended WHERE ended.account_id = account.id AND ended.id <> $2
        AND ended.reported_quantity > ended.filled_quantity AND ended.awaits_fills ORDER BY ended.id) AS awaited,
    ARRAY (SELECT sent FROM orders AS sent WHERE sent.account_id = account.id AND sent.submitted_at >= $4
        ORDER BY sent.submitted_at) AS recent
FROM accounts AS account
WHERE account.id = $1"""

_STATES = members_by_value(TradingState)


def risk_snapshot_params(order: Order, sent_since: datetime) -> tuple[object, ...]:
    """Return the parameters of `SELECT_RISK_SNAPSHOT`."""
    return order.account_id, order.id, order.trading_session_id, sent_since


def risk_snapshot_from_row(row: Record) -> RiskSnapshot:
    """Return the snapshot in a row of `SELECT_RISK_SNAPSHOT`."""
    session = row["session"]
    return RiskSnapshot(
        halts=tuple(_STATES[state] for state in row["halts"]),
        account=account_from_row(row),
        limits=row["limits"],
        session=None if session is None else _session_from_row(session, row["session_state"]),
        balances=tuple(
            Balance(balance["currency"], balance["total"], balance["free"], balance["at"])
            for balance in row["balances"]
        ),
        positions=tuple(position_from_row(position) for position in row["positions"]),
        active=tuple(order_from_row(active) for active in (*row["active"], *row["awaited"])),
        recent=tuple(order_from_row(sent) for sent in row["recent"]),
        age_seconds=float(row["age_seconds"] or 0),
    )


def _session_from_row(row: Record, trading_state: str) -> TradingSession:
    return trading_session_from_row({**row, "trading_state": trading_state, "last_candle_at": None})
