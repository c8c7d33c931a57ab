"""Checks a new order against its market's filters.

Source: developers.binance.com/docs/binance-spot-api-docs/filters.
"""

from collections.abc import Sequence

from infra.sandbox.errors import ExchangeError, FilterFailureError
from infra.sandbox.fixed_point import notional
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.matching.market_specs import MarketSpec
from infra.sandbox.orders import STOP_TYPES, Order, OrderType, Side


def check_filters(market: SimulatedMarket, order: Order, open_orders: Sequence[Order]) -> None:
    """Raise `FilterFailureError` for the first filter of its market that `order` breaks.

    `open_orders` are the account's own in this market.
    """
    spec, average_price = market.spec, market.average_price()
    _check_prices(spec, order, average_price)
    _check_quantity(spec, order)
    _check_notional(spec, order, average_price)
    if len(open_orders) >= spec.max_orders:
        raise FilterFailureError("MAX_NUM_ORDERS")
    stops = sum(1 for resting in open_orders if resting.is_untriggered)
    if order.type in STOP_TYPES and stops >= spec.max_stop_orders:
        raise FilterFailureError("MAX_NUM_ALGO_ORDERS")


def _check_prices(spec: MarketSpec, order: Order, average_price: int) -> None:
    for price, applies in ((order.price, order.has_price), (order.stop_price, order.type in STOP_TYPES)):
        if applies and not (spec.min_price <= price <= spec.max_price and price % spec.tick == 0):
            raise FilterFailureError("PRICE_FILTER")
    if order.has_price:
        low, high = average_price * spec.ask_multiplier_down_tenths // 10, average_price * spec.bid_multiplier_up
        if not low <= order.price <= high:
            raise FilterFailureError("PERCENT_PRICE_BY_SIDE")


def _check_quantity(spec: MarketSpec, order: Order) -> None:
    if order.quote_quantity:
        return
    if order.quantity <= 0:
        raise ExchangeError(-1013, "Invalid quantity.")
    if not (spec.min_quantity <= order.quantity <= spec.max_quantity and order.quantity % spec.step == 0):
        raise FilterFailureError("LOT_SIZE")
    if not order.has_price and order.quantity > spec.market_max_quantity:
        raise FilterFailureError("MARKET_LOT_SIZE")


def _check_notional(spec: MarketSpec, order: Order, average_price: int) -> None:
    if order.quote_quantity:
        value = order.quote_quantity
    else:
        reference = order.price if order.has_price else (order.stop_price or average_price)
        value = notional(reference, order.quantity)
    at_market = order.type in {OrderType.MARKET, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT}
    if value < spec.min_notional or (value > spec.max_notional and not at_market):
        raise FilterFailureError("NOTIONAL")


def required_lock(spec: MarketSpec, order: Order) -> tuple[str, int]:
    """Return the asset and the amount that an open order with a limit or stop price locks."""
    if order.side is Side.SELL:
        return spec.base, order.remaining
    return spec.quote, notional(order.price if order.has_price else order.stop_price, order.remaining)
