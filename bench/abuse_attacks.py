"""What a stranger can do to an engine: each attack runs against one for some seconds, as hard as a process can.

`python -m bench.abuse_attacks NAME URL SECONDS` runs one.
"""

import asyncio
import contextlib
import hashlib
import itertools
import json
import secrets
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import aiohttp

LOGIN: Final = (
    "mutation($e: String!, $p: String!) { userLogin(input: {email: $e, password: $p}) { token errors { code } } }"
)
CANDLES: Final = (
    "query($i: [ID!]!) { nodes(ids: $i) { ... on Market { candles(timeframe: M1, first: 400) "
    "{ nodes { open high low close volume openTime } } } } }"
)
NODES: Final = "query($i: [ID!]!) { nodes(ids: $i) { id } }"
HANDSHAKE: Final = (
    b"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
POST: Final = b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
CLIENTS: Final = 16
ATTACKER: Final = ("127.0.0.2", 0)
"""Another address than the good user's, who is thus not limited with the attacker."""

JSON: Final = {"content-type": "application/json"}

Attack = Callable[[str, float], Awaitable[None]]
Bodies = Callable[[], Iterator[bytes]]


async def hammer(bodies: Bodies, url: str, seconds: float, *, tokens: bool = False, token: str = "") -> None:
    """Post one body after the other, on sixteen connections at once, perhaps with a token or with made-up ones."""
    deadline, each = time.monotonic() + seconds, bodies()

    async def post(session: aiohttp.ClientSession) -> None:
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError):
                bearer = f"r3s_{secrets.token_urlsafe(32)}" if tokens else token
                headers = JSON | ({"authorization": f"Bearer {bearer}"} if bearer else {})
                async with session.post(f"{url}/graphql", data=next(each), headers=headers) as response:
                    await response.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=ATTACKER)) as session:
        await asyncio.gather(*(post(session) for _ in range(CLIENTS)))


def _documents(make: Callable[[int], str]) -> Bodies:
    """Return bodies of documents, each another one so that none is in the cache."""
    return lambda: (json.dumps({"query": make(number)}).encode() for number in itertools.count())


def _again(*bodies: str) -> Bodies:
    return lambda: itertools.cycle(body.encode() for body in bodies)


def _values(*values: str) -> Bodies:
    """Return bodies whose variable is each of these JSON texts in turn."""
    return _again(*(f'{{"query": {json.dumps(NODES)}, "variables": {{"i": {value}}}}}' for value in values))


def _fragments(number: int) -> str:
    doubling = (f"fragment f{one} on Query {{ ...f{one + 1} ...f{one + 1} }}" for one in range(80))
    return f"query Q{number} {{ ...f0 }} {' '.join(doubling)} fragment f80 on Query {{ __typename }}"


def _nested(number: int) -> str:
    return f"query Q{number} {{ {'... { ' * 190} __typename {'}' * 190} }}"


def _aliases(number: int) -> str:
    fields = (f'a{one}: market(symbol: "sandbox:BTC/USDT") {{ id depth {{ bids {{ price }} }} }}' for one in range(15))
    return f"query Q{number} {{ {' '.join(fields)} }}"


def _repeated(number: int) -> str:
    return f"query Q{number} {{ {'viewer { id email } ' * 190} }}"


def _unicode(number: int) -> str:
    letters = ("\\u0041" * 15_000, "\\u{1F600}" * 9_000, "é" * 40_000, "\u202e\ufeff" * 15_000)
    return f'query Q{number} {{ market(symbol: "{letters[number % len(letters)]}") {{ id }} }}'


def _identifiers() -> Iterator[bytes]:
    for number in itertools.count():
        persisted = {"version": 1, "sha256Hash": f"{number:064x}"}
        yield json.dumps(
            {"extensions": {"persistedQuery": persisted}} if number % 2 else {"documentId": f"{number}"}
        ).encode()


