"""What a good user notices while a stranger attacks: answers of `viewer` and depth beside one attack after another.

`python -m bench.abuse` starts an engine and runs every attack for some seconds; each attacker is a process of its own.
`python -m bench.abuse SECONDS header rooms sign_in nodes` runs some. Figures go to the table and to JSON.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from bench.figures import percentile, report
from bench.parts import Engine, engine, scratch

SECONDS = 12.0
EVERY_SECONDS = 0.25
PASSWORD = "correct horse battery"
REGISTER = "mutation($e: String!, $p: String!) { userRegister(input: {email: $e, password: $p}) { token } }"
LOGIN = "mutation($e: String!, $p: String!) { userLogin(input: {email: $e, password: $p}) { token errors { code } } }"
ASK = '{ viewer { email } market(symbol: "sandbox:BTC/USDT") { depth { bids { price } } } }'
CANDLES = (
    "query($i: [ID!]!) { nodes(ids: $i) { ... on Market { candles(timeframe: M1, first: 400) "
    "{ nodes { open high low close volume openTime } } } } }"
)

Attack = Callable[[str, float], Awaitable[None]]


async def header(url: str, seconds: float) -> None:
    """One connection with one header that doesn't end, opened again whenever it is closed."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionError):
            _, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Big: ")
            while time.monotonic() < deadline and not writer.is_closing():
                writer.write(b"a" * 65_536)
                await writer.drain()
        await asyncio.sleep(0.01)


async def rooms(url: str, seconds: float) -> None:
    """Twenty sockets with a hundred subscriptions each, no two alike."""
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(_socket(session, url, number, seconds) for number in range(20)))


async def _socket(session: aiohttp.ClientSession, url: str, number: int, seconds: float) -> None:
    with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
        async with (
            asyncio.timeout(seconds),
            session.ws_connect(f"{url}/graphql", protocols=["graphql-transport-ws"], max_msg_size=0) as socket,
        ):
            await socket.send_str('{"type":"connection_init"}')
            for one in range(100):
                query = (
                    f'subscription S{number}_{one} {{ marketDepth(market: "sandbox:BTC/USDT", levels: L100, '
                    "cadence: MS20) { __typename ... on MarketDepthSnapshot { bids { price quantity } "
                    "asks { price quantity } } } }"
                )
                payload = {"query": query}
                await socket.send_str(json.dumps({"type": "subscribe", "id": str(one), "payload": payload}))
            async for _ in socket:
                pass


async def sign_in(url: str, seconds: float) -> None:
    """A hundred and fifty wrong passwords at a time for one account."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        deadline = time.monotonic() + seconds

        async def guess() -> None:
            while time.monotonic() < deadline:
                await _post(session, url, LOGIN, e="victim@example.com", p="not the password")

        await asyncio.gather(*(guess() for _ in range(150)))


async def nodes(url: str, seconds: float) -> None:
    """Eight queries at a time that ask for all that the cost limit lets through."""
    async with aiohttp.ClientSession() as session:
        (market,) = (await _post(session, url, '{ market(symbol: "sandbox:BTC/USDT") { id } }'))["data"].values()
        deadline = time.monotonic() + seconds

        async def ask() -> None:
            while time.monotonic() < deadline:
                await _post(session, url, CANDLES, i=[market["id"]] * 12)

        await asyncio.gather(*(ask() for _ in range(8)))


ATTACKS: dict[str, Attack] = {"header": header, "rooms": rooms, "sign_in": sign_in, "nodes": nodes}


async def _post(session: aiohttp.ClientSession, url: str, query: str, token: str = "", **variables: object) -> dict:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    body = {"query": query, "variables": variables}
    async with session.post(f"{url}/graphql", json=body, headers=headers) as response:
        return await response.json(content_type=None)


@asynccontextmanager
async def _attacker(attack: str, url: str, seconds: float) -> AsyncGenerator[None]:
    command = (sys.executable, "-m", "bench.abuse", "attack", attack, url, str(seconds))
    process = await asyncio.create_subprocess_exec(*command)
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _good_user(session: aiohttp.ClientSession, url: str, token: str, seconds: float) -> tuple[list[float], int]:
    """Return how long the answers took, and how many were errors."""
    times, wrong, deadline = [], 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        began = time.monotonic()
        try:
            answer = await _post(session, url, ASK, token)
            wrong += bool(answer.get("errors"))
        except (aiohttp.ClientError, TimeoutError):
            wrong += 1
        times.append(time.monotonic() - began)
        await asyncio.sleep(max(0.0, EVERY_SECONDS - times[-1]))
    return times, wrong


async def _signing_in(session: aiohttp.ClientSession, url: str, seconds: float) -> tuple[float, int]:
    """Sign in with right passwords as somebody else; return the longest that it took, and how many failed."""
    longest, failed, deadline = 0.0, 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        began = time.monotonic()
        answer = await _post(session, url, LOGIN, e="good@example.com", p=PASSWORD)
        failed += not (answer.get("data") or {}).get("userLogin") or not answer["data"]["userLogin"]["token"]
        longest = max(longest, time.monotonic() - began)
        await asyncio.sleep(1.0)
    return longest, failed


async def measure(running: Engine, attacks: list[str], seconds: float) -> None:
    """Attack, and print how a good user fared."""
    rows = []
    async with aiohttp.ClientSession() as session:
        for email in ("victim@example.com", "good@example.com"):
            answer = await _post(session, running.url, REGISTER, e=email, p=PASSWORD)
        token = answer["data"]["userRegister"]["token"]
        for attack in ["nothing", *attacks]:
            attacker = _attacker(attack, running.url, seconds) if attack in ATTACKS else contextlib.nullcontext()
            async with attacker:
                (times, wrong), (longest, failed) = await asyncio.gather(
                    _good_user(session, running.url, token, seconds), _signing_in(session, running.url, seconds)
                )
            p50, p95 = (round(percentile(times, share) * 1000) for share in (50, 95))
            memory = _resident_mib(running.process.pid)
            rows.append([attack, len(times), wrong, p50, p95, round(max(times) * 1000), longest, failed, memory])
    columns = ["attack", "asked", "errors", "p50 ms", "p95 ms", "max ms", "login s", "no login", "MiB"]
    report("abuse", columns, rows, [])


def _resident_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


async def main(arguments: list[str]) -> None:
    """Run one attack, or all of them on an engine of its own."""
    if arguments[:1] == ["attack"]:
        _, name, url, seconds = arguments
        await ATTACKS[name](url, float(seconds))
        return
    seconds = float(arguments[0]) if arguments else SECONDS
    async with scratch() as folder, engine(folder) as running:
        await measure(running, arguments[1:] or list(ATTACKS), seconds)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
