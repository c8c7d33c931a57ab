"""What an operation costs: one for each object that it may load, by the page sizes that it asks for."""

from typing import Any, Final

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)
from graphql.execution.values import VariableValues, get_argument_values

from domain.pagination import DEFAULT_PAGE, MAX_SERIES_PAGE

PLAIN_LIST_SIZE: Final = 10
"""How many items a list that can't be paged is taken to have."""

SIZE_ARGUMENTS: Final = ("first", "last", "points", "bins")


def cost_of(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: dict[str, FragmentDefinitionNode],
    variables: VariableValues,
) -> int:
    """Return the cost of an operation with these variables; leaves and introspection are free."""
    root = schema.get_root_type(operation.operation)
    return _Cost(schema, fragments, variables).selections(operation.selection_set, root, 1) if root else 0


class _Cost:
    def __init__(
        self, schema: GraphQLSchema, fragments: dict[str, FragmentDefinitionNode], variables: VariableValues
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables
        self._known: dict[tuple[str, int], int] = {}

    def selections(self, node: SelectionSetNode, parent: GraphQLNamedType, page: int) -> int:
        """Return the cost of a selection on one object; `page` is the page size where it is a connection."""
        total = 0
        for selection in node.selections:
            if isinstance(selection, FieldNode):
                total += self._field(selection, parent, page)
            elif isinstance(selection, InlineFragmentNode):
                total += self.selections(selection.selection_set, self._condition(selection, parent), page)
            elif isinstance(selection, FragmentSpreadNode):
                total += self._spread(selection.name.value, page)
        return total

    def _field(self, node: FieldNode, parent: GraphQLNamedType, page: int) -> int:
        field = self._definition(node, parent)
        if field is None or node.selection_set is None:
            return 0
        type_ = get_named_type(field.type)
        if is_leaf_type(type_):
            return 0
        size = self._size(node, field)
        if type_.name.endswith("Connection"):
            return 1 + self.selections(node.selection_set, type_, DEFAULT_PAGE if size is None else size)
        each = 1 + self.selections(node.selection_set, type_, 1)
        if not is_list_type(get_nullable_type(field.type)):
            return each
        if parent.name.endswith("Connection"):
            return page * each
        return (PLAIN_LIST_SIZE if size is None else size) * each

    def _spread(self, name: str, page: int) -> int:
        key = (name, page)
        if key not in self._known:
            fragment = self._fragments[name]
            self._known[key] = self.selections(fragment.selection_set, self._type(fragment.type_condition), page)
        return self._known[key]

    def _condition(self, node: InlineFragmentNode, parent: GraphQLNamedType) -> GraphQLNamedType:
        return self._type(node.type_condition) if node.type_condition else parent

    def _type(self, node: Any) -> GraphQLNamedType:  # noqa: ANN401  # a NamedTypeNode of either kind of fragment
        return self._schema.type_map[node.name.value]

    @staticmethod
    def _definition(node: FieldNode, parent: GraphQLNamedType) -> GraphQLField | None:
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) or node.name.value.startswith("__"):
            return None
        fields: dict[str, GraphQLField] = parent.fields
        return fields.get(node.name.value)

    def _size(self, node: FieldNode, field: GraphQLField) -> int | None:
        if not any(name in field.args for name in SIZE_ARGUMENTS):
            return None
        try:
            values = get_argument_values(field, node, self._variables)
        except GraphQLError:
            return None  # the execution tells what is wrong with it
        sizes = [values[name] for name in SIZE_ARGUMENTS if isinstance(values.get(name), int)]
        return min(max(*sizes, 0), MAX_SERIES_PAGE) if sizes else None
