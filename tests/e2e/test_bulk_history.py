"""`r3edge backfill` and `r3edge import candles` as an operator runs them: beside an engine, and without one."""

from pathlib import Path

from infra.runtime.data_dir import DataDir
from tests.support.candle_files import csv, row
from tests.support.engine import Engine, run_program, running_engine

CANDLES = """{ market(symbol: "sandbox:ETH/USDT") { candles(timeframe: %s, first: 1000, from: "%s", to: "%s")
    { nodes { openTime close volume } } } }"""


async def test_both_run_with_and_without_a_running_engine(data_folder: Path, tmp_path: Path) -> None:
    data = ("--data-dir", str(data_folder))
    path = csv(tmp_path, [row(minute) for minute in range(10)])
    back = ("backfill", "sandbox", "ETH/USDT", "--timeframe", "1h", "--from", "2026-01-01", "--to", "2026-02-01", *data)
    load = ("import", "candles", str(path), "--market", "sandbox:ETH/USDT", *data)

    async with running_engine(data_folder) as engine:
        filled, loaded = run_program(*back), run_program(*load)
        assert (filled.returncode, filled.stderr) == (0, "")
        assert "744 of 744 missing candles stored" in filled.stdout
        assert (loaded.returncode, "10 new" in loaded.stdout) == (0, True)
        assert len(await candles(engine, "H1", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")) == 744
        (first, *_) = await candles(engine, "M1", "2024-01-31T00:00:00Z", "2024-02-02T00:00:00Z")
        assert first == {"openTime": "2024-01-31T23:55:00Z", "close": "42001.5", "volume": "0.5"}

    loaded = run_program(*load)
    assert (loaded.returncode, "10 unchanged" in loaded.stdout) == (0, True)
    assert engine.children() == {}
    DataDir.hold(data_folder).release()


async def candles(engine: Engine, timeframe: str, start: str, end: str) -> list[dict[str, str]]:
    """Return what the API shows."""
    market = await engine.client().one(CANDLES % (timeframe, start, end))
    return market["candles"]["nodes"]
