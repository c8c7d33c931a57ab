"""What one operation reads at the same time is of one moment: no client sees an end without what belongs to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from domain.core.errors import Unavailable
from domain.model.orders import OrderStatus
from domain.model.trading import Position
from domain.ports.orders import OrderChange
from infra.postgres.repositories.lists import PostgresList
from infra.postgres.repositories.positions import PostgresPositions
from resolvers.ids import encode_id
from resolvers.reads import OperationReads
from tests.support.api import Api


async def rename(api: Api, name: str) -> None:
    async with api.harness.database.transaction() as transaction:
        await transaction.accounts.update(replace(api.harness.account, name=name))


async def name_read(api: Api, reads: OperationReads) -> str:
    async with reads.read_only() as reading:
        (account,) = await reading.accounts.get_many([api.harness.account.id])
    return account.name


async def test_a_client_that_sees_the_order_filled_sees_its_position(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are stored at once, after one of them has been read and before the other is."""
    session = await api.session()
    order = api.floor_order(trading_session_id=session.id)
    await api.stored(order)
    latest_by_session, pages = PostgresPositions.latest_by_session, PostgresList.pages
    began, stored = list[str](), asyncio.Event()

    async def fill_between(what: str, reading: Awaitable[Any]) -> Any:
        began.append(what)
        if len(began) > 1:
            await stored.wait()
            return await reading
        found = await reading
        try:
            async with api.harness.database.transaction() as transaction:
                await transaction.positions.save(api.position(trading_session_id=session.id))
                filled = order.changed(order.updated_at, status=OrderStatus.FILLED)
                transaction.orders.write([OrderChange(order, filled)])
        finally:
            stored.set()
        return found

    async def read_position(positions: PostgresPositions, ids: Sequence[UUID]) -> list[Position]:
        return await fill_between("position", latest_by_session(positions, ids))

    async def read_orders(orders: PostgresList[object, object], *arguments: Any) -> object:
        return await fill_between("orders", pages(orders, *arguments))

    query = """query($id: ID!) { node(id: $id) { ... on TradingSession {
      position { quantity } orders { nodes { status } } } } }"""
    monkeypatch.setattr(PostgresPositions, "latest_by_session", read_position)
    monkeypatch.setattr(PostgresList, "pages", read_orders)
    seen = (await api.run(query, id=encode_id("TradingSession", session.id)))["node"]
    assert sorted(began) == ["orders", "position"]
    assert (seen["position"] is None) == (seen["orders"]["nodes"] != [{"status": "FILLED"}]), seen


async def test_reads_at_the_same_time_are_of_one_moment_and_later_ones_of_a_later_one(api: Api) -> None:
    reads = OperationReads(api.database)
    await rename(api, "before")
    async with reads.read_only() as reading:
        await reading.accounts.get_many([api.harness.account.id])
        concurrent = asyncio.create_task(name_read(api, reads))
        await asyncio.sleep(0)
        await rename(api, "after")
    assert await concurrent == "before"
    assert await name_read(api, reads) == "after"


async def test_a_read_that_fails_spoils_none_after_it(api: Api) -> None:
    reads = OperationReads(api.database)
    await rename(api, "stored")

    async def fail() -> None:
        async with reads.read_only() as reading:
            await reading._connection.fetch("SELECT 1 / 0")  # type: ignore[attr-defined]

    failed, name = await asyncio.gather(fail(), name_read(api, reads), return_exceptions=True)
    assert isinstance(failed, Exception)
    assert name == "stored"


async def test_a_database_that_is_away_is_waited_for_once_for_all_concurrent_reads(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, attempts = OperationReads(api.database), []

    @asynccontextmanager
    async def away() -> AsyncIterator[None]:
        attempts.append(1)
        await asyncio.sleep(0)
        raise Unavailable("The database is away.")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(api.database, "snapshot", away)
        found = await asyncio.gather(*(name_read(api, reads) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in found] == [Unavailable] * 3
    assert len(attempts) == 1
    assert await name_read(api, reads)


async def test_no_connection_is_held_between_reads(api: Api) -> None:
    reads, pool = OperationReads(api.database), api.harness.pool
    await name_read(api, reads)
    assert pool.get_idle_size() == pool.get_size()
