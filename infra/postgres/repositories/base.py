"""The base of all repositories: a connection, and keyset pages as SQL."""

from collections.abc import Sequence

import asyncpg

from domain.core.pagination import KeysetPage
from infra.postgres.connection import Connection
from infra.postgres.sql import Condition, where


class Repository:
    """SQL of one part of the domain, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def _page(self, select: str, page: KeysetPage, conditions: Sequence[Condition]) -> list[asyncpg.Record]:
        """Return the rows of `select … WHERE conditions` within the page, newest first.

        `select` has no WHERE of its own.
        """
        bounds, order = keyset(page)
        fits, arguments = where([*conditions, *bounds])
        query = f"{select}{fits} ORDER BY {order} LIMIT ${len(arguments) + 1}"
        rows = await self._connection.fetch(query, *arguments, page.limit)
        return rows[::-1] if page.backwards else rows


def keyset(page: KeysetPage, at: str | None = None) -> tuple[list[Condition], str]:
    """Return the conditions of a page and the order to read in, which for `backwards` is the list's own reversed.

    `at` is the column of the time that a `dated` page is ordered by.
    """
    columns = ("id",) if at is None else (at, "id")
    key, marks = ", ".join(columns), ", ".join("{}" for _ in columns)
    further, nearer = (">", "<") if page.oldest_first else ("<", ">")
    after: tuple[object, ...] = (page.after,) if at is None else (page.after_at, page.after)
    before: tuple[object, ...] = (page.before,) if at is None else (page.before_at, page.before)
    direction = "ASC" if page.oldest_first != page.backwards else "DESC"
    order = ", ".join(f"{column} {direction}" for column in columns)
    return [(f"({key}) {further} ({marks})", *after), (f"({key}) {nearer} ({marks})", *before)], order
