"""The queue of passwords that wait to be hashed."""

import asyncio
from contextvars import Context, copy_context

import pytest

from domain.core.presence import ClientHasLeft, set_client
from domain.users.password_hashing import HashQueue
from tests.support.waiting import eventually


class GatedHasher:
    """Hashes one password at a time, each when the test lets it."""

    threads = 2

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.hashed: list[str] = []

    def needs_rehash(self, password_hash: str) -> bool:
        return not password_hash

    async def hash(self, password: str) -> str:
        self.hashed.append(password)
        await self.gate.wait()
        return password

    async def verify(self, password_hash: str | None, password: str) -> bool:
        return await self.hash(password) == password_hash


def context_of(has_left: list[bool]) -> Context:
    context = copy_context()
    context.run(set_client, lambda: bool(has_left))
    return context


async def test_nothing_is_hashed_for_a_client_that_has_left_before_its_turn() -> None:
    hasher = GatedHasher()
    queue, left = HashQueue(hasher), []
    first = asyncio.create_task(queue.hash("192.0.2.1", "first"), context=context_of(left))
    await eventually(lambda: hasher.hashed == ["first"], "the first one is hashed")
    waiting = [asyncio.create_task(queue.hash("192.0.2.1", "gone"), context=context_of(left)) for _ in range(3)]
    staying = asyncio.create_task(queue.hash("192.0.2.2", "staying"), context=context_of([]))
    left.append(True)
    hasher.gate.set()
    assert await staying == "staying"
    assert await first == "first"  # which had begun
    for one in waiting:
        with pytest.raises(ClientHasLeft):
            await one
    assert hasher.hashed == ["first", "staying"]


async def test_addresses_take_turns_however_many_passwords_one_of_them_sends() -> None:
    hasher = GatedHasher()
    queue = HashQueue(hasher)
    flood = [asyncio.create_task(queue.hash("192.0.2.1", f"flood {number}")) for number in range(5)]
    await eventually(lambda: hasher.hashed == ["flood 0"], "the first one is hashed")
    other = asyncio.create_task(queue.hash("192.0.2.2", "other"))
    await asyncio.sleep(0)
    hasher.gate.set()
    await asyncio.gather(*flood, other)
    assert hasher.hashed.index("other") <= 2
