"""Checks a new order against its market's filters.

Source: developers.binance.com/docs/binance-spot-api-docs/filters.
"""

from collections.abc import Sequence

from infra.sandbox.errors import ExchangeError, FilterFailureError
from infra.sandbox.fixed_point import SCALE, notional
from infra.sandbox.matching.ledger import Ledger
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.matching.market_specs import MarketSpec
from infra.sandbox.orders import STOP_LOSSES, STOP_TYPES, WHOLE_BPS, Order, Side


def check_filters(market: SimulatedMarket, ledger: Ledger, order: Order, mine: Sequence[Order]) -> None:
    """Raise for the first filter of its market that `order` breaks; `mine` are the account's open orders there."""
    spec = market.spec
    if order.self_trade not in spec.self_trade_modes:
        raise ExchangeError(-1013, "This symbol does not allow the specified self-trade prevention mode.")
    _check_prices(market, order)
    check_size(market, order)
    _check_trailing(spec, order)
    _check_counts(spec, order, mine)
    if order.side is Side.BUY and spec.max_position:
        held = ledger.balance(order.uid, spec.base)
        open_buys = sum(other.remaining for other in mine if other.side is Side.BUY)
        requested = order.quantity or order.quote_quantity * SCALE // market.last_price
        if held.free + held.locked + open_buys + requested > spec.max_position:
            raise FilterFailureError("MAX_POSITION")


def check_size(market: SimulatedMarket, order: Order) -> None:
    """Raise `FilterFailureError` for the first filter that the quantity or the value of `order` breaks."""
    _check_quantity(market.spec, order)
    _check_notional(market, order)


def check_list_count(spec: MarketSpec, open_lists: int) -> None:
    """Raise `FilterFailureError` if an account with so many open lists in a market may not open another."""
    if open_lists >= spec.max_lists:
        raise FilterFailureError("MAX_NUM_ORDER_LISTS")


def _check_prices(market: SimulatedMarket, order: Order) -> None:
    spec = market.spec
    for price in (order.price, order.stop_price):
        if price and not (spec.min_price <= price <= (spec.max_price or price) and price % spec.tick == 0):
            raise FilterFailureError("PRICE_FILTER")
    if order.has_price:
        average = market.average_price(spec.percent_minutes)
        buys = order.side is Side.BUY
        up, down = (spec.bid_up, spec.bid_down) if buys else (spec.ask_up, spec.ask_down)
        if order.price * SCALE < average * down or (up and order.price * SCALE > average * up):
            raise FilterFailureError("PERCENT_PRICE_BY_SIDE")


def _check_quantity(spec: MarketSpec, order: Order) -> None:
    if order.quote_quantity:
        return
    if order.quantity <= 0:
        raise ExchangeError(-1013, "Invalid quantity.")
    if not _is_within(order.quantity, spec.min_quantity, spec.max_quantity, spec.step):
        raise FilterFailureError("LOT_SIZE")
    if not order.has_price and not _is_within(
        order.quantity, spec.market_min_quantity, spec.market_max_quantity, spec.market_step
    ):
        raise FilterFailureError("MARKET_LOT_SIZE")
    if order.iceberg:
        if not _is_within(order.iceberg, spec.min_quantity, spec.max_quantity, spec.step):
            raise FilterFailureError("LOT_SIZE")
        if -(-order.quantity // order.iceberg) > spec.max_iceberg_parts:
            raise FilterFailureError("ICEBERG_PARTS")


def _check_notional(market: SimulatedMarket, order: Order) -> None:
    spec = market.spec
    if order.quote_quantity:
        value = order.quote_quantity
    else:
        value = notional(order.price or order.stop_price or market.average_price(spec.notional_minutes), order.quantity)
    at_market = not order.has_price
    if (value < spec.min_notional and (spec.min_applies_to_market or not at_market)) or (
        0 < spec.max_notional < value and (spec.max_applies_to_market or not at_market)
    ):
        raise FilterFailureError("NOTIONAL")


def _check_trailing(spec: MarketSpec, order: Order) -> None:
    if order.trailing_delta:
        falls = (order.side is Side.SELL) == (order.type in STOP_LOSSES)
        low, high = (
            (spec.min_trailing_below, spec.max_trailing_below)
            if falls
            else (spec.min_trailing_above, spec.max_trailing_above)
        )
        if not low <= order.trailing_delta <= high:
            raise FilterFailureError("TRAILING_DELTA")


def _check_counts(spec: MarketSpec, order: Order, mine: Sequence[Order]) -> None:
    if len(mine) >= spec.max_orders:
        raise FilterFailureError("MAX_NUM_ORDERS")
    if order.type in STOP_TYPES and sum(other.is_untriggered for other in mine) >= spec.max_stop_orders:
        raise FilterFailureError("MAX_NUM_ALGO_ORDERS")
    if order.iceberg and sum(other.iceberg > 0 for other in mine) >= spec.max_iceberg_orders:
        raise FilterFailureError("MAX_NUM_ICEBERG_ORDERS")


def _is_within(quantity: int, least: int, most: int, step: int) -> bool:
    """Return whether a quantity keeps to a filter's limits, of which those that are 0 don't apply."""
    return quantity >= least and (not most or quantity <= most) and (not step or quantity % step == 0)


def required_lock(market: SimulatedMarket, order: Order) -> tuple[str, int]:
    """Return the asset and the amount that an open order with a limit or trigger price locks."""
    if order.side is Side.SELL:
        return market.spec.base, order.remaining
    price = order.price or order.stop_price or trailing_trigger(order, market.last_price)
    return market.spec.quote, notional(price, order.remaining)


def trailing_trigger(order: Order, last_price: int) -> int:
    """Return at which price a trailing stop that buys triggers, rounded up."""
    return -(-(order.best_price or last_price) * (WHOLE_BPS + order.trailing_delta) // WHOLE_BPS)
