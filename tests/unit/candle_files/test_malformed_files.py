"""The errors of malformed files, and that nothing else is refused."""

import re
import zipfile
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.model.markets import Timeframe
from infra.candle_files.errors import MalformedRows, UnusableFileError
from tests.support.candle_files import HEADER, NOW, START, csv, errors, inspected, read_options, row

GOOD = [row(minute) for minute in range(4)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2024-02-01T00:00:00+00:00,x,2,1,1,1", "open is 'x', which is no number such as 7424.91"),
        ("2024-02-01T00:00:00+00:00,1,NaN,1,1,1", "high is 'NaN', which is no number such as 7424.91"),
        ("2024-02-01T00:00:00+00:00,1,inf,1,1,1", "high is 'inf', which is no number such as 7424.91"),
        ("2024-02-01T00:00:00+00:00,1,2,,1,1", "low is missing"),
        ("2024-02-01T00:00:00+00:00,1,2,1,1_0,1", "close is '1_0', which is no number such as 7424.91"),
        ("2024-02-01T00:00:00+00:00,1,2,1,1,-0.1", "volume is -0.1, and can't be below 0"),
        ("2024-02-01T00:00:00+00:00,0,2,0,1,1", "open is 0, and a price is above 0"),
        ("2024-02-01T00:00:00+00:00,1,1e39,1,1,1", "high is '1e39'; a number may have 38 digits"),
        ("2024-02-01T00:00:00+00:00,3,2,5,3,1", "high 2 is below low 5"),
        ("2024-02-01T00:00:00+00:00,3,2,1,1,1", "open 3 is outside low 1 to high 2"),
        ("2024-02-01T00:00:00+00:00,1,2,1,0.5,1", "close 0.5 is outside low 1 to high 2"),
        (
            "2024-02-01T00:00:00+00:00,1,0.30000000000000001,0.30000000000000002,1,1",
            "high 0.30000000000000001 is below low 0.30000000000000002",
        ),
        (
            "2024-02-01T00:00:30+00:00,1,2,1,1,1",
            "it opens at 2024-02-01 00:00:30 UTC, when no 1m candle does; --timeframe or --timezone may be another",
        ),
        (
            "2027-02-01T00:00:00+00:00,1,2,1,1,1",
            "it opens at 2027-02-01 00:00 UTC, which is in the future; --timezone may be another",
        ),
        (
            "1969-12-31T23:59:00+00:00,1,2,1,1,1",
            "it opens at 1969-12-31 23:59 UTC; candles of markets since 1970 are stored",
        ),
        (
            "01.02.2024,1,2,1,1,1",
            "'01.02.2024' is no time as this file writes it: a date and time like 2024-01-31T23:55:00+00:00",
        ),
        ("2024-02-01T00:00:00+00:00,1,2,1,1", "it has 5 columns where the file has 6"),
        ("2024-02-01T00:00:00+00:00,1,2,1,1,1,1", "it has 7 columns where the file has 6"),
        ('2024-02-01T00:00:00+00:00,1,2,1,1,"1,5"', "it has 7 columns where the file has 6"),
        ("no", "it has 1 column where the file has 6"),
    ],
)
def test_a_malformed_row_is_reported_with_its_line_and_what_would_be_right(
    tmp_path: Path, line: str, message: str
) -> None:
    assert errors(csv(tmp_path, [*GOOD, line, row(8)])) == [f"candles.csv, line 6: {message}"]


def test_a_repeated_time_is_reported_with_the_line_that_has_it_already(tmp_path: Path) -> None:
    later = [row(minute) for minute in range(40, 80)]
    reported = errors(csv(tmp_path, [*GOOD, row(5), row(1), *later, row(5)]))
    assert reported == [
        "candles.csv, line 7: it opens when the candle of candles.csv, line 3 does; one of them is too many",
        "candles.csv, line 48: it opens when the candle of candles.csv, line 6 does; one of them is too many",
    ]


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    lines = ["\ufeff" + HEADER, row(0), "", row(1), "", "", '"' + row(2).replace(",", '","') + '"', row(3, close="x")]
    path.write_bytes("\r\n".join(lines).encode())
    assert errors(path) == ["candles.csv, line 8: close is 'x', which is no number such as 7424.91"]


def test_the_first_ten_are_reported_and_that_there_are_more(tmp_path: Path) -> None:
    lines = [row(minute, close="?") for minute in range(200)]
    with pytest.raises(MalformedRows) as caught:
        inspected(csv(tmp_path, lines), Timeframe.M1)
    assert [error.location.number for error in caught.value.errors] == list(range(2, 12))
    assert "nothing of it was loaded" in str(caught.value)
    assert str(caught.value).endswith("… and more")


