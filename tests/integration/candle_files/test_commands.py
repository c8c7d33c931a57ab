"""What the commands print, and their exit codes."""

import re
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from infra.candle_files.formats import FileFormat
from infra.cli import progress as progress_module
from infra.cli.arguments import parse_market, parse_zone
from infra.cli.candle_import import ImportRequest, import_candles
from infra.cli.main import app
from infra.cli.progress import show_progress
from infra.postgres.bulk_candles import OnConflict
from infra.postgres.pool import Pool
from infra.settings_loading import load_settings
from tests.support.candle_files import csv, row

BACKFILL = ("backfill", "sandbox", "BTC/USDT", "--from", "2026-01-01", "--timeframe")
IMPORT = ("import", "candles", "absent.csv", "--market")


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_dsn: str) -> None:
    for name, value in {"VENUES": "binance", "DATA_DIR": str(tmp_path), "DATABASE_URL": database_dsn}.items():
        monkeypatch.setenv(f"R3EDGE_{name}", value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*BACKFILL, "2m"), "there is no timeframe '2m'; there are 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d, 1w"),
        ((*BACKFILL, "1m", "--to", "2025-12-31"), "--to (2025-12-31 00:00) must be after --from (2026-01-01 00:00)"),
        ((*BACKFILL[:4], "9999-12-31", "--timeframe", "1m"), "--from (9999-12-31 00:00) is in the future"),
        ((*BACKFILL[:4], "January", "--timeframe", "1m"), "--from is 'January'; write a date as 2024-01-31"),
        (("backfill", "bianance", *BACKFILL[2:], "1m"), "there is no venue 'bianance' (did you mean binance?)"),
        ((*IMPORT, "BTC"), "'BTC' is not a market; write it as venue:BASE/QUOTE, such as sandbox:BTC/USDT"),
        ((*IMPORT, "a:B/C", "--format", "lena"), "--format is 'lena' (did you mean lean?); it may be auto, lean"),
        ((*IMPORT, "a:B/C", "--on-conflict", "skip"), "--on-conflict is 'skip'; it may be replace, keep"),
        ((*IMPORT, "a:B/C", "--timezone", "Berlin"), "--timezone is 'Berlin'"),
        ((*IMPORT, "a:B/C", "--columns", "tim=1"), "--columns has 'tim' (did you mean time?); the fields are time"),
    ],
)
def test_what_cannot_be_meant_ends_with_2_and_what_would_be_right(arguments: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1), done.output
    assert message in done.stderr


async def import_and_print(files: list[Path], pool: Pool, market: str = "sandbox:BTC/USDT") -> tuple[list[Path], str]:
    """Import files; return those that failed, and what was printed."""
    request = ImportRequest(
        files, parse_market(market), None, FileFormat.AUTO, parse_zone("UTC"), OnConflict.REPLACE, False
    )
    output = StringIO()
    with show_progress(Console(file=output, highlight=False)) as progress:
        failed = await import_candles(load_settings(), request, progress)
    return failed, output.getvalue()


async def test_a_file_that_cannot_be_imported_keeps_no_other_from_it(pool: Pool, tmp_path: Path) -> None:
    bad = csv(tmp_path, [row(0), row(1, close="x")], "bad.csv")
    good = csv(tmp_path, [row(0), row(1), row(4)], "good.csv")
    failed, printed = await import_and_print([bad, tmp_path / "absent.csv", good], pool)
    assert failed == [bad, tmp_path / "absent.csv"]
    assert "bad.csv, line 3: close is 'x', which is no number such as 7424.91" in printed
    assert "absent.csv: there is no such file" in printed
    assert "good.csv: 3 rows (generic) to sandbox:BTC/USDT 1m, 2024-01-31 23:55 to 2024-01-31 23:59 UTC" in printed
    assert "3 new, 0 replaced, 0 unchanged" in printed
    assert "between the first and the last 2 are not in the file" in printed
    assert await pool.fetchval("SELECT count(*) FROM candles") == 3


async def test_a_market_that_its_venue_does_not_have_is_refused(pool: Pool, tmp_path: Path) -> None:
    await pool.execute(
        "INSERT INTO markets VALUES ('sandbox:BTC/USDT', 'sandbox', 'BTC', 'USDT', true, 1, 1, 1, NULL, NULL, 0, 0)"
    )
    path = csv(tmp_path, [row(0), row(1)])
    with pytest.raises(Exception, match=re.escape("'sandbox:BTC/USTD' (did you mean sandbox:BTC/USDT?)")):
        await import_and_print([path], pool, "sandbox:BTC/USTD")
    assert (await import_and_print([path], pool, "kraken:BTC/EUR"))[0] == []


def test_progress_is_a_bar_in_a_terminal_and_lines_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 0.0, 1.0, 6.0])
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    output = StringIO()
    with show_progress(Console(file=output, highlight=False)) as progress:
        progress.start("BTC 1m", 3_000)
        progress.advance(1_000)
        progress.advance(1_000)
        progress.print_line("asked again")
    assert output.getvalue() == "BTC 1m: 2,000 of 3,000 rows, 333 rows/s, 3 s left\nasked again\n"
    monkeypatch.undo()

    output = StringIO()
    with show_progress(Console(file=output, force_terminal=True, width=100)) as progress:
        progress.start("BTC 1m", 3_000)
        progress.advance(1_500)
        progress.print_line("asked again")
    shown = output.getvalue()
    assert "1500/3000" in shown
    assert "rows/s" in shown
    assert "asked again" in shown
