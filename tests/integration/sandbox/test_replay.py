"""A recording played back: the book as it was, users' orders over it, and life after the last frame."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.support.ccxt_client import ccxt_client
from tests.support.recorded_data import BINANCE, skip_without
from tests.support.sandbox import SandboxProcess, running_sandbox

RECORDING = BINANCE / "btcusdt_20240808.gz"
MARKET = "BTC/USDT"


@pytest.fixture
def excerpt(tmp_path: Path) -> Path:
    """The first ten seconds or so of the recording."""
    skip_without(RECORDING)
    path = tmp_path / "excerpt.gz"
    with gzip.open(RECORDING, "rb") as whole, gzip.open(path, "wb") as part:
        part.writelines(islice(whole, 900))
    return path


@pytest.fixture
async def replaying(tmp_path: Path, excerpt: Path) -> AsyncIterator[SandboxProcess]:
    async with running_sandbox(tmp_path / "sandbox", replay=[excerpt]) as process:
        yield process


def recorded_trades(path: Path) -> list[tuple[str, str, bool]]:
    with gzip.open(path, "rb") as file:
        messages = [json.loads(line.partition(b" ")[2]) for line in file]
    trades = [m["data"] for m in messages[8:] if m.get("stream", "").endswith("@trade")]
    return [(trade["p"], trade["q"], trade["m"]) for trade in trades]


async def until_traded(sandbox: SandboxProcess, count: int) -> list[dict[str, Any]]:
    """Return the trades listed once there are `count` of them."""
    async with asyncio.timeout(90):
        while True:
            listed: list[dict[str, Any]] = await sandbox.get("/api/v3/trades?symbol=BTCUSDT&limit=1000")
            if len(listed) >= count:
                return listed
            await asyncio.sleep(0.05)


async def test_recorded_trades_come_as_they_were_in_their_order(replaying: SandboxProcess, excerpt: Path) -> None:
    expected = recorded_trades(excerpt)[:30]
    listed = await until_traded(replaying, 30)
    assert [(trade["price"], trade["qty"], trade["isBuyerMaker"]) for trade in listed[:30]] == expected
    ids = [trade["id"] for trade in listed]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


async def test_the_book_chains_trades_fill_orders_and_the_market_lives_on(replaying: SandboxProcess) -> None:
    keys = await replaying.create_account("ann", {"USDT": "1000000", "BTC": "3"})
    async with ccxt_client(replaying, keys) as client, asyncio.timeout(60):
        await client.load_markets()
        book = await client.watch_order_book(MARKET)
        ask, held = book["asks"][0][0], book["asks"][0][1]
        taken = await client.create_order(MARKET, "limit", "buy", "0.05", str(ask + 5))
        assert Decimal(taken["average"]) <= Decimal(repr(ask + 5))
        assert held > 0
        for _ in range(50):
            book = await client.watch_order_book(MARKET)
            assert book["bids"][0][0] < book["asks"][0][0]


async def test_a_restart_goes_on_where_the_recording_was(replaying: SandboxProcess, excerpt: Path) -> None:
    before = await until_traded(replaying, 100)
    depth = await replaying.get("/api/v3/depth?symbol=BTCUSDT&limit=5")
    await replaying.restart()
    after = await until_traded(replaying, 20)
    depth_after = await replaying.get("/api/v3/depth?symbol=BTCUSDT&limit=5")
    assert after[0]["id"] > before[-1]["id"]
    assert depth_after["lastUpdateId"] > depth["lastUpdateId"]
    expected = [trade[:2] for trade in recorded_trades(excerpt)]
    resumed = [(trade["price"], trade["qty"]) for trade in after[:20]]
    starts = [place for place in range(len(expected)) if expected[place : place + 20] == resumed]
    assert starts
    assert starts[0] > 0


async def test_after_the_last_frame_the_market_lives_on_and_is_not_played_again(tmp_path: Path, excerpt: Path) -> None:
    recorded = recorded_trades(excerpt)
    async with running_sandbox(tmp_path / "sandbox", replay=[excerpt], speed=20) as sandbox:
        listed = await until_traded(sandbox, len(recorded) + 20)
        last_recorded, first_synthetic = (float(listed[len(recorded) + place]["price"]) for place in (-1, 0))
        assert abs(first_synthetic / last_recorded - 1) < 0.001
        await sandbox.restart()
        resumed = await until_traded(sandbox, 20)
        first = [(trade["price"], trade["qty"], trade["isBuyerMaker"]) for trade in resumed[:20]]
        assert first != recorded[:20]
        assert abs(float(resumed[0]["price"]) / float(listed[-1]["price"]) - 1) < 0.01


async def test_a_recording_without_a_book_is_refused_by_name(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"not a recording")
    with pytest.raises(RuntimeError, match=r"broken\.gz"):
        async with running_sandbox(tmp_path / "sandbox", replay=[broken]):
            pass
