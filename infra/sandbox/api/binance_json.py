"""Orders, lists, fills, balances, trades and tickers as Binance's JSON."""

from infra.sandbox.candles import DAY_MS, Candle
from infra.sandbox.fixed_point import SCALE, format_units
from infra.sandbox.matching.amending import AmendReport
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.order_lists import CancelReport, ListReport, ListStatus
from infra.sandbox.orders import Amendment, Fill, Order, PlacedOrder, PreventedMatch
from infra.sandbox.trades import AggregateTrade

Json = dict[str, object]


def order_json(order: Order) -> Json:
    """Return an order as `GET order`, `openOrders` and `allOrders` list it."""
    always: Json = {
        "stopPrice": format_units(order.stop_price),
        "icebergQty": format_units(order.iceberg),
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.working_ms >= 0,
        "origQuoteOrderQty": format_units(order.quote_quantity),
    }
    return _common(order) | _conditional(order) | always


def ack_json(order: Order) -> Json:
    """Return the answer to a new order with `newOrderRespType` ACK."""
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        "transactTime": order.updated_ms,
    }


def result_json(order: Order) -> Json:
    """Return the answer to a new order with `newOrderRespType` RESULT."""
    result = ack_json(order) | _common(order) | {"origQuoteOrderQty": format_units(order.quote_quantity)}
    return result | _conditional(order)


def full_json(placed: PlacedOrder) -> Json:
    """Return the answer to a new order with `newOrderRespType` FULL."""
    listed = [
        {
            "price": format_units(fill.price),
            "qty": format_units(fill.quantity),
            "commission": format_units(fill.fee),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.trade_id,
        }
        for fill in placed.fills
    ]
    answer = result_json(placed.order) | {"fills": listed}
    if placed.prevented:
        answer["preventedMatches"] = [
            {"preventedMatchId": match.id, "makerOrderId": match.maker_id, "price": format_units(match.price)}
            | _prevented_quantities(match)
            for match in placed.prevented
        ]
    return answer


def prevented_match_json(match: PreventedMatch) -> Json:
    """Return a prevented trade as `myPreventedMatches` lists it; no account is in a trade group."""
    return {
        "symbol": match.symbol,
        "preventedMatchId": match.id,
        "takerOrderId": match.taker_id,
        "makerSymbol": match.symbol,
        "makerOrderId": match.maker_id,
        "tradeGroupId": -1,
        "selfTradePreventionMode": match.mode,
        "price": format_units(match.price),
        **_prevented_quantities(match),
        "transactTime": match.time_ms,
    }


def amend_json(report: AmendReport) -> Json:
    """Return the answer to an amendment."""
    order, amendment = report.order, report.amendment
    amended = _common(order)
    del amended["origQty"], amended["cummulativeQuoteQty"]
    amended |= {
        "origClientOrderId": amendment.old_client_id,
        "qty": format_units(order.quantity),
        "preventedQty": format_units(order.prevented),
        "quoteOrderQty": format_units(order.quote_quantity),
        "cumulativeQuoteQty": format_units(order.quote_executed),
    }
    answer: Json = {
        "transactTime": amendment.time_ms,
        "executionId": amendment.id,
        "amendedOrder": amended | _conditional(order),
    }
    if report.order_list is not None:
        listed = list_json(report.order_list)
        del listed["listStatusType"], listed["transactionTime"]
        answer["listStatus"] = listed
    return answer


def amendment_json(amendment: Amendment) -> Json:
    """Return an amendment as `order/amendments` lists it."""
    return {
        "symbol": amendment.symbol,
        "orderId": amendment.order_id,
        "executionId": amendment.id,
        "origClientOrderId": amendment.old_client_id,
        "newClientOrderId": amendment.new_client_id,
        "origQty": format_units(amendment.old_quantity),
        "newQty": format_units(amendment.new_quantity),
        "time": amendment.time_ms,
    }


def _prevented_quantities(match: PreventedMatch) -> Json:
    named = {"takerPreventedQuantity": match.taker_quantity, "makerPreventedQuantity": match.maker_quantity}
    return {name: format_units(quantity) for name, quantity in named.items() if quantity}


def cancel_json(order: Order) -> Json:
    """Return the answer to a cancel: the cancel's own client id, and the order's as `origClientOrderId`."""
    return result_json(order) | {"origClientOrderId": order.client_id, "clientOrderId": order.cancel_id}


