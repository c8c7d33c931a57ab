"""Cancels an order and places another in one step, of which either half may fail.

Source: developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints, "Cancel an Existing Order and Send
a New Order".
"""

from dataclasses import dataclass
from enum import StrEnum

from infra.sandbox.errors import ExchangeError, OrderRejectedError
from infra.sandbox.matching.admission import check_client_id, check_funds, check_price
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.filters import check_filters
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.order_lists import CancelReport
from infra.sandbox.orders import NewOrder, Order, PlacedOrder, Status
from infra.sandbox.state.store import Account


class ReplaceMode(StrEnum):
    """Whether the new order is tried although the old one couldn't be cancelled."""

    STOP_ON_FAILURE = "STOP_ON_FAILURE"
    ALLOW_FAILURE = "ALLOW_FAILURE"


@dataclass(frozen=True, slots=True)
class Replacement:
    """A request to cancel `old` (None: not found) under `cancel_id`, if it is in status `only`, and place `new`."""

    old: Order | None
    cancel_id: str
    only: Status | None
    mode: ReplaceMode
    new: NewOrder


@dataclass(frozen=True, slots=True)
class ReplaceReport:
    """What became of both halves; `placed` is None if the new order wasn't tried."""

    cancelled: CancelReport | ExchangeError
    placed: PlacedOrder | ExchangeError | None


def cancel_replace(exchange: Exchange, account: Account, request: Replacement) -> ReplaceReport:
    """Carry out a replacement; raises, with nothing done, if the new order breaks a filter."""
    market = exchange.tradable_market(request.new.symbol)
    order = exchange.entry.draft(account.uid, request.new)
    check_filters(market, exchange.ledger, order, exchange.open_orders(account.uid, order.symbol))
    placed: PlacedOrder | ExchangeError | None = None
    cancelled = _cancel(exchange, account, order.symbol, request)
    if isinstance(cancelled, CancelReport) or request.mode is ReplaceMode.ALLOW_FAILURE:
        placed = _place(exchange, market, order)
    if isinstance(cancelled, CancelReport) and isinstance(placed, OrderRejectedError):
        exchange.entry.reject(order, placed.reason)
    exchange.flush()
    return ReplaceReport(cancelled, placed)


def _cancel(exchange: Exchange, account: Account, symbol: str, request: Replacement) -> CancelReport | ExchangeError:
    try:
        return exchange.close_order(account, symbol, request.old, request.cancel_id, request.only)
    except ExchangeError as error:
        return error


def _place(exchange: Exchange, market: SimulatedMarket, order: Order) -> PlacedOrder | OrderRejectedError:
    try:
        check_client_id(order, exchange.open_orders(order.uid, order.symbol))
        check_price(market, order)
        check_funds(market, exchange.matcher, [order])
    except OrderRejectedError as error:
        return error
    return exchange.entry.accept(market, order)
