"""Files as their sources write them, each read without an option, or refused with the option that would read it."""

import gzip
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.model.markets import Timeframe
from infra.candle_files.column_reader import read_tables
from infra.candle_files.errors import MalformedRows, UnusableFileError
from infra.candle_files.inspection import FileSummary, inspect_file
from infra.cli.arguments import BadArgument, parse_columns
from tests.support.candle_files import errors, inspected, read_options

ANOTHER = "--timeframe or --timezone may be another"
CHANGED = (
    "the clocks were changed then; write times in UTC or with their offset, or name the --timezone in which they are "
    "written"
)
JANUARY = datetime(2024, 1, 2, tzinfo=UTC)

CRYPTODATADOWNLOAD = """https://www.CryptoDataDownload.com
unix,date,symbol,open,high,low,close,Volume USDT,Volume BTC,tradecount
1704164400000,2024-01-02 03:00:00,BTC/USDT,42000.5,42100,41900,42050,21025000.5,500.5,1000
1704160800000,2024-01-02 02:00:00,BTC/USDT,42000.5,42100,41900,42050,21025000.5,500.5,1000
1704157200000,2024-01-02 01:00:00,BTC/USDT,42000.5,42100,41900,42050,21025000.5,500.5,1000
1704153600000,2024-01-02 00:00:00,BTC/USDT,42000.5,42100,41900,42050,21025000.5,500.5,1000
"""
CRYPTODATADOWNLOAD_IN_SECONDS = """https://www.CryptoDataDownload.com
unix,date,symbol,open,high,low,close,Volume BTC,Volume USD
1704164400.0,2024-01-02 03:00:00,BTC/USD,42000.5,42100,41900,42050,500.5,21025000.5
1704160800.0,2024-01-02 02:00:00,BTC/USD,42000.5,42100,41900,42050,500.5,21025000.5
1704157200.0,2024-01-02 01:00:00,BTC/USD,42000.5,42100,41900,42050,500.5,21025000.5
1704153600.0,2024-01-02 00:00:00,BTC/USD,42000.5,42100,41900,42050,500.5,21025000.5
"""
BITSTAMP_OF_KAGGLE = """Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price
1704153600,42000.5,42100,41900,42050,500.5,21025000.5,42007.9
1704157200,NaN,NaN,NaN,NaN,NaN,NaN,NaN
1704160800,42000.5,42100,41900,42050,500.5,21025000.5,42007.9
1704164400,42000.5,42100,41900,42050,500.5,21025000.5,42007.9
"""
BYBIT = """startTime,openPrice,highPrice,lowPrice,closePrice,volume,turnover
1704164400000,42000.5,42100,41900,42050,500.5,21025000.5
1704160800000,42000.5,42100,41900,42050,500.5,21025000.5
1704157200000,42000.5,42100,41900,42050,500.5,21025000.5
1704153600000,42000.5,42100,41900,42050,500.5,21025000.5
"""
DUKASCOPY = """Gmt time,Open,High,Low,Close,Volume
02.01.2024 00:00:00.000,42000.5,42100,41900,42050,500.5
02.01.2024 01:00:00.000,42000.5,42100,41900,42050,500.5
02.01.2024 02:00:00.000,42000.5,42100,41900,42050,500.5
02.01.2024 03:00:00.000,42000.5,42100,41900,42050,500.5
"""
DUKASCOPY_LOCAL = """Local time,Open,High,Low,Close,Volume
02.01.2024 01:00:00.000 GMT+0100,42000.5,42100,41900,42050,500.5
02.01.2024 02:00:00.000 GMT+0100,42000.5,42100,41900,42050,500.5
02.01.2024 03:00:00.000 GMT+0100,42000.5,42100,41900,42050,500.5
02.01.2024 04:00:00.000 GMT+0100,42000.5,42100,41900,42050,500.5
"""
METATRADER_5 = """<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>
2024.01.02\t00:00:00\t42000.5\t42100\t41900\t42050\t9000\t500.5\t3
2024.01.02\t01:00:00\t42000.5\t42100\t41900\t42050\t9000\t500.5\t3
2024.01.02\t02:00:00\t42000.5\t42100\t41900\t42050\t9000\t500.5\t3
2024.01.02\t03:00:00\t42000.5\t42100\t41900\t42050\t9000\t500.5\t3
"""
METATRADER_4 = """2024.01.02,00:00,42000.5,42100,41900,42050,500.5
2024.01.02,01:00,42000.5,42100,41900,42050,500.5
2024.01.02,02:00,42000.5,42100,41900,42050,500.5
2024.01.02,03:00,42000.5,42100,41900,42050,500.5
"""
BACKTESTING_PY = """,Open,High,Low,Close,Volume
2024-01-02 00:00:00,42000.5,42100,41900,42050,500.5
2024-01-02 01:00:00,42000.5,42100,41900,42050,500.5
2024-01-02 02:00:00,42000.5,42100,41900,42050,500.5
2024-01-02 03:00:00,42000.5,42100,41900,42050,500.5
"""
POLYGON = """ticker,volume,open,close,high,low,window_start,transactions
X:BTC-USD,500.5,42000.5,42050,42100,41900,1704153600000000000,1000
X:BTC-USD,500.5,42000.5,42050,42100,41900,1704157200000000000,1000
X:BTC-USD,500.5,42000.5,42050,42100,41900,1704160800000000000,1000
X:BTC-USD,500.5,42000.5,42050,42100,41900,1704164400000000000,1000
"""
YFINANCE = """Price,Close,High,Low,Open,Volume
Ticker,BTC-USD,BTC-USD,BTC-USD,BTC-USD,BTC-USD
Datetime,,,,,
2024-01-02 00:00:00+00:00,42050,42100,41900,42000.5,500.5
2024-01-02 01:00:00+00:00,42050,42100,41900,42000.5,500.5
2024-01-02 02:00:00+00:00,42050,42100,41900,42000.5,500.5
2024-01-02 03:00:00+00:00,42050,42100,41900,42000.5,500.5
"""
GERMAN = """Zeit;Open;High;Low;Close;Volume
02.01.2024 00:00;42000,5;42100;41900;42050;500,5
"""
SEMICOLONS = """Datetime;Open;High;Low;Close;Volume
2024-01-02 00:00;42000,5;42100;41900;42050;500,5
2024-01-02 01:00;42000,5;42100;41900;42050;500,5
2024-01-02 02:00;42000,5;42100;41900;42050;500,5
2024-01-02 03:00;42000,5;42100;41900;42050;500,5
"""
DAY_AND_HOUR = """Date,Time,Open,High,Low,Close,Volume
2024-01-02,00:00,42000.5,42100,41900,42050,500.5
2024-01-02,01:00,42000.5,42100,41900,42050,500.5
2024-01-02,02:00,42000.5,42100,41900,42050,500.5
2024-01-02,03:00,42000.5,42100,41900,42050,500.5
"""
STOOQ = """<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>
BTC.V,60,20240102,000000,42000.5,42100,41900,42050,500.5,0
BTC.V,60,20240102,010000,42000.5,42100,41900,42050,500.5,0
BTC.V,60,20240102,020000,42000.5,42100,41900,42050,500.5,0
BTC.V,60,20240102,030000,42000.5,42100,41900,42050,500.5,0
"""
FREQTRADE = """[[1704153600000,42000.5,42100.0,41900.0,42050.0,500.5],
[1704157200000,42000.5,42100.0,41900.0,42050.0,500.5],
[1704160800000,42000.5,42100.0,41900.0,42050.0,500.5],[1704164400000,42000.5,42100.0,41900.0,42050.0,500.5]]"""
OBJECTS = """[{"t": 1704153600, "o": "42000.5", "h": 42100, "l": 41900, "c": 42050, "v": 500.5},
{"t": 1704157200, "o": "42000.5", "h": 42100, "l": 41900, "c": 42050, "v": 500.5},
{"t": 1704160800, "o": "42000.5", "h": 42100, "l": 41900, "c": 42050, "v": 500.5},
{"t": 1704164400, "o": "42000.5", "h": 42100, "l": 41900, "c": 42050, "v": 500.5}]"""


