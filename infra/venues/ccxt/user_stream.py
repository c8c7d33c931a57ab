"""Binance's user data stream messages as the domain's reports.

Payloads: https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from domain.core.clock import from_milliseconds
from domain.core.money import EXACT
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus
from domain.model.trading import Balance
from domain.ports.execution_client import BalanceReport, FillReport, OrderReport
from infra.venues.ccxt.conversion import decimal, number, order_type, positive

Report = Mapping[str, Any]

_STATUSES = {
    "NEW": OrderStatus.OPEN,
    "PENDING_NEW": OrderStatus.OPEN,
    "PENDING_CANCEL": OrderStatus.OPEN,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
}


def execution_report(report: Report, symbol: MarketSymbol) -> OrderReport:
    """Return the order of an `executionReport` after the event, with its fill if the event is a trade."""
    kind = order_type({"type": report["o"]})
    price = decimal(report["p"]) if kind.has_price else None
    status = _STATUSES.get(report["X"], OrderStatus.OPEN)
    filled = number(report["z"])
    return OrderReport(
        market=symbol,
        client_order_id=_client_order_id(report),
        venue_order_id=str(report["i"]),
        status=OrderStatus.PARTIALLY_FILLED if status is OrderStatus.OPEN and filled else status,
        side=OrderSide(report["S"]),
        type=kind,
        quantity=number(report["q"]),
        filled_quantity=filled,
        price=price,
        stop_price=decimal(report["P"]) if kind.has_stop_price else None,
        at=from_milliseconds(report["T"]),
        fills=(_fill(report, symbol),) if report["x"] == "TRADE" else (),
        triggered=kind.waits_for_trigger and "W" in report,  # W is when the order began to work: at its trigger
    )


def account_position(report: Report, currency_of: Callable[[str], str]) -> BalanceReport:
    """Return the balances of an `outboundAccountPosition`."""
    at = from_milliseconds(report["u"])
    return BalanceReport(tuple(_balance(currency_of(row["a"]), row, at) for row in report["B"]))


def _balance(currency: str, row: Report, at: datetime) -> Balance:
    free, locked = number(row["f"]), number(row["l"])
    return Balance(currency, total=EXACT.add(free, locked), free=free, at=at)


def _fill(report: Report, symbol: MarketSymbol) -> FillReport:
    return FillReport(
        market=symbol,
        venue_order_id=str(report["i"]),
        client_order_id=_client_order_id(report),
        venue_trade_id=str(report["t"]),
        at=from_milliseconds(report["T"]),
        side=OrderSide(report["S"]),
        price=positive(report["L"]),
        quantity=positive(report["l"]),
        fee=number(report["n"]),
        fee_currency=report["N"] or "",
        maker=report["m"],
    )


def _client_order_id(report: Report) -> str:
    """Return the order's id: `C` for a cancel, whose own id is in `c`; `C` is empty otherwise."""
    return str(report.get("C") or report["c"])
