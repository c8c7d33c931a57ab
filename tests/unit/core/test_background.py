import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from domain.core.background import BackgroundTasks, TaskGroup, cancel_and_wait, close_within, where_it_waits

AT_ONCE = 0.01
"""After how many seconds a task of these tests is cancelled again."""


async def for_ever(ended: list[str], name: str) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        ended.append(name)


async def test_close_cancels_every_task_and_waits_for_its_end() -> None:
    ended: list[str] = []
    tasks = BackgroundTasks()
    for name in ("a", "b"):
        tasks.start(for_ever(ended, name), name)
    await asyncio.sleep(0)
    await tasks.close()
    assert sorted(ended) == ["a", "b"]
    assert len(tasks) == 0


async def test_a_block_that_raises_ends_its_tasks() -> None:
    ended: list[str] = []

    async def fail_with_a_task() -> None:
        async with BackgroundTasks() as tasks:
            tasks.start(for_ever(ended, "a"))
            await asyncio.sleep(0)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await fail_with_a_task()
    assert ended == ["a"]


async def test_a_task_that_is_done_is_let_go_and_its_result_can_be_awaited() -> None:
    async def answer() -> int:
        return 42

    tasks = BackgroundTasks()
    assert await tasks.start(answer()) == 42
    await asyncio.sleep(0)
    assert len(tasks) == 0


async def test_a_task_that_fails_while_it_is_cancelled_does_not_make_close_raise() -> None:
    async def fail() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("at the end")

    tasks = BackgroundTasks()
    tasks.start(fail())
    await asyncio.sleep(0)
    await tasks.close()


async def swallow(times: int) -> None:
    """Go on after so many cancellations, as if they had never come."""
    for _ in range(times):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue
    await asyncio.Event().wait()


async def started(work: Awaitable[None], name: str = "stubborn") -> asyncio.Task[None]:
    async def run() -> None:
        await work

    task = asyncio.create_task(run(), name=name)
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("times", [1, 3])
async def test_a_task_that_swallows_its_cancellation_is_reported_and_cancelled_again(
    times: int, caplog: pytest.LogCaptureFixture
) -> None:
    task = await started(swallow(times))
    await cancel_and_wait(task, again_after_seconds=AT_ONCE)
    assert task.cancelled()
    assert len(caplog.messages) == times
    assert "the task stubborn was cancelled 0.01 s ago, still runs" in caplog.text
    assert "core/test_background.py:" in caplog.text
    assert " swallow" in caplog.text


async def test_a_task_that_ends_in_time_is_cancelled_once_however_long_its_end_takes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    may_end, ended = asyncio.Event(), []

    async def clean_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()
            ended.append("whole")

    task = await started(clean_up())
    waiting = asyncio.create_task(cancel_and_wait(task))
    for _ in range(10):
        await asyncio.sleep(0)
    may_end.set()
    await waiting
    assert (ended, caplog.messages) == (["whole"], [])


async def test_who_is_cancelled_while_it_waits_for_tasks_leaves_none_behind() -> None:
    may_end, ended = asyncio.Event(), []

    async def clean_up() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            with pytest.raises(asyncio.CancelledError):
                await asyncio.Event().wait()
            await may_end.wait()
            ended.append("a")

    task = await started(clean_up())
    waiting = asyncio.create_task(cancel_and_wait(task))
    await asyncio.sleep(0)
    waiting.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == ["a"]


async def test_what_does_not_close_in_time_is_logged_and_left(caplog: pytest.LogCaptureFixture) -> None:
    await close_within(60, "the first", asyncio.sleep(0))
    await close_within(0.01, "the connection to mars", asyncio.Event().wait())
    assert caplog.messages == ["the connection to mars could not be closed within 0.01 s, and is left"]


async def fail_when(event: asyncio.Event) -> None:
    await event.wait()
    raise ValueError("broken")


async def fail_at_the_end() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        raise ValueError("at the end")


async def test_a_loop_that_begins_again_after_a_failure_ends_although_one_comes_with_its_cancellation() -> None:
    fails, rounds = asyncio.Event(), 0

    async def begin_again() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            try:
                async with TaskGroup() as group:
                    group.create_task(asyncio.Event().wait())
                    group.create_task(fail_when(fails))
            except* ValueError:
                fails.clear()
            await asyncio.sleep(0)

    task = await started(begin_again())
    fails.set()
    await eventually_round(lambda: rounds == 2)
    assert task.cancelling() == 0, "the group's own cancellation is over"
    fails.set()
    await asyncio.sleep(0)  # the failure is under way
    await cancel_and_wait(task)
    assert task.cancelled()
    assert rounds == 2


async def eventually_round(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # each turn of the loop
        await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("in_block", [False, True])
async def test_a_group_that_is_cancelled_at_any_moment_of_a_failure_ends_as_cancelled(
    turns: int, *, in_block: bool
) -> None:
    fails = asyncio.Event()

    async def run() -> None:
        async with TaskGroup() as group:
            group.create_task(fail_when(fails))
            group.create_task(for_ever([], "slow"))
            if in_block:
                await asyncio.Event().wait()

    task = await started(run())
    for _ in range(3):
        await asyncio.sleep(0)
    fails.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    if task.done():
        assert isinstance(task.exception(), ExceptionGroup)
        assert turns > 3
    else:
        await cancel_and_wait(task)
        assert task.cancelled()


async def test_a_group_whose_task_fails_while_it_is_cancelled_ends_as_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    async def run() -> None:
        async with TaskGroup() as group:
            group.create_task(fail_at_the_end())

    task = await started(run())
    await asyncio.sleep(0)
    await cancel_and_wait(task)
    assert task.cancelled()
    assert caplog.messages == ["failed while it was cancelled: ValueError('at the end')"]


async def test_a_group_that_nobody_cancels_raises_what_its_tasks_fail_with() -> None:
    fails = asyncio.Event()
    fails.set()

    async def run() -> None:
        async with TaskGroup() as group:
            group.create_task(fail_when(fails))
            group.create_task(fail_at_the_end())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as raised:
        await run()
    assert len(raised.value.exceptions) == 2


async def test_a_task_of_a_group_that_swallows_its_cancellation_is_cancelled_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        async with TaskGroup(again_after_seconds=AT_ONCE) as group:
            group.create_task(swallow(2), name="inner")

    task = await started(run())
    await asyncio.sleep(0)
    await cancel_and_wait(task)
    assert task.cancelled()
    assert len([line for line in caplog.messages if "the task inner was cancelled" in line]) == 2


async def test_where_a_task_waits_is_shown_by_the_innermost_lines_of_its_code() -> None:
    async def inner() -> None:
        await asyncio.Event().wait()

    async def outer() -> None:
        await inner()

    task = await started(outer())
    place = where_it_waits(task)
    assert [part.rpartition(".")[2] for part in place.split(" > ")] == ["outer", "inner", "wait"]
    await cancel_and_wait(task)
    assert where_it_waits(task) == "its end"
