import asyncio
from typing import Any

import pytest

from domain.core.background import BackgroundTasks
from domain.core.errors import Unavailable
from domain.core.repeating import repeat
from tests.support.waiting import eventually

NEVER_SECONDS = 3_600.0


class Work:
    """Work of which each time has one of the `outcomes`; after the last of them it succeeds."""

    def __init__(self, *outcomes: Exception | None) -> None:
        self._outcomes = iter(outcomes)
        self.done = 0

    async def __call__(self) -> None:
        self.done += 1
        if (outcome := next(self._outcomes, None)) is not None:
            raise outcome


async def after(work: Work, count: int, every_seconds: float, **options: Any) -> None:
    """Repeat `work` until it was done so many times."""
    async with BackgroundTasks() as tasks:
        tasks.start(repeat(work, "it could not be done", every_seconds, **options))
        await eventually(lambda: work.done >= count, "the work is done again")


async def test_work_goes_on_after_an_error_of_any_kind() -> None:
    await after(Work(ValueError("a fault"), Unavailable("the database"), None), 5, 0.001)


async def test_a_failure_is_repeated_sooner_than_a_success() -> None:
    work = Work(Unavailable("the database"), Unavailable("the database"))
    await after(work, 3, NEVER_SECONDS, retry_seconds=0.001)
    assert work.done == 3


async def test_a_failure_never_waits_longer_than_a_success() -> None:
    await after(Work(ValueError("a fault")), 2, 0.001, retry_seconds=NEVER_SECONDS)


async def test_a_cause_is_logged_once_while_it_lasts_and_again_later(caplog: pytest.LogCaptureFixture) -> None:
    outage = [Unavailable("The database can't be reached.") for _ in range(3)]
    await after(Work(*outage, None, Unavailable("The database can't be reached."), ValueError("a fault")), 7, 0.001)
    messages = [record.getMessage() for record in caplog.records]
    away = "it could not be done; it is tried again: The database can't be reached."
    assert messages == [away, away, "it could not be done; it is tried again: ValueError('a fault')"]
    assert all(record.exc_info is None for record in caplog.records)


async def test_a_listener_for_failures_is_called_at_each() -> None:
    failures: list[int] = []
    work = Work(ValueError("a fault"), None, ValueError("a fault"))
    await after(work, 4, 0.001, on_failure=lambda: failures.append(1))
    assert failures == [1, 1]


async def test_work_that_is_cancelled_ends() -> None:
    task = asyncio.create_task(repeat(Work(), "it could not be done", NEVER_SECONDS))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
