"""Columns of a long series that is passed on as text: a value is only made of it where somebody looks at one."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Generic, Self, TypeVar, overload

from domain.core.money import plain

T = TypeVar("T")


class Column(Sequence[T], Generic[T]):
    """Values that are kept as the texts by which the API writes them."""

    __slots__ = ("texts",)

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    @classmethod
    def of(cls, values: Iterable[T]) -> Self:
        """Return a column of these values."""
        return cls([cls._write(value) for value in values])

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> T | Self:
        if isinstance(index, slice):
            return type(self)(self.texts[index])
        return self._read(self.texts[index])

    def __len__(self) -> int:
        return len(self.texts)

    def __eq__(self, other: object) -> bool:
        return self.texts == other.texts if isinstance(other, type(self)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of a list

    @staticmethod
    def _read(text: str) -> T:
        raise NotImplementedError

    @staticmethod
    def _write(value: T) -> str:
        raise NotImplementedError


class Decimals(Column[Decimal]):
    """Decimals in the notation of `domain.core.money.plain`."""

    __slots__ = ()

    @staticmethod
    def _read(text: str) -> Decimal:
        return Decimal(text)

    @staticmethod
    def _write(value: Decimal) -> str:
        return plain(value)


class Times(Column[datetime]):
    """Times of whole seconds in UTC, as ISO 8601 with a Z: they are in order as texts if they are as times."""

    __slots__ = ()

    @staticmethod
    def _read(text: str) -> datetime:
        return datetime.fromisoformat(text)

    @staticmethod
    def _write(value: datetime) -> str:
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
