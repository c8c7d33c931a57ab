"""Computations in real child processes."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.core.background import cancel_and_wait
from domain.research.compute_pool import ComputationCrashed, ComputationFailed, ComputationTooLarge, ComputationTooLong
from infra.runtime.compute_pool import ProcessPool
from tests.support import computations
from tests.support.engine import ROOT
from tests.support.waiting import eventually


@pytest.fixture
async def pool() -> AsyncIterator[ProcessPool]:
    pool = ProcessPool(2)
    yield pool
    await pool.close()


def ignore(_progress: float) -> None: ...


def is_running(pid: int) -> bool:
    """Return whether the process does anything; in a container nobody may take note of the end of an orphan."""
    try:
        state = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "XZ"


async def test_a_function_is_computed_elsewhere_with_its_progress(pool: ProcessPool) -> None:
    seen: list[float] = []
    assert await pool.run(computations.doubled, 21, seen.append) == 42
    assert seen == [0.25, 0.5, 0.75, 1.0]
    assert await pool.run(computations.process_id, None, ignore) not in {os.getpid(), os.getppid()}


async def test_a_process_is_kept_for_the_next_call_and_knows_no_secret(
    pool: ProcessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("R3EDGE_SECRET_KEY", "hunter2")
    first = await pool.run(computations.process_id, None, ignore)
    assert pool.idle_processes == (first,)
    assert await pool.run(computations.process_id, None, ignore) == first
    assert "R3EDGE_SECRET_KEY" not in await pool.run(computations.environment, None, ignore)


async def test_an_error_has_its_traceback_and_the_process_goes_on(pool: ProcessPool) -> None:
    with pytest.raises(ComputationFailed, match="ValueError: nothing to see") as failed:
        await pool.run(computations.failing, "nothing to see", ignore)
    assert "in failing" in str(failed.value)
    assert await pool.run(computations.doubled, 1, ignore) == 2


async def test_a_process_that_is_killed_is_an_error_and_no_wait(pool: ProcessPool) -> None:
    with pytest.raises(ComputationCrashed):
        await pool.run(computations.killed, None, ignore)
    assert await pool.run(computations.doubled, 2, ignore) == 4


async def test_an_idle_process_that_was_killed_is_replaced(pool: ProcessPool) -> None:
    first = await pool.run(computations.process_id, None, ignore)
    os.kill(first, 9)  # the pool may learn of it before or after the next call
    assert await pool.run(computations.process_id, None, ignore) != first


async def test_a_process_that_nobody_needs_is_ended() -> None:
    pool = ProcessPool(1, idle_seconds=0.05)
    first = await pool.run(computations.process_id, None, ignore)
    await eventually(lambda: not is_running(first), "the process is gone")
    assert pool.idle_processes == ()
    assert await pool.run(computations.doubled, 5, ignore) == 10
    await pool.close()


async def test_what_needs_too_much_memory_is_refused_and_takes_nothing_else_with_it(pool: ProcessPool) -> None:
    with pytest.raises(ComputationTooLarge):
        await pool.run(computations.reserving_memory, None, ignore)
    assert await pool.run(computations.doubled, 3, ignore) == 6


async def test_a_cancelled_call_ends_its_process_and_frees_its_place(tmp_path: Path) -> None:
    pool, file = ProcessPool(1), tmp_path / "pid"
    seen: list[float] = []
    call = asyncio.create_task(pool.run(computations.without_end, str(file), seen.append))
    await eventually(lambda: seen, "it computes")
    waiting = asyncio.create_task(pool.run(computations.doubled, 4, ignore))
    pid = int(file.read_text())
    await cancel_and_wait(call)
    assert not is_running(pid)
    assert await waiting == 8
    await pool.close()
    assert pool.idle_processes == ()


async def test_a_call_that_takes_too_long_ends_its_process_and_frees_its_place(tmp_path: Path) -> None:
    pool, files = ProcessPool(1, most_seconds=0.3), [tmp_path / "first", tmp_path / "second"]
    calls = [asyncio.create_task(pool.run(computations.without_end, str(file), ignore)) for file in files]
    for call in calls:
        with pytest.raises(ComputationTooLong):
            await call
    assert pool.idle_processes == ()
    assert not any(is_running(int(pid)) for file in files if file.exists() and (pid := file.read_text()))
    await pool.close()


async def test_a_process_ends_in_the_middle_of_a_call_when_its_node_is_gone(pool: ProcessPool, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    node = await asyncio.create_subprocess_exec(
        sys.executable, "-c", NODE, str(file), cwd=ROOT, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await eventually(lambda: file.exists() and file.read_text(), "the node's process computes")
    pid = int(file.read_text())
    node.kill()
    await node.wait()
    await eventually(lambda: not is_running(pid), "the process ends")


NODE = """
import asyncio, sys
from infra.runtime.compute_pool import ProcessPool
from tests.support import computations
asyncio.run(ProcessPool(1).run(computations.without_end, sys.argv[1], lambda _: None))
"""