def file(folder: Path, text: str, name: str = "candles.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def ends(found: FileSummary) -> tuple[Timeframe, datetime, datetime]:
    return found.timeframe, found.first, found.last


def values(path: Path, columns: str | None = None) -> set[tuple[float, ...]]:
    """Return the different candles of a file, in numbers."""
    found: set[tuple[float, ...]] = set()
    for table in read_tables(path, read_options(path, columns=columns).file):
        rows = table.rows.select("open", "high", "low", "close", "volume").rows()
        found |= {tuple(map(float, row)) for row in rows}
    return found


HOURS = (Timeframe.H1, JANUARY, JANUARY + timedelta(hours=3))
CANDLE = {(42000.5, 42100.0, 41900.0, 42050.0, 500.5)}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(CRYPTODATADOWNLOAD, id="CryptoDataDownload"),
        pytest.param(CRYPTODATADOWNLOAD_IN_SECONDS, id="CryptoDataDownload in seconds"),
        pytest.param(BITSTAMP_OF_KAGGLE, id="Kaggle's Bitstamp"),
        pytest.param(BYBIT, id="Bybit"),
        pytest.param(DUKASCOPY, id="Dukascopy"),
        pytest.param(DUKASCOPY_LOCAL, id="Dukascopy in local time"),
        pytest.param(METATRADER_5, id="MetaTrader 5"),
        pytest.param(METATRADER_4, id="MetaTrader 4"),
        pytest.param(BACKTESTING_PY, id="backtesting.py"),
        pytest.param(POLYGON, id="Polygon"),
        pytest.param(YFINANCE, id="yfinance"),
        pytest.param(SEMICOLONS, id="decimal commas"),
        pytest.param(DAY_AND_HOUR, id="day and hour apart"),
        pytest.param(STOOQ, id="Stooq"),
        pytest.param(FREQTRADE, id="freqtrade"),
        pytest.param(OBJECTS, id="JSON objects"),
    ],
)
def test_what_a_source_writes_is_read_as_it_is_meant(tmp_path: Path, text: str) -> None:
    path = file(tmp_path, text)
    assert ends(inspected(path)) == HOURS
    assert values(path) == CANDLE


