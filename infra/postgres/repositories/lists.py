"""Lists in PostgreSQL: a page, or a count, for one owner or for many by one statement."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from asyncpg import Record

from domain.core.pagination import KeysetPage
from domain.ports.lists import MAX_COUNT, Owner
from infra.postgres.connection import Connection
from infra.postgres.repositories.base import keyset
from infra.postgres.sql import Condition, where

T = TypeVar("T")
F = TypeVar("F")

# One index scan for each owner, as in a statement of its own: the planner makes it a nested loop.
OF_MANY = """
SELECT owner.id AS owner_id, listed.*
FROM unnest({ids}::uuid[]) AS owner (id) CROSS JOIN LATERAL ({page}) AS listed"""
COUNTS = """
SELECT owner.id, (SELECT count(*) FROM (SELECT FROM {table}{fits} LIMIT {limit}) AS counted)
FROM unnest({ids}::uuid[]) AS owner (id)"""


@dataclass(frozen=True, slots=True)
class ListTable(Generic[T, F]):
    """Where a kind of list is stored.

    `owned_by` is the SQL condition for the rows of the owner with the id `{}`. `dated` is the column of the time that a
    `dated` page is ordered by; rows in which it is null aren't in that list.
    """

    select: str
    table: str
    owned_by: Mapping[Owner, str]
    conditions: Callable[[F], Sequence[Condition]]
    read: Callable[[Record], T]
    dated: str | None = None


class PostgresList(Generic[T, F]):
    """See `domain.ports.lists.ListRepository`."""

    def __init__(self, connection: Connection, table: ListTable[T, F]) -> None:
        self._connection = connection
        self._table = table

    async def pages(self, owner: Owner, ids: Sequence[UUID], page: KeysetPage, filter: F) -> dict[UUID, list[T]]:
        if len(ids) == 1:
            return {ids[0]: await self._page((self._table.owned_by[owner], ids[0]), page, filter)}
        text, arguments = self._statement((self._table.owned_by[owner].format("owner.id"),), page, filter)
        text = OF_MANY.format(ids=f"${len(arguments) + 1}", page=text)
        pages_by_owner = defaultdict[UUID, list[T]](list)
        for row in await self._connection.fetch(text, *arguments, list(ids)):
            pages_by_owner[row["owner_id"]].append(self._table.read(row))
        return {owner_id: self._in_order(pages_by_owner[owner_id], page) for owner_id in ids}

    async def counts(self, owner: Owner, ids: Sequence[UUID], filter: F) -> dict[UUID, int | None]:
        link: Condition = (self._table.owned_by[owner].format("owner.id"),)
        fits, arguments = where([link, *self._table.conditions(filter)])
        text = COUNTS.format(
            table=self._table.table, fits=fits, limit=f"${len(arguments) + 1}", ids=f"${len(arguments) + 2}"
        )
        rows = await self._connection.fetch(text, *arguments, MAX_COUNT + 1, list(ids))
        return {owner_id: count if count <= MAX_COUNT else None for owner_id, count in rows}

    async def _page(self, link: Condition, page: KeysetPage, filter: F) -> list[T]:
        text, arguments = self._statement(link, page, filter)
        rows = await self._connection.fetch(text, *arguments)
        return self._in_order([self._table.read(row) for row in rows], page)

    def _statement(self, link: Condition, page: KeysetPage, filter: F) -> tuple[str, list[object]]:
        at = self._table.dated if page.dated else None
        assert (at is not None) is page.dated, "this list has no order by time"
        bounds, order = keyset(page, at)
        is_dated: list[Condition] = [] if at is None else [(f"{at} IS NOT NULL",)]
        fits, arguments = where([link, *is_dated, *self._table.conditions(filter), *bounds])
        return f"{self._table.select}{fits} ORDER BY {order} LIMIT {page.limit:d}", arguments

    @staticmethod
    def _in_order(items: list[T], page: KeysetPage) -> list[T]:
        return items[::-1] if page.backwards else items
