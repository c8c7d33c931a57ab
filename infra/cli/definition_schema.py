"""The JSON Schema of a strategy's file, made of the public schema; editors complete and check files by it."""

from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    ValueNode,
    build_schema,
    value_from_ast_untyped,
)

from domain.core.validation import MAXIMUM_NAME_LENGTH
from domain.trading.strategies import MAXIMUM_DESCRIPTION_LENGTH
from infra.strategy_files.strategy_file import SCHEMA

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_INPUT = "StrategyDefinitionInput"
_SCALARS: dict[str, dict[str, Any]] = {
    "String": {"type": "string"},
    "Boolean": {"type": "boolean"},
    "Int": {"type": "integer"},
    "Decimal": {"$ref": "#/$defs/Decimal"},
}
_DECIMAL = {
    "description": "A number. As a text it keeps all of its digits, whatever program reads it.",
    "type": ["number", "string"],
    "pattern": r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$",
}
_NAMES = {
    SCHEMA: {"description": "The JSON Schema by which an editor checks the file.", "type": "string"},
    "name": {
        "description": "The name under which the strategy is imported.",
        "type": "string",
        "minLength": 1,
        "maxLength": MAXIMUM_NAME_LENGTH,
    },
    "description": {
        "description": "A description of the strategy.",
        "type": "string",
        "maxLength": MAXIMUM_DESCRIPTION_LENGTH,
    },
}


def definition_schema(public_schema: str) -> dict[str, Any]:
    """Return the JSON Schema of what `r3edge strategy import` reads, by the printed public schema."""
    definitions: dict[str, Any] = {"Decimal": _DECIMAL}
    root = build_schema(public_schema).type_map[_INPUT]
    assert isinstance(root, GraphQLInputObjectType)
    content = _object(root, definitions)
    content["properties"] = {**_NAMES, **content["properties"]}
    return {
        "$schema": DIALECT,
        "title": "A strategy of r3edge-engine",
        **content,
        "$defs": dict(sorted(definitions.items())),
    }


def _object(kind: GraphQLInputObjectType, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an input; the types that it names are added to `definitions`."""
    content: dict[str, Any] = {"description": kind.description, "type": "object"}
    assert kind.ast_node is not None
    if any(directive.name.value == "oneOf" for directive in kind.ast_node.directives or ()):
        content |= {"minProperties": 1, "maxProperties": 1}
    content["properties"] = {name: _property(field, definitions) for name, field in kind.fields.items()}
    required = [
        name
        for name, field in kind.fields.items()
        if isinstance(field.type, GraphQLNonNull) and _default(field) is None
    ]
    if required:
        content["required"] = required
    content["additionalProperties"] = False
    return content


def _property(field: GraphQLInputField, definitions: dict[str, Any]) -> dict[str, Any]:
    content = {"description": field.description, **_type(field.type, definitions)}
    default = _default(field)
    if default is not None:
        content["default"] = value_from_ast_untyped(default)
    return content


def _default(field: GraphQLInputField) -> ValueNode | None:
    return None if field.ast_node is None else field.ast_node.default_value


def _type(kind: GraphQLInputType, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(kind, GraphQLNonNull):
        return _type(kind.of_type, definitions)
    if isinstance(kind, GraphQLList):
        return {"type": "array", "items": _type(kind.of_type, definitions)}
    if isinstance(kind, GraphQLInputObjectType | GraphQLEnumType):
        name = kind.name.removesuffix("Input")
        if name not in definitions:
            definitions[name] = {}
            definitions[name] = _enum(kind) if isinstance(kind, GraphQLEnumType) else _object(kind, definitions)
        return {"$ref": f"#/$defs/{name}"}
    return _SCALARS[kind.name]


def _enum(kind: GraphQLEnumType) -> dict[str, Any]:
    members = [{"const": name, "description": member.description} for name, member in kind.values.items()]
    return {"description": kind.description, "oneOf": members}
