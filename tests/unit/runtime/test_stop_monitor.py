"""What an engine that stops slowly says about it."""

import asyncio
import logging

import pytest

from infra.runtime.stop_monitor import end_other_tasks, reporting_slow_stop
from tests.support.waiting import eventually

OFTEN = 0.01


async def clean_up(may_end: asyncio.Event) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await may_end.wait()


async def test_a_slow_stop_is_reported_with_where_it_waits_and_which_tasks_still_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stopping, may_end = asyncio.Event(), asyncio.Event()
    slow = asyncio.create_task(clean_up(may_end), name="slow")
    unconcerned = asyncio.create_task(asyncio.Event().wait(), name="unconcerned")

    async def run() -> None:
        async with reporting_slow_stop(stopping, OFTEN):
            await stopping.wait()
            slow.cancel()
            await asyncio.wait([slow])

    running = asyncio.create_task(run())
    await asyncio.sleep(3 * OFTEN)
    assert not caplog.messages, "it isn't to stop yet"
    stopping.set()
    await eventually(lambda: "the task slow was cancelled and still runs" in caplog.text, "it is reported")
    assert "the engine still stops after 0.01 s: it waits in " in caplog.text
    assert "test_stop_monitor.py:" in caplog.text
    assert " clean_up" in caplog.text
    assert "unconcerned" not in caplog.text
    may_end.set()
    await running
    caplog.clear()
    await asyncio.sleep(3 * OFTEN)
    assert not caplog.messages, "it has stopped"
    unconcerned.cancel()


async def test_an_engine_that_stops_at_once_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    stopping = asyncio.Event()
    async with reporting_slow_stop(stopping):
        stopping.set()
        left = asyncio.create_task(asyncio.Event().wait(), name="left over")
        await asyncio.sleep(0)
        await end_other_tasks()
        assert left.cancelled()
    assert not [record for record in caplog.records if record.name.startswith("infra")]
