import asyncio

import pytest

from domain.core.background import BackgroundTasks


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
