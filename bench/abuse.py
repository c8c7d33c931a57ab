"""What a good user notices while a stranger attacks: answers of `viewer` and depth in quiet and beside each attack.

`python -m bench.abuse` starts an engine and runs every attack for some seconds, each after some seconds of quiet; the
ratio is that of the 99th percentiles. `python -m bench.abuse SECONDS pings rooms` runs some. An attacker is a process
of the lowest priority, so that what is measured is what it costs the engine, as far as that can be told on one machine.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bench.abuse_attacks import ATTACKS, LOGIN
from bench.figures import Figure, percentile, report
from bench.parts import Engine, engine, scratch

SECONDS = 10.0
EVERY_SECONDS = 0.04
MOST_RATIO = 2.0
PASSWORD = "correct horse battery"
REGISTER = "mutation($e: String!, $p: String!) { userRegister(input: {email: $e, password: $p}) { token } }"
ASK = '{ viewer { email } market(symbol: "sandbox:BTC/USDT") { depth { bids { price } } } }'
USUAL = {"R3EDGE_MESSAGES_PER_SECOND_PER_ADDRESS": "2000", "R3EDGE_REQUESTS_PER_SECOND_PER_ADDRESS": "500"}
LOST = ("lease lapsed", "was taken by another node", "may be traded by another node")


async def _post(session: aiohttp.ClientSession, url: str, query: str, token: str = "", **variables: object) -> dict:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    body = {"query": query, "variables": variables}
    async with session.post(f"{url}/graphql", json=body, headers=headers) as response:
        return await response.json(content_type=None)


@asynccontextmanager
async def _attacker(attack: str, url: str, seconds: float) -> AsyncGenerator[None]:
    command = ("nice", "-n", "19", sys.executable, "-m", "bench.abuse_attacks", attack, url, str(seconds))
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stderr=quiet)
    try:
        await asyncio.sleep(1.0)  # until it has begun
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
        failed += not ((answer.get("data") or {}).get("userLogin") or {}).get("token")
        longest = max(longest, time.monotonic() - began)
        await asyncio.sleep(1.0)
    return longest, failed


async def measure(running: Engine, log: Path, attacks: list[str], seconds: float) -> None:
    """Attack, and print how a good user fared; all quiet times together are what an attack is compared with."""
    quiet: list[float] = []
    measured: dict[str, tuple[list[float], list[object]]] = {}
    # A connection that the engine has just closed for being idle is no fault of its.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for email in ("victim@example.com", "good@example.com"):
            answer = await _post(session, running.url, REGISTER, e=email, p=PASSWORD)
        token = answer["data"]["userRegister"]["token"]
        for attack in attacks:
            await asyncio.sleep(1.0)
            quiet += (await _good_user(session, running.url, token, seconds / 2))[0]
            lost, used = _lost_leases(log), _processor_seconds(running.process.pid)
            async with _attacker(attack, running.url, seconds + 2.0):
                (times, wrong), (longest, failed) = await asyncio.gather(
                    _good_user(session, running.url, token, seconds), _signing_in(session, running.url, seconds)
                )
            busy = round((_processor_seconds(running.process.pid) - used) / (seconds + 1.0) * 100)
            lost = _lost_leases(log) - lost
            measured[attack] = (times, [wrong, longest, failed, lost, busy, _resident_mib(running.process.pid)])
    _report(quiet, measured)


def _report(quiet: list[float], measured: dict[str, tuple[list[float], list[object]]]) -> None:
    base = percentile(quiet, 99)
    rows: list[list[object]] = [["nothing", len(quiet), *_milliseconds(quiet), 1.0, *[""] * 6]]
    ratios = {attack: percentile(times, 99) / base for attack, (times, _outcome) in measured.items()}
    for attack, (times, outcome) in measured.items():
        rows.append([attack, len(times), *_milliseconds(times), ratios[attack], *outcome])
    columns = [
        "attack",
        "asked",
        "p50 ms",
        "p99 ms",
        "max ms",
        "ratio",
        "errors",
        "login s",
        "no login",
        "lost",
        "CPU %",
        "MiB",
    ]
    worst = max(ratios, key=lambda attack: ratios[attack])
    lost = sum(int(str(outcome[3])) for _times, outcome in measured.values())
    figures = [
        Figure(
            f"p99 under attack by that in quiet, the worst of {len(ratios)} ({worst})",
            f"{ratios[worst]:.1f}",
            f"at most {MOST_RATIO:g}",
            ratios[worst] <= MOST_RATIO,
        ),
        Figure("leases lost", str(lost), "0", lost == 0),
    ]
    report("abuse", columns, rows, figures)


def _milliseconds(times: list[float]) -> list[object]:
    return [round(percentile(times, share) * 1000, 1) for share in (50, 99)] + [round(max(times) * 1000, 1)]


def _lost_leases(log: Path) -> int:
    text = log.read_text(errors="replace")
    return sum(text.count(words) for words in LOST)


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024


async def main(arguments: list[str]) -> None:
    """Run the attacks that are named, or all of them, on an engine of its own."""
    seconds = float(arguments[0]) if arguments else SECONDS
    async with scratch() as folder:
        log = folder / "log"
        async with engine(folder, log=log, **USUAL) as running:
            with contextlib.suppress(KeyboardInterrupt):
                await measure(running, log, arguments[1:] or list(ATTACKS), seconds)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