def test_rows_without_prices_are_left_out_and_counted(tmp_path: Path) -> None:
    found = inspected(file(tmp_path, BITSTAMP_OF_KAGGLE))
    assert (found.rows, found.blank, found.missing) == (3, 1, 1)
    begins = BITSTAMP_OF_KAGGLE.splitlines()
    silent = [f"{1704153600 - 60 * number},NaN,NaN,NaN,NaN,NaN,NaN,NaN" for number in range(200)]
    found = inspected(file(tmp_path, "\n".join([begins[0], *silent, *begins[1:]])))
    assert (found.rows, found.blank, found.timeframe) == (3, 201, Timeframe.H1)
    with pytest.raises(UnusableFileError, match=r"a single row|no rows with prices"):
        inspected(file(tmp_path, "\n".join([begins[0], *silent])))
    message = errors(file(tmp_path, f"{BITSTAMP_OF_KAGGLE}1704168000,NaN,NaN,NaN,NaN,7,7,7\n"), Timeframe.H1)
    assert message == ["candles.csv, line 6: open is 'NaN', which is no number such as 7424.91"]


def test_yahoos_adjusted_close_is_no_volume(tmp_path: Path) -> None:
    head = "Date,Open,High,Low,Close,Adj Close,Volume"
    days = [f"2024-01-0{day},42000.5,42100,41900,42050,41000.25,500.5" for day in (2, 3, 4)]
    path = file(tmp_path, "\n".join([head, *days, "2024-01-05,null,null,null,null,null,null"]))
    assert ends(inspected(path)) == (Timeframe.D1, JANUARY, JANUARY + timedelta(days=2))
    assert values(path) == CANDLE
    for adjusted in ("42050", "41000.25"):
        bare = file(tmp_path, "\n".join(day.replace("41000.25", adjusted) for day in days))
        with pytest.raises(UnusableFileError, match=r"volume and one more, or as .* adjusted close, volume") as refused:
            inspected(bare)
        assert "--columns time=1,open=2,high=3,low=4,close=5,volume=6 or --columns" in str(refused.value)
        assert values(bare, "time=1,open=2,high=3,low=4,close=5,volume=7") == CANDLE


