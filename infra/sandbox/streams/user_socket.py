"""The WebSocket API (`/ws-api/v3`): requests as on REST, and the user data stream.

Source: developers.binance.com/docs/binance-spot-api-docs/websocket-api.
"""

import msgspec
from starlette.types import Receive, Send

from infra.sandbox.api.binance_json import Json
from infra.sandbox.api.endpoints import METHODS
from infra.sandbox.api.params import Params
from infra.sandbox.api.rate_limits import RateLimits
from infra.sandbox.api.routing import RequestContext
from infra.sandbox.api.signing import check_signature, key_holder, websocket_payload
from infra.sandbox.api.user_events import account_position, balance_update, execution_report, list_status
from infra.sandbox.clock import SandboxClock, monotonic_seconds
from infra.sandbox.errors import ExchangeError
from infra.sandbox.faults import FaultInjector
from infra.sandbox.matching.exchange import AccountEvent, Exchange
from infra.sandbox.state.store import Account
from infra.sandbox.streams.hub import SendQueue, encode
from infra.sandbox.streams.sockets import abort, serve_socket

SUBSCRIBE = "userDataStream.subscribe.signature"
UNSUBSCRIBE = "userDataStream.unsubscribe"
PLACE_ORDERS = frozenset(method for method, endpoint in METHODS.items() if endpoint.new_orders)


class UserRequest(msgspec.Struct):
    """What a client sends on the WebSocket API."""

    method: str
    id: int | str | None = None
    params: dict[str, str | int | float | bool | None] = {}


class UserStreams:
    """The user data streams: events of each account to the connections that subscribed to it."""

    def __init__(self, clock: SandboxClock, faults: FaultInjector) -> None:
        self.sockets: set[UserSocket] = set()
        self._clock = clock
        self.faults = faults
        self._held: list[tuple[int, Json]] = []

    def publish(self, event: AccountEvent) -> None:
        """Send an event to its account's subscriptions, with the faults that a test requested."""
        for view in self._views(event):
            fill = view.get("x") == "TRADE"
            if self.faults.consume("mute_user_events"):
                continue
            if fill and self.faults.consume("reorder_fills"):
                self._held.append((event.uid, view))
                continue
            self._send(event.uid, view)
            if fill and self.faults.consume("repeat_fills"):
                self._send(event.uid, view)
            self._release()

    def drop_all(self) -> int:
        """End every WebSocket API connection, as a test requests; return how many."""
        for socket in self.sockets:
            socket.send_queue.close()
        return len(self.sockets)

    def _views(self, event: AccountEvent) -> list[Json]:
        now, views = self._clock.now_ms(), []
        if event.execution:
            views.append(execution_report(event.execution, now))
        if event.order_list:
            views.append(list_status(event.order_list, now))
        if event.deposit:
            views.append(balance_update(*event.deposit, now))
        if event.balances:
            views.append(account_position(event.balances, now))
        return views

    def _release(self) -> None:
        held, self._held = self._held, []
        for uid, view in held:
            self._send(uid, view)

    def _send(self, uid: int, view: Json) -> None:
        for socket in self.sockets:
            for number, owner in socket.subscriptions.items():
                if owner == uid:
                    socket.send_queue.put(encode({"subscriptionId": number, "event": view}).decode())


class UserSocket:
    """One connection of the WebSocket API."""

    def __init__(self, exchange: Exchange, streams: UserStreams, limits: RateLimits, address: str) -> None:
        self.send_queue = SendQueue()
        self.subscriptions: dict[int, int] = {}
        self._exchange = exchange
        self._streams = streams
        self._limits = limits
        self._address = address
        self._faults = streams.faults
        self._last_subscription = -1
        self._send: Send | None = None

    async def serve(self, receive: Receive, send: Send) -> None:
        """Run the connection to its end."""
        self._send = send
        self._streams.sockets.add(self)
        try:
            await serve_socket(receive, send, self.send_queue, self._on_text)
        finally:
            self._streams.sockets.discard(self)

    def _on_text(self, text: str) -> None:
        try:
            request = msgspec.json.decode(text, type=UserRequest)
        except msgspec.DecodeError as error:
            self._answer(None, 400, {"error": {"code": -1135, "msg": f"Invalid JSON Request: {error}"}})
            return
        try:
            result = self._do(request)
        except ExchangeError as error:
            self._answer(request.id, error.status, {"error": error.content()})
            return
        if request.method in PLACE_ORDERS and self._faults.consume("swallow_orders") and self._send:
            abort(self._send)
            return
        self._answer(request.id, 200, {"result": result})

    def _do(self, request: UserRequest) -> object:
        values = {name: _text(value) for name, value in request.params.items() if value is not None}
        params = Params(values)
        if request.method == SUBSCRIBE:
            return self._subscribe(self._caller(params, values))
        if request.method == UNSUBSCRIBE:
            return self._unsubscribe(params.number("subscriptionId"))
        endpoint = METHODS.get(request.method)
        if endpoint is None:
            raise ExchangeError(-1020, "This operation is not supported.")
        self._limits.use_weight(self._address, endpoint.weigh(params), monotonic_seconds())
        caller = self._caller(params, values) if endpoint.signed else None
        if endpoint.new_orders and caller:
            self._limits.use_order(caller.uid, monotonic_seconds(), endpoint.new_orders)
        return endpoint.handler(RequestContext(self._exchange, params, self._limits, caller))

    def _caller(self, params: Params, values: dict[str, str]) -> Account:
        account = key_holder(self._exchange, params.get("apiKey"))
        check_signature(account, websocket_payload(values), params, self._exchange.clock.now_ms())
        return account

    def _subscribe(self, account: Account) -> Json:
        if account.uid in self.subscriptions.values():
            raise ExchangeError(-2035, "User Data Stream subscription is already active.")
        self._last_subscription += 1
        self.subscriptions[self._last_subscription] = account.uid
        return {"subscriptionId": self._last_subscription}

    def _unsubscribe(self, number: int | None) -> Json:
        if number is None:
            self.subscriptions.clear()
        else:
            self.subscriptions.pop(number, None)
        return {}

    def _answer(self, number: int | str | None, status: int, content: Json) -> None:
        self.send_queue.put(encode({"id": number, "status": status} | content | {"rateLimits": []}).decode())


def _text(value: object) -> str:
    """Return a parameter as it is signed: booleans in lower case, numbers as sent."""
    return str(value).lower() if isinstance(value, bool) else str(value)
