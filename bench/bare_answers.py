"""A server that answers POST by JSON and does nothing but that, on Starlette and msgspec: the baseline of `edge`."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.figures import ROOT
from bench.parts import Engine
from tests.support.ports import free_port

LEVELS = 20
SIDE = [(Decimal(60_000 + level), Decimal(level) / 7) for level in range(LEVELS)]


@asynccontextmanager
async def bare_answers() -> AsyncGenerator[Engine]:
    """Run the server in a process of its own."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.bare_answers", str(port)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        yield Engine(process, f"http://127.0.0.1:{port}", 0.0)
    finally:
        process.terminate()
        await process.communicate()


async def typename(request: Request) -> Response:
    """Answer with one word."""
    await request.json()
    return Response(msgspec.json.encode({"data": {"__typename": "Query"}}), media_type="application/json")


async def depth(request: Request) -> Response:
    """Answer with a book of 20 levels a side, written again each time."""
    await request.json()
    side = [{"price": str(price), "quantity": str(quantity)} for price, quantity in SIDE]
    book = {"data": {"market": {"depth": {"bids": side, "asks": side}}}}
    return Response(msgspec.json.encode(book), media_type="application/json")


@asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncGenerator[None]:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    yield


if __name__ == "__main__":
    routes = [Route("/typename", typename, methods=["POST"]), Route("/depth", depth, methods=["POST"])]
    uvicorn.run(Starlette(routes=routes, lifespan=_lifespan), port=int(sys.argv[1]), log_level="warning")
