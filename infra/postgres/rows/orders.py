"""Orders and fills as rows: their columns, and the way there and back."""

import msgspec
from asyncpg import Record

from domain.model.order_side import OrderSide
from domain.model.orders import Fill, Order, OrderRole, OrderStatus, OrderType, RejectCode, RiskDenial, TimeInForce
from infra.postgres.rows.columns import market_symbol, members_by_value, to_json

ORDER_COLUMNS = """
    id, user_id, account_id, market, client_order_id, side, type, role, quantity, created_at, updated_at, status,
    revision, price, stop_price, time_in_force, expires_at, post_only, reduce_only, trading_session_id, signal_id,
    parent_id, replaces_id, venue_order_id, filled_quantity, filled_cost, denials, reject_reason,
    submitted_at, cancel_requested_at, absences, reject_code, arrival_price"""
SELECT_ORDER = f"SELECT {ORDER_COLUMNS} FROM orders"

INSERT_ORDER = """
INSERT INTO orders (id, user_id, account_id, market, client_order_id, side, type, role, quantity, created_at,
    updated_at, status, revision, price, stop_price, time_in_force, expires_at, post_only, reduce_only,
    trading_session_id, signal_id, parent_id, replaces_id, venue_order_id, filled_quantity, filled_cost, denials,
    reject_reason, submitted_at, cancel_requested_at, absences, reject_code, arrival_price)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
    $25, $26, $27, $28, $29, $30, $31, $32, $33)
ON CONFLICT (account_id, client_order_id) DO NOTHING"""

UPDATE_ORDER = """
UPDATE orders SET side = $6, type = $7, role = $8, quantity = $9, updated_at = $11, status = $12, revision = $13,
    price = $14, stop_price = $15, time_in_force = $16, expires_at = $17, post_only = $18, reduce_only = $19,
    trading_session_id = $20, signal_id = $21, parent_id = $22, replaces_id = $23, venue_order_id = $24,
    filled_quantity = $25, filled_cost = $26, denials = $27, reject_reason = $28, submitted_at = $29,
    cancel_requested_at = $30, absences = $31, reject_code = $32, arrival_price = $33
WHERE id = $1 AND user_id = $2 AND account_id = $3 AND market = $4 AND client_order_id = $5 AND created_at = $10
    AND revision < $13"""

SELECT_FILL = """
SELECT id, order_id, user_id, account_id, market, side, venue_trade_id, at, price, quantity, fee, fee_currency, maker,
    trading_session_id, fee_rate
FROM fills"""

INSERT_FILL = """
INSERT INTO fills (id, order_id, user_id, account_id, market, side, venue_trade_id, at, price, quantity, fee,
    fee_currency, maker, trading_session_id, fee_rate)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (account_id, market, venue_trade_id) DO NOTHING"""

_SIDES = members_by_value(OrderSide)
_TYPES = members_by_value(OrderType)
_ROLES = members_by_value(OrderRole)
_STATUSES = members_by_value(OrderStatus)
_TIMES_IN_FORCE = members_by_value(TimeInForce)
_REJECT_CODES = members_by_value(RejectCode)
_DENIALS = msgspec.json.Decoder(tuple[RiskDenial, ...])


def order_from_row(row: Record) -> Order:
    """Return the order in a row of `SELECT_ORDER`."""
    time_in_force, denials, reject_code = row["time_in_force"], row["denials"], row["reject_code"]
    return Order(
        id=row["id"],
        user_id=row["user_id"],
        account_id=row["account_id"],
        market=market_symbol(row["market"]),
        client_order_id=row["client_order_id"],
        side=_SIDES[row["side"]],
        type=_TYPES[row["type"]],
        role=_ROLES[row["role"]],
        quantity=row["quantity"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        status=_STATUSES[row["status"]],
        revision=row["revision"],
        price=row["price"],
        stop_price=row["stop_price"],
        time_in_force=_TIMES_IN_FORCE[time_in_force] if time_in_force else None,
        expires_at=row["expires_at"],
        post_only=row["post_only"],
        reduce_only=row["reduce_only"],
        trading_session_id=row["trading_session_id"],
        signal_id=row["signal_id"],
        parent_id=row["parent_id"],
        replaces_id=row["replaces_id"],
        venue_order_id=row["venue_order_id"],
        filled_quantity=row["filled_quantity"],
        filled_cost=row["filled_cost"],
        denials=_DENIALS.decode(denials) if denials else (),
        reject_reason=row["reject_reason"],
        submitted_at=row["submitted_at"],
        cancel_requested_at=row["cancel_requested_at"],
        absences=row["absences"],
        reject_code=_REJECT_CODES[reject_code] if reject_code else None,
        arrival_price=row["arrival_price"],
    )


def order_params(order: Order) -> tuple[object, ...]:
    """Return the arguments of `INSERT_ORDER` and `UPDATE_ORDER`, in the order of the columns."""
    return (
        order.id,
        order.user_id,
        order.account_id,
        str(order.market),
        order.client_order_id,
        order.side,
        order.type,
        order.role,
        order.quantity,
        order.created_at,
        order.updated_at,
        order.status,
        order.revision,
        order.price,
        order.stop_price,
        order.time_in_force,
        order.expires_at,
        order.post_only,
        order.reduce_only,
        order.trading_session_id,
        order.signal_id,
        order.parent_id,
        order.replaces_id,
        order.venue_order_id,
        order.filled_quantity,
        order.filled_cost,
        to_json(order.denials) if order.denials else None,
        order.reject_reason,
        order.submitted_at,
        order.cancel_requested_at,
        order.absences,
        order.reject_code,
        order.arrival_price,
    )


def fill_from_row(row: Record) -> Fill:
    """Return the fill in a row of `SELECT_FILL`."""
    return Fill(
        id=row["id"],
        order_id=row["order_id"],
        user_id=row["user_id"],
        account_id=row["account_id"],
        market=market_symbol(row["market"]),
        side=_SIDES[row["side"]],
        venue_trade_id=row["venue_trade_id"],
        at=row["at"],
        price=row["price"],
        quantity=row["quantity"],
        fee=row["fee"],
        fee_currency=row["fee_currency"],
        maker=row["maker"],
        trading_session_id=row["trading_session_id"],
        fee_rate=row["fee_rate"],
    )


def fill_params(fill: Fill) -> tuple[object, ...]:
    """Return the arguments of `INSERT_FILL`, in the order of the columns."""
    return (
        fill.id,
        fill.order_id,
        fill.user_id,
        fill.account_id,
        str(fill.market),
        fill.side,
        fill.venue_trade_id,
        fill.at,
        fill.price,
        fill.quantity,
        fill.fee,
        fill.fee_currency,
        fill.maker,
        fill.trading_session_id,
        fill.fee_rate,
    )
