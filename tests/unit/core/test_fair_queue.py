import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.fair_queue import FairQueue, QueueFull


class Room:
    """A queue, and who got a turn in which order."""

    def __init__(self, turns: int = 1, **limits: int | None) -> None:
        self.queue = FairQueue(turns, **{"waiting_per_client": 100, "waiting_in_all": 1_000, **limits})
        self.served: list[str] = []
        self.inside = 0
        self.most_inside = 0
        self.gate = asyncio.Event()

    def ask(self, client: str) -> asyncio.Task[None]:
        return asyncio.create_task(self._stay(client))

    async def _stay(self, client: str) -> None:
        async with self.queue.turn(client):
            self.served.append(client)
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
            try:
                await self.gate.wait()
                await asyncio.sleep(0)
            finally:
                self.inside -= 1


async def test_a_client_that_waits_for_many_turns_delays_another_by_one() -> None:
    room = Room()
    tasks = [room.ask("greedy") for _ in range(10)]
    await asyncio.sleep(0)
    tasks += [room.ask("modest"), room.ask("other")]
    await asyncio.sleep(0)
    room.gate.set()
    await asyncio.gather(*tasks)
    assert room.served[:4] == ["greedy", "greedy", "modest", "other"]
    assert len(room.served) == 12


async def test_a_client_may_wait_for_so_many_and_one_more_is_refused() -> None:
    room = Room(waiting_per_client=2)
    tasks = [room.ask("a") for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await tasks[3]
    room.gate.set()
    await asyncio.gather(*tasks[:3])


async def test_where_all_places_are_taken_a_newcomer_takes_one_of_who_waits_most() -> None:
    room = Room(waiting_in_all=4)
    tasks = [room.ask("holder"), *(room.ask("greedy") for _ in range(3)), room.ask("modest")]
    await asyncio.sleep(0)
    late = room.ask("late")
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await tasks[3]
    again = room.ask("late")
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await again
    room.gate.set()
    await asyncio.gather(late, *tasks[:3], tasks[4])
    assert room.served == ["holder", "greedy", "modest", "late", "greedy"]


async def test_a_client_holds_so_many_turns_at_once_though_others_are_free() -> None:
    room = Room(turns=4, per_client=2)
    tasks = [room.ask("a") for _ in range(3)]
    await asyncio.sleep(0)
    tasks.append(room.ask("b"))
    await asyncio.sleep(0)
    assert room.served == ["a", "a", "b"]
    room.gate.set()
    await asyncio.gather(*tasks)
    assert room.served == ["a", "a", "b", "a"]


async def test_a_turn_is_not_given_to_one_who_gives_up_in_the_same_moment() -> None:
    room = Room()
    tasks = [room.ask(client) for client in ("holder", "a", "a", "b")]
    await asyncio.sleep(0)
    for task in tasks[:3]:
        task.cancel()
    room.gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert room.served == ["holder", "b"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 3)), max_size=30), st.integers(1, 3))
def test_no_turn_is_lost_or_given_twice_when_waiters_give_up(asks: list[tuple[str, bool, int]], turns: int) -> None:
    async def play() -> None:
        room = Room(turns, per_client=2, waiting_in_all=8)
        tasks = []
        for client, gives_up, pauses in asks:
            tasks.append(room.ask(client))
            for _ in range(pauses):
                await asyncio.sleep(0)
            if gives_up:
                tasks[len(tasks) // 2].cancel()
            if pauses == 3:
                room.gate.set()
        room.gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert room.most_inside <= turns
        assert room.queue.waiting == 0
        assert (room.queue.free, room.queue.clients) == (turns, frozenset())

    asyncio.run(play())
