"""Orders and fills as rows: their columns, statements, and the conversion both ways."""

from decimal import Decimal

import msgspec

from domain.model.order_side import OrderSide
from domain.model.orders import (
    CancelCode,
    Fill,
    Order,
    OrderRole,
    OrderStatus,
    OrderType,
    RejectCode,
    RiskDenial,
    TimeInForce,
)
from infra.postgres.rows.columns import market_symbol, members_by_value, to_json
from infra.postgres.rows.mapper import RowMapper

_SIDES = members_by_value(OrderSide)
_TYPES = members_by_value(OrderType)
_ROLES = members_by_value(OrderRole)
_STATUSES = members_by_value(OrderStatus)
_TIMES_IN_FORCE = members_by_value(TimeInForce)
_REJECT_CODES = members_by_value(RejectCode)
_CANCEL_CODES = members_by_value(CancelCode)
_DENIALS = msgspec.json.Decoder(tuple[RiskDenial, ...])


def _decode_time_in_force(value: str | None) -> TimeInForce | None:
    return _TIMES_IN_FORCE[value] if value else None


def _decode_reject_code(value: str | None) -> RejectCode | None:
    return _REJECT_CODES[value] if value else None


def _decode_cancel_code(value: str | None) -> CancelCode | None:
    return _CANCEL_CODES[value] if value else None


def _decode_denials(document: bytes | None) -> tuple[RiskDenial, ...]:
    return _DENIALS.decode(document) if document else ()


def _encode_denials(denials: tuple[RiskDenial, ...]) -> bytes | None:
    return to_json(denials) if denials else None


_ORDERS = RowMapper(
    "orders",
    Order,
    decoders={
        "market": market_symbol,
        "side": _SIDES.__getitem__,
        "type": _TYPES.__getitem__,
        "role": _ROLES.__getitem__,
        "status": _STATUSES.__getitem__,
        "time_in_force": _decode_time_in_force,
        "denials": _decode_denials,
        "reject_code": _decode_reject_code,
        "cancel_code": _decode_cancel_code,
    },
    encoders={"market": str, "denials": _encode_denials},
)
_FILLS = RowMapper(
    "fills",
    Fill,
    decoders={
        "market": market_symbol,
        "side": _SIDES.__getitem__,
        "price": Decimal,
        "quantity": Decimal,
        "fee": Decimal,
    },
    encoders={"market": str},
    texts=("price", "quantity", "fee"),
)

ORDER_COLUMNS = _ORDERS.columns
ORDER_PLACEHOLDERS = _ORDERS.placeholders
ORDER_PARAMS = len(_ORDERS)
"""The number of `order_params`."""

# Repeats the condition of the partial index orders_active: otherwise it wouldn't be used.
IS_ACTIVE = "status IN ('PENDING', 'SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL')"
SELECT_ORDER = _ORDERS.select
INSERT_ORDER = _ORDERS.insert(on_conflict="account_id, client_order_id")
UPDATE_ORDER = (
    _ORDERS.update("id", "user_id", "account_id", "market", "client_order_id", "created_at")
    + f" AND revision < {_ORDERS.placeholder('revision')}"
)
SELECT_FILL = _FILLS.select
INSERT_FILL = _FILLS.insert(on_conflict="account_id, market, venue_trade_id, order_id")

order_from_row = _ORDERS.from_row
order_params = _ORDERS.params
order_placeholder = _ORDERS.placeholder
fill_from_row = _FILLS.from_row
fills_from_rows = _FILLS.from_rows
fill_params = _FILLS.params
