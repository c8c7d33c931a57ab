"""Errors of a request's values that quote no text: any String may hold a password, a token or a venue's secret.

GraphQL's own errors quote the value that is wrong, and the whole object that it stands in. Here they are made from a
copy in which each text of type String or ID, each value of an unknown field, and everything of the wrong shape is
replaced by a word for its kind. Only a single value in the place of a decimal, time, enum or market is quoted, a
boolean in the place of a Boolean, and a whole number that is too large for an Int.
"""

import re
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Final, cast

from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    GraphQLBoolean,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLType,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    VisitorAction,
    get_nullable_type,
    is_enum_type,
    type_from_ast,
)
from graphql.language import SKIP
from graphql.utilities import validate_input_literal
from graphql.validation import ValuesOfCorrectTypeRule

HIDDEN: Final = "…"

MAX_LITERAL_ERRORS: Final = 5

_TEXT_TYPES: Final = {GraphQLString.name, GraphQLID.name}
_BUILT_IN_TYPES: Final = {*_TEXT_TYPES, GraphQLInt.name, GraphQLFloat.name, GraphQLBoolean.name}
_LITERALS: Final[dict[type[ValueNode], str]] = {
    StringValueNode: "a string",
    IntValueNode: "a number",
    FloatValueNode: "a number",
    BooleanValueNode: "a boolean",
    EnumValueNode: "a name",
    ListValueNode: "a list",
    ObjectValueNode: "an object",
}
_JSON_TYPES: Final = {int: GraphQLInt, bool: GraphQLBoolean}
_LITERAL_TYPES: Final[dict[type[ValueNode], GraphQLScalarType]] = {
    IntValueNode: GraphQLInt,
    BooleanValueNode: GraphQLBoolean,
}
_VALUE_TOKEN: Final = re.compile(r"\b(String|BlockString|Int|Float|sequence:|found:) (['\"]).*\2", re.DOTALL)
_NAME_TOKEN: Final = re.compile(r"\bName (['\"]).*\1", re.DOTALL)


class _EnoughErrors(Exception):
    """No further errors are wanted."""


class RedactedValuesRule(ValuesOfCorrectTypeRule):
    """GraphQL's rule for literals, with errors that quote no text."""

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        """Check one literal with everything inside it."""
        if input_type and self._errors(node, input_type):
            redacted = self._errors(redact_literal(node, input_type), input_type)
            for error in redacted or [GraphQLError(f"Expected value of type '{input_type}'.", node)]:
                self.report_error(error)
        return SKIP

    def _errors(self, node: ValueNode, input_type: GraphQLInputType) -> list[GraphQLError]:
        """Return the first errors of a literal: each quotes all of its object, so that many would take seconds."""
        found: list[GraphQLError] = []

        def add(error: GraphQLError, _path: object) -> None:
            found.append(error)
            if len(found) == MAX_LITERAL_ERRORS:
                raise _EnoughErrors

        with suppress(_EnoughErrors):
            validate_input_literal(node, input_type, add, None, None, self.context.hide_suggestions)
        return found


def redact_variables(
    schema: GraphQLSchema, definitions: Collection[VariableDefinitionNode] | None, values: dict[str, Any]
) -> dict[str, Any]:
    """Return the variables' values with placeholders; each is invalid wherever the value that it replaces is."""
    types = {definition.variable.name.value: type_from_ast(schema, definition.type) for definition in definitions or ()}
    # Validation rejects variables of output types.
    return {
        name: redact_value(value, cast("GraphQLInputType | None", types.get(name))) for name, value in values.items()
    }


def redact_value(value: Any, expected: GraphQLInputType | None) -> Any:  # noqa: ANN401  # JSON
    """Return a JSON value with placeholders in the place of texts and of values of an unexpected shape."""
    kind = get_nullable_type(expected)
    if isinstance(kind, GraphQLList):
        items = kind.of_type
        return [redact_value(item, items) for item in value] if isinstance(value, list) else redact_value(value, items)
    if isinstance(kind, GraphQLInputObjectType) and isinstance(value, dict):
        types = {name: field.type for name, field in kind.fields.items()}
        return {name: redact_value(item, types.get(name)) for name, item in value.items()}
    if value is None or (not isinstance(value, dict | list) and _may_quote(kind, _JSON_TYPES.get(type(value)))):
        return value
    return HIDDEN if isinstance(value, str) and _holds_text(kind) else _Placeholder(value)


