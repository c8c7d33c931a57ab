"""Tests can be run while the machine's clock stands at another time."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import at
from tests.support.recorded_data import ROOT
from tests.support.require import require_or_skip

NOW = datetime(2026, 12, 5, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "reached"),
    [
        ("+1d", datetime(2026, 12, 6, 8, 30, tzinfo=UTC)),
        ("+400d", datetime(2028, 1, 9, 8, 30, tzinfo=UTC)),
        ("month-end", datetime(2026, 12, 31, 23, 59, 50, tzinfo=UTC)),
        ("year-end", datetime(2026, 12, 31, 23, 59, 50, tzinfo=UTC)),
        ("leap-day", datetime(2028, 2, 29, 12, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_distance_or_the_next_of_its_kind(time: str, reached: datetime) -> None:
    assert NOW + at.distance(time, NOW) == reached


@pytest.mark.parametrize(("year", "leap"), [(2026, 2028), (2028, 2032), (2096, 2104), (2398, 2400)])
def test_a_leap_day_is_one_of_the_calendar(year: int, leap: int) -> None:
    now = datetime(year, 7, 1, tzinfo=UTC)
    assert (now + at.distance("leap-day", now)).year == leap


@pytest.mark.parametrize("time", ["", "40d", "-1d", "+1h", "tomorrow", "+99999d"])
def test_what_is_no_time_is_refused_with_those_that_there_are(time: str) -> None:
    with pytest.raises(ValueError, match=r"is no time; there are \+1d, .*leap-day"):
        at.distance(time, NOW)


def test_the_clock_is_moved_for_a_program_and_for_what_it_starts() -> None:
    require_or_skip(at.library(), "libfaketime is not installed")
    if at.is_moved():
        pytest.skip("the clock is moved already")
    inner = "from datetime import datetime, UTC; print(datetime.now(UTC).isoformat())"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    command = [sys.executable, "-m", "tests.at", "+400d", "--", sys.executable, "-c", outer]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    moved = datetime.fromisoformat(output.splitlines()[-1]) - datetime.now(UTC)
    assert timedelta(days=399) < moved <= timedelta(days=400)


def test_what_ended_processes_left_behind_is_removed_and_that_of_running_ones_stays(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    kept = {f"sem.faketime_sem_{os.getpid()}", f"faketime_shm_{os.getpid()}", "faketime_shm_x", "PostgreSQL.1"}
    for name in (*kept, f"sem.faketime_sem_{ended.pid}", f"faketime_shm_{ended.pid}"):
        (tmp_path / name).touch()
    at.remove_leftovers(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == kept
