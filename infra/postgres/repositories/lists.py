"""Lists in PostgreSQL: a page, or a count, for one owner or for many in one statement."""

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

# Each owner looks into the index for itself, as in a statement of its own; the planner makes a loop of it.
OF_MANY = """
SELECT owner.id AS owner_id, listed.*
FROM unnest({ids}::uuid[]) AS owner (id) CROSS JOIN LATERAL ({page}) AS listed"""
COUNTS = """
SELECT owner.id, (SELECT count(*) FROM (SELECT FROM {table}{fits} LIMIT {limit}) AS counted)
FROM unnest({ids}::uuid[]) AS owner (id)"""


@dataclass(frozen=True, slots=True)
class ListTable(Generic[T, F]):
    """Where a kind of list is stored.

    `owned_by` is SQL that holds for the rows of an owner whose id is `{}`; `dated` is the column of the time that a
    `dated` window goes by; where it is null the row isn't in that list.
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

    async def pages(self, owner: Owner, ids: Sequence[UUID], window: KeysetPage, wanted: F) -> dict[UUID, list[T]]:
        """Return the part of the list of each owner that lies in the window, in one statement for all of them."""
        if len(ids) == 1:
            return {ids[0]: await self._page((self._table.owned_by[owner], ids[0]), window, wanted)}
        text, arguments = self._statement((self._table.owned_by[owner].format("owner.id"),), window, wanted)
        text = OF_MANY.format(ids=f"${len(arguments) + 1}", page=text)
        pages = defaultdict[UUID, list[T]](list)
        for row in await self._connection.fetch(text, *arguments, list(ids)):
            pages[row["owner_id"]].append(self._table.read(row))
        return {each: self._in_order(pages[each], window) for each in ids}

    async def counts(self, owner: Owner, ids: Sequence[UUID], wanted: F) -> dict[UUID, int | None]:
        """Return how many items that fit each owner has, in one statement; None where more than `MAX_COUNT`."""
        link: Condition = (self._table.owned_by[owner].format("owner.id"),)
        fits, arguments = where([link, *self._table.conditions(wanted)])
        given = len(arguments)
        text = COUNTS.format(table=self._table.table, fits=fits, limit=f"${given + 1}", ids=f"${given + 2}")
        rows = await self._connection.fetch(text, *arguments, MAX_COUNT + 1, list(ids))
        return {owner_id: count if count <= MAX_COUNT else None for owner_id, count in rows}

    async def _page(self, link: Condition, window: KeysetPage, wanted: F) -> list[T]:
        text, arguments = self._statement(link, window, wanted)
        rows = await self._connection.fetch(text, *arguments)
        return self._in_order([self._table.read(row) for row in rows], window)

    def _statement(self, link: Condition, window: KeysetPage, wanted: F) -> tuple[str, list[object]]:
        at = self._table.dated if window.dated else None
        assert (at is not None) is window.dated, "this list has no order by time"
        bounds, order = keyset(window, at)
        is_dated: list[Condition] = [] if at is None else [(f"{at} IS NOT NULL",)]
        fits, arguments = where([link, *is_dated, *self._table.conditions(wanted), *bounds])
        return f"{self._table.select}{fits} ORDER BY {order} LIMIT {window.limit:d}", arguments

    @staticmethod
    def _in_order(items: list[T], window: KeysetPage) -> list[T]:
        return items[::-1] if window.backwards else items
