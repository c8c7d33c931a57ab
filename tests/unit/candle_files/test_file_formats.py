"""The forms of files that are known by their look."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from domain.model.markets import Timeframe
from infra.candle_files.errors import UnusableFileError
from infra.candle_files.formats import FileFormat
from infra.candle_files.inspection import FileSummary, inspect_file
from tests.support.candle_files import NOW, csv, errors, inspected, read_options, row
from tests.support.recorded_data import COINBASE, skip_without

NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


def facts(found: FileSummary) -> tuple[str, Timeframe, int, datetime, datetime, int]:
    return found.format, found.timeframe, found.rows, found.first, found.last, found.missing


def test_the_coinbase_files_are_known_in_their_daily_and_minute_forms() -> None:
    skip_without(COINBASE)
    first, last = datetime(2014, 12, 1, tzinfo=UTC), datetime(2018, 8, 13, tzinfo=UTC)
    assert facts(inspected(COINBASE / "btcusd_daily.zip")) == ("lean", Timeframe.D1, 1318, first, last, 34)
    day = datetime(2018, 4, 4, tzinfo=UTC)
    found = facts(inspected(COINBASE / "btcusd_minute_20180404.zip"))
    assert found == ("lean", Timeframe.M1, 1007, day, day + timedelta(hours=16, minutes=47), 1)


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_times_since_1970_are_read_in_whichever_unit_they_are(tmp_path: Path, unit: int) -> None:
    times = [int((NEW_YEAR + timedelta(minutes=minute)).timestamp()) * unit for minute in range(3)]
    found = inspected(csv(tmp_path, [f"{at},1,1,1,1,1" for at in times], header=None))
    assert facts(found) == ("generic", Timeframe.M1, 3, NEW_YEAR, NEW_YEAR + timedelta(minutes=2), 0)


def test_binance_files_are_known_before_and_since_its_microseconds(tmp_path: Path) -> None:
    line = "{},4261.48,4261.48,4261.48,4261.48,1.775183,{},7564.9,3,0.07,320.0,0"
    for unit, header in ((1_000, None), (1_000_000, None), (1_000, "Open Time,Open,High,Low,Close,Volume,a,b,c,d,e,f")):
        start = int(NEW_YEAR.timestamp()) * unit
        lines = [line.format(start + 300 * unit * number, 1) for number in range(3)]
        found = inspected(csv(tmp_path, lines, header=header))
        assert facts(found) == ("binance", Timeframe.M5, 3, NEW_YEAR, NEW_YEAR + timedelta(minutes=10), 0)


@pytest.mark.parametrize(
    "pattern",
    [
        "%Y-%m-%d %H:%M:%S+00:00",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%dT%H:%M:%S.000000Z",
        "%Y-%m-%d %H:%M:%S UTC",
        "%Y-%m-%d %H:%M",
        "%Y/%m/%d %H:%M:%S",
        "%Y%m%d %H:%M",
        "%Y%m%d %H:%M:%S",
    ],
)
def test_times_are_read_in_many_writings(tmp_path: Path, pattern: str) -> None:
    times = [(NEW_YEAR + timedelta(hours=hour)).strftime(pattern) for hour in range(3)]
    found = inspected(csv(tmp_path, [row(0, at=at) for at in times]))
    assert facts(found)[1:] == (Timeframe.H1, 3, NEW_YEAR, NEW_YEAR + timedelta(hours=2), 0)


def test_a_date_alone_is_a_day(tmp_path: Path) -> None:
    for times in (["2025-01-01", "2025-01-02"], ["20250101", "20250102"]):
        found = inspected(csv(tmp_path, [row(0, at=at) for at in times]))
        assert facts(found)[1:] == (Timeframe.D1, 2, NEW_YEAR, NEW_YEAR + timedelta(days=1), 0)


def test_times_without_offset_are_of_the_given_zone_and_those_with_one_are_not(tmp_path: Path) -> None:
    naive = csv(tmp_path, [row(0, at=f"2025-01-01 0{hour}:00:00") for hour in range(3)])
    assert inspected(naive, zone="Europe/Berlin").first == NEW_YEAR - timedelta(hours=1)
    with_offset = csv(tmp_path, [row(0, at=f"2025-01-01 0{hour}:00:00+02:00") for hour in range(3)])
    assert inspected(with_offset, zone="Europe/Berlin").first == NEW_YEAR - timedelta(hours=2)


def test_an_hour_that_a_change_of_the_clock_leaves_out_or_repeats_is_refused(tmp_path: Path) -> None:
    lines = [row(0, at=f"2024-03-31 0{hour}:30:00") for hour in range(4)]
    (with_offset,) = errors(csv(tmp_path, [row(0, at="2024-03-30 23:30:00"), *lines]), Timeframe.M15, "Europe/Berlin")
    assert with_offset.startswith("candles.csv, line 5: '2024-03-31 02:30:00' doesn't exist in Europe/Berlin")


def test_columns_go_by_their_names_wherever_they_stand(tmp_path: Path) -> None:
    header = "symbol;Close;Volume;LOW;high;open;date;unix"
    lines = [f"BTC;1.5;9;1;2;1.2;whenever;{int(NEW_YEAR.timestamp()) + 60 * minute}" for minute in range(2)]
    assert facts(inspected(csv(tmp_path, lines, header=header))) == (
        ("generic", Timeframe.M1, 2, NEW_YEAR, NEW_YEAR + timedelta(minutes=1), 0)
    )


def test_newest_first_and_unordered_files_are_right(tmp_path: Path) -> None:
    for order in (range(300, -1, -1), [*range(150, 301), *range(150)]):
        found = inspected(csv(tmp_path, [row(minute) for minute in order]))
        assert (found.rows, found.missing, found.last - found.first) == (301, 0, timedelta(minutes=300))


def test_a_candle_that_has_not_closed_is_left_out(tmp_path: Path) -> None:
    minute = NOW.replace(second=0)
    times = [minute - timedelta(minutes=2), minute - timedelta(minutes=1), minute]
    found = inspected(csv(tmp_path, [row(0, at=at.isoformat()) for at in times]))
    assert (found.rows, found.forming, found.last) == (3, 1, times[1])


def test_the_timeframe_is_detected_by_the_times_and_a_wrong_one_refused(tmp_path: Path) -> None:
    hourly = csv(tmp_path, [row(60 * hour + 5) for hour in range(12)])
    assert inspected(hourly).timeframe is Timeframe.H1
    with pytest.raises(
        UnusableFileError, match="all of its 12 candles are 1:00:00 or multiples of it apart, so they are not of 1m"
    ):
        inspected(hourly, Timeframe.M1)
    assert inspected(csv(tmp_path, [row(30 * number + 5) for number in range(12)])).timeframe is Timeframe.M30
    with pytest.raises(
        UnusableFileError, match="its candles are 0:45:00 apart; the engine's timeframes are 1m, 3m, 5m"
    ):
        inspected(csv(tmp_path, [row(45 * number) for number in range(12)]))
    with pytest.raises(UnusableFileError, match="a single row doesn't tell how long its candle is; pass --timeframe"):
        inspected(csv(tmp_path, [row(0)]))
    assert inspected(csv(tmp_path, [row(0)]), Timeframe.M5).rows == 1


def test_a_form_that_is_asked_for_must_be_the_files(tmp_path: Path) -> None:
    path = csv(tmp_path, [row(minute) for minute in range(3)])
    with pytest.raises(UnusableFileError, match="doesn't look like --format binance, but like generic"):
        inspect_file(read_options(path, format=FileFormat.BINANCE), lambda _: None)


def test_parquet_is_read_with_whatever_type_its_times_and_numbers_have(tmp_path: Path) -> None:
    times = pl.Series([NEW_YEAR + timedelta(minutes=minute) for minute in range(3)])
    numbers = {name: [1.1, 1.1, 1.1] for name in ("open", "high", "low", "close", "volume")}
    for column in (
        times,
        times.dt.cast_time_unit("ms"),
        times.dt.cast_time_unit("ns"),
        times.dt.replace_time_zone(None),
        times.dt.epoch("s"),
        times.dt.epoch("ms"),
    ):
        path = tmp_path / "candles.parquet"
        pl.DataFrame({"date": column, **numbers}).write_parquet(path)
        assert facts(inspected(path)) == ("parquet", Timeframe.M1, 3, NEW_YEAR, NEW_YEAR + timedelta(minutes=2), 0)
