"""What the state keeps of orders beside themselves and their executions: prevented trades, and amendments."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

import msgspec

from infra.sandbox.orders import Amendment, PreventedMatch

MATCH_COLUMNS = tuple(PreventedMatch.__dataclass_fields__)
AMENDMENT_COLUMNS = tuple(Amendment.__dataclass_fields__)
Row = tuple[int | str, ...]
Write = Callable[[str, Sequence[int | str]], object]
Read = Callable[[str, Sequence[int | str]], Iterable[Row]]


class OrderHistory:
    """Reads and writes prevented matches and amendments through the store's connection."""

    def __init__(self, read: Read, write: Write) -> None:
        self._read = read
        self._write = write

    def last_prevented_match(self, symbol: str) -> int:
        """Return the greatest id of a market's prevented matches, 0 for none."""
        return self._number("SELECT coalesce(max(id), 0) FROM prevented_matches WHERE symbol = ?", (symbol,))

    def add_prevented_match(self, match: PreventedMatch) -> None:
        """Save a trade that was prevented."""
        sql = "INSERT INTO prevented_matches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._write(sql, attrgetter(*MATCH_COLUMNS)(match))

    def prevented_matches(
        self, uid: int, symbol: str, match_id: int | None, order_id: int | None, first_id: int, limit: int
    ) -> list[PreventedMatch]:
        """Return an account's prevented matches by id: one of them, or those of an order from `first_id` on."""
        where = "uid = ? AND symbol = ? AND id >= ?"
        values: list[int | str] = [uid, symbol, first_id]
        if match_id is not None:
            where, values = f"{where} AND id = ?", [*values, match_id]
        if order_id is not None:
            where, values = f"{where} AND (taker_id = ? OR maker_id = ?)", [*values, order_id, order_id]
        sql = f"SELECT {', '.join(MATCH_COLUMNS)} FROM prevented_matches WHERE {where} ORDER BY id LIMIT ?"  # noqa: S608 - constants
        rows = self._read(sql, (*values, limit))
        return [msgspec.convert(dict(zip(MATCH_COLUMNS, row, strict=True)), PreventedMatch) for row in rows]

    def last_amendment(self) -> int:
        """Return the greatest id of all amendments, 0 for none."""
        return self._number("SELECT coalesce(max(id), 0) FROM amendments", ())

    def amendment_count(self, order_id: int) -> int:
        """Return how often an order was amended."""
        return self._number("SELECT count(*) FROM amendments WHERE order_id = ?", (order_id,))

    def add_amendment(self, amendment: Amendment) -> None:
        """Save an amendment."""
        sql = "INSERT INTO amendments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._write(sql, attrgetter(*AMENDMENT_COLUMNS)(amendment))

    def amendments(self, uid: int, symbol: str, order_id: int, first_id: int, limit: int) -> list[Amendment]:
        """Return the amendments of an account's order by id, from `first_id` on."""
        columns = ", ".join(AMENDMENT_COLUMNS)
        where = "uid = ? AND symbol = ? AND order_id = ? AND id >= ? ORDER BY id LIMIT ?"
        rows = self._read(f"SELECT {columns} FROM amendments WHERE {where}", (uid, symbol, order_id, first_id, limit))  # noqa: S608 - constants
        return [Amendment(*row) for row in rows]  # type: ignore[arg-type]  # columns have the fields' types

    def _number(self, sql: str, values: Sequence[int | str]) -> int:
        return int(next(iter(self._read(sql, values)))[0])
