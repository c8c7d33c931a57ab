"""The file of a strategy: the fields of its definition, and if given its name and description."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.model.definitions import StrategyDefinition
from domain.strategies.validation import validate
from infra.strategy_files.documents import MAX_BYTES, BadDocument, read_document, write_document
from infra.strategy_files.errors import BadStrategyFile, FieldError
from infra.strategy_files.fields import BadFields, read_fields, written_fields
from infra.strategy_files.formats import DocumentFormat

NAMES = ("name", "description")
"""What may stand in a file besides the definition."""
SCHEMA = "$schema"
"""What names the JSON Schema for an editor; it is read over."""
_FIRST = ("parameters", "let", "enterLong", "exitLong", "enterShort", "exitShort")
"""What is written first, as the API has it."""


@dataclass(frozen=True, slots=True)
class StrategyFile:
    """A strategy as it is in a file."""

    definition: StrategyDefinition
    name: str | None = None
    description: str | None = None


def read_strategy_file(path: Path) -> StrategyFile:
    """Return the strategy in a JSON or YAML file, whose definition is valid; raises `BadStrategyFile`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # a path may name something without an end
    except OSError as error:
        raise BadStrategyFile(str(path), [FieldError((), f"it can't be read: {error.strerror}")]) from None
    return parse_strategy(data, DocumentFormat.of_name(path.name), str(path))


def parse_strategy(data: bytes, document_format: DocumentFormat, source: str) -> StrategyFile:
    """Return the strategy in the content of a file; raises `BadStrategyFile` with all errors, which `source` begins."""
    try:
        found = to_strategy(read_document(data, document_format))
    except BadDocument as error:
        raise BadStrategyFile(source, [error.error]) from None
    except BadFields as error:
        raise BadStrategyFile(source, error.errors) from None
    errors = validate(found.definition).errors
    if errors:
        raise BadStrategyFile(source, [FieldError(tuple(error.path or ()), error.message) for error in errors])
    return found


def to_strategy(content: object) -> StrategyFile:
    """Return the strategy in the plain data of a file; raises `BadFields`. It may not be valid."""
    names: dict[str, str | None] = dict.fromkeys(NAMES)
    errors: list[FieldError] = []
    if isinstance(content, dict):
        content = {name: value for name, value in content.items() if name != SCHEMA}
        for name in NAMES:
            value = content.pop(name, None)
            if isinstance(value, str | None):
                names[name] = value
            else:
                errors.append(FieldError((name,), "a text is expected"))
    try:
        definition = read_fields(StrategyDefinition, content)
    except BadFields as error:
        raise BadFields([*errors, *error.errors]) from None
    if errors:
        raise BadFields(errors)
    return StrategyFile(definition, **names)


def write_strategy(strategy: StrategyFile, document_format: DocumentFormat) -> str:
    """Return the content of a file, from which the same strategy is read; values that are the default are left out."""
    named = {name: value for name in NAMES if (value := getattr(strategy, name)) is not None}
    fields = written_fields(strategy.definition)
    first = {name: fields.pop(name) for name in _FIRST if name in fields}
    content: dict[str, Any] = {**named, **first, **fields}
    return write_document(content, document_format)
