"""`r3edge backfill` and `r3edge import candles` as an operator runs them: beside an engine, and without one."""

from pathlib import Path

from infra.runtime.data_dir import DataDir
from tests.support.candle_files import csv, row
from tests.support.engine import Engine, run_program, running_engine

CANDLES = """{ market(symbol: "sandbox:ETH/USDT") { candles(timeframe: %s, first: 1000, from: "%s", to: "%s")
    { nodes { openTime close volume } } } }"""


async def test_both_run_beside_an_engine_and_without_one(data_folder: Path, tmp_path: Path) -> None:
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

    filled, loaded = run_program(*back), run_program(*load)
    assert (filled.returncode, "nothing is missing" in filled.stdout) == (0, True)
    assert (loaded.returncode, "10 unchanged" in loaded.stdout) == (0, True)
    assert engine.children() == {}
    DataDir.hold(data_folder).release()


async def candles(engine: Engine, timeframe: str, start: str, end: str) -> list[dict[str, str]]:
    """Return what the API shows."""
    market = await engine.client().one(CANDLES % (timeframe, start, end))
    return market["candles"]["nodes"]


def test_what_cannot_be_meant_is_told_with_the_nearest_name(data_folder: Path, tmp_path: Path) -> None:
    path = str(csv(tmp_path, [row(0), row(1)]))
    back = ("backfill", "sandbox", "BTC/USDT", "--from", "2026-01-01", "--timeframe")
    for arguments, told in {
        (*back, "2m"): "there is no timeframe '2m'; there are 1m, 5m, 15m, 1h, 4h, 1d",
        (*back, "1m", "--to", "2025-12-31"): "--to (2025-12-31 00:00) must be after --from (2026-01-01 00:00)",
        (*back[:-2], "January", "--timeframe", "1m"): "--from is 'January'; write a date as 2024-01-31",
        ("backfill", "bianance", *back[2:], "1m"): "there is no venue 'bianance' (did you mean binance?)",
        (
            "backfill",
            "sandbox",
            "BTCUSDT",
            *back[3:],
            "1m",
        ): "no market on sandbox called 'BTCUSDT' (did you mean",
        ("import", "candles", path, "--market", "BTC"): "'BTC' is not a market; write it as venue:BASE/QUOTE",
    }.items():
        done = run_program(*arguments, "--data-dir", str(data_folder), R3EDGE_VENUES="binance")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), (arguments, done.stderr)
        assert told in done.stderr


def test_a_file_that_cannot_be_imported_keeps_no_other_from_it(data_folder: Path, tmp_path: Path) -> None:
    files = [csv(tmp_path, [row(0), row(1, close="x")], "bad.csv"), csv(tmp_path, [row(0), row(1)], "good.csv")]
    names = [str(path) for path in files]
    done = run_program("import", "candles", *names, "--market", "sandbox:BTC/USDT", "--data-dir", str(data_folder))
    assert (done.returncode, done.stderr) == (1, "")
    assert "bad.csv, line 3: close is 'x', which is no number" in done.stdout
    assert "good.csv: 2 rows (generic) to sandbox:BTC/USDT 1m" in done.stdout
