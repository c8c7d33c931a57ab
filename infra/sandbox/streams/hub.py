"""Market streams: the subscribers of each stream; a message is encoded once for all of them."""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

MAX_QUEUED_BYTES = 4 * 1024 * 1024
MAX_STREAMS = 1024

encode = msgspec.json.Encoder().encode


class SendQueue:
    """The messages to be sent to one connection: bounded, and closed once a slow reader overruns it."""

    def __init__(self, limit_bytes: int = MAX_QUEUED_BYTES) -> None:
        self._messages: deque[str] = deque()
        self._bytes = 0
        self._limit = limit_bytes
        self._wake = asyncio.Event()
        self.closed = False
        self.on_close: Callable[[], None] | None = None

    def put(self, message: str) -> None:
        """Queue a message; a connection that has fallen too far behind is closed instead."""
        if self.closed:
            return
        if self._bytes + len(message) > self._limit:
            self.close()
            return
        self._messages.append(message)
        self._bytes += len(message)
        self._wake.set()

    def close(self) -> None:
        """Drop what is queued and let the writer end the connection."""
        self.closed = True
        self._messages.clear()
        self._wake.set()
        if self.on_close is not None:
            self.on_close()

    async def next(self) -> str | None:
        """Return the next message, or None once closed."""
        while not self._messages and not self.closed:
            self._wake.clear()
            await self._wake.wait()
        if self.closed:
            return None
        message = self._messages.popleft()
        self._bytes -= len(message)
        return message


class Subscriber:
    """One market stream connection: its streams, and whether frames carry the stream's name."""

    def __init__(self, *, combined: bool) -> None:
        self.send_queue = SendQueue()
        self.streams: dict[str, None] = {}
        self.combined = combined


class StreamHub:
    """Which connections are subscribed to which stream."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Subscriber]] = {}
        self.subscribers: set[Subscriber] = set()
        self.silent = False

    def add(self, subscriber: Subscriber, stream: str) -> None:
        """Send `stream` to `subscriber` from now on."""
        if stream not in subscriber.streams:
            subscriber.streams[stream] = None
            self._listeners.setdefault(stream, []).append(subscriber)

    def remove(self, subscriber: Subscriber, stream: str) -> None:
        """Stop sending `stream` to `subscriber`."""
        if stream in subscriber.streams:
            del subscriber.streams[stream]
            listeners = self._listeners[stream]
            listeners.remove(subscriber)
            if not listeners:
                del self._listeners[stream]

    def remove_subscriber(self, subscriber: Subscriber) -> None:
        """Remove a connection that has ended."""
        self.subscribers.discard(subscriber)
        for stream in list(subscriber.streams):
            self.remove(subscriber, stream)

    def has_subscribers(self, stream: str) -> bool:
        """Return whether `stream` has subscribers."""
        return stream in self._listeners

    def streams(self) -> list[list[str]]:
        """Return the streams of every connection, by name."""
        return [sorted(subscriber.streams) for subscriber in self.subscribers]

    def streams_with_prefix(self, prefix: str) -> list[str]:
        """Return the streams in use whose names start with `prefix`."""
        return [stream for stream in self._listeners if stream.startswith(prefix)]

    def publish(self, stream: str, make: Callable[[], object]) -> None:
        """Send what `make` returns to the subscribers of `stream`; it isn't called without any."""
        listeners = self._listeners.get(stream)
        if not listeners or self.silent:
            return
        plain = encode(make()).decode()
        wrapped = f'{{"stream":"{stream}","data":{plain}}}'
        for subscriber in listeners:
            subscriber.send_queue.put(wrapped if subscriber.combined else plain)

    def drop(self, prefix: str) -> None:
        """End every connection that is subscribed to a stream whose name starts with `prefix`."""
        for stream in self.streams_with_prefix(prefix):
            for subscriber in tuple(self._listeners.get(stream, ())):
                subscriber.send_queue.close()

    def drop_all(self) -> int:
        """End every market stream connection, as a test requests; return how many."""
        for subscriber in self.subscribers:
            subscriber.send_queue.close()
        return len(self.subscribers)
