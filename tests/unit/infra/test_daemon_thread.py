import asyncio
import threading

import pytest

from infra.daemon_thread import in_daemon_thread


async def test_work_in_a_thread_returns_raises_and_holds_nobody_up() -> None:
    assert await in_daemon_thread(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await in_daemon_thread(lambda: 1 // 0)
    dead_folder, threads = threading.Event(), []

    def read() -> bool:
        threads.append(threading.current_thread())
        return dead_folder.wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await in_daemon_thread(read)
    assert all(thread.daemon for thread in threads)
    dead_folder.set()
    for thread in threads:
        await asyncio.to_thread(thread.join)
