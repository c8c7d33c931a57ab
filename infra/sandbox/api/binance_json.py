"""Orders, fills, balances, trades, tickers and events as Binance's JSON."""

from infra.sandbox.fixed_point import SCALE, format_units
from infra.sandbox.matching.market import AggregateTrade, SimulatedMarket
from infra.sandbox.matching.matcher import Execution
from infra.sandbox.orders import STOP_TYPES, Fill, Order, OrderType

Json = dict[str, object]


def order_json(order: Order) -> Json:
    """Return an order as `GET order`, `openOrders` and `allOrders` list it."""
    view = _common(order) | {
        "icebergQty": format_units(0),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.working_ms >= 0,
        "origQuoteOrderQty": format_units(order.quote_quantity),
    }
    return view | _stop(order)


def ack_json(order: Order) -> Json:
    """Return the answer to a new order with `newOrderRespType` ACK."""
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": order.updated_ms,
    }


def result_json(order: Order) -> Json:
    """Return the answer to a new order with `newOrderRespType` RESULT."""
    result = ack_json(order) | _common(order) | {"origQuoteOrderQty": format_units(order.quote_quantity)}
    return result | _stop(order)


def full_json(order: Order, fills: list[Fill]) -> Json:
    """Return the answer to a new order with `newOrderRespType` FULL."""
    listed = [
        {
            "price": format_units(fill.price),
            "qty": format_units(fill.quantity),
            "commission": format_units(fill.fee),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.trade_id,
        }
        for fill in fills
    ]
    return result_json(order) | {"fills": listed}


def cancel_json(order: Order) -> Json:
    """Return the answer to a cancel: the cancel's own client id, and the order's as `origClientOrderId`."""
    return result_json(order) | {"origClientOrderId": order.client_id, "clientOrderId": order.cancel_id}


def fill_json(fill: Fill) -> Json:
    """Return an execution as `myTrades` lists it."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": -1,
        "price": format_units(fill.price),
        "qty": format_units(fill.quantity),
        "quoteQty": format_units(fill.quote),
        "commission": format_units(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_ms,
        "isBuyer": fill.side == "BUY",
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def execution_report(execution: Execution, event_ms: int) -> Json:
    """Return one step of an order as the user data stream's `executionReport`."""
    order, fill = execution.order, execution.fill
    cancelled = bool(order.cancel_id)
    report: Json = {
        "e": "executionReport",
        "E": event_ms,
        "s": order.symbol,
        "c": order.cancel_id if cancelled else order.client_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": format_units(order.quantity),
        "p": format_units(order.price),
        "P": format_units(order.stop_price),
        "F": format_units(0),
        "g": -1,
        "C": order.client_id if cancelled else "",
        "x": execution.kind,
        "X": order.status,
        "r": "NONE",
        "i": order.id,
        "l": format_units(fill.quantity if fill else 0),
        "z": format_units(order.executed),
        "L": format_units(fill.price if fill else 0),
        "n": format_units(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": order.updated_ms,
        "t": fill.trade_id if fill else -1,
        "I": order.id * 8 + 1,
        "w": order.is_open and not order.waiting and order.type is not OrderType.MARKET,
        "m": bool(fill and fill.maker),
        "M": fill is not None,
        "O": order.created_ms,
        "Z": format_units(order.quote_executed),
        "Y": format_units(fill.quote if fill else 0),
        "Q": format_units(order.quote_quantity),
        "V": order.self_trade,
    }
    return report | ({"W": order.working_ms} if order.working_ms >= 0 else {})


def account_position(balances: tuple[tuple[str, int, int], ...], event_ms: int) -> Json:
    """Return changed balances as the user data stream's `outboundAccountPosition`."""
    rows = [{"a": asset, "f": format_units(free), "l": format_units(locked)} for asset, free, locked in balances]
    return {"e": "outboundAccountPosition", "E": event_ms, "u": event_ms, "B": rows}


def balance_update(asset: str, amount: int, event_ms: int) -> Json:
    """Return a deposit as the user data stream's `balanceUpdate`."""
    return {"e": "balanceUpdate", "E": event_ms, "a": asset, "d": format_units(amount), "T": event_ms}


def _common(order: Order) -> Json:
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "price": format_units(order.price),
        "origQty": format_units(order.quantity),
        "executedQty": format_units(order.executed),
        "cummulativeQuoteQty": format_units(order.quote_executed),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
        "workingTime": order.working_ms,
        "selfTradePreventionMode": order.self_trade,
    }


def _stop(order: Order) -> Json:
    return {"stopPrice": format_units(order.stop_price)} if order.type in STOP_TYPES else {}


def levels(pairs: list[tuple[int, int]]) -> list[tuple[str, str]]:
    """Return (price, quantity) pairs as depth frames list them."""
    return [(format_units(price), format_units(quantity)) for price, quantity in pairs]


def aggregate_json(trade: AggregateTrade) -> Json:
    """Return an aggregate trade as REST lists it."""
    return {
        "a": trade.id,
        "p": format_units(trade.price),
        "q": format_units(trade.quantity),
        "f": trade.first_id,
        "l": trade.last_id,
        "T": trade.time_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def rest_ticker(market: SimulatedMarket, now_ms: int) -> Json:
    """Return the last 24 hours in the form of `ticker/24hr`."""
    day, last = market.day(), market.trades[-1] if market.trades else None
    change = market.last_price - day.open
    average = day.quote * SCALE // day.volume if day.volume else market.last_price
    return {
        "symbol": market.spec.symbol,
        "priceChange": format_units(change),
        "priceChangePercent": f"{change / day.open * 100:.3f}",
        "weightedAvgPrice": format_units(average),
        "prevClosePrice": format_units(day.open),
        "lastPrice": format_units(market.last_price),
        "lastQty": format_units(last.quantity if last else 0),
        **best_price_json(market),
        "openPrice": format_units(day.open),
        "highPrice": format_units(day.high),
        "lowPrice": format_units(day.low),
        "volume": format_units(day.volume),
        "quoteVolume": format_units(day.quote),
        "openTime": now_ms - 86_400_000,
        "closeTime": now_ms,
        "firstId": market.trades[0].id if market.trades else -1,
        "lastId": last.id if last else -1,
        "count": day.trades,
    }


def best_price_json(market: SimulatedMarket) -> Json:
    """Return the best bid and ask as REST tickers name them."""
    bids, asks = market.book.bids.top(1) or [(0, 0)], market.book.asks.top(1) or [(0, 0)]
    bid, bid_size, ask, ask_size = (format_units(value) for value in (*bids[0], *asks[0]))
    return {"bidPrice": bid, "bidQty": bid_size, "askPrice": ask, "askQty": ask_size}
