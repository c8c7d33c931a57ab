"""A market of alert rules is followed again after a failure, and as soon as there is room for it."""

import asyncio
import logging

import pytest

from domain.alerts.following import keep_following
from domain.core.background import BackgroundTasks
from domain.core.errors import RateLimited
from tests.support.orders import BTC


async def test_a_market_is_followed_again_after_a_failure_and_once_there_is_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcomes: list[Exception] = [RateLimited("Too many", 60), RateLimited("Too many", 60), ValueError("broken")]
    follows = asyncio.Event()

    async def follow() -> None:
        if outcomes:
            raise outcomes.pop(0)
        follows.set()
        await asyncio.Event().wait()

    async with BackgroundTasks() as tasks:
        tasks.start(keep_following(BTC, follow, retry_seconds=0, wait_seconds=0))
        await follows.wait()
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.ERROR], "one word on waiting"
