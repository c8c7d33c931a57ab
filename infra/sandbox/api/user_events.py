"""The user data stream's events as Binance's JSON.

Source: developers.binance.com/docs/binance-spot-api-docs/user-data-stream.
"""

from infra.sandbox.api.binance_json import Json, list_status_type
from infra.sandbox.fixed_point import format_units
from infra.sandbox.matching.matcher import Execution
from infra.sandbox.order_lists import ListReport
from infra.sandbox.orders import OrderType


def execution_report(execution: Execution, event_ms: int) -> Json:
    """Return one step of an order as the user data stream's `executionReport`."""
    order, fill = execution.order, execution.fill
    former_id = execution.old_client_id or (order.client_id if order.cancel_id else "")
    report: Json = {
        "e": "executionReport",
        "E": event_ms,
        "s": order.symbol,
        "c": order.cancel_id or order.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": format_units(order.quantity),
        "p": format_units(order.price),
        "P": format_units(order.stop_price),
        "F": format_units(order.iceberg),
        "g": order.list_id,
        "C": former_id,
        "x": execution.kind,
        "X": order.status,
        "r": execution.reason,
        "i": order.id,
        "l": format_units(fill.quantity if fill else 0),
        "z": format_units(order.executed),
        "L": format_units(fill.price if fill else 0),
        "n": format_units(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": order.updated_ms,
        "t": fill.trade_id if fill else -1,
        "I": order.id * 8 + 1,
        "w": order.is_open and order.working_ms >= 0 and order.type is not OrderType.MARKET,
        "m": bool(fill and fill.maker),
        "M": fill is not None,
        "O": order.created_ms,
        "Z": format_units(order.quote_executed),
        "Y": format_units(fill.quote if fill else 0),
        "Q": format_units(order.quote_quantity),
        "V": order.self_trade,
    }
    return report | _conditional(execution)


def _conditional(execution: Execution) -> Json:
    """Return the fields that an `executionReport` has only for some orders."""
    order, match, found = execution.order, execution.prevented, Json()
    if order.working_ms >= 0:
        found["W"] = order.working_ms
    if order.trailing_delta:
        found |= {"d": order.trailing_delta} | ({"D": order.trailing_ms} if order.trailing_ms >= 0 else {})
    if order.strategy_id >= 0:
        found["j"] = order.strategy_id
    if order.strategy_type >= 0:
        found["J"] = order.strategy_type
    if match is not None:
        prevented = format_units(order.prevented)
        other = match.maker_id if order.id == match.taker_id else match.taker_id
        found |= {"v": match.id, "A": prevented, "B": prevented, "u": -1, "U": other, "Cs": match.symbol}
    return found


def account_position(balances: tuple[tuple[str, int, int], ...], event_ms: int) -> Json:
    """Return changed balances as the user data stream's `outboundAccountPosition`."""
    rows = [{"a": asset, "f": format_units(free), "l": format_units(locked)} for asset, free, locked in balances]
    return {"e": "outboundAccountPosition", "E": event_ms, "u": event_ms, "B": rows}


def balance_update(asset: str, amount: int, event_ms: int) -> Json:
    """Return a deposit as the user data stream's `balanceUpdate`."""
    return {"e": "balanceUpdate", "E": event_ms, "a": asset, "d": format_units(amount), "T": event_ms}


def list_status(report: ListReport, event_ms: int) -> Json:
    """Return a new or changed list as the user data stream's `listStatus`."""
    kept = report.info
    return {
        "e": "listStatus",
        "E": event_ms,
        "s": kept.symbol,
        "g": kept.id,
        "c": kept.contingency,
        "l": list_status_type(report),
        "L": kept.status,
        "r": "NONE",
        "C": kept.client_id,
        "T": kept.updated_ms,
        "O": [{"s": order.symbol, "i": order.id, "c": order.client_id} for order in report.orders],
    }
