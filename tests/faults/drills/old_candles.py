"""Candles of past months that a drill keeps in S3, with a link before the server.

Each run of a drill stores another month, so that there is something to archive while S3 is away.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.model.markets import Candle, Timeframe
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import close_pool, create_pool
from tests.faults.model.remaining import Violations
from tests.support.archive import candle_at
from tests.support.engine import run_program
from tests.support.graphql_client import Client
from tests.support.link import Link
from tests.support.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server
from tests.support.trader_client import MARKET

CANDLES = """query($m: MarketSymbol!, $from: DateTime!, $to: DateTime!) { market(symbol: $m) {
  candles(timeframe: H1, first: 800, from: $from, to: $to) { nodes { openTime open high low close volume } } } }"""
_FIRST_YEAR = 2000
_RUNS = 5
"""How often `archive run` is started until one ends well: a node may be archiving just then."""


class OldCandles:
    """Months of candles of an hour, and what archives them."""

    def __init__(self) -> None:
        self.server = S3Server()
        self.link = Link(self.server.port)
        self._dsn = ""
        self._months: list[datetime] = []

    @property
    def settings(self) -> dict[str, str]:
        """How nodes find the archive; none keeps copies of its files, so that each query asks S3."""
        return {
            "R3EDGE_ARCHIVE": f"s3://{BUCKET}/engine",
            "R3EDGE_ARCHIVE_S3_ENDPOINT": f"http://127.0.0.1:{self.link.port}",
            "R3EDGE_ARCHIVE_S3_REGION": "us-east-1",
            "R3EDGE_ARCHIVE_S3_ACCESS_KEY": ACCESS_KEY,
            "R3EDGE_ARCHIVE_S3_SECRET_KEY": SECRET_KEY,
            "R3EDGE_ARCHIVE_CACHE_MB": "0",
        }

    async def start(self, dsn: str) -> None:
        """Start S3, and archive a first month."""
        self._dsn = dsn
        await asyncio.to_thread(self.server.start)
        await self.link.start()
        await self.store_month()
        await self.archive()

    async def close(self) -> None:
        """End it."""
        await self.link.close()
        self.server.stop()

    async def store_month(self) -> None:
        """Store the candles of another month in the database."""
        number = len(self._months)
        month = datetime(_FIRST_YEAR + number // 12, 1 + number % 12, 1, tzinfo=UTC)
        pool = await create_pool(self._dsn, init_size=1)
        bus = EmbeddedBus()
        database = PostgresDatabase(pool, bus, SystemClock())
        async with database.transaction() as transaction:
            await transaction.market_data.ensure_candle_partitions(month, month)
            await transaction.market_data.upsert_candles(list(_candles(month)))
        await database.close()
        await bus.close()
        await close_pool(pool)
        self._months.append(month)

    async def run_archive(self, *command: str) -> tuple[int, str]:
        """Run `r3edge archive …` to its end, as an operator does; return its exit code and what it printed."""
        settings = self.settings | {"R3EDGE_DATABASE_URL": self._dsn}
        done = await asyncio.to_thread(run_program, "archive", *command, timeout_seconds=300, **settings)
        return done.returncode, done.stdout + done.stderr

    async def archive(self) -> None:
        """Archive what isn't yet, and check all files."""
        for _ in range(_RUNS):
            code, printed = await self.run_archive("run")
            if code == 0:
                break
        assert code == 0, f"archive run: {printed[-1_000:]}"
        code, printed = await self.run_archive("verify")
        assert code == 0, f"archive verify: {printed[-1_000:]}"

    async def answer(self, client: Client, month: datetime) -> dict[str, Any]:
        """Return the API's answer for a month."""
        end = _next(month)
        return await client.raw(CANDLES, **{"m": MARKET, "from": month.isoformat(), "to": end.isoformat()})

    async def violations(self, client: Client) -> Violations:
        """Return which months aren't answered as they were stored."""
        return [found for month in self._months for found in _differences(month, await self.answer(client, month))]

    async def is_answered_without(self, client: Client) -> Violations:
        """Return whether a query of an archived month hangs, or invents something, while S3 is away.

        A node that has a copy of the file answers; another says that it can't.
        """
        try:
            answer = await self.answer(client, self._months[0])
        except (OSError, ValueError) as error:
            return [f"a query of archived candles while S3 is away: {error!r}"]
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        return [] if codes and codes <= {"UNAVAILABLE", "TIMEOUT"} else _differences(self._months[0], answer)


def _differences(month: datetime, answer: dict[str, Any]) -> Violations:
    """Return in what an answer differs from the candles that were stored for a month."""
    data = answer.get("data") or {"market": None}
    nodes = (data["market"] or {"candles": {"nodes": []}})["candles"]["nodes"]
    answered = {datetime.fromisoformat(node["openTime"]): node["close"] for node in nodes}
    stored = {candle.open_time: candle.close for candle in _candles(month)}
    lost = [at for at, close in stored.items() if at not in answered or float(answered[at]) != float(close)]
    if not lost and len(nodes) == len(stored):
        return []
    return [f"candles lost or repeated in {month:%Y-%m}: {len(nodes)} of {len(stored)}, {lost[:3]}"]


def _candles(month: datetime) -> Iterator[Candle]:
    at = month
    while at < _next(month):
        yield candle_at(at, Timeframe.H1)
        at += timedelta(hours=1)


def _next(month: datetime) -> datetime:
    return (month + timedelta(days=32)).replace(day=1)