async def _written(url: str, seconds: float, count: int, pieces: Callable[[], Iterator[bytes]], pause: float) -> None:
    """Hold so many connections, on each of which the pieces are written with a pause; open again what is closed."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    deadline = time.monotonic() + seconds

    async def hold() -> None:
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - time.monotonic()):
                    reader, writer = await asyncio.open_connection(host, port, local_addr=ATTACKER)
                    reading = asyncio.create_task(_read_all(reader))
                    try:
                        for piece in pieces():
                            if reading.done():
                                break
                            writer.write(piece)
                            await writer.drain()
                            await asyncio.sleep(pause)
                    finally:
                        reading.cancel()
                        writer.close()
            await asyncio.sleep(0.01)

    await asyncio.gather(*(hold() for _ in range(count)))


async def _read_all(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(1 << 20):
            pass


def _forever(head: bytes, piece: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.chain([head], itertools.repeat(piece))


def _frame(text: bytes, opcode: int = 1) -> bytes:
    """Return a masked frame (RFC 6455, 5.2) of at most 64 KiB, whose mask is 0."""
    size = bytes((0x80 | len(text),)) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
    return bytes((0x80 | opcode,)) + size + b"\0\0\0\0" + text


def _messages(message: bytes) -> Callable[[], Iterator[bytes]]:
    return _forever(HANDSHAKE + _frame(b'{"type":"connection_init"}'), message * (65_536 // len(message) + 1))


FLOODS: Final = (
    _frame(b"", 9),
    _frame(b'{"type":"ping"}'),
    _frame(b'{"type":"complete","id":"1"}'),
    _frame(b'{"type":"subscribe","id":"1","payload":{"query":1}}'),
    _frame(b'{"type":"ping","payload":{"a":[' + b",".join([b"1"] * 30_000) + b"]}}"),
)


async def pings(url: str, seconds: float) -> None:
    """Ten sockets that send tiny messages of several kinds, and large ones, without pause."""
    await asyncio.gather(*(_written(url, seconds, 2, _messages(message), 0) for message in FLOODS))


async def slow(url: str, seconds: float) -> None:
    """Five hundred connections whose heads, and five hundred whose bodies come a byte at a time."""
    head = _forever(b"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", b"a")
    body = _forever(POST + b"Content-Length: 1000\r\n\r\n", b" ")
    await asyncio.gather(_written(url, seconds, 500, head, 1.0), _written(url, seconds, 500, body, 1.0))


LARGE: Final = _again("[" + ",".join(["[]"] * 40_000) + "]", "{" + ",".join(f'"{n}":0' for n in range(11_000)) + "}")


async def unlimited(url: str, seconds: float) -> None:
    """Bodies without an end."""
    await _written(url, seconds, 8, _forever(POST + b"Content-Length: 999999999\r\n\r\n", b" " * 65_536), 0)


async def bodies(url: str, seconds: float) -> None:
    """Bodies without an end, and the largest that are read."""
    await asyncio.gather(unlimited(url, seconds), hammer(LARGE, url, seconds))


async def connections(url: str, seconds: float) -> None:
    """As many connections as one address may have, and a hundred that are always one too many."""
    await _written(url, seconds, 2_100, lambda: itertools.repeat(b"", 1_000), 1.0)


async def sockets(url: str, seconds: float) -> None:
    """A thousand five hundred sockets that do nothing."""
    opening = HANDSHAKE + _frame(b'{"type":"connection_init"}')
    await _written(url, seconds, 1_500, lambda: itertools.chain([opening], itertools.repeat(b"", 1_000)), 1.0)


async def rooms(url: str, seconds: float) -> None:
    """Twenty sockets with a hundred subscriptions each, no two alike."""
    await asyncio.gather(*(_written(url, seconds, 1, partial(_subscriptions, number), 0.01) for number in range(20)))


def _subscriptions(number: int) -> Iterator[bytes]:
    yield HANDSHAKE + _frame(b'{"type":"connection_init"}')
    for one in range(100):
        query = _stream(f"S{number}_{one}")
        message = {"type": "subscribe", "id": str(one), "payload": {"query": query}}
        yield _frame(json.dumps(message).encode())
    yield from itertools.repeat(b"", 100_000)


def _stream(name: str) -> str:
    return (
        f'subscription {name} {{ marketDepth(market: "sandbox:BTC/USDT", levels: L100, cadence: MS20) '
        "{ __typename ... on MarketDepthSnapshot { bids { price quantity } asks { price quantity } } } }"
    )


def _feeds(number: int) -> str:
    tickers = (f'a{one}: market(symbol: "sandbox:X{number}{one}/USDT") {{ ticker {{ last }} }}' for one in range(10))
    return f"query Q{number} {{ {' '.join(tickers)} }}"


async def sign_in(url: str, seconds: float) -> None:
    """A hundred and fifty wrong passwords at a time for one account; half of the clients don't wait for the answer."""
    deadline = time.monotonic() + seconds
    body = {"query": LOGIN, "variables": {"e": "victim@example.com", "p": "not the password"}}

    async def guess(session: aiohttp.ClientSession, patience: float | None) -> None:
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                timeout = aiohttp.ClientTimeout(total=patience)
                async with session.post(f"{url}/graphql", json=body, timeout=timeout) as response:
                    await response.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, local_addr=ATTACKER)) as session:
        await asyncio.gather(*(guess(session, None if one % 2 else 0.05) for one in range(150)))


async def nodes(url: str, seconds: float) -> None:
    """Queries that ask for all that the cost limit lets through."""
    async with aiohttp.ClientSession() as session:
        query = {"query": '{ market(symbol: "sandbox:BTC/USDT") { id } }'}
        async with session.post(f"{url}/graphql", json=query) as response:
            market = (await response.json(content_type=None))["data"]["market"]["id"]
    await hammer(_again(json.dumps({"query": CANDLES, "variables": {"i": [market] * 12}})), url, seconds)


REGISTER: Final = "mutation($e: String!, $p: String!) { userRegister(input: {email: $e, password: $p}) { token } }"


