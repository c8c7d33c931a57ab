"""What all repositories have in common: a connection, and the keyset window as SQL."""

from collections.abc import Sequence

import asyncpg

from domain.keyset import Window
from infra.postgres.connection import Connection


class Repository:
    """SQL of one part of the domain, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def _page(
        self, select: str, window: Window, conditions: Sequence[tuple[str, object]], key: str = "id"
    ) -> list[asyncpg.Record]:
        """Return the rows of `select … WHERE conditions` within the window, newest first by `key`.

        A condition is SQL with `{}` in the place of its value, such as `("user_id = {}", user_id)`; the value None
        leaves the condition out. `select` has no WHERE of its own.
        """
        wanted = [(sql, value) for sql, value in conditions if value is not None]
        wanted += [(f"{key} < {{}}", window.after)] if window.after is not None else []
        wanted += [(f"{key} > {{}}", window.before)] if window.before is not None else []
        where = " AND ".join(sql.format(f"${number}") for number, (sql, _) in enumerate(wanted, start=1)) or "true"
        direction = "ASC" if window.backwards else "DESC"
        query = f"{select} WHERE {where} ORDER BY {key} {direction} LIMIT ${len(wanted) + 1}"
        rows = await self._connection.fetch(query, *(value for _, value in wanted), window.limit)
        return rows[::-1] if window.backwards else rows
