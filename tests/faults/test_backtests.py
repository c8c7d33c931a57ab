"""A backtest goes on after its engine was killed in the middle of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.support.engine import running_engine
from tests.support.trader_client import MARKET, TraderClient, register
from tests.support.waiting import read_until

RUN = """mutation($input: BacktestRunInput!) { backtestRun(input: $input) {
  backtest { id job { id } } errors { code message } } }"""
READ = """query($id: ID!) { node(id: $id) { ... on Backtest {
  hash metrics { roundTrips } job { id status progress message } } } }"""
PROGRESS = "subscription($id: ID!) { jobProgress(id: $id) { status progress result { id } } }"
END = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
MINUTES = {
    "market": MARKET, "timeframe": "M1", "from": (END - timedelta(days=4)).isoformat(), "to": END.isoformat(),
    "definition": {
        "enterLong": "crosses_above(ema(close, 12), ema(close, 26))",
        "exitLong": "crosses_below(ema(close, 12), ema(close, 26))",
        "sizing": {"equityPercent": "50"},
    },
}  # fmt: skip


async def _started(trader: TraderClient) -> dict[str, Any]:
    return (await trader.client.change(RUN, input=MINUTES))["backtest"]


async def _started_and_unfinished(trader: TraderClient) -> dict[str, Any]:
    """Return a backtest in the middle of it; one that ends before anybody looks is followed by another."""
    while True:
        backtest = await _started(trader)
        found = await read_until(
            lambda one=backtest: _read(trader, one), lambda now: now["job"]["progress"] > 0, "it is begun"
        )
        if found["job"]["progress"] < 1:
            return backtest


async def _read(trader: TraderClient, backtest: dict[str, Any]) -> dict[str, Any]:
    try:
        return await trader.client.one(READ, id=backtest["id"])
    except (httpx.TransportError, OSError):
        return {"job": {"status": "AWAY", "progress": 0}}


async def test_a_backtest_whose_engine_is_killed_runs_again_and_comes_to_the_same(data_folder: Path) -> None:
    async with running_engine(data_folder, "--seed", "7") as engine:
        trader = await register(engine.client())
        killed = await _started_and_unfinished(trader)
        engine.kill()
        await engine.start()
        done = await read_until(
            lambda: _read(trader, killed), lambda found: found["job"]["status"] == "SUCCEEDED", "it runs again"
        )
        assert done["metrics"]["roundTrips"] > 0

        again = await _started(trader)
        async with trader.client.subscribed(PROGRESS, id=again["job"]["id"]) as events:
            ended = await events.until(lambda event: event["status"] == "SUCCEEDED", "it runs once more")
        assert ended == {"status": "SUCCEEDED", "progress": 1.0, "result": {"id": again["id"]}}
        assert (await _read(trader, again))["hash"] == done["hash"]
