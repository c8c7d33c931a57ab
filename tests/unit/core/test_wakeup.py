import asyncio

import pytest

from domain.core.wakeup import Wakeup


async def test_a_wait_returns_false_after_its_time() -> None:
    assert await Wakeup().wait(0.01) is False


async def test_a_wait_returns_true_at_once_while_it_is_set_even_with_no_time_to_wait() -> None:
    wakeup = Wakeup()
    wakeup.set()
    assert await wakeup.wait(0) is True
    assert await wakeup.wait(60) is True
    wakeup.clear()
    assert not wakeup.is_set()
    assert await wakeup.wait(0) is False


async def test_a_set_ends_a_wait_that_has_begun() -> None:
    wakeup = Wakeup()
    waiting = asyncio.create_task(wakeup.wait(60))
    await asyncio.sleep(0)
    wakeup.set()
    assert await waiting is True


async def test_a_cancellation_that_comes_with_the_event_is_not_lost() -> None:
    wakeup = Wakeup()
    waiting = asyncio.create_task(wakeup.wait(60))
    await asyncio.sleep(0)
    wakeup.set()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
