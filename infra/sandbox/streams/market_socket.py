"""The market stream socket (`/ws`, `/ws/<streams>`, `/stream?streams=`): subscriptions and their answers.

Source: developers.binance.com/docs/binance-spot-api-docs/web-socket-streams, "Live subscribing".
"""

from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Send

from infra.sandbox.api.binance_json import Json
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.streams.hub import MAX_STREAMS, StreamHub, Subscriber, encode
from infra.sandbox.streams.publisher import STREAM_NAME
from infra.sandbox.streams.sockets import serve_socket


class StreamRequest(msgspec.Struct):
    """What a client may send on a market stream socket."""

    method: str
    id: int | str | None = None
    params: list[str] | None = None


class StreamError(Exception):
    """A request on a stream socket that can't be met, by Binance's code and text."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)


class MarketSocket:
    """One market stream connection."""

    def __init__(self, exchange: Exchange, hub: StreamHub, path: str, query: str) -> None:
        self._exchange = exchange
        self._hub = hub
        self._subscriber = Subscriber(combined=path.startswith("/stream"))
        asked = parse_qs(query).get("streams", [""])[0] if self._subscriber.combined else path.removeprefix("/ws")
        self._initial_streams = [name for name in asked.strip("/").split("/") if "@" in name]

    async def serve(self, receive: Receive, send: Send) -> None:
        """Run the connection to its end."""
        for name in self._initial_streams:
            if self._is_stream(name):
                self._add(name)
        self._hub.subscribers.add(self._subscriber)
        try:
            await serve_socket(receive, send, self._subscriber.send_queue, self._on_text)
        finally:
            self._hub.remove_subscriber(self._subscriber)

    def _on_text(self, text: str) -> None:
        try:
            request = msgspec.json.decode(text, type=StreamRequest)
        except msgspec.DecodeError:
            self._answer({"error": {"code": 2, "msg": "Invalid JSON: expected value at line 1 column 1"}, "id": None})
            return
        try:
            self._answer({"result": self._do(request), "id": request.id})
        except StreamError as error:
            self._answer({"error": {"code": error.code, "msg": error.message}, "id": request.id})

    def _do(self, request: StreamRequest) -> object:
        names = request.params or []
        if request.method == "LIST_SUBSCRIPTIONS":
            return list(self._subscriber.streams)
        if request.method == "SUBSCRIBE":
            self._subscribe(names)
            return None
        if request.method == "UNSUBSCRIBE":
            for name in names:
                self._hub.remove(self._subscriber, name)
            return None
        raise StreamError(2, f"Invalid request: unknown variant `{request.method}`")

    def _subscribe(self, names: list[str]) -> None:
        if not all(self._is_stream(name) for name in names):
            raise StreamError(2, "Invalid request: invalid stream")
        if len(self._subscriber.streams) + len(names) > MAX_STREAMS:
            raise StreamError(1, f"Too many subscriptions; the limit is {MAX_STREAMS} streams.")
        for name in names:
            self._add(name)

    def _add(self, name: str) -> None:
        self._hub.add(self._subscriber, name)
        self._exchange.market(name.partition("@")[0].upper())

    def _is_stream(self, name: str) -> bool:
        found = STREAM_NAME.fullmatch(name)
        return found is not None and found["symbol"].upper() in self._exchange.markets

    def _answer(self, message: Json) -> None:
        self._subscriber.send_queue.put(encode(message).decode())
