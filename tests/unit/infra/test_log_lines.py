"""Lines that are written in batches: they look as all others do, keep their order, and none is lost."""

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Mapping

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from infra.log_lines import LineHandler, LineLog, plain_line
from infra.logging import configure_logging
from infra.settings import LogFormat
from tests.support.waiting import eventually

Capture = pytest.CaptureFixture[str]
FIELDS = {"request_id": "r-1", "method": "POST", "status": 200, "milliseconds": 0.21, "operation": "Depth"}
VALUES = st.one_of(
    st.integers(), st.floats(allow_nan=False), st.booleans(), st.text(max_size=12), st.from_regex("[a-z_/.,:-]{0,9}")
)


@given(st.dictionaries(st.from_regex(r"\A[a-z_]{1,12}\Z"), VALUES, max_size=6))
@example({"odd": "two words", "plain": "viewer,market"})
def test_a_plain_line_is_the_one_that_structlog_renders(fields: Mapping[str, object]) -> None:
    event = {"timestamp": "2026-12-01T00:00:00.000001Z", "level": "info", "event": "http", "logger": "r3edge.access"}
    line = plain_line(event["timestamp"], "http", "r3edge.access", fields)
    if line is not None:
        rendered = structlog.dev.ConsoleRenderer(colors=False)(None, "info", {**fields, **event})
        assert line.rstrip() == rendered.rstrip()


def test_fields_of_a_request_are_plain() -> None:
    assert plain_line("t", "http", "r3edge.access", FIELDS) is not None


@pytest.mark.parametrize("form", list(LogFormat))
async def test_a_line_has_the_fields_of_one_that_goes_through_logging(form: LogFormat, capsys: Capture) -> None:
    configure_logging("info", form)
    for fields in (FIELDS, {**FIELDS, "operation": "an odd\nname"}):
        LineLog("x").info("http", fields)
        structlog.stdlib.get_logger("x").info("http", **fields)
        soon, at_once = capsys.readouterr().err.splitlines()
        assert _without_time(soon, form) == _without_time(at_once, form)


def _without_time(line: str, form: LogFormat) -> object:
    if form is LogFormat.CONSOLE:
        return line.partition(" ")[2]
    return {name: value for name, value in json.loads(line).items() if name != "timestamp"}


async def test_a_line_is_written_soon_though_nothing_follows_it(capsys: Capture) -> None:
    configure_logging("info", LogFormat.CONSOLE)
    LineLog("x").info("http", FIELDS)
    assert capsys.readouterr().err == ""
    written: list[str] = []

    def is_written() -> bool:
        written.append(capsys.readouterr().err)
        return "http" in "".join(written)

    await eventually(is_written, "the line is written")


async def test_lines_keep_their_place_among_others(capsys: Capture) -> None:
    configure_logging("info", LogFormat.CONSOLE)
    lines, others = LineLog("x"), logging.getLogger("y")
    lines.info("first", {})
    lines.info("second", {})
    others.warning("third")
    lines.info("fourth", {})
    others.warning("fifth")
    order = [line.split("]")[1].split()[0] for line in capsys.readouterr().err.splitlines()]
    assert order == ["first", "second", "third", "fourth", "fifth"]


async def test_many_lines_do_not_wait_for_each_other() -> None:
    stream = io.StringIO()
    handler = LineHandler(stream)
    for number in range(2_500):
        handler.write_soon(str(number))
    assert len(stream.getvalue().splitlines()) == 2_000
    handler.flush()
    assert stream.getvalue().splitlines() == [str(number) for number in range(2_500)]


def test_lines_below_the_level_are_not_made(capsys: Capture) -> None:
    configure_logging("warning", LogFormat.JSON)
    LineLog("x").info("http", FIELDS)
    assert capsys.readouterr().err == ""


def test_a_line_without_an_event_loop_is_written_at_once(capsys: Capture) -> None:
    configure_logging("info", LogFormat.JSON)
    LineLog("x").info("http", FIELDS)
    assert '"event": "http"' in capsys.readouterr().err


async def test_a_log_that_nobody_reads_harms_nobody() -> None:
    stream = io.StringIO()
    handler = LineHandler(stream)
    handler.write_soon("a line")
    stream.close()
    handler.flush()
    await asyncio.sleep(0)


@pytest.mark.parametrize("end", ["", "raise ValueError", "sys.exit(3)", "raise KeyboardInterrupt"])
def test_a_process_that_ends_by_itself_writes_the_lines_that_wait(end: str) -> None:
    program = f"""
import asyncio, sys
from infra.log_lines import LineLog
from infra.logging import configure_logging
from infra.settings import LogFormat

async def main():
    LineLog("x").info("the_last_request", {{}})
    {end or "pass"}

configure_logging("info", LogFormat.CONSOLE)
asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "the_last_request" in ended.stderr
