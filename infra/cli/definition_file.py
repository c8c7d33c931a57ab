"""Reads a strategy's definition from a JSON file, in the form of the API's `StrategyDefinitionInput`."""

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from domain.core.text import closest_match
from domain.model.definitions import StrategyDefinition
from domain.strategies.validation import validate
from infra.cli.arguments import BadArgument

LARGEST_BYTES = 1_000_000


def read_definition(path: Path) -> StrategyDefinition:
    """Return the definition in the file, which is valid; raises `BadArgument` with all of its errors."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise BadArgument(f"{path} is larger than {LARGEST_BYTES:,} bytes, so it is no definition")
        content = msgspec.json.decode(path.read_bytes())
        definition = msgspec.convert(_to_names(content, StrategyDefinition, ()), StrategyDefinition, strict=False)
    except OSError as error:
        raise BadArgument(f"{path} can't be read: {error.strerror}") from None
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise BadArgument(f"{path} is no definition in JSON: {error}") from None
    errors = validate(definition).errors
    if errors:
        lines = (f"{'.'.join(error.path)}: {error.message}" if error.path else error.message for error in errors)
        raise BadArgument(f"{path} has errors:\n" + "\n".join(f"  {line}" for line in lines))
    return definition


def _to_names(value: Any, hint: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401  # whatever JSON holds
    """Return the value with the API's names of fields changed to ours; raises `BadArgument` for one that is unknown."""
    if isinstance(value, list):
        return [_to_names(item, hint, (*path, str(index))) for index, item in enumerate(value)]
    kind = _dataclass_of(hint)
    if not isinstance(value, dict) or kind is None:
        return value
    hints = get_type_hints(kind)
    known = {_camel_case(field.name): field.name for field in fields(kind)}
    for name in value:
        if name not in known:
            near = closest_match(name, list(known))
            hint_text = f"; did you mean {near}?" if near else f"; there are {', '.join(known)}"
            raise BadArgument(f"the definition has no {'.'.join((*path, name))}{hint_text}")
    return {known[name]: _to_names(item, hints[known[name]], (*path, name)) for name, item in value.items()}


def _dataclass_of(hint: Any) -> type | None:  # noqa: ANN401  # a type as annotated
    if isinstance(hint, type) and is_dataclass(hint):
        return hint
    return next((found for part in get_args(hint) if (found := _dataclass_of(part)) is not None), None)


def _camel_case(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)
