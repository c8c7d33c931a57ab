"""Decides whether a new order may be placed: by its market's filters, its account's other orders, prices and funds."""

from collections.abc import Sequence

from infra.sandbox.errors import OrderRejectedError, insufficient_balance
from infra.sandbox.matching.filters import required_lock
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.matching.matcher import Matcher
from infra.sandbox.orders import STOP_LOSSES, Order, OrderType, Side


def check_client_id(order: Order, mine: Sequence[Order]) -> None:
    """Raise if the client id of `order` is that of another of the account's open orders."""
    if any(other.client_id == order.client_id for other in mine):
        raise OrderRejectedError("Duplicate order sent.")


def check_price(market: SimulatedMarket, order: Order) -> None:
    """Raise if an order that must rest would trade at once, or a stop would trigger at once."""
    if order.type is OrderType.LIMIT_MAKER and market.book.crosses(order.side, order.price):
        raise OrderRejectedError("Order would immediately match and take.", "WOULD_MATCH_IMMEDIATELY")
    if order.stop_price and order.triggers_at(market.last_price):
        raise OrderRejectedError("Stop price would trigger immediately.", "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY")


def check_funds(market: SimulatedMarket, matcher: Matcher, rivals: Sequence[Order]) -> None:
    """Raise unless the account can pay for any of `rivals`, of which only one can trade."""
    for order in rivals:
        asset, cost = required_lock(market, order) if order.is_resting else matcher.cost_at_market(market, order)
        if matcher.ledger.balance(order.uid, asset).free < max(cost, 1):
            raise insufficient_balance()


def check_pair_prices(market: SimulatedMarket, pair: Sequence[Order]) -> None:
    """Raise unless the last price is between the prices of an OCO's two orders, as far as they have any."""
    for order in pair:
        price = order.stop_price if order.type in STOP_LOSSES or not order.has_price else order.price
        must_be_above = (order.side is Side.SELL) != (order.type in STOP_LOSSES)
        if price and not (market.last_price < price if must_be_above else price < market.last_price):
            raise OrderRejectedError("The relationship of the prices for the orders is not correct.", "OCO_BAD_PRICES")