@pytest.mark.parametrize(
    ("row", "option"),
    [
        ("{},41900,42100,42000.5,42050,500.5", "time=1,open=4,high=3,low=2,close=5,volume=6"),
        ("{},42000.5,42050,42100,41900,500.5", "time=1,open=2,high=4,low=5,close=3,volume=6"),
        ("{},42000.5,42100,41900,42050", "time=1,open=2,high=3,low=4,close=5,volume=none"),
        ("{},42000.5,42050,42100,41900", "time=1,open=2,high=4,low=5,close=3,volume=none"),
        ("{},42000.5,42100,41900,42050,42007.9,500.5,1000", "time=1,open=2,high=3,low=4,close=5,volume=7"),
        ("BTC,{},42000.5,42100,41900,42050,500.5", "time=2,open=3,high=4,low=5,close=6,volume=7"),
    ],
    ids=["Coinbase", "Bitfinex", "no volume", "duka", "Kraken REST", "ticker first"],
)
def test_without_a_header_another_order_is_refused_and_read_as_the_option_says(
    tmp_path: Path, row: str, option: str
) -> None:
    path = file(tmp_path, "\n".join(row.format(1704153600 + 3600 * number) for number in range(4)))
    with pytest.raises(UnusableFileError, match="--columns") as refused:
        inspected(path)
    if option.endswith("none") or "volume=6" in option:
        assert option in str(refused.value)
    assert ends(inspected(path, columns=option)) == HOURS
    assert {candle[:4] for candle in values(path, option)} == {candle[:4] for candle in CANDLE}


def test_without_a_header_one_malformed_row_is_reported_as_such(tmp_path: Path) -> None:
    rows = [f"{1704153600 + 60 * number},5,7,4,6,1" for number in range(9)]
    path = file(tmp_path, "\n".join([*rows[:3], rows[3].replace("5,7,4", "9,7,4"), *rows[4:]]))
    assert errors(path) == ["candles.csv, line 4: open 9 is outside low 4 to high 7"]
    volume_first = file(tmp_path, "\n".join(f"{1704153600 + 60 * number},2.5,6,7,4,5" for number in range(9)))
    with pytest.raises(UnusableFileError, match=r"don't fit as open, high, low, close\. Say which is what: --columns"):
        inspected(volume_first)


def test_a_missing_volume_is_reported_with_the_option_that_does_without(tmp_path: Path) -> None:
    text = "time,open,high,low,close\n" + "".join(f"{1704153600 + 60 * n},1,1,1,1\n" for n in range(3))
    path = file(tmp_path, text)
    with pytest.raises(UnusableFileError, match="as in --columns volume=…; none for a volume that isn't there"):
        inspected(path)
    assert inspected(path, columns="volume=none").rows == 3
    assert values(path, "volume=none") == {(1, 1, 1, 1, 0)}


