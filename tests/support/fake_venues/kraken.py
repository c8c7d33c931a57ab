"""Kraken: https://docs.kraken.com/api-reference/trading/add-order and …/exchange/api-reference/spot-websocket-v2."""

import time
from typing import Any

from aiohttp import web

from tests.support.fake_venues.server import FakeVenue, Json, ProtocolError, VenueFill, VenueOrder

_FEES = [[0, 0.26]]


class FakeKraken(FakeVenue):
    """REST under `/0`, WebSocket v2 under `/v2`; a key's numbers must rise."""

    ccxt_id = "kraken"
    market_id = "XBTUSDT"
    place_path = "/0/private/AddOrder"
    cancel_path = "/0/private/CancelOrder"
    id_parameter = "cl_ord_id"
    refusal: Json = {"error": ["EOrder:Insufficient funds"]}  # noqa: RUF012
    clock_refusal: Json = {"error": ["EAPI:Invalid nonce"]}  # noqa: RUF012
    doubtful: Json = {"error": ["EService:Timeout"]}  # noqa: RUF012
    page = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        self.last_nonce = 0

    def trade_id(self, number: int) -> str:
        return f"TCCCTY-WE2O6-{number:06}"

    def order_id(self, number: int) -> str:
        return f"OQCLML-BW3P3-{number:06}"

    def add_routes(self, app: web.Application) -> None:
        self.rest(app, "GET", "/0/public/Time", lambda _: _result({"unixtime": self.now_ms() // 1000}))
        self.rest(app, "GET", "/0/public/Assets", lambda _: _result(_ASSETS))
        self.rest(app, "GET", "/0/public/AssetPairs", lambda _: _result({self.market_id: _PAIR}))
        for name, handle in {
            "AddOrder": self._place,
            "CancelOrder": self._cancel,
            "OpenOrders": self._open,
            "ClosedOrders": self._closed,
            "TradesHistory": self._trades,
            "BalanceEx": self._balances,
            "GetApiKeyInfo": lambda _: _result({"permissions": self._permissions()}),
            "GetWebSocketsToken": lambda _: _result({"token": "token", "expires": 900}),
        }.items():
            self.rest(app, "POST", f"/0/private/{name}", self._signed(handle))
        app.router.add_get("/v2", self.on_socket)

    def _signed(self, handle: Any) -> Any:
        def with_nonce(params: Json) -> Json:
            nonce = int(params["nonce"])
            if nonce <= self.last_nonce:
                raise ProtocolError({"error": ["EAPI:Invalid nonce"]})
            self.last_nonce = nonce
            answer: Json = handle(params)
            return answer

        return with_nonce

    def _permissions(self) -> list[str]:
        return ["query-funds", "modify-trades", *(["withdraw-funds"] if self.keys_may_withdraw else [])]

    def _place(self, params: Json) -> Json:
        client_id = params["cl_ord_id"]
        if len(client_id) > 18 and len(client_id.replace("-", "")) != 32:
            raise ProtocolError({"error": ["EGeneral:Invalid arguments:cl_ord_id"]})
        made = self.new_order(client_id, params["type"], params["ordertype"], params["volume"], params.get("price"))
        return _result({"descr": {"order": self._words(made)}, "txid": [made.id]})

    def _cancel(self, params: Json) -> Json:
        order = self.find(params.get("txid"), params.get("cl_ord_id"))
        if order is None or order.status != "open":
            raise ProtocolError({"error": ["EOrder:Unknown order"]})
        order.status = "canceled"
        return _result({"count": 1})

    def _open(self, params: Json) -> Json:
        return _result({"open": self._listed(params, {"open"})})

    def _closed(self, params: Json) -> Json:
        return _result({"closed": self._listed(params, {"filled", "canceled"}), "count": 1})

    def _listed(self, params: Json, statuses: set[str]) -> Json:
        client_id = params.get("cl_ord_id")
        return {
            each.id: self._json(each)
            for each in self.orders.values()
            if each.status in statuses and client_id in {None, each.client_id}
        }

    def _json(self, order: VenueOrder) -> Json:
        status = {"filled": "closed"}.get(order.status, order.status)
        return {
            "refid": None, "userref": 0, "cl_ord_id": order.client_id, "status": status,
            "opentm": order.at_ms / 1000, "starttm": 0, "expiretm": 0,
            "descr": {
                "pair": "XBTUSDT", "type": order.side, "ordertype": order.type, "price": str(order.price or 0),
                "price2": "0", "leverage": "none", "order": self._words(order), "close": "",
            },
            "vol": str(order.quantity), "vol_exec": str(order.filled), "cost": "0", "fee": "0", "price": "0",
            "stopprice": "0", "limitprice": "0", "misc": "", "oflags": "fciq",
        }  # fmt: skip

    def _words(self, order: VenueOrder) -> str:
        price = f"limit {order.price}" if order.price else "market"
        return f"{order.side} {order.quantity} XBTUSDT @ {price}"

    def _trades(self, params: Json) -> Json:
        newest_first = sorted(self.fills, key=lambda fill: -fill.number)
        offset = int(params.get("ofs", 0))
        shown = newest_first[offset : offset + self.page]
        return _result({"trades": {fill.id: self._trade_json(fill) for fill in shown}, "count": len(self.fills)})

    def _trade_json(self, fill: VenueFill) -> Json:
        return {
            "ordertxid": fill.order.id, "postxid": "TKH2SE-M7IF5-CFI7LT", "pair": self.market_id,
            "time": fill.at_ms / 1000, "type": fill.order.side, "ordertype": fill.order.type, "price": str(fill.price),
            "cost": str(fill.price * fill.quantity), "fee": str(fill.fee), "vol": str(fill.quantity), "margin": "0",
            "leverage": "0", "misc": "", "trade_id": fill.number, "maker": False,
        }  # fmt: skip

    def _balances(self, _params: Json) -> Json:
        names = {"BTC": "XXBT", "USDT": "USDT"}
        return _result(
            {names[name]: {"balance": str(total), "hold_trade": str(total - free)}
             for name, (total, free) in self.held.items()}
        )  # fmt: skip

    async def on_message(self, socket: web.WebSocketResponse, message: Json | str) -> None:
        assert isinstance(message, dict)
        if message["method"] == "ping":
            await socket.send_json({"method": "pong", "req_id": message["req_id"]})
        if message["method"] != "subscribe" or self.ignore_streams:
            return
        channel = message["params"]["channel"]
        if self.refuse_streams or message["params"]["token"] != "token":
            refused = {"error": "ESession:Invalid session", "method": "subscribe", "success": False}
            await socket.send_json({**refused, "req_id": message["req_id"]})
            return
        confirmed = {"method": "subscribe", "result": {"channel": channel}, "success": True}
        await socket.send_json({**confirmed, "req_id": message["req_id"]})
        await socket.send_json({"channel": channel, "type": "snapshot", "data": [], "sequence": 1})
        self.subscribed[channel] += 1

    def order_frames(self, order: VenueOrder) -> list[Json]:
        """Return the messages of an order's acceptance; of its end only what has changed, as the venue sends it."""
        common = {"order_id": order.id, "timestamp": iso(order.at_ms)}
        if order.status == "canceled":
            ended = {**common, "order_status": "canceled", "exec_type": "canceled", "cum_qty": float(order.filled)}
            return [_executions(ended)]
        full = {
            **common, "order_userref": 0, "cl_ord_id": order.client_id, "symbol": self.symbol,
            "order_qty": float(order.quantity), "cum_qty": 0.0, "side": order.side, "order_type": order.type,
            "limit_price": float(order.price or 0), "order_status": "pending_new", "exec_type": "pending_new",
        }  # fmt: skip
        return [_executions(full), _executions({**common, "order_status": "new", "exec_type": "new"})]

    def fill_frames(self, fill: VenueFill) -> list[Json]:
        """Return the message of an execution, which has the order's end in the same frame."""
        trade = {
            "order_id": fill.order.id, "exec_id": fill.id, "exec_type": "trade", "trade_id": fill.number,
            "symbol": self.symbol, "side": fill.order.side, "last_qty": float(fill.quantity),
            "last_price": float(fill.price), "liquidity_ind": "t", "cost": float(fill.price * fill.quantity),
            "order_userref": 0, "order_status": "filled", "order_type": fill.order.type,
            "timestamp": iso(fill.at_ms), "fees": [{"asset": "USDT", "qty": float(fill.fee)}],
        }  # fmt: skip
        ended = {
            "order_id": fill.order.id, "exec_type": "filled", "order_status": "filled",
            "cum_qty": float(fill.order.filled), "timestamp": iso(fill.at_ms),
        }  # fmt: skip
        return [{"channel": "executions", "type": "update", "data": [trade, ended], "sequence": 9}]

    def balance_frames(self) -> list[Json]:
        """Return the message of a balance: totals alone."""
        rows = [{"asset": name, "balance": float(total), "wallets": []} for name, (total, _) in self.held.items()]
        return [{"channel": "balances", "type": "update", "data": rows, "sequence": 3}]


def _executions(data: Json) -> Json:
    return {"channel": "executions", "type": "update", "data": [data], "sequence": 8}


def _result(result: Any) -> Json:
    return {"error": [], "result": result}


def iso(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds / 1000)) + f".{milliseconds % 1000:03}000Z"


_ASSETS = {
    "XXBT": {"aclass": "currency", "altname": "XBT", "decimals": 10, "display_decimals": 5, "status": "enabled"},
    "USDT": {"aclass": "currency", "altname": "USDT", "decimals": 4, "display_decimals": 2, "status": "enabled"},
}
_PAIR = {
    "altname": "XBTUSDT", "wsname": "XBT/USDT", "aclass_base": "currency", "base": "XXBT", "aclass_quote": "currency",
    "quote": "USDT", "lot": "unit", "cost_decimals": 5, "pair_decimals": 1, "lot_decimals": 8, "lot_multiplier": 1,
    "leverage_buy": [], "leverage_sell": [], "fees": _FEES, "fees_maker": _FEES, "fee_volume_currency": "ZUSD",
    "margin_call": 80, "margin_stop": 40, "ordermin": "0.0001", "costmin": "0.5", "tick_size": "0.1",
    "status": "online",
}  # fmt: skip
