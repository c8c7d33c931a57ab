"""A server of candles that does nothing but that: Starlette, asyncpg, one statement; the baseline of `candle_page`."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.figures import ROOT
from infra.postgres.rows.markets import SELECT_CANDLES
from tests.support.ports import free_port

TEXT = f"{SELECT_CANDLES} WHERE market = $1 AND timeframe = 'M1' AND open_time >= $2 ORDER BY open_time LIMIT $3"


@asynccontextmanager
async def bare_pages(dsn: str) -> AsyncGenerator[str]:
    """Run the server in a process of its own; give its address."""
    port = free_port()
    command = [sys.executable, "-m", "bench.bare_pages", str(port)]
    environment = os.environ | {"BARE_DSN": dsn}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        yield f"http://127.0.0.1:{port}/candles"
    finally:
        process.terminate()
        await process.communicate()


async def candles(request: Request) -> Response:
    """Answer with a page from a moment on."""
    asked = request.query_params
    start = datetime.fromisoformat(asked["from"])
    async with request.app.state.pool.acquire() as connection:
        rows = await connection.fetch(TEXT, asked["market"], start, int(asked["limit"]))
    names = ("open", "high", "low", "close", "volume")
    nodes = [
        {"openTime": f"{row['open_time']:%Y-%m-%dT%H:%M:%S}Z"} | {name: str(row[name]) for name in names}
        for row in rows
    ]
    return Response(json.dumps({"nodes": nodes}), media_type="application/json")


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["BARE_DSN"], min_size=2, max_size=2) as app.state.pool:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        yield


if __name__ == "__main__":
    app = Starlette(routes=[Route("/candles", candles)], lifespan=_lifespan)
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