def test_columns_are_named_by_the_user_where_no_name_is_known(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match="there is no column time; its first line is Zeit, Open"):
        inspected(file(tmp_path, GERMAN))
    path = file(tmp_path, GERMAN + "02.01.2024 01:00;42000,5;42100;41900;42050;500,5\n")
    assert inspected(path, columns="time=zeit").first == JANUARY
    foreign = file(tmp_path, "Tag,Uhr,Auf,Hoch,Tief,Zu,Menge\n2024-01-02,00:00,1,2,1,2,5\n2024-01-02,01:00,1,2,1,2,5\n")
    assert inspected(foreign, columns="time=Tag+Uhr,open=Auf,high=Hoch,low=Tief,close=Zu,volume=7").rows == 2
    assert values(foreign, "time=1+2,open=3,high=4,low=5,close=6,volume=7") == {(1, 2, 1, 2, 5)}
    with pytest.raises(UnusableFileError, match=r"--columns names 'Menge2' \(did you mean Menge\?\); there are Tag"):
        inspected(foreign, columns="time=Tag+Uhr,open=Auf,high=Hoch,low=Tief,close=Zu,volume=Menge2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time", "write each as field=name or field=number from 1"),
        ("time=", "write each as field=name"),
        ("time=0", "number from 1"),
        ("volum=2", r"--columns has 'volum' \(did you mean volume\?\); the fields are time, open"),
        ("open=1,open=2", "has open twice"),
        ("time=1+2+3", "a time is one column, or two as in time=Date\\+Time"),
    ],
)
def test_an_option_that_can_mean_nothing_is_reported_with_what_would(text: str, message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        parse_columns(text)


def test_volumes_in_other_currencies_alone_are_not_guessed(tmp_path: Path) -> None:
    text = (
        "date,open,high,low,close,Volume EUR,Volume ETH\n2024-01-02 00:00,1,1,1,1,5,6\n2024-01-02 01:00,1,1,1,1,5,6\n"
    )
    with pytest.raises(
        UnusableFileError, match="none of its volumes is called after BTC; say --columns volume='Volume EUR'"
    ):
        inspected(file(tmp_path, text))
    assert values(file(tmp_path, text), "volume=Volume ETH") == {(1, 1, 1, 1, 6)}


def test_a_day_without_its_hour_is_never_taken_for_the_whole_time(tmp_path: Path) -> None:
    assert inspected(file(tmp_path, DAY_AND_HOUR)).timeframe is Timeframe.H1
    days = pl.DataFrame({"date": [JANUARY.date()] * 2, "time": ["00:00", "01:00"]})
    prices = {name: [1.0, 1.0] for name in ("open", "high", "low", "close", "volume")}
    path = tmp_path / "candles.parquet"
    days.with_columns(**{name: pl.Series(text) for name, text in prices.items()}).write_parquet(path)
    with pytest.raises(
        UnusableFileError, match="its column date is a day, and time its hour it seems; write both as one"
    ):
        inspected(path)


@pytest.mark.parametrize(("first", "second", "day"), [("13/01", "14/01", 13), ("01/13", "01/14", 13)])
def test_days_and_months_are_distinguished_where_they_show_it(
    tmp_path: Path, first: str, second: str, day: int
) -> None:
    lines = [f"{text}/2024,1,1,1,1,1" for text in (first, second)]
    assert inspected(file(tmp_path, "\n".join(["date,open,high,low,close,volume", *lines]))).first.day == day
    intraday = [f"01/02/2024,{hour:02}:{minute:02},1,1,1,1,1" for hour in range(24) for minute in range(60)]
    later = file(tmp_path, "\n".join([*intraday, "01/13/2024,00:00,1,1,1,1,1\n"]))
    assert inspect_file(read_options(later, block_bytes=1 << 20), lambda _: None).first == JANUARY
    with pytest.raises(UnusableFileError, match="may be day/month or month/day"):
        inspected(file(tmp_path, "date,open,high,low,close,volume\n01/02/2024,1,1,1,1,1\n01/03/2024,1,1,1,1,1\n"))


def typed_frame() -> pl.DataFrame:
    times = [JANUARY + timedelta(hours=hour) for hour in range(4)]
    numbers = dict(zip(("open", "high", "low", "close", "volume"), *CANDLE, strict=True))
    return pl.DataFrame({"date": times, **{name: [value] * 4 for name, value in numbers.items()}})


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather_is_read_as_freqtrade_writes_it(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "BTC_USDT-1h.feather"
    typed_frame().with_columns(pl.col("date").dt.cast_time_unit("ms")).write_ipc(path, compression=compression)  # type: ignore[arg-type]
    found = inspected(path)
    assert (found.format, ends(found), values(path)) == ("feather", HOURS, CANDLE)


def test_a_broken_or_old_feather_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "candles.feather"
    typed_frame().write_ipc(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnusableFileError, match="it can't be read as Feather"):
        inspected(path)
    path.write_bytes(b"FEA1" + bytes(100))
    with pytest.raises(UnusableFileError, match="Feather of version 1"):
        inspected(path)


def test_pandas_index_is_the_time_and_one_that_counts_rows_is_not(tmp_path: Path) -> None:
    path = tmp_path / "candles.parquet"
    typed_frame().rename({"date": "__index_level_0__"}).write_parquet(path)
    assert ends(inspected(path)) == HOURS
    counted = BACKTESTING_PY.splitlines()
    lines = [counted[0], *(f"{number},{line.partition(',')[2]}" for number, line in enumerate(counted[1:]))]
    with pytest.raises(UnusableFileError, match="there is no column time"):
        inspected(file(tmp_path, "\n".join(lines)))


def test_json_is_read_gzipped_too_and_recognised_by_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "BTC_USDT-1h.json.gz"
    path.write_bytes(gzip.compress(FREQTRADE.encode()))
    assert ends(inspected(path)) == HOURS
    wrong = file(tmp_path, FREQTRADE.replace("42050.0,500.5]]", '"x",500.5]]'), "candles.json")
    assert errors(wrong, Timeframe.H1) == ["candles.json, row 4: close is 'x', which is no number such as 7424.91"]
    exact = FREQTRADE.replace("42000.5", "42000.123456789012345678")
    assert {table.rows["open"][0] for table in read_tables(file(tmp_path, exact), read_options(path).file)} == {
        "42000.123456789012345678"
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "there are no rows of candles in it"),
        ("[1, 2]", "its array holds neither arrays nor objects"),
        ('{"result": []}', "it can't be read as an array of candles in JSON"),
        ("[[1,2,", "it can't be read as an array of candles in JSON"),
        ("[[1,2,3]]", "there are no rows of candles"),
    ],
)
def test_json_that_holds_no_candles_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UnusableFileError, match=message):
        inspected(file(tmp_path, text, "candles.json"))


