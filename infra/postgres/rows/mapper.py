"""Maps dataclasses to rows whose columns have the names of the fields, so that each column is named only once."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from asyncpg import Record

T = TypeVar("T")


class RowMapper(Generic[T]):
    """The columns of a table for a dataclass, and the conversion both ways.

    `decoders` and `encoders` convert those fields, by name, that asyncpg doesn't convert itself; they are given None
    too, for a column that is NULL and a field that is None. `derived` fields are no columns: they are read by these
    expressions, and never written. `texts` are read as text, which is several times as quick for a numeric column.
    """

    def __init__(
        self,
        table: str,
        class_: Callable[..., T],
        decoders: Mapping[str, Callable[[Any], object]],
        encoders: Mapping[str, Callable[[Any], object]],
        derived: Mapping[str, str] = MappingProxyType({}),
        texts: Collection[str] = (),
    ) -> None:
        names = tuple(field.name for field in fields(class_))  # type: ignore[arg-type]  # a dataclass
        self._names = tuple(name for name in names if name not in derived)
        self._table = table
        self._class = class_
        self._decoders = tuple((name, decoders.get(name)) for name in names)
        self._encoders = tuple(encoders.get(name) for name in self._names)
        self._values = attrgetter(*self._names)
        self.columns = ", ".join(self._names)
        self.placeholders = ", ".join(map(self.placeholder, self._names))
        read = {**{name: f"{name}::text" for name in texts}, **derived}
        selected = (f"{read[name]} AS {name}" if name in read else name for name in names)
        self.select = f"SELECT {', '.join(selected)} FROM {table}"

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self._names)

    def insert(self, on_conflict: str | None = None) -> str:
        """Return the statement that inserts `params`, unless a stored row has the same columns of `on_conflict`."""
        statement = f"INSERT INTO {self._table} ({self.columns}) VALUES ({self.placeholders})"
        return statement if on_conflict is None else f"{statement} ON CONFLICT ({on_conflict}) DO NOTHING"

    def upsert(self, key: str, *unchanged: str) -> str:
        """Return the statement that inserts `params`, or on a known key sets all columns but the `unchanged` ones."""
        changed = [name for name in self._names if name not in {key, *unchanged}]
        changes = ", ".join(f"{name} = excluded.{name}" for name in changed)
        return f"{self.insert()} ON CONFLICT ({key}) DO UPDATE SET {changes}"

    def update(self, *unchanged: str) -> str:
        """Return the statement that sets all columns to `params`, where the `unchanged` ones have those values."""
        changes = ", ".join(self.equal(name) for name in self._names if name not in unchanged)
        return f"UPDATE {self._table} SET {changes} WHERE {' AND '.join(map(self.equal, unchanged))}"

    def equal(self, name: str) -> str:
        """Return `column = $n` with the number of the column's place in `params`."""
        return f"{name} = {self.placeholder(name)}"

    def placeholder(self, name: str) -> str:
        """Return `$n` for the column's place in `params`."""
        return f"${self._names.index(name) + 1}"

    def from_row(self, row: Record | Mapping[str, Any]) -> T:
        """Return the object in a row that has all columns and derived fields, in any order."""
        return self._class(*[row[name] if decode is None else decode(row[name]) for name, decode in self._decoders])

    def from_rows(self, rows: Sequence[Record]) -> list[T]:
        """Return the objects in rows of `select`, column by column: quicker for very many."""
        if not rows:
            return []
        columns = zip(self._decoders, zip(*rows, strict=True), strict=True)
        values = [column if decode is None else map(decode, column) for (_, decode), column in columns]
        return list(map(self._class, *values))

    def params(self, value: T) -> tuple[object, ...]:
        """Return the values of all columns, in the order of the fields."""
        values = zip(self._encoders, self._values(value), strict=True)
        return tuple([field if encode is None else encode(field) for encode, field in values])
