"""Objects of every type of the schema, made up: each attribute has the same value whenever it is asked for.

Resolvers that would ask services are replaced by ones that make their answers up, of their parent's seed and of their
arguments. Faults are thrown in by their rate: exceptions, nulls where there may be none, and values of wrong types.
"""

import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zlib import crc32

import pytest
from graphql import (
    GraphQLField,
    GraphQLSchema,
    is_abstract_type,
    is_enum_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from strawberry import Info
from strawberry.dataloader import DataLoader

from domain.model.markets import MarketSymbol

DECIMALS = [*map(Decimal, ("1E+3", "0.1000", "-0", "-1.50", "0E-8", "1E-10", "100", "123456.789")), 7]
TIMES = [
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, 0, 0, 0, 1000, tzinfo=UTC),
    datetime(2026, 1, 1, 5, 0, 0, 123456, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5))),
]
TEXTS = ["", "text", 'quo"te', "\u2028é", "\ud800"]
LEAVES: dict[str, list[Any]] = {
    "Decimal": DECIMALS,
    "DateTime": TIMES,
    "Int": [0, -5, 10**6],
    "Sequence": [0, 2**60],
    "Float": [0.5, 3],
    "Boolean": [True, False],
    "MarketSymbol": [MarketSymbol.parse("sandbox:BTC/USDT")],
}
WRONG = [object(), ValueError("returned"), Decimal("NaN"), float("inf"), 2**40, ["a list"], {"a": "dict"}]
_SCALE = 2**32


class MadeUp:
    """The objects of one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.faults = 0.0
        self.batches = 0
        """How often a loader was asked for keys."""

        self._schema = schema
        self._classes: dict[str, type] = {}

    def value(self, kind: Any, seed: str) -> Any:  # one for each kind
        chance = crc32(f"{seed}?".encode()) / _SCALE
        if is_non_null_type(kind):
            return None if chance < self.faults else self._value(kind.of_type, seed)
        return None if chance < 0.15 else self._value(kind, seed)

    def _value(self, kind: Any, seed: str) -> Any:
        number = crc32(seed.encode())
        if self.fails(f"{seed}~"):
            return WRONG[number % len(WRONG)]
        if is_list_type(kind):
            return [self.value(kind.of_type, f"{seed}.{i}") for i in range(number % 4)]
        if is_abstract_type(kind):
            possible = self._schema.get_possible_types(kind)
            return self.object(possible[number % len(possible)], seed)
        if not is_leaf_type(kind):
            return self.object(kind, seed)
        choices = [each.value for each in kind.values.values()] if is_enum_type(kind) else LEAVES.get(kind.name, TEXTS)
        return choices[number % len(choices)]

    def fails(self, seed: str) -> bool:
        """Return whether something goes wrong in this place."""
        return bool(self.faults) and crc32(seed.encode()) / _SCALE < self.faults

    def object(self, kind: Any, seed: str) -> Any:
        if kind.name not in self._classes:
            self._classes[kind.name] = self._class(kind)
        made: object = object.__new__(self._classes[kind.name])
        object.__setattr__(made, "__dict__", {"seed": seed})
        return made

    def _class(self, kind: Any) -> type:
        """Return a class that the type's own `is_type_of` takes."""
        cells = getattr(kind.is_type_of, "__closure__", None) or ()
        bases = tuple(cell.cell_contents[-1] for cell in cells if isinstance(cell.cell_contents, tuple))
        fields = {field.extensions["strawberry-definition"].python_name: field.type for field in kind.fields.values()}

        def attribute(made: object, name: str) -> Any:
            if name.startswith("__") or name == "seed":
                return object.__getattribute__(made, name)
            seed = object.__getattribute__(made, "__dict__")["seed"]
            if name == "id" or name not in fields:
                return UUID(int=crc32(seed.encode()))
            if self.fails(f"{seed}!{name}"):
                raise ValueError("made up")
            return self.value(fields[name], f"{seed}/{name}")

        body = {"__getattribute__": attribute, "__hash__": object.__hash__, "__eq__": lambda a, b: a is b}
        return types.new_class("Made" + kind.name, bases[:1], exec_body=lambda names: names.update(body))

    def resolver(self, field: GraphQLField, name: str, *, is_async: bool) -> Any:
        """Return what takes the place of a resolver; every second that awaits does so by a loader of the context."""

        def seed_of(parents: tuple[Any, ...], given: dict[str, Any]) -> str:
            found = [each.__dict__["seed"] for each in (*parents, *given.values()) if "seed" in _own(each)]
            plain = sorted((key, _text(value)) for key, value in given.items() if _is_plain(value))
            return f"{found}{name}{plain}"

        def answer(seed: str) -> Any:
            if self.fails(f"!{seed}"):
                raise ValueError("made up")
            return self.value(field.type, seed)

        async def load(seeds: list[str]) -> list[Any]:
            self.batches += 1
            return [_returned(answer, seed) for seed in seeds]

        async def answer_later(*parents: Any, **given: Any) -> Any:
            info = next((each for each in (*parents, *given.values()) if isinstance(each, Info)), None)
            seed = seed_of(parents, given)
            if info is None:
                return answer(seed)
            loader = info.context.loaders.get(name)
            if loader is None:
                loader = info.context.loaders[name] = DataLoader(load)
            return await loader.load(seed)

        return answer_later if is_async else lambda *parents, **given: answer(seed_of(parents, given))

    @contextmanager
    def resolvers(self) -> Iterator[None]:
        """Replace the resolvers of queries."""
        roots = (self._schema.mutation_type, self._schema.subscription_type)
        with pytest.MonkeyPatch.context() as patch:
            for kind in self._schema.type_map.values():
                if not is_object_type(kind) or kind in roots:
                    continue
                for name, field in kind.fields.items():
                    definition = field.extensions.get("strawberry-definition")
                    if definition and definition.base_resolver and name != "id":
                        resolver = self.resolver(field, f"{kind.name}.{name}", is_async=definition.is_async)
                        patch.setattr(definition.base_resolver, "wrapped_func", resolver)
            yield


def _returned(answer: Any, seed: str) -> Any:
    try:
        return answer(seed)
    except ValueError as error:
        return error


def _is_plain(value: Any) -> bool:
    return not isinstance(value, Info) and "seed" not in _own(value)


def _text(value: Any) -> str:
    """Return the same text for equal values; that of an input object itself may tell where it lies in memory."""
    return str(asdict(value) if is_dataclass(value) and not isinstance(value, type) else value)


def _own(value: object) -> dict[str, Any]:
    try:
        return object.__getattribute__(value, "__dict__")  # type: ignore[no-any-return]
    except AttributeError:
        return {}
