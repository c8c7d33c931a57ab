"""A node with many accounts starts a few of a venue at once."""

import asyncio

from domain.trading.start_limit import StartLimit
from tests.support.waiting import eventually

LONG = 3_600.0


async def test_no_more_start_at_once_than_may_and_the_next_when_one_is_ready() -> None:
    limit, ready, started = StartLimit(2, LONG, 0.001), set[int](), list[int]()
    starting = [
        asyncio.create_task(limit.start("v", lambda n=number: started.append(n), lambda n=number: n in ready))  # type: ignore[misc]
        for number in range(4)
    ]
    await eventually(lambda: len(started) == 2, "two start")
    assert started == [0, 1]
    ready.add(1)
    await starting[1]
    await eventually(lambda: len(started) == 3, "another one starts")
    assert started == [0, 1, 2]
    ready |= {0, 2, 3}
    await asyncio.gather(*starting)
    assert started == [0, 1, 2, 3]


async def test_a_venue_that_does_not_answer_holds_up_no_other() -> None:
    limit, started = StartLimit(1, LONG, 0.001), list[str]()
    dead = asyncio.create_task(limit.start("dead", lambda: started.append("dead"), lambda: False))
    await eventually(lambda: started == ["dead"], "the first one starts")
    await limit.start("other", lambda: started.append("other"), lambda: True)
    assert started == ["dead", "other"]
    dead.cancel()


async def test_an_account_that_gets_ready_never_makes_room_after_its_time() -> None:
    limit, started = StartLimit(1, 0.01, 0.001), list[int]()
    await asyncio.gather(*(limit.start("v", lambda n=n: started.append(n), lambda: False) for n in range(3)))  # type: ignore[misc]
    assert started == [0, 1, 2]


async def test_one_that_is_stopped_while_it_starts_makes_room() -> None:
    limit, started = StartLimit(1, LONG, 0.001), list[str]()
    stopped = asyncio.create_task(limit.start("v", lambda: started.append("first"), lambda: False))
    await eventually(lambda: started == ["first"], "the first one starts")
    stopped.cancel()
    await limit.start("v", lambda: started.append("second"), lambda: True)
    assert started == ["first", "second"]
