"""A process of thousands of cheap WebSocket readers: they count frames and how old each is, and parse nothing else.

Arguments: the URL, how many readers, and how many of them stop reading once all are there; 0 asks for no subscription.
It writes a line when all have got a frame. For each line with a number of seconds on its input, it counts for so long,
and writes what came as JSON.
"""

import asyncio
import json
import os
import socket
import sys
import time
from datetime import datetime
from typing import Final, cast
from urllib.parse import urlsplit

import uvloop
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from bench.figures import percentile

BOOK: Final = """subscription { marketDepth(market: "sandbox:BTC/USDT", levels: L20, cadence: MS100) {
  ... on MarketDepthSnapshot { sequence bids { price quantity } asks { price quantity } sentAt }
  ... on MarketDepthDelta { sequence bids { price quantity } asks { price quantity } sentAt } } }"""
AT_ONCE: Final = 50
ADDRESSES: Final = 4
"""The engine limits what one address may open."""

_SENT_AT: Final = b'"sentAt":"'
_LARGE_WINDOW, _SMALL_WINDOW = 2**18, 2**12


class Counted:
    """What all readers of the process have received since the last reset."""

    def __init__(self) -> None:
        self.has_begun = 0
        self._moments: dict[bytes, float] = {}
        self.reset()

    def reset(self) -> None:
        """Begin again from nothing."""
        self.frames = self.bytes = 0
        self.ages: list[float] = []

    def count(self, frame: bytes, now: float) -> None:
        """Count one frame of the subscription, or one of a plain broadcast."""
        self.frames += 1
        self.bytes += len(frame)
        at = frame.rfind(_SENT_AT)
        if at < 0:
            return
        text = frame[at + len(_SENT_AT) : frame.index(b'"', at + len(_SENT_AT))]
        if text not in self._moments:
            self._moments = {text: datetime.fromisoformat(text.decode()).timestamp()}
        self.ages.append(now - self._moments[text])

    def result(self) -> dict[str, float]:
        """Return the counts, and the ages in milliseconds."""
        ages = self.ages or [0.0]
        p50, p99 = (percentile(ages, at) * 1000 for at in (50, 99))
        return {"frames": self.frames, "bytes": self.bytes, "p50_ms": p50, "p99_ms": p99}


class Reader(asyncio.Protocol):
    """One connection, from its handshake on."""

    def __init__(self, url: str, counted: Counted) -> None:
        self._protocol = ClientProtocol(parse_uri(url), subprotocols=[Subprotocol("graphql-transport-ws")])
        self._counted = counted
        self._is_open = False
        self._rest = b""
        self.began: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's isn't of that class
        request = self._protocol.connect()
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Do the handshake by the library, then split frames by hand."""
        if self._is_open:
            self._split(data, time.time())
            return
        head, end, data = data.partition(b"\r\n\r\n")
        self._protocol.receive_data(head + end)
        self._protocol.events_received()
        if self._protocol.handshake_exc is not None:
            raise self._protocol.handshake_exc
        self._is_open = True
        self._send({"type": "connection_init"})
        self._send({"type": "subscribe", "id": os.urandom(16).hex(), "payload": {"query": BOOK}})
        self._split(data, time.time())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.began.done():
            self.began.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def _split(self, data: bytes, now: float) -> None:
        data = self._rest + data
        while len(data) >= 2:
            size, start = data[1], 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            elif size == 127:
                size, start = int.from_bytes(data[2:10], "big"), 10
            if len(data) < start + size:
                break
            self._on_frame(data[0] & 0x0F, data[start : start + size], now)
            data = data[start + size :]
        self._rest = data

    def _on_frame(self, opcode: int, frame: bytes, now: float) -> None:
        if opcode == Opcode.PING:
            self.transport.write(Frame(Opcode.PONG, frame).serialize(mask=True))
        elif opcode == Opcode.CLOSE:
            self.transport.close()
        elif b'"type":"error"' in frame[:100]:
            raise RuntimeError(frame.decode())
        elif len(frame) > 100:
            self._counted.count(frame, now)
            if not self.began.done():
                self.began.set_result(None)

    def _send(self, message: object) -> None:
        self._protocol.send_text(json.dumps(message).encode())
        self._flush()

    def _flush(self) -> None:
        self.transport.writelines(self._protocol.data_to_send())


async def main(url: str, count: int, stalled: int) -> None:
    """Connect all readers, and count as asked."""
    counted = Counted()
    readers: list[Reader] = []
    for start in range(0, count, AT_ONCE):
        some = [_connect(url, counted, n % ADDRESSES, n < stalled) for n in range(start, min(start + AT_ONCE, count))]
        readers += await asyncio.gather(*some)
    await asyncio.gather(*(reader.began for reader in readers))
    for reader in readers[:stalled]:
        reader.transport.pause_reading()
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        counted.reset()
        await asyncio.sleep(float(line))
        print(json.dumps(counted.result()), flush=True)


async def _connect(url: str, counted: Counted, address: int, is_stalled: bool) -> Reader:
    parts = urlsplit(url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_WINDOW if is_stalled else _LARGE_WINDOW)
    connection.bind((f"127.0.0.{address + 1}", 0))
    connection.setblocking(False)  # noqa: FBT003  # the standard library's
    await asyncio.get_running_loop().sock_connect(connection, (parts.hostname, parts.port))
    _, reader = await asyncio.get_running_loop().create_connection(lambda: Reader(url, counted), sock=connection)
    return reader


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