def minutes(folder: Path, numbers: Iterable[int]) -> Path:
    start = int(JANUARY.timestamp())
    rows = "".join(f"{start + 60 * number},1,1,1,1,1\n" for number in numbers)
    return file(folder, f"time,open,high,low,close,volume\n{rows}")


def test_the_users_word_on_the_timeframe_stands_where_any_row_bears_it_out(tmp_path: Path) -> None:
    thin = [0, 5, 10, 15, 25, 30, 45, 60, 75, 80, 95, 100, 121]
    assert inspected(minutes(tmp_path, thin), Timeframe.M1).rows == len(thin)
    with pytest.raises(UnusableFileError, match="0:05:00 or multiples of it apart, so they are not of 1m"):
        inspected(minutes(tmp_path, thin[:-1]), Timeframe.M1)
    few = [0, 5, 10]
    assert inspected(minutes(tmp_path, few), Timeframe.M1).timeframe is Timeframe.M1


def test_a_market_with_few_trades_is_known_by_its_grid(tmp_path: Path) -> None:
    thin = [0, 2, 5, 7, 10, 12, 15, 16, 19, 21, 24, 26]
    assert inspected(minutes(tmp_path, thin)).timeframe is Timeframe.M1
    with pytest.raises(UnusableFileError, match="which isn't the length of all of them; pass --timeframe"):
        inspected(minutes(tmp_path, [0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27]))
    with pytest.raises(UnusableFileError, match="pass --timeframe"):
        inspected(minutes(tmp_path, [1, 6, 11]))  # five minutes apart, but not on the grid of five minutes
    assert inspected(minutes(tmp_path, [0, 5, 10])).timeframe is Timeframe.M5
    assert inspected(minutes(tmp_path, [*range(40), 47, 48, 90, 91])).timeframe is Timeframe.M1


