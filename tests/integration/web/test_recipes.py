"""The recipes of docs/clients where the engine isn't at fault: a line that died, a user who has left."""

import asyncio
import runpy
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from gql.transport.exceptions import TransportError
from websockets import Subprotocol
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.node import installed, run
from tests.support.serving import serving
from tests.support.stalling_proxy import stalling_proxy
from tests.support.waiting import eventually

CLIENTS = Path(__file__).parent / "clients"
RECIPES = Path(__file__).parents[3] / "docs" / "clients"
resume: Any = runpy.run_path(str(RECIPES / "resume.py"))["resume"]


async def folder() -> Path:
    """Return a folder with the packages, the recipes and the programs of this test."""
    programs = (CLIENTS / name for name in ("reconnect.mjs", "reconnect.py", "resume.test.mjs"))
    return await installed(RECIPES, [*RECIPES.glob("*.mjs"), *RECIPES.glob("*.py"), *programs])


async def lines_of(process: asyncio.subprocess.Process, seen: list[str]) -> None:
    """Take what the program writes, to its end."""
    assert process.stdout is not None
    async for line in process.stdout:
        seen.append(line.decode().strip())  # noqa: PERF401  # a test reads it meanwhile


@pytest.mark.timeout(180)
@pytest.mark.parametrize("client", ["graphql-ws", "graphql-sse", "gql"])
async def test_a_connection_that_died_silently_is_made_again(backend: DemoBackend, client: str) -> None:
    program = (sys.executable, "reconnect.py") if client == "gql" else ("node", "reconnect.mjs", client)
    settings = WebSettings(ping_interval_seconds=0.2)
    async with serving(demo_app(backend, settings)) as served, stalling_proxy(served.port) as proxy:
        process = await asyncio.create_subprocess_exec(
            *program, f"http://127.0.0.1:{proxy.port}/graphql", cwd=await folder(),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        seen: list[str] = []
        reading = asyncio.create_task(lines_of(process, seen))
        try:
            await push_until_seen(backend, seen)
            proxy.stall()
            count = len(seen)
            opened = backend.journal.opened
            await eventually(lambda: backend.journal.opened > opened, "it has subscribed again", 60)
            await push_until_seen(backend, seen, count)
            assert all(line.isdecimal() for line in seen)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await reading


async def push_until_seen(backend: DemoBackend, seen: list[str], count: int = 0) -> None:
    """Push events until the reader gets one more: it may be between two connections."""
    for _ in range(600):
        if len(seen) > count:
            return
        backend.journal.push()
        await asyncio.sleep(0.1)
    raise AssertionError(f"nothing more arrives after {seen}")


async def test_resume_goes_on_or_ends_as_each_ending_requires() -> None:
    code, output = await run("node", "resume.test.mjs", cwd=await folder())
    assert code == 0, output


@pytest.mark.parametrize("code", [1009, 4400, 4401, 4403, 4406, 4409, 4429])
async def test_the_python_recipe_ends_at_a_permanent_close(code: int) -> None:
    async with closing_with(code) as (url, opened):
        with pytest.raises(TransportError):
            async for _ in resume(url, "good", "subscription { journal { sequence } }"):
                pass
    assert len(opened) == 1


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, 4408])
async def test_the_python_recipe_reconnects_after_a_transient_close(code: int) -> None:
    async def follow(url: str) -> None:
        async for _ in resume(url, "good", "subscription { journal { sequence } }"):
            pass

    async with closing_with(code) as (url, opened), asyncio.TaskGroup() as group:
        following = group.create_task(follow(url))
        await eventually(lambda: len(opened) > 1, "it has connected again")
        while not following.done():  # gql waits by asyncio.wait_for, which may lose a cancellation on Python 3.11
            following.cancel()
            await asyncio.wait([following], timeout=0.1)


@asynccontextmanager
async def closing_with(code: int) -> AsyncIterator[tuple[str, list[int]]]:
    """Serve WebSockets that are closed with this code as soon as they are initialised; yield the URL and who came."""
    opened: list[int] = []

    async def close(socket: ServerConnection) -> None:
        opened.append(code)
        with suppress(ConnectionClosed):  # a client that is ended while it connects
            await socket.recv()
            await socket.close(code)

    async with serve(close, "127.0.0.1", 0, subprotocols=[Subprotocol("graphql-transport-ws")]) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", opened
