"""Dataclasses as plain data, with the names of fields that the API has."""

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from domain.core.money import parse_decimal, plain
from domain.core.text import camel_case, closest_match
from infra.strategy_files.documents import Number
from infra.strategy_files.errors import FieldError, quoted

T = TypeVar("T")

_WHOLE_NUMBER = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


class BadFields(Exception):
    """Plain data that is no value of the type that it is read as, with all errors in it."""

    def __init__(self, errors: list[FieldError]) -> None:
        self.errors = errors
        super().__init__("; ".join(map(str, errors)))


def read_fields(kind: type[T], content: object) -> T:
    """Return the dataclass whose fields stand in the plain data; raises `BadFields` with all errors.

    Null is as if the field was left out.
    """
    reader = _Reader()
    value = reader.read(kind, content, ())
    if reader.errors:
        raise BadFields(reader.errors)
    assert isinstance(value, kind)
    return value


def written_fields(value: Any) -> dict[str, Any]:  # noqa: ANN401  # any dataclass
    """Return the fields of a dataclass as plain data, without those that have their default."""
    written = {}
    for field in fields(value):
        content = getattr(value, field.name)
        if content != _default(field):
            written[camel_case(field.name)] = _written(content)
    return written


def _default(field: Field[Any]) -> object:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def _written(value: Any) -> object:  # noqa: ANN401  # whatever a field holds
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    if is_dataclass(value):
        return written_fields(value)
    if isinstance(value, Decimal):
        return Number(plain(value))
    return str(value) if isinstance(value, StrEnum) else value


class _Wrong(Exception):
    """A value of the wrong kind; the message says what is expected."""


class _Reader:
    """Reads values by their types and gathers the errors; what is returned with errors is of no use."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def read(self, hint: Any, content: object, path: tuple[str, ...]) -> object:  # noqa: ANN401  # a type as annotated
        """Return the value of a type, or None with an error."""
        hint = _without_none(hint)
        if get_origin(hint) is tuple:
            return self._read_list(get_args(hint)[0], content, path)
        if is_dataclass(hint):
            assert isinstance(hint, type)
            return self._read_dataclass(hint, content, path)
        try:
            return _read_scalar(hint, content)
        except _Wrong as error:
            self.errors.append(FieldError(path, str(error)))
            return None

    def _read_list(self, hint: Any, content: object, path: tuple[str, ...]) -> object:  # noqa: ANN401  # as above
        if not isinstance(content, list):
            self.errors.append(FieldError(path, f"a list is expected, not {_shown(content)}"))
            return None
        return tuple(self.read(hint, item, (*path, str(index))) for index, item in enumerate(content))

    def _read_dataclass(self, kind: type, content: object, path: tuple[str, ...]) -> object:
        known = {camel_case(field.name): field for field in fields(kind)}
        if not isinstance(content, dict):
            message = f"a mapping with some of {', '.join(known)} is expected, not {_shown(content)}"
            self.errors.append(FieldError(path, message))
            return None
        before, hints = len(self.errors), get_type_hints(kind)
        given = {name: value for name, value in content.items() if value is not None or name not in known}
        for name in (name for name in given if name not in known):
            self.errors.append(FieldError((*path, name), f"there is no such field{_suggestion(name, known)}"))
        values = {
            known[name].name: self.read(hints[known[name].name], value, (*path, name))
            for name, value in given.items()
            if name in known
        }
        for name, field in known.items():
            if field.name not in values and _default(field) is MISSING:
                self.errors.append(FieldError((*path, name), "it is missing"))
        return kind(**values) if len(self.errors) == before else None


def _without_none(hint: Any) -> Any:  # noqa: ANN401  # a type as annotated
    if get_origin(hint) in {Union, types.UnionType}:
        (hint,) = (part for part in get_args(hint) if part is not types.NoneType)
    return hint


def _suggestion(name: str, known: Mapping[str, object]) -> str:
    near = closest_match(name, known)
    return f"; did you mean {near}?" if near else f"; there are {', '.join(known)}"


def _read_scalar(hint: Any, content: object) -> object:  # noqa: ANN401  # a type as annotated
    if issubclass(hint, StrEnum):
        return _read_member(hint, content)
    return _SCALARS[hint](content)


def _read_member(kind: type[StrEnum], content: object) -> StrEnum:
    members = {member.value: member for member in kind}
    if not isinstance(content, str) or content not in members:
        near = closest_match(content, members) if isinstance(content, str) else None
        rest = f"; did you mean {near}?" if near else ""
        raise _Wrong(f"one of {', '.join(members)} is expected, not {_shown(content)}{rest}")
    return members[content]


def _read_decimal(content: object) -> Decimal:
    if not isinstance(content, str):
        raise _Wrong(f"a number is expected, not {_shown(content)}")
    try:
        return parse_decimal(content)
    except ValueError as error:
        raise _Wrong(f"{_shown(content)} {error}") from None


def _read_whole_number(content: object) -> int:
    if not isinstance(content, str) or not _WHOLE_NUMBER.fullmatch(content):
        raise _Wrong(f"a whole number is expected, not {_shown(content)}")
    return int(content)


def _read_boolean(content: object) -> bool:
    value = _BOOLEANS.get(content.lower()) if isinstance(content, str) else content
    if not isinstance(value, bool):
        raise _Wrong(f"true or false is expected, not {_shown(content)}")
    return value


def _read_text(content: object) -> str:
    if not isinstance(content, str):
        raise _Wrong(f"a text is expected, not {_shown(content)}")
    return content


_SCALARS: Mapping[type, Callable[[object], object]] = {
    Decimal: _read_decimal,
    int: _read_whole_number,
    bool: _read_boolean,
    str: _read_text,
}


def _shown(content: object) -> str:
    if isinstance(content, str):
        return quoted(content)
    if isinstance(content, bool):
        return str(content).lower()
    return "null" if content is None else "a list" if isinstance(content, list) else "a mapping"