def test_a_row_of_an_archive_is_reported_with_its_file_and_one_of_parquet_as_row(tmp_path: Path) -> None:
    packed = csv(tmp_path, [row(0), row(1, volume="-1")], "candles.zip")
    assert errors(packed) == ["candles.zip/candles.csv, line 3: volume is -1, and can't be below 0"]
    path = tmp_path / "candles.parquet"
    prices = {name: [1.5, float("nan")] for name in ("open", "high", "low", "close")}
    pl.DataFrame({"date": [START, START + timedelta(minutes=1)], **prices, "volume": [1, 2]}).write_parquet(path)
    assert errors(path) == ["candles.parquet, row 2: open is 'NaN', which is no number such as 7424.91"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (HEADER.encode(), "there are no rows of candles"),
        (b"\n\n\n", "there are no rows of candles"),
        (b"time,open,high,low,close\n1,1,1,1,1\n", "there is no column volume; its first line is time, open"),
        (b"1600000000,1,1,1,1\n", "it has 5 columns and no header"),
        (f"{HEADER}\nyesterday,1,1,1,1,1\n".encode(), "its first time is 'yesterday', which can't be read"),
        (f"{HEADER}\n{row(0)}\n".encode("utf-16"), "it is written in UTF-16; save it as UTF-8"),
        (f"{HEADER}\n{row(0)}\n".encode() + b"\xe9,1,1,1,1,1\n", "line 3: byte 0xe9 is not UTF-8"),
        (b"\x1f\x8b" + bytes(40), "it can't be read to its end"),
        (b"PK\x03\x04" + bytes(40), "it can't be read to its end (File is not a zip file)"),
        (b"PAR1" + bytes(40), "it can't be read as Parquet"),
        (b"x" * 200_000, "a line of more than 64 KiB"),
        (b"0,1,2,1,1,1\n60000,1,2,1,1,1\n", "milliseconds since midnight it seems, and its name doesn't tell the day"),
    ],
)
def test_a_file_that_holds_no_candles_is_refused_as_a_whole(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "candles.csv"
    path.write_bytes(data)
    with pytest.raises(UnusableFileError, match=re.escape(message)):
        inspected(path)


def test_an_archive_that_was_torn_or_holds_no_csv_is_refused(tmp_path: Path) -> None:
    whole = csv(tmp_path, [row(minute) for minute in range(500)], "torn.zip")
    data = bytearray(whole.read_bytes())
    data[len(data) // 2] ^= 0xFF
    whole.write_bytes(data)
    with pytest.raises(UnusableFileError, match="can't be read to its end"):
        inspected(whole)
    packed = csv(tmp_path, [row(minute) for minute in range(500)], "torn.csv.gz")
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(UnusableFileError, match="can't be read to its end"):
        inspected(packed)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr("cat.png", b"")
    with pytest.raises(UnusableFileError, match=r"there is no \.csv file in this archive"):
        inspected(tmp_path / "pictures.zip")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match="there is no such file"):
        inspected(tmp_path / "absent.csv")
    with pytest.raises(UnusableFileError, match="it is a folder"):
        inspected(tmp_path)


TIMES = [(START + timedelta(minutes=minute)).isoformat() for minute in range(6)]
TOKENS = ["1", "2", "2.50", "0.1", "1e0", "0", "-1", "", "nan", "x", "1.0000000000000000001", "3", "9" * 39]
FIELDS = st.tuples(
    st.sampled_from([*TIMES, "2024-02-30T00:00:00+00:00", "2024-02-01T00:00:01+00:00", ""]),
    *[st.sampled_from(TOKENS[:6]) | st.sampled_from(TOKENS)] * 5,
).map(list)
ROWS = st.lists(
    st.one_of(
        FIELDS, FIELDS, FIELDS, FIELDS.map(lambda fields: fields[:-1]), FIELDS.map(lambda fields: [*fields, "1"])
    ),
    min_size=1,
    max_size=9,
)


def is_blank(fields: list[str]) -> bool:
    """Return whether a row has no prices, and so is left out."""
    return len(fields) == 6 and set(fields[1:5]) <= {"", "nan"} and fields[5] in {"", "nan", "0"}


def is_malformed(fields: list[str]) -> bool:
    """Return whether a row is malformed, one rule after the other, in exact numbers."""
    if is_blank(fields):
        return False
    if len(fields) != 6:
        return True
    try:
        at = datetime.fromisoformat(fields[0])
        numbers = [Decimal(text) for text in fields[1:]]
    except (ValueError, InvalidOperation):
        return True
    if at.second or at > NOW or not all(number.is_finite() and number < 10**38 for number in numbers):
        return True
    opened, high, low, close, volume = numbers
    return low <= 0 or volume < 0 or not (low <= opened <= high and low <= close <= high)


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_just_the_rows_are_refused_that_break_a_rule(rows: list[list[str]]) -> None:
    wrong = [number for number, fields in enumerate(rows, start=3) if is_malformed(fields)]
    seen = Counter([START.isoformat()])
    dated = [(number, fields[0]) for number, fields in enumerate(rows, start=3) if not is_blank(fields)]
    duplicates = [number for number, at in dated if seen[at] or seen.update([at])]
    with TemporaryDirectory() as folder:
        path = csv(Path(folder), [row(0), *(",".join(fields) for fields in rows)])
        reported = [int(re.findall(r"line (\d+):", error)[0]) for error in errors(path)]
    assert reported == (wrong or duplicates)


def test_small_blocks_and_large_ones_report_the_same(tmp_path: Path) -> None:
    path = csv(tmp_path, [row(minute) for minute in range(300)])
    assert inspected(path).rows == 300
    assert read_options(path).block_bytes < path.stat().st_size / 10
