"""OKX: https://www.okx.com/docs-v5/en/#order-book-trading-trade."""

from typing import Any

from aiohttp import web

from tests.support.fake_venues.server import FakeVenue, Json, ProtocolError, VenueFill, VenueOrder

_STATES = {"open": "live", "filled": "filled", "canceled": "canceled"}


class FakeOkx(FakeVenue):
    """REST under `/api/v5`, WebSocket under `/ws/v5/private`."""

    ccxt_id = "okx"
    market_id = "BTC-USDT"
    place_path = "/api/v5/trade/order"
    cancel_path = "/api/v5/trade/cancel-order"
    id_parameter = "clOrdId"
    refusal: Json = {  # noqa: RUF012
        "code": "1", "msg": "All operations failed", "data": [{"sCode": "51008", "sMsg": "Insufficient USDT balance"}],
    }  # fmt: skip
    clock_refusal: Json = {"code": "50102", "msg": "Timestamp request expired", "data": []}  # noqa: RUF012
    doubtful: Json = {"code": "50004", "msg": "API endpoint request timeout", "data": []}  # noqa: RUF012
    page = 100

    def add_routes(self, app: web.Application) -> None:
        self.rest(app, "GET", "/api/v5/public/time", lambda _: _data({"ts": str(self.now_ms())}))
        self.rest(app, "GET", "/api/v5/public/instruments", lambda _: _data(_INSTRUMENT))
        self.rest(app, "POST", self.place_path, self._place)
        self.rest(app, "POST", self.cancel_path, self._cancel)
        self.rest(app, "GET", "/api/v5/trade/order", self._find)
        self.rest(app, "GET", "/api/v5/trade/orders-pending", self._open)
        self.rest(app, "GET", "/api/v5/trade/fills-history", self._fills)
        self.rest(app, "GET", "/api/v5/account/balance", lambda _: _data(self._balance_row()))
        self.rest(app, "GET", "/api/v5/account/config", lambda _: _data({"perm": self._permissions(), "ip": ""}))
        app.router.add_get("/ws/v5/private", self.on_socket)

    def _permissions(self) -> str:
        return "read_only,trade,withdraw" if self.keys_may_withdraw else "read_only,trade"

    def _place(self, params: Json) -> Json:
        if not params["clOrdId"].isalnum() or len(params["clOrdId"]) > 32:
            raise ProtocolError(_failed("51000", "Parameter clOrdId error"))
        made = self.new_order(params["clOrdId"], params["side"], params["ordType"], params["sz"], params.get("px"))
        return _data({"ordId": made.id, "clOrdId": made.client_id, "tag": "", "sCode": "0", "sMsg": ""})

    def _cancel(self, params: Json) -> Json:
        order = self.find(params.get("ordId"), params.get("clOrdId"))
        if order is None or order.status != "open":
            raise ProtocolError(_failed("51400", "Cancellation failed as the order does not exist."))
        order.status = "canceled"
        return _data({"ordId": order.id, "clOrdId": order.client_id, "sCode": "0", "sMsg": ""})

    def _find(self, params: Json) -> Json:
        order = self.find(params.get("ordId"), params.get("clOrdId"))
        if order is None:
            raise ProtocolError({"code": "51603", "msg": "Order does not exist", "data": []})
        return _data(self._json(order))

    def _open(self, _params: Json) -> Json:
        return _data(*(self._json(order) for order in self.orders.values() if order.status == "open"))

    def _fills(self, params: Json) -> Json:
        before = int(params.get("after", 10**12))
        rows = [
            self._fill_json(fill)
            for fill in sorted(self.fills, key=lambda fill: -fill.number)
            if fill.number < before and params.get("ordId") in {None, fill.order.id}
        ]
        return _data(*rows[: self.page])

    def _json(self, order: VenueOrder) -> Json:
        return {
            "instType": "SPOT", "instId": self.market_id, "ordId": order.id, "clOrdId": order.client_id,
            "side": order.side, "ordType": order.type, "sz": str(order.quantity), "px": str(order.price or ""),
            "tgtCcy": "base_ccy", "state": _STATES[order.status], "accFillSz": str(order.filled), "avgPx": "",
            "fillPx": "", "fillSz": "0", "fillTime": "", "tradeId": "", "fee": "0", "feeCcy": "BTC", "rebate": "0",
            "rebateCcy": "USDT", "tdMode": "cash", "cTime": str(order.at_ms), "uTime": str(order.at_ms), "lever": "",
        }  # fmt: skip

    def _fill_json(self, fill: VenueFill) -> Json:
        return {
            "instType": "SPOT", "instId": self.market_id, "tradeId": fill.id, "ordId": fill.order.id,
            "clOrdId": fill.order.client_id, "billId": str(fill.number), "fillPx": str(fill.price),
            "fillSz": str(fill.quantity), "side": fill.order.side, "execType": "T", "feeCcy": "BTC",
            "fee": str(-fill.fee), "ts": str(fill.at_ms), "fillTime": str(fill.at_ms),
        }  # fmt: skip

    def _balance_row(self) -> Json:
        details = [
            {"ccy": name, "eq": str(total), "cashBal": str(total), "availBal": str(free), "availEq": str(free),
             "frozenBal": str(total - free), "uTime": str(self.now_ms())}
            for name, (total, free) in self.held.items()
        ]  # fmt: skip
        return {"uTime": str(self.now_ms()), "totalEq": "1", "details": details}

    async def on_message(self, socket: web.WebSocketResponse, message: Json | str) -> None:
        if message == "ping":
            await socket.send_str("pong")
        if isinstance(message, str) or self.ignore_streams:
            return
        if message["op"] == "login":
            if self.refuse_streams:
                await socket.send_json(
                    {"event": "error", "code": "60009", "msg": "Login failed.", "connId": "a4d3ae55"}
                )
            else:
                await socket.send_json({"event": "login", "code": "0", "msg": "", "connId": "a4d3ae55"})
        elif message["op"] == "subscribe":
            for topic in message["args"]:
                await socket.send_json({"event": "subscribe", "arg": topic, "connId": "a4d3ae55"})
                self.subscribed[topic["channel"]] += 1

    def order_frames(self, order: VenueOrder) -> list[Json]:
        """Return the message of an order's state."""
        return [{"arg": {"channel": "orders", "instType": "ANY", "uid": "1"}, "data": [self._json(order)]}]

    def fill_frames(self, fill: VenueFill) -> list[Json]:
        """Return the message of an order that has just been filled: its execution is among the order's fields."""
        data = self._json(fill.order) | {
            "tradeId": fill.id, "fillPx": str(fill.price), "fillSz": str(fill.quantity),
            "fillTime": str(fill.at_ms), "fillFee": str(-fill.fee), "fillFeeCcy": "BTC", "execType": "T",
        }  # fmt: skip
        return [{"arg": {"channel": "orders", "instType": "ANY", "uid": "1"}, "data": [data]}]

    def balance_frames(self) -> list[Json]:
        """Return the message of the account's balances."""
        return [{"arg": {"channel": "account", "uid": "1"}, "data": [self._balance_row()]}]


def _data(*rows: Any) -> Json:
    return {"code": "0", "msg": "", "data": list(rows)}


def _failed(code: str, message: str) -> Json:
    row = {"ordId": "", "clOrdId": "", "tag": "", "sCode": code, "sMsg": message}
    return {"code": "1", "msg": "All operations failed", "data": [row]}


_INSTRUMENT = {
    "instType": "SPOT", "instId": "BTC-USDT", "instFamily": "", "uly": "", "baseCcy": "BTC", "quoteCcy": "USDT",
    "settleCcy": "", "ctVal": "", "ctMult": "", "ctValCcy": "", "optType": "", "stk": "", "listTime": "1548133413000",
    "expTime": "", "lever": "10", "tickSz": "0.1", "lotSz": "0.00000001", "minSz": "0.00001", "ctType": "",
    "alias": "", "state": "live", "maxLmtSz": "9999", "maxMktSz": "1000000", "maxLmtAmt": "20000000",
    "maxMktAmt": "1000000", "maxStopSz": "1000000", "ruleType": "normal",
}  # fmt: skip