def test_one_time_off_the_grid_is_a_malformed_row_and_no_other_timeframe(tmp_path: Path) -> None:
    path = minutes(tmp_path, [*(60 * hour for hour in range(20)), 61])
    assert errors(path, None) == [
        f"candles.csv, line 22: it opens at 2024-01-02 01:01 UTC, when no 1h candle does; {ANOTHER}"
    ]


def test_weeks_begin_on_mondays(tmp_path: Path) -> None:
    head = "date,open,high,low,close,volume"
    mondays = "\n".join(f"2024-01-{day:02},1,1,1,1,1" for day in (1, 8, 15, 29))
    found = inspected(file(tmp_path, f"{head}\n{mondays}"))
    assert (found.timeframe, found.first.day, found.last.day, found.missing) == (Timeframe.W1, 1, 29, 1)
    sundays = "\n".join(f"2024-01-{day:02},1,1,1,1,1" for day in (7, 14, 21))
    (message, *_) = errors(file(tmp_path, f"{head}\n{sundays}"), Timeframe.W1)
    assert "it opens at 2024-01-07 00:00 UTC, when no 1w candle does" in message


@pytest.mark.parametrize(
    ("at", "what"),
    [("2024-03-31 02:30", "doesn't exist"), ("2024-10-27 02:30", "stands for two times")],
    ids=["forward", "back"],
)
def test_a_time_of_the_clocks_change_is_reported_as_such(tmp_path: Path, at: str, what: str) -> None:
    rows = "".join(f"{text},1,1,1,1,1\n" for text in ("2024-03-30 00:00", "2024-03-30 00:30", at))
    path = file(tmp_path, f"time,open,high,low,close,volume\n{rows}")
    assert errors(path, Timeframe.M30, "Europe/Berlin") == [
        f"candles.csv, line 4: '{at}' {what} in Europe/Berlin: {CHANGED}"
    ]
    times = [datetime.fromisoformat(text) for text in ("2024-03-30 00:00", "2024-03-30 00:30", at)]
    typed = typed_frame().head(3).with_columns(pl.Series("date", times))
    typed.write_parquet(tmp_path / "candles.parquet")
    (message,) = errors(tmp_path / "candles.parquet", Timeframe.M30, "Europe/Berlin")
    assert f"{what} in Europe/Berlin" in message


TOKENS = st.sampled_from(
    [
        *("", "1", "2.5", "1,5", "NaN", "null", "x", "٣", "9" * 30, "-", "\x00", "\t", '"', "[", "{}", "1e400"),
        *("Date", "Time", "open", "High", "<LOW>", "close", "Volume BTC", "Ticker", "1704153600", "153000", "00:00"),
        *("2024-01-02", "2024.01.02", "02.01.2024 00:00:00.000", "01/02/2024", "2024-01-02T00:00Z", "20240102"),
    ]
)
LINES = st.lists(TOKENS, max_size=9)


def test_json_that_is_nested_too_deeply_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match="can't be read as an array of candles"):
        inspected(file(tmp_path, "[" * 100_000), None, "UTC", None)


@given(st.lists(LINES, max_size=8), st.sampled_from([",", ";", "\t", "|"]), st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_no_file_is_more_than_unusable(
    lines: list[list[str]], separator: str, known: bool, data: st.DataObject
) -> None:
    head = [separator.join(["time", "open", "high", "low", "close", "volume"])] if known else []
    text = "\n".join([*head, *(separator.join(line) for line in lines)])
    columns = data.draw(st.sampled_from([None, "time=1+2,open=3,high=4,low=5,close=6,volume=none", "volume=none"]))
    timeframe = data.draw(st.sampled_from([None, Timeframe.M1, Timeframe.W1]))
    with TemporaryDirectory() as folder, suppress(UnusableFileError, MalformedRows):
        inspected(file(Path(folder), text), timeframe, "Europe/Berlin", columns)
