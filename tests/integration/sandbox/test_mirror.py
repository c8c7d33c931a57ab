"""A mirror shows another venue's prices, lets paper orders trade at them, and closes when it can't see them."""

import asyncio
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ccxt.base.errors import InvalidOrder

from tests.support.ccxt_client import Client, ccxt_client
from tests.support.sandbox import ROOT, SandboxProcess, running_mirror, running_sandbox
from tests.support.waiting import read_until

BTC, ID = "BTC/USDT", "BTCUSDT"
TOP = 5


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[SandboxProcess]:
    async with running_sandbox(tmp_path / "live", seed=5) as process:
        yield process


@pytest.fixture
async def mirror(tmp_path: Path, live: SandboxProcess) -> AsyncIterator[SandboxProcess]:
    async with running_mirror(tmp_path / "mirror", live) as process:
        await shown(process)
        yield process


@pytest.fixture
async def trader(mirror: SandboxProcess) -> AsyncIterator[Client]:
    keys = await mirror.create_account("trader", {"USDT": "1000000", "BTC": "5"})
    async with ccxt_client(mirror, keys) as client:
        await client.load_markets()
        yield client


async def book(venue: SandboxProcess, levels: int = TOP) -> dict[str, Any] | None:
    """Return the top of the venue's book; None if it shows none."""
    try:
        depth = await venue.get(f"/api/v3/depth?symbol={ID}&limit={levels}")
    except (AssertionError, OSError):
        return None
    return {side: depth[side] for side in ("bids", "asks")}


async def shown(mirror: SandboxProcess) -> dict[str, Any]:
    found = await read_until(lambda: book(mirror), lambda found: found is not None, "the mirror shows a book")
    assert found is not None
    return found


async def settled(mirror: SandboxProcess) -> dict[str, Any]:
    """Return the book once nothing is under way any more that could change it."""
    seen = [await shown(mirror)]
    while len(seen) < 20 or seen[-20:].count(seen[-1]) < 20:
        seen.append(await shown(mirror))
    return seen[-1]


async def still(live: SandboxProcess, mirror: SandboxProcess, least: Decimal) -> dict[str, Any]:
    """Silence the live venue, so that what is taken isn't updated meanwhile, while its best ask has `least` or more."""
    while True:
        await live.inject_faults(silenceMarketStreams=True)
        found = await settled(mirror)
        if Decimal(found["asks"][0][1]) >= least:
            return found
        await live.inject_faults(silenceMarketStreams=False)
        await read_until(lambda: book(mirror), lambda now, found=found: now not in (None, found), "the book moves on")


async def test_the_book_trades_candles_and_filters_are_the_live_venues(
    live: SandboxProcess, mirror: SandboxProcess
) -> None:
    async def both() -> tuple[Any, Any]:
        ours, theirs = await asyncio.gather(book(mirror), book(live))
        return ours, theirs

    await read_until(both, lambda books: books[0] == books[1] is not None, "both show the same book")
    theirs = await trades(live)

    async def has_all() -> bool:
        ours = await trades(mirror)
        return all(ours.get(number) == trade for number, trade in theirs.items() if number >= min(ours)) and (
            max(ours) >= max(theirs)
        )

    await read_until(has_all, bool, "the mirror has every live trade, under the same id")
    address = f"/api/v3/klines?symbol={ID}&interval=4h&startTime=1700000000000&limit=20"
    assert [row[:6] for row in await mirror.get(address)] == [row[:6] for row in await live.get(address)]
    (listed,) = (await mirror.get("/api/v3/exchangeInfo"))["symbols"]
    original = (await live.get(f"/api/v3/exchangeInfo?symbol={ID}"))["symbols"][0]
    for kind, field in (("PRICE_FILTER", "tickSize"), ("LOT_SIZE", "stepSize"), ("NOTIONAL", "minNotional")):
        assert filter_of(listed, kind)[field] == filter_of(original, kind)[field]


async def trades(venue: SandboxProcess) -> dict[int, Any]:
    return {trade["id"]: trade for trade in await venue.get(f"/api/v3/trades?symbol={ID}&limit=1000")}