def redact_literal(node: ValueNode, expected: GraphQLInputType | None) -> ValueNode:
    """Return a literal with placeholders in the place of texts and of values of an unexpected shape."""
    kind = get_nullable_type(expected)
    if isinstance(kind, GraphQLList):
        return _redact_list(node, kind.of_type)
    if isinstance(kind, GraphQLInputObjectType) and isinstance(node, ObjectValueNode):
        types = {name: field.type for name, field in kind.fields.items()}
        return ObjectValueNode(fields=tuple(_redact_field(field, types) for field in node.fields), loc=node.loc)
    is_single = not isinstance(node, ListValueNode | ObjectValueNode)
    is_quotable = is_single and _may_quote(kind, _LITERAL_TYPES.get(type(node)))
    if is_quotable or isinstance(node, NullValueNode | VariableNode):
        return node
    if isinstance(node, ListValueNode | ObjectValueNode) and is_enum_type(kind):
        return _without_content(node)
    if isinstance(node, StringValueNode) and _holds_text(kind):
        return StringValueNode(value=HIDDEN, loc=node.loc)
    return _placeholder(node)


def redact_syntax_error(error: GraphQLError, text: str) -> GraphQLError:
    """Return a syntax error that quotes no literal, nor a name that may be part of a broken literal."""
    message = _VALUE_TOKEN.sub(rf"\1 '{HIDDEN}'", error.message)
    place = next(iter(error.positions or ()), 0)
    if "(" in text[:place]:
        message = _NAME_TOKEN.sub("a name", message)
    return GraphQLError(message, source=error.source, positions=error.positions)


class _Placeholder:
    """Stands for a value; it is invalid everywhere, and is shown as the kind of the value."""

    def __init__(self, value: object) -> None:
        self._kind = _kind_of(value)

    def __repr__(self) -> str:
        return self._kind

    def __inspect__(self) -> str:
        """Return how graphql-core shows it."""
        return self._kind


def _kind_of(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"


def _holds_text(kind: GraphQLType | None) -> bool:
    """Return whether a text is expected; of an unknown field it is assumed."""
    return kind is None or (isinstance(kind, GraphQLScalarType) and kind.name in _TEXT_TYPES)


def _may_quote(kind: GraphQLType | None, given: GraphQLScalarType | None) -> bool:
    """Return whether an error may quote a single value, of type `given`, in the place of a type.

    A whole number in the place of an Int can only be too large, and a boolean in the place of a Boolean is right: a
    placeholder would be named as a further fault.
    """
    if kind is None or isinstance(kind, GraphQLInputObjectType):
        return False
    if isinstance(kind, GraphQLScalarType) and kind.name in _BUILT_IN_TYPES:
        return given is not None and kind.name == given.name
    return True


def _placeholder(node: ValueNode) -> ValueNode:
    return EnumValueNode(value=_LITERALS[type(node)], loc=node.loc)


def _without_content(node: ListValueNode | ObjectValueNode) -> ValueNode:
    """Return it empty: a word in its place would be read as an enum value."""
    if isinstance(node, ListValueNode):
        return ListValueNode(values=(), loc=node.loc)
    return ObjectValueNode(fields=(), loc=node.loc)


def _redact_list(node: ValueNode, items: GraphQLInputType) -> ValueNode:
    if not isinstance(node, ListValueNode):
        return redact_literal(node, items)
    return ListValueNode(values=tuple(redact_literal(value, items) for value in node.values), loc=node.loc)


def _redact_field(field: ObjectFieldNode, types: dict[str, GraphQLInputType]) -> ObjectFieldNode:
    value = redact_literal(field.value, types.get(field.name.value))
    return ObjectFieldNode(name=field.name, value=value, loc=field.loc)
