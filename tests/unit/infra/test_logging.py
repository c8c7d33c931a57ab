"""How log lines look, and which of them belong to a request."""

import asyncio
import json
import logging
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from domain.core.tracing import set_tracer, span, within
from infra.logging import configure_logging, request_lines
from infra.settings import LogFormat
from infra.tracing import OpenTelemetryTracer

Capture = pytest.CaptureFixture[str]


def logged(capsys: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_json_line_is_one_object_that_begins_with_time_level_and_event(capsys: Capture) -> None:
    configure_logging("info", LogFormat.JSON)
    structlog.stdlib.get_logger("x").info("order_pending", order_id="7")
    (line,) = logged(capsys)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert (line["event"], line["level"], line["order_id"], line["logger"]) == ("order_pending", "info", "7", "x")


@pytest.mark.parametrize("form", list(LogFormat))
def test_no_text_of_a_venue_or_a_client_makes_a_second_line(form: LogFormat, capsys: Capture) -> None:
    configure_logging("info", form)
    evil = "a\nb\r\x1b[31m\u2028c\x85\u202e"
    logging.getLogger("library").warning("the venue says %s", evil)
    structlog.stdlib.get_logger("x").info("alert", reason=evil)
    logged = capsys.readouterr().err
    assert len(logged.splitlines()) == 2
    assert "\x1b[31m" not in logged


def test_no_line_of_an_errors_text_begins_as_a_log_line_does(capsys: Capture) -> None:
    configure_logging("info", LogFormat.CONSOLE)
    error = ValueError("of a peer\n2026-11-30T12:00:00Z [info     ] login user_id=7\x1b[31m")
    structlog.stdlib.get_logger("x").error("failed", exc_info=error)
    first, *others = capsys.readouterr().err.splitlines()
    assert "failed" in first
    assert all(line.startswith("    ") for line in others)
    assert "\x1b[31m" not in "".join(others)


def test_a_line_has_the_trace_that_it_belongs_to(capsys: Capture) -> None:
    configure_logging("info", LogFormat.JSON)
    set_tracer(OpenTelemetryTracer(TracerProvider(shutdown_on_exit=False)))
    with within(f"00-{'a' * 32}-{'b' * 16}-01"), span("request"):
        structlog.stdlib.get_logger("x").info("within")
    structlog.stdlib.get_logger("x").info("after")
    set_tracer(None)
    within_trace, after = logged(capsys)
    assert within_trace["trace_id"] == "a" * 32
    assert "trace_id" not in after


def test_lines_below_the_level_are_not_made(capsys: Capture) -> None:
    configure_logging("info", LogFormat.JSON)
    structlog.stdlib.get_logger("x").debug("position_changed")
    assert capsys.readouterr().err == ""


async def test_a_task_logs_the_request_that_it_belongs_to_as_long_as_that_lasts(capsys: Capture) -> None:
    configure_logging("info", LogFormat.JSON)
    log, ended = structlog.stdlib.get_logger("x"), asyncio.Event()

    async def outlive() -> None:
        log.info("within")
        await ended.wait()
        log.info("after")

    with request_lines("r1"):
        task = asyncio.create_task(outlive())
        await asyncio.sleep(0)
        logging.getLogger("domain").info("a sentence")
    ended.set()
    await task
    assert [(line["event"], line.get("request_id")) for line in logged(capsys)] == [
        ("within", "r1"), ("a sentence", "r1"), ("after", None),
    ]  # fmt: skip
