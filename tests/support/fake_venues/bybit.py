"""Bybit: https://bybit-exchange.github.io/docs/v5/order/create-order."""

from typing import Any

from aiohttp import web

from tests.support.fake_venues.server import FakeVenue, Json, ProtocolError, VenueFill, VenueOrder

_STATUSES = {"open": "New", "filled": "Filled", "canceled": "Cancelled"}


class FakeBybit(FakeVenue):
    """REST under `/v5`, WebSocket under `/v5/private`."""

    ccxt_id = "bybit"
    market_id = "BTCUSDT"
    place_path = "/v5/order/create"
    cancel_path = "/v5/order/cancel"
    id_parameter = "orderLinkId"
    refusal: Json = {"retCode": 170131, "retMsg": "Insufficient balance.", "result": {}}  # noqa: RUF012
    clock_refusal: Json = {"retCode": 10002, "retMsg": "invalid request, please check your timestamp"}  # noqa: RUF012
    doubtful: Json = {"retCode": 170146, "retMsg": "Order creation timeout", "result": {}}  # noqa: RUF012
    page = 100

    def add_routes(self, app: web.Application) -> None:
        for path, handle in {
            "/v5/market/time": lambda _: _result({"timeSecond": str(self.now_ms() // 1000)}, self.now_ms()),
            "/v5/market/instruments-info": lambda _: _result({"category": "spot", "list": [_INSTRUMENT]}),
            "/v5/user/query-api": lambda _: _result(self._key()),
            "/v5/account/info": lambda _: _result({"unifiedMarginStatus": 6, "marginMode": "REGULAR_MARGIN"}),
            "/v5/order/realtime": self._open,
            "/v5/order/history": self._ended,
            "/v5/execution/list": self._fills,
            "/v5/account/wallet-balance": lambda _: _result({"list": [self._wallet()]}),
        }.items():
            self.rest(app, "GET", path, handle)
        self.rest(app, "POST", self.place_path, self._place)
        self.rest(app, "POST", self.cancel_path, self._cancel)
        app.router.add_get("/v5/private", self.on_socket)

    def _key(self) -> Json:
        wallet = ["AccountTransfer", *(["Withdraw"] if self.keys_may_withdraw else [])]
        permissions = {"Spot": ["SpotTrade"], "Wallet": wallet, "ContractTrade": []}
        return {"id": "1", "unified": 0, "uta": 1, "readOnly": 0, "permissions": permissions, "ips": ["*"]}

    def _place(self, params: Json) -> Json:
        if len(params["orderLinkId"]) > 36:
            raise ProtocolError(_failed(10001, "params error: orderLinkId"))
        made = self.new_order(
            params["orderLinkId"], params["side"].lower(), params["orderType"].lower(), params["qty"],
            params.get("price"),
        )  # fmt: skip
        return _result({"orderId": made.id, "orderLinkId": made.client_id})

    def _cancel(self, params: Json) -> Json:
        order = self.find(params.get("orderId"), params.get("orderLinkId"))
        if order is None or order.status != "open":
            raise ProtocolError(_failed(170213, "Order does not exist."))
        order.status = "canceled"
        return _result({"orderId": order.id, "orderLinkId": order.client_id})

    def _open(self, params: Json) -> Json:
        return self._listed(params, {"open"})

    def _ended(self, params: Json) -> Json:
        return self._listed(params, {"filled", "canceled"})

    def _listed(self, params: Json, statuses: set[str]) -> Json:
        client_id = params.get("orderLinkId")
        rows = [
            self._json(order)
            for order in self.orders.values()
            if order.status in statuses and client_id in {None, order.client_id}
        ]
        return _result({"category": "spot", "list": rows, "nextPageCursor": ""})

    def _fills(self, params: Json) -> Json:
        start, end = int(params.get("startTime", 0)), int(params.get("endTime", 10**15))
        assert end == 10**15 or end - start <= 7 * 86_400_000, "the venue takes windows of at most seven days"
        rows = [
            self._fill_json(fill)
            for fill in sorted(self.fills, key=lambda fill: -fill.number)
            if start <= fill.at_ms <= end and params.get("orderId") in {None, fill.order.id}
        ]
        offset = int(params.get("cursor", 0))
        following = str(offset + self.page) if len(rows) > offset + self.page else ""
        shown = rows[offset : offset + self.page]
        return _result({"category": "spot", "list": shown, "nextPageCursor": following})

    def _json(self, order: VenueOrder) -> Json:
        return {
            "category": "spot", "symbol": self.market_id, "orderId": order.id, "orderLinkId": order.client_id,
            "side": order.side.capitalize(), "orderType": order.type.capitalize(),
            "orderStatus": _STATUSES[order.status], "price": str(order.price or 0), "qty": str(order.quantity),
            "cumExecQty": str(order.filled), "cumExecValue": "0", "cumExecFee": "0", "avgPrice": "",
            "leavesQty": str(order.quantity - order.filled), "timeInForce": "GTC", "stopOrderType": "",
            "triggerPrice": "0", "marketUnit": "baseCoin", "createdTime": str(order.at_ms),
            "updatedTime": str(order.at_ms), "rejectReason": "EC_NoError", "cancelType": "UNKNOWN",
        }  # fmt: skip

    def _fill_json(self, fill: VenueFill) -> Json:
        return {
            "category": "spot", "symbol": self.market_id, "execId": fill.id, "orderId": fill.order.id,
            "orderLinkId": fill.order.client_id, "side": fill.order.side.capitalize(), "execPrice": str(fill.price),
            "execQty": str(fill.quantity), "execFee": str(fill.fee), "execType": "Trade", "isMaker": False,
            "execTime": str(fill.at_ms), "feeCurrency": "BTC", "orderType": fill.order.type.capitalize(),
            "execValue": str(fill.price * fill.quantity), "feeRate": "0.001",
        }  # fmt: skip

    def _wallet(self) -> Json:
        coins = [
            {"coin": name, "equity": str(total), "walletBalance": str(total), "locked": str(total - free),
             "availableToWithdraw": "", "usdValue": "1"}
            for name, (total, free) in self.held.items()
        ]  # fmt: skip
        return {"accountType": "UNIFIED", "totalEquity": "1", "coin": coins}

    async def on_message(self, socket: web.WebSocketResponse, message: Json | str) -> None:
        assert isinstance(message, dict)
        if message["op"] == "ping":
            await socket.send_json({"req_id": message.get("req_id"), "op": "pong", "args": [], "conn_id": "1"})
        if self.ignore_streams:
            return
        if message["op"] == "auth":
            if self.refuse_streams:
                refused = {"success": False, "ret_msg": "error:USVC1111", "op": "auth", "conn_id": "1"}
                await socket.send_json(refused)
            else:
                await socket.send_json({"success": True, "ret_msg": "", "op": "auth", "conn_id": "1"})
        elif message["op"] == "subscribe":
            confirmed = {"success": True, "ret_msg": "", "conn_id": "1", "req_id": message["req_id"]}
            await socket.send_json({**confirmed, "op": "subscribe"})
            for topic in message["args"]:
                self.subscribed[topic] += 1

    def order_frames(self, order: VenueOrder) -> list[Json]:
        """Return the message of an order's state."""
        return [{"id": "1", "topic": "order", "creationTime": order.at_ms, "data": [self._json(order)]}]

    def fill_frames(self, fill: VenueFill) -> list[Json]:
        """Return the messages of an execution, and of the order's state after it."""
        execution = {"id": "2", "topic": "execution", "creationTime": fill.at_ms, "data": [self._fill_json(fill)]}
        return [execution, *self.order_frames(fill.order)]

    def balance_frames(self) -> list[Json]:
        """Return the message of the wallet."""
        return [{"id": "3", "topic": "wallet", "creationTime": self.now_ms(), "data": [self._wallet()]}]


def _result(result: Any, at_ms: int = 0) -> Json:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": at_ms}


def _failed(code: int, message: str) -> Json:
    return {"retCode": code, "retMsg": message, "result": {}, "retExtInfo": {}, "time": 0}


_INSTRUMENT = {
    "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "innovation": "0", "status": "Trading",
    "marginTrading": "both", "stTag": "0",
    "lotSizeFilter": {
        "basePrecision": "0.000001", "quotePrecision": "0.0000001", "minOrderQty": "0.000011", "maxOrderQty": "83",
        "minOrderAmt": "5", "maxOrderAmt": "8000000", "maxLimitOrderQty": "83", "maxMarketOrderQty": "41.5",
        "postOnlyMaxLimitOrderSize": "83",
    },
    "priceFilter": {"tickSize": "0.1"}, "riskParameters": {"priceLimitRatioX": "0.05", "priceLimitRatioY": "0.05"},
}  # fmt: skip
