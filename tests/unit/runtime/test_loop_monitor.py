"""A blocked event loop is reported, by its length."""

import asyncio
import time

import pytest
from prometheus_client import CollectorRegistry

from infra.runtime.loop_monitor import LoopMonitor
from tests.support.waiting import eventually

METRIC = "r3edge_event_loop_blocked_seconds_total"


async def test_a_blocked_loop_is_logged_and_counted_in_seconds(caplog: pytest.LogCaptureFixture) -> None:
    registry = CollectorRegistry()
    watching = asyncio.create_task(LoopMonitor(registry, reported_seconds=0.2).run())
    await asyncio.sleep(0)
    assert registry.get_sample_value(METRIC) == 0
    time.sleep(0.8)  # noqa: ASYNC251  # the fault itself
    await eventually(lambda: registry.get_sample_value(METRIC), "the block is counted")
    counted = registry.get_sample_value(METRIC)
    assert counted is not None
    assert counted >= 0.2
    assert f"the event loop was blocked for {counted:.1f} s" in caplog.text
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
