"""Kraken's private channels: https://docs.kraken.com/exchange/api-reference/spot-websocket-v2/executions."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from domain.core.money import EXACT, ZERO
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus, OrderType
from domain.ports.execution_client import FillReport, OrderReport
from infra.venues.ccxt.conversion import decimal, number, positive
from infra.venues.ccxt.profiles.user_streams import (
    BalancesChanged,
    Message,
    StreamEvent,
    StreamRefused,
    Subscribed,
    UserStreams,
    VenueNames,
)

_MAXIMUM_ORDERS = 10_000
_STATUSES = {
    "new": OrderStatus.OPEN,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
}
_TYPES = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop-loss": OrderType.STOP,
    "stop-loss-limit": OrderType.STOP_LIMIT,
    "take-profit": OrderType.TAKE_PROFIT,
    "take-profit-limit": OrderType.TAKE_PROFIT_LIMIT,
}


def kraken_streams(names: VenueNames) -> UserStreams:
    """Return the reader of a new connection: one channel has orders and fills, another the balances."""
    return UserStreams(_Executions(names).read, frozenset({"executions", "balances"}))


class _Executions:
    """Reads messages; an order's first message has its market and side, the later ones only what has changed."""

    def __init__(self, names: VenueNames) -> None:
        self._names = names
        self._orders: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def read(self, message: Message) -> list[StreamEvent] | None:
        if message.get("method") == "subscribe":
            if message.get("success") is not True:
                raise StreamRefused(str(message.get("error"))[:200])
            return [Subscribed(str(message["result"]["channel"]))]
        if message.get("channel") == "balances":
            # Totals alone: what is free depends on open orders.
            return [BalancesChanged()]
        if message.get("channel") == "executions":
            return [event for data in message["data"] for event in self._read(data)]
        return None

    def _read(self, data: Mapping[str, Any]) -> Iterator[StreamEvent]:
        order_id = str(data["order_id"])
        known = self._orders.setdefault(order_id, {})
        known |= {name: value for name, value in data.items() if value is not None}
        self._orders.move_to_end(order_id)
        if len(self._orders) > _MAXIMUM_ORDERS:
            self._orders.popitem(last=False)
        if data.get("exec_type") == "trade":
            yield from self._fill(known)
        elif data.get("order_status") != "pending_new":
            yield from self._report(known)

    def _fill(self, data: Mapping[str, Any]) -> Iterator[FillReport]:
        market = self._names.market(data.get("symbol"))
        if market is None:
            return
        fees = data.get("fees") or [{}]
        currency = fees[0].get("asset")
        paid = [number(fee.get("qty")) for fee in fees if fee.get("asset") == currency]
        yield FillReport(
            market=market,
            venue_order_id=str(data["order_id"]),
            client_order_id=self._names.order_id(data.get("cl_ord_id")) or None,
            venue_trade_id=str(data["exec_id"]),
            at=datetime.fromisoformat(data["timestamp"]),
            side=OrderSide(data["side"].upper()),
            price=positive(data["last_price"]),
            quantity=positive(data["last_qty"]),
            fee=_sum(paid),
            fee_currency=self._names.currency(currency) if currency else "",
            maker={"m": True, "t": False}.get(str(data.get("liquidity_ind"))),
        )

    def _report(self, data: Mapping[str, Any]) -> Iterator[OrderReport]:
        market = self._names.market(data.get("symbol"))
        if market is None or "side" not in data or "order_qty" not in data:
            # Of an order that was placed before the connection and isn't open: the reconciliation has it.
            return
        kind = _TYPES.get(str(data.get("order_type")), OrderType.LIMIT)
        status = _STATUSES.get(str(data.get("order_status")), OrderStatus.OPEN)
        filled = number(data.get("cum_qty"))
        yield OrderReport(
            market=market,
            client_order_id=self._names.order_id(data.get("cl_ord_id")),
            venue_order_id=str(data["order_id"]),
            status=OrderStatus.PARTIALLY_FILLED if status is OrderStatus.OPEN and filled else status,
            side=OrderSide(data["side"].upper()),
            type=kind,
            quantity=number(data["order_qty"]),
            filled_quantity=filled,
            price=decimal(data.get("limit_price")) if kind.has_price else None,
            stop_price=_stop_price(data) if kind.has_stop_price else None,
            at=datetime.fromisoformat(data["timestamp"]) if data.get("timestamp") else None,
        )


def _stop_price(data: Mapping[str, Any]) -> Decimal | None:
    triggers = data.get("triggers") or {}
    return decimal(triggers.get("price") or data.get("stop_price"))


def _sum(amounts: list[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