async def users(url: str, seconds: float) -> None:
    """A user who asks for the dearest that may be asked: full pages of candles and markets, searches, long filters."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=ATTACKER)) as session:
        who = {"e": f"{secrets.token_hex(8)}@example.com", "p": secrets.token_hex(16)}
        async with session.post(f"{url}/graphql", json={"query": REGISTER, "variables": who}) as response:
            token = (await response.json(content_type=None))["data"]["userRegister"]["token"]
        query = {"query": '{ market(symbol: "sandbox:BTC/USDT") { id } }'}
        async with session.post(f"{url}/graphql", json=query) as response:
            market = (await response.json(content_type=None))["data"]["market"]["id"]
        search = "query($s: String) { markets(first: 100, search: $s) { nodes { symbol ticker { last } } } }"
        symbols = "query($s: [String!]) { markets(first: 100, symbols: $s) { nodes { symbol } } }"
        page = "query($c: String) { viewer { orders(first: 100, after: $c) { nodes { id events { sequence } } } } }"
        asked = [
            {"query": CANDLES, "variables": {"i": [market] * 12}},
            {"query": search, "variables": {"s": "%_" * 2_000}},
            {"query": symbols, "variables": {"s": [f"sandbox:X{number}/USDT" for number in range(4_900)]}},
            {"query": page, "variables": {"c": "A" * 60_000}},
        ]
    await hammer(_again(*map(json.dumps, asked)), url, seconds, token=token)


def _registrations() -> Iterator[bytes]:
    """Return documents that are no longer than the cache takes, each to be kept by Apollo's protocol."""
    for number in itertools.count():
        query = f"query Q{number} {{ __typename }} #{'x' * 15_000}"
        persisted = {"version": 1, "sha256Hash": hashlib.sha256(query.encode()).hexdigest()}
        yield json.dumps({"query": query, "extensions": {"persistedQuery": persisted}}).encode()


async def unread(url: str, seconds: float) -> None:
    """Two hundred connections that ask for sixteen large answers each, and a hundred event streams; none is read."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    asked = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 16
    body = json.dumps({"query": _stream("S")}).encode()
    stream = POST + b"Accept: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def ask(request: bytes) -> None:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            connection.bind(ATTACKER)
            connection.settimeout(0)
            loop = asyncio.get_running_loop()
            with contextlib.suppress(OSError):
                await loop.sock_connect(connection, (host, port))
                await loop.sock_sendall(connection, request)
                await asyncio.sleep(seconds)

    await asyncio.gather(*(ask(stream if one % 3 == 0 else asked) for one in range(300)))


REQUESTS: Final = (
    b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"PUT /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
    b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}",
    b"GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n\r\n",
)
"""Each is answered without any GraphQL: 404, 405, 415, 421, and what everybody may read."""


async def paths(url: str, seconds: float) -> None:
    """Two hundred connections that always have a request under way, of every kind that is no GraphQL."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    deadline = time.monotonic() + seconds

    async def ask(request: bytes) -> None:
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(host, port, local_addr=ATTACKER)
                try:
                    while time.monotonic() < deadline:
                        writer.write(request)
                        if not await reader.read(1 << 20):
                            break
                finally:
                    writer.close()

    await asyncio.gather(*(ask(REQUESTS[one % len(REQUESTS)]) for one in range(200)))


ATTACKS: Final[dict[str, Attack]] = {
    "garbage": partial(hammer, _again("{", "[]", "1", '{"query": 1}', "nonsense", "[" * 100_000)),
    "bodies": bodies,
    "unlimited": unlimited,
    "large": partial(hammer, LARGE),
    "paths": paths,
    "header": partial(
        _written, count=4, pieces=_forever(b"GET /graphql HTTP/1.1\r\nHost: x\r\nX-Big: ", b"a" * 65_536), pause=0
    ),
    "slow": slow,
    "connections": connections,
    "pings": pings,
    "sockets": sockets,
    "rooms": rooms,
    "feeds": partial(hammer, _documents(_feeds)),
    "sign_in": sign_in,
    "nodes": nodes,
    "fragments": partial(hammer, _documents(_fragments)),
    "nesting": partial(hammer, _documents(_nested)),
    "aliases": partial(hammer, _documents(_aliases)),
    "repetition": partial(hammer, _documents(_repeated)),
    "lists": partial(hammer, _values(f"[{','.join(['1'] * 4_900)}]", f"[{','.join(['[]'] * 30_000)}]")),
    "numbers": partial(hammer, _values("[1e999999]", f"[{','.join(['9' * 4_299] * 25)}]", '["1e999999"]', "1e-999999")),
    "documents": partial(hammer, _identifiers),
    "registrations": partial(hammer, _registrations),
    "users": users,
    "unread": unread,
    "tokens": partial(hammer, _again('{"query": "{ viewer { id } }"}'), tokens=True),
    "unicode": partial(hammer, _documents(_unicode)),
    "introspection": partial(
        hammer,
        _documents(lambda number: f"query Q{number} {{ __schema {{ types {{ fields {{ args {{ name }} }} }} }} }}"),
    ),
}


if __name__ == "__main__":
    asyncio.run(ATTACKS[sys.argv[1]](sys.argv[2], float(sys.argv[3])))