def filter_of(symbol: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(rule for rule in symbol["filters"] if rule["filterType"] == kind)


async def test_paper_orders_trade_at_live_prices_and_leave_no_trace_of_themselves(
    live: SandboxProcess, mirror: SandboxProcess, trader: Client
) -> None:
    before = await still(live, mirror, Decimal("0.001"))
    bought = await trader.create_order(BTC, "market", "buy", "0.00010")
    assert bought["status"] == "closed"
    assert Decimal(bought["average"]) == Decimal(before["asks"][0][0])
    (fill,) = await trader.fetch_my_trades(BTC)
    assert int(fill["id"]) not in await trades(mirror)
    after = await shown(mirror)
    taken = Decimal(before["asks"][0][1]) - Decimal(after["asks"][0][1])
    assert (after["asks"][0][0], taken) == (before["asks"][0][0], Decimal("0.0001"))


async def test_a_resting_order_fills_when_the_live_price_passes_it(
    live: SandboxProcess, mirror: SandboxProcess, trader: Client
) -> None:
    price = (Decimal((await shown(mirror))["bids"][0][0]) * Decimal("0.999")).quantize(Decimal("0.01"))
    order = await trader.create_order(BTC, "limit", "buy", "0.00137", str(price))
    assert order["status"] == "open"
    await live.move_price(BTC, str(price * Decimal("0.999")))
    filled = await read_until(
        lambda: trader.fetch_order(order["id"], BTC), lambda now: now["status"] == "closed", "the order fills"
    )
    assert Decimal(filled["average"]) == price
    trades = await live.get(f"/api/v3/trades?symbol={ID}&limit=1000")
    assert (price, Decimal("0.00137")) not in {(Decimal(trade["price"]), Decimal(trade["qty"])) for trade in trades}


async def test_without_the_live_venue_it_is_closed_and_after_a_restart_of_both_all_is_there(
    live: SandboxProcess, mirror: SandboxProcess, trader: Client
) -> None:
    price = (Decimal((await shown(mirror))["bids"][0][0]) * Decimal("0.9")).quantize(Decimal("0.01"))
    resting = await trader.create_order(BTC, "limit", "buy", "0.001", str(price))
    is_unfillable = await trader.create_order(BTC, "limit", "buy", "0.002", str(price))
    await live.kill()
    await read_until(lambda: book(mirror), lambda found: found is None, "the mirror shows no book any more")
    with pytest.raises(InvalidOrder, match="market is closed"):
        await trader.create_order(BTC, "market", "buy", "0.001")
    assert (await trader.cancel_order(is_unfillable["id"], BTC))["status"] == "canceled"
    await mirror.restart()
    assert [order["id"] for order in await trader.fetch_open_orders(BTC)] == [resting["id"]]
    assert await book(mirror) is None
    await live.start()
    await shown(mirror)
    bought = await trader.create_order(BTC, "market", "buy", "0.00010")
    assert bought["status"] == "closed"
    assert [order["id"] for order in await trader.fetch_open_orders(BTC)] == [resting["id"]]


async def test_a_first_start_waits_for_the_live_venue(tmp_path: Path) -> None:
    async with running_sandbox(tmp_path / "live") as live:
        await live.stop()
        async with running_mirror(tmp_path / "mirror", live) as mirror:
            assert await book(mirror) is None
            await live.start()
            await shown(mirror)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mirror", "binanse"], "'binanse' is no venue of ccxt.pro; did you mean binance?"),
        (["--mirror", "binance", "--markets", "BTC/USDX"], "no market 'BTC/USDX'; write BASE/QUOTE, such as BTC/USDT"),
    ],
)
async def test_what_cant_be_mirrored_is_reported(
    arguments: list[str], message: str, tmp_path: Path, live: SandboxProcess
) -> None:
    code, errors = await run_mirror(tmp_path / "mirror", *arguments, "--mirror-url", live.url)
    assert code == 2
    assert message in errors
    assert "Traceback" not in errors


async def test_a_mirrors_folder_is_left_alone_by_a_sandbox_with_prices_of_its_own(
    live: SandboxProcess, mirror: SandboxProcess
) -> None:
    await mirror.stop()
    code, errors = await run("infra.sandbox", mirror.folder)
    assert code == 2
    assert "a mirror of binance; give a sandbox with prices of its own another one" in errors
    assert "Traceback" not in errors


async def test_the_folder_of_another_exchange_is_left_alone(live: SandboxProcess) -> None:
    await live.stop()
    code, errors = await run_mirror(live.folder, "--mirror", "binance", "--mirror-url", live.url)
    assert code == 2
    assert "a sandbox with prices of its own; give a mirror of binance another one" in errors


async def run_mirror(folder: Path, *arguments: str) -> tuple[int | None, str]:
    return await run("infra.cli.mirror", folder, *arguments)


async def run(module: str, folder: Path, *arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, "--folder", str(folder), *arguments, cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, errors.decode()
