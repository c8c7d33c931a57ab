"""Coinbase Advanced Trade: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api."""

from aiohttp import web

from tests.support.fake_venues.kraken import iso
from tests.support.fake_venues.server import FakeVenue, Json, VenueFill, VenueOrder

_STATUSES = {"open": "OPEN", "filled": "FILLED", "canceled": "CANCELLED"}
_API = "/api/v3/brokerage"


class FakeCoinbase(FakeVenue):
    """REST under `/api/v3/brokerage`, WebSocket at the root."""

    ccxt_id = "coinbase"
    market_id = "BTC-USDT"
    place_path = f"{_API}/orders"
    cancel_path = f"{_API}/orders/batch_cancel"
    id_parameter = "client_order_id"
    refusal: Json = {  # noqa: RUF012
        "success": False, "failure_reason": "UNKNOWN_FAILURE_REASON", "order_id": "",
        "error_response": {
            "error": "INSUFFICIENT_FUND", "message": "Insufficient balance in source account", "error_details": "",
            "preview_failure_reason": "PREVIEW_INSUFFICIENT_FUND",
        },
    }  # fmt: skip
    clock_refusal: Json | None = None
    doubtful: Json = {"success": False, "failure_reason": "UNKNOWN_FAILURE_REASON", "order_id": ""}  # noqa: RUF012
    page = 250
    orders_page = 100

    def order_id(self, number: int) -> str:
        return f"00000000-0000-4000-8000-{number:012}"

    def add_routes(self, app: web.Application) -> None:
        for path, handle in {
            "/v2/time": lambda _: {"data": {"iso": iso(self.now_ms()), "epoch": self.now_ms() // 1000}},
            "/v2/currencies": lambda _: {"data": [{"id": "USDT", "name": "Tether", "min_size": "0.01"}]},
            "/v2/currencies/crypto": lambda _: {"data": [{"code": "BTC", "name": "Bitcoin", "exponent": 8}]},
            "/v2/exchange-rates": lambda _: {"data": {"currency": "USD", "rates": {"BTC": "0.00001"}}},
            f"{_API}/market/products": self._products,
            f"{_API}/orders/historical/batch": self._listed,
            f"{_API}/orders/historical/fills": self._fills,
            f"{_API}/accounts": lambda _: {"accounts": self._accounts(), "has_next": False, "cursor": ""},
            f"{_API}/key_permissions": lambda _: self._permissions(),
        }.items():
            self.rest(app, "GET", path, handle)
        app.router.add_get(f"{_API}/orders/historical/{{id}}", self._one)
        self.rest(app, "POST", self.place_path, self._place)
        self.rest(app, "POST", self.cancel_path, self._cancel)
        app.router.add_get("/", self.on_socket)

    def _products(self, params: Json) -> Json:
        return {"products": [] if params.get("product_type") == "FUTURE" else [_PRODUCT]}

    def _permissions(self) -> Json:
        return {"can_view": True, "can_trade": True, "can_transfer": self.keys_may_withdraw, "portfolio_uuid": "1"}

    def _place(self, params: Json) -> Json:
        ((kind, terms),) = params["order_configuration"].items()
        order_type = "market" if kind.startswith("market") else "limit"
        side = params["side"].lower()
        made = self.new_order(params["client_order_id"], side, order_type, terms["base_size"], terms.get("limit_price"))
        success = {"order_id": made.id, "product_id": self.market_id, "side": params["side"]}
        return {"success": True, "success_response": success | {"client_order_id": made.client_id}}

    def _cancel(self, params: Json) -> Json:
        order = self.find(params["order_ids"][0])
        if order is None or order.status != "open":
            reason = "UNKNOWN_CANCEL_ORDER"
            return {"results": [{"success": False, "failure_reason": reason, "order_id": params["order_ids"][0]}]}
        order.status = "canceled"
        return {"results": [{"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": order.id}]}

    def _listed(self, params: Json) -> Json:
        statuses = {"OPEN": {"open"}}.get(params.get("order_status", ""), {"open", "filled", "canceled"})
        rows = [self._json(order) for order in reversed(self.orders.values()) if order.status in statuses]
        offset = int(params.get("cursor", 0))
        has_next = len(rows) > offset + self.orders_page
        cursor = str(offset + self.orders_page) if has_next else ""
        shown = rows[offset : offset + self.orders_page]
        return {"orders": shown, "has_next": has_next, "cursor": cursor, "sequence": "0"}

    async def _one(self, request: web.Request) -> web.StreamResponse:
        order = self.find(request.match_info["id"])
        if order is None:
            return web.json_response({"error": "NOT_FOUND", "error_details": "order not found"}, status=404)
        return web.json_response({"order": self._json(order)})

    def _fills(self, params: Json) -> Json:
        rows = [
            self._fill_json(fill)
            for fill in sorted(self.fills, key=lambda fill: -fill.number)
            if params.get("order_ids") in {None, fill.order.id}
        ]
        offset = int(params.get("cursor", 0))
        cursor = str(offset + self.page) if len(rows) > offset + self.page else ""
        return {"fills": rows[offset : offset + self.page], "cursor": cursor}

    def _json(self, order: VenueOrder) -> Json:
        size = {"base_size": str(order.quantity)}
        configuration = {"market_market_ioc": size}
        if order.price is not None:
            configuration = {"limit_limit_gtc": {**size, "limit_price": str(order.price)}}
        return {
            "order_id": order.id, "product_id": self.market_id, "user_id": "1", "side": order.side.upper(),
            "order_configuration": configuration, "client_order_id": order.client_id,
            "status": _STATUSES[order.status], "time_in_force": "GOOD_UNTIL_CANCELLED",
            "created_time": iso(order.at_ms), "filled_size": str(order.filled), "average_filled_price": "0",
            "fee": "", "number_of_fills": "0", "filled_value": "0", "pending_cancel": False, "size_in_quote": False,
            "total_fees": "0", "order_type": order.type.upper(), "product_type": "SPOT", "settled": True,
        }  # fmt: skip

    def _fill_json(self, fill: VenueFill) -> Json:
        return {
            "entry_id": f"entry-{fill.number}", "trade_id": fill.id, "order_id": fill.order.id,
            "trade_time": iso(fill.at_ms), "trade_type": "FILL", "price": str(fill.price), "size": str(fill.quantity),
            "commission": str(fill.fee), "product_id": self.market_id, "sequence_timestamp": iso(fill.at_ms),
            "liquidity_indicator": "TAKER", "size_in_quote": False, "user_id": "1", "side": fill.order.side.upper(),
        }  # fmt: skip

    def _accounts(self) -> list[Json]:
        return [
            {"uuid": name, "name": f"{name} Wallet", "currency": name, "active": True, "type": "ACCOUNT_TYPE_CRYPTO",
             "available_balance": {"value": str(free), "currency": name},
             "hold": {"value": str(total - free), "currency": name}}
            for name, (total, free) in self.held.items()
        ]  # fmt: skip

    async def on_message(self, socket: web.WebSocketResponse, message: Json | str) -> None:
        assert isinstance(message, dict)
        if message["type"] != "subscribe" or self.ignore_streams:
            return
        channel = message["channel"]
        if self.refuse_streams and channel == "user":
            await socket.send_json({"type": "error", "message": "authentication failure"})
            return
        self.subscribed[channel] += 1
        stands = {name: ["1"] for name, times in self.subscribed.items() if times}
        await socket.send_json({"channel": "subscriptions", "sequence_num": 0, "events": [{"subscriptions": stands}]})

    def order_frames(self, order: VenueOrder) -> list[Json]:
        """Return the message of an order's state; of one that was cancelled nothing is left."""
        left = 0 if order.status == "canceled" else order.quantity - order.filled
        data = {
            "order_id": order.id, "client_order_id": order.client_id, "cumulative_quantity": str(order.filled),
            "leaves_quantity": str(left), "avg_price": "0", "total_fees": "0", "status": _STATUSES[order.status],
            "product_id": self.market_id, "creation_time": iso(order.at_ms), "order_side": order.side.upper(),
            "order_type": order.type.capitalize(), "limit_price": str(order.price or ""), "stop_price": "",
            "number_of_fills": "0", "product_type": "SPOT",
        }  # fmt: skip
        return [{"channel": "user", "sequence_num": 1, "events": [{"type": "update", "orders": [data]}]}]

    def fill_frames(self, fill: VenueFill) -> list[Json]:
        """Return the message of the order's state: the venue streams no executions."""
        return self.order_frames(fill.order)

    def balance_frames(self) -> list[Json]:
        """Return nothing: the venue streams no balances."""
        return []


_PRODUCT = {
    "product_id": "BTC-USDT", "price": "100", "base_increment": "0.00000001", "quote_increment": "0.01",
    "price_increment": "0.01", "quote_min_size": "1", "quote_max_size": "150000000", "base_min_size": "0.00000001",
    "base_max_size": "3400", "base_name": "Bitcoin", "quote_name": "Tether", "status": "online",
    "cancel_only": False, "limit_only": False, "post_only": False, "trading_disabled": False, "auction_mode": False,
    "product_type": "SPOT", "quote_currency_id": "USDT", "base_currency_id": "BTC", "alias": "", "alias_to": [],
}  # fmt: skip