def fill_json(fill: Fill) -> Json:
    """Return an execution as `myTrades` lists it."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": fill.list_id,
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


def list_status_type(report: ListReport) -> str:
    """Return what Binance calls the last change of a list."""
    if report.is_renamed:
        return "UPDATED"
    return "ALL_DONE" if report.info.status is ListStatus.ALL_DONE else "EXEC_STARTED"


def list_json(report: ListReport) -> Json:
    """Return a list as the queries of order lists do, its orders by their ids alone."""
    kept = report.info
    return {
        "orderListId": kept.id,
        "contingencyType": kept.contingency,
        "listStatusType": list_status_type(report),
        "listOrderStatus": kept.status,
        "listClientOrderId": kept.client_id,
        "transactionTime": kept.updated_ms,
        "symbol": kept.symbol,
        "orders": [
            {"symbol": order.symbol, "orderId": order.id, "clientOrderId": order.client_id} for order in report.orders
        ],
    }


def cancelled_list_json(report: ListReport) -> Json:
    """Return the answer to the cancel of a list."""
    return list_json(report) | {"orderReports": [cancel_json(order) for order in report.orders]}


def cancelled_json(report: CancelReport) -> Json:
    """Return the answer to a cancel of an order, which is that of its list if it has one."""
    return cancel_json(report.order) if report.order_list is None else cancelled_list_json(report.order_list)


def placed_json(placed: PlacedOrder, kind: str) -> Json:
    """Return the answer to a new order as fully as `kind`, a `newOrderRespType`, asks for."""
    if kind == "ACK":
        return ack_json(placed.order)
    return result_json(placed.order) if kind == "RESULT" else full_json(placed)


def _common(order: Order) -> Json:
    return {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": order.list_id,
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


def _conditional(order: Order) -> Json:
    """Return what only some orders have."""
    found: Json = {}
    if order.stop_price:
        found["stopPrice"] = format_units(order.stop_price)
    if order.trailing_delta:
        found |= {"trailingDelta": order.trailing_delta, "trailingTime": order.trailing_ms}
    if order.iceberg:
        found["icebergQty"] = format_units(order.iceberg)
    if order.strategy_id >= 0:
        found["strategyId"] = order.strategy_id
    if order.strategy_type >= 0:
        found["strategyType"] = order.strategy_type
    if order.prevented_match >= 0:
        found |= {"preventedMatchId": order.prevented_match, "preventedQuantity": format_units(order.prevented)}
    return found


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


def window_ticker(market: SimulatedMarket, window: Candle, close_ms: int) -> Json:
    """Return a window of time in the form of `ticker`."""
    change, last = market.last_price - window.open, market.trades[-1] if market.trades else None
    average = (window.quote * SCALE // window.volume if window.volume else 0) or market.last_price
    return {
        "symbol": market.spec.symbol,
        "priceChange": format_units(change),
        "priceChangePercent": f"{change / window.open * 100:.3f}",
        "weightedAvgPrice": format_units(average),
        "openPrice": format_units(window.open),
        "highPrice": format_units(window.high),
        "lowPrice": format_units(window.low),
        "lastPrice": format_units(market.last_price),
        "volume": format_units(window.volume),
        "quoteVolume": format_units(window.quote),
        "openTime": window.open_ms,
        "closeTime": close_ms,
        "firstId": market.trades[0].id if market.trades else -1,
        "lastId": last.id if last else -1,
        "count": window.trades,
    }


def rest_ticker(market: SimulatedMarket, now_ms: int) -> Json:
    """Return the last 24 hours in the form of `ticker/24hr`."""
    day, last = market.day(), market.trades[-1] if market.trades else None
    return window_ticker(market, day, now_ms) | {
        "prevClosePrice": format_units(day.open),
        "lastQty": format_units(last.quantity if last else 0),
        **best_price_json(market),
        "openTime": now_ms - DAY_MS,
    }


def best_price_json(market: SimulatedMarket) -> Json:
    """Return the best bid and ask as REST tickers name them."""
    bids, asks = market.book.bids.top(1) or [(0, 0)], market.book.asks.top(1) or [(0, 0)]
    if market.is_asleep:  # as its book will be once somebody looks
        size = max(market.spec.step, market.spec.min_quantity)
        bids, asks = [(market.last_price, size)], [(market.last_price + market.spec.tick, size)]
    bid, bid_size, ask, ask_size = (format_units(value) for value in (*bids[0], *asks[0]))
    return {"bidPrice": bid, "bidQty": bid_size, "askPrice": ask, "askQty": ask_size}
