import asyncio
import contextlib
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from domain.core.errors import ErrorCode, InputError
from domain.events import idempotency
from domain.model.users import User
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.clocks import ManualClock
from tests.support.postgres import somebody_waits_for_a_lock
from tests.support.users import ids, stored_user

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLOCK = ManualClock(NOW)


@pytest.fixture
async def user(database: PostgresDatabase) -> User:
    return await stored_user(database)


async def test_a_key_is_reserved_once_and_returns_its_result_afterwards(database: PostgresDatabase, user: User) -> None:
    result = ids.next_id()
    async with database.transaction() as transaction:
        assert await transaction.idempotency.reserve(user.id, "orderPlace", "k", b"hash", result, NOW) is None

    async with database.transaction() as transaction:
        reserve = transaction.idempotency.reserve
        assert await reserve(user.id, "orderPlace", "k", b"other", ids.next_id(), NOW) == (b"hash", result)
        assert await reserve(user.id, "sessionStart", "k", b"hash", ids.next_id(), NOW) is None
        assert await reserve(user.id, "orderPlace", "k2", b"hash", ids.next_id(), NOW) is None


@dataclass(frozen=True)
class Deposit:
    account: str
    amounts: tuple[Decimal, ...]


def deposit(*amounts: str) -> Deposit:
    return Deposit("a", tuple(map(Decimal, amounts)))


async def test_a_number_is_the_same_input_however_it_is_written(database: PostgresDatabase, user: User) -> None:
    result = ids.next_id()
    async with database.transaction() as transaction:

        async def claimed(key: str, *amounts: str) -> object:
            return await idempotency.reserve(
                transaction, CLOCK, user.id, "paperDeposit", key, deposit(*amounts), result
            )

        assert await claimed("k", "7.50", "1000") is None
        assert await claimed("k", "7.5", "1e3") == result
        with pytest.raises(InputError) as refused:
            await claimed("k", "7.51", "1000")
        assert refused.value.code is ErrorCode.CONFLICT

        released = hashlib.sha256(msgspec.json.encode(deposit("7.50"), order="deterministic")).digest()
        await transaction.idempotency.reserve(user.id, "paperDeposit", "of 0.1", released, result, NOW)
        assert await claimed("of 0.1", "7.50") == result


async def test_the_second_one_waits_and_gets_the_row_of_the_first(
    database: PostgresDatabase, user: User, pool: Pool
) -> None:
    result = ids.next_id()

    async def second() -> object:
        async with database.transaction() as transaction:
            return await transaction.idempotency.reserve(user.id, "orderPlace", "k", b"hash", ids.next_id(), NOW)

    async with database.transaction() as transaction:
        await transaction.idempotency.reserve(user.id, "orderPlace", "k", b"hash", result, NOW)
        waiting = asyncio.create_task(second())
        await somebody_waits_for_a_lock(pool)
        assert not waiting.done()

    assert await waiting == (b"hash", result)


async def test_the_second_one_has_the_key_if_the_first_rolled_back(
    database: PostgresDatabase, user: User, pool: Pool
) -> None:
    async def second() -> object:
        async with database.transaction() as transaction:
            return await transaction.idempotency.reserve(user.id, "orderPlace", "k", b"hash", ids.next_id(), NOW)

    with contextlib.suppress(ZeroDivisionError):
        async with database.transaction() as transaction:
            await transaction.idempotency.reserve(user.id, "orderPlace", "k", b"hash", ids.next_id(), NOW)
            waiting = asyncio.create_task(second())
            await somebody_waits_for_a_lock(pool)
            raise ZeroDivisionError

    assert await waiting is None


async def test_of_many_at_once_one_has_the_key_and_all_agree_on_the_result(
    database: PostgresDatabase, user: User
) -> None:
    async def reserve() -> object:
        own = ids.next_id()
        async with database.transaction() as transaction:
            earlier = await transaction.idempotency.reserve(user.id, "orderPlace", "k", b"hash", own, NOW)
        return earlier[1] if earlier is not None else own

    results = await asyncio.gather(*(reserve() for _ in range(12)))

    assert len(set(results)) == 1
