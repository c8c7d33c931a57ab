"""The cost of an operation: one for each object that it may load, by the page sizes that it requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_enum_type,
    is_leaf_type,
    is_list_type,
)
from graphql.execution.values import VariableValues, get_argument_values

from domain.core.pagination import DEFAULT_PAGE, MAX_SERIES_PAGE
from domain.market_data.analytics import DEFAULT_TIMES
from domain.model.depth_views import DepthLevels
from domain.model.equity import EquityInterval
from domain.model.profit import ProfitPeriod
from domain.performance.profit_groups import DEFAULT_PARTS, shortest
from domain.portfolio.equity_history import DEFAULT_INTERVALS

PLAIN_LIST_SIZE: Final = 10
"""How many items a list without paging is assumed to have."""

SIZE_ARGUMENTS: Final = ("first", "last", "points", "bins")
"""The arguments with the size of a list; an object that is computed from so many items costs that much more."""

PERIOD_ARGUMENTS: Final = {"interval", "period"}
"""The arguments with the length of the parts that a time range is divided into."""

COST_ARGUMENTS: Final = {*SIZE_ARGUMENTS, *PERIOD_ARGUMENTS, "everySeconds", "levels"}

NO_PAGE: Final = -1
"""The page size inside an object that is no page."""

LEVELS_PER_OBJECT: Final = 20
"""How many levels of a book cost as much as one object: they are two numbers each, and are loaded with their book."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What an operation costs."""

    points: int
    is_constant: bool
    """Whether it costs the same with all variables and at all times."""


def cost_of(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: dict[str, FragmentDefinitionNode],
    variables: VariableValues,
) -> Cost:
    """Return the cost of an operation with these variables; leaves and introspection are free."""
    root = schema.get_root_type(operation.operation)
    cost = _Cost(schema, fragments, variables)
    points = cost.selections(operation.selection_set, root, NO_PAGE) if root else 0
    return Cost(points, cost.is_constant)


class _Cost:
    def __init__(
        self, schema: GraphQLSchema, fragments: dict[str, FragmentDefinitionNode], variables: VariableValues
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables
        self._known: dict[tuple[str, int], int] = {}
        self.is_constant = True

    def selections(self, node: SelectionSetNode, parent: GraphQLNamedType, page: int) -> int:
        """Return the cost of a selection on one object; `page` is how many items its lists hold, if known."""
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
        return 0 if field is None else _own_cost(field) + self._value(node, field, page)

    def _value(self, node: FieldNode, field: GraphQLField, page: int) -> int:
        """Return the cost of what a field returns."""
        if node.selection_set is None:
            return 0
        type_ = get_named_type(field.type)
        if is_leaf_type(type_):
            return 0
        values = self._values(node, field)
        size = _size(values)
        if type_.name.endswith("Connection"):
            return 1 + self.selections(node.selection_set, type_, _default_page(field) if size is None else size)
        inner = _interval_count(values) or _book_size(values)
        item_cost = 1 + self.selections(node.selection_set, type_, NO_PAGE if inner is None else inner)
        if not is_list_type(get_nullable_type(field.type)):
            return item_cost + _source_size(field, size) + max(_named(field, values) - 1, 0)
        if page != NO_PAGE:
            return page * item_cost
        return (_plain_size(field, values) if size is None else size) * item_cost

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

    def _values(self, node: FieldNode, field: GraphQLField) -> Mapping[str, object]:
        """Return the arguments of a field that may set its size; none if they can't be read."""
        if not COST_ARGUMENTS & field.args.keys() and not _item_arguments(field):
            return {}
        # Intervals may be counted up to now.
        if PERIOD_ARGUMENTS & field.args.keys() or any(
            _has_variable(argument.value) for argument in node.arguments or ()
        ):
            self.is_constant = False
        try:
            return get_argument_values(field, node, self._variables)
        except GraphQLError:
            return {}  # the execution reports it


def _has_variable(value: ValueNode) -> bool:
    match value:
        case VariableNode():
            return True
        case ListValueNode():
            return any(map(_has_variable, value.values))
        case ObjectValueNode():
            return any(_has_variable(part.value) for part in value.fields)
    return False


def _default_page(field: GraphQLField) -> int:
    """Return how many items a page of this connection holds by default."""
    return _number_of(field, "default_page", DEFAULT_PAGE)


def _own_cost(field: GraphQLField) -> int:
    """Return what it costs to compute a field, whatever is selected of it."""
    return _number_of(field, "cost", 0)


def _number_of(field: GraphQLField, name: str, default: int) -> int:
    """Return a number that the field's definition in the schema has."""
    definition = field.extensions.get("strawberry-definition")
    number = getattr(definition, "metadata", {}).get(name, default)
    assert isinstance(number, int)
    return number


def _item_arguments(field: GraphQLField) -> list[str]:
    """Return the arguments that name each item of the result: `ids`, `markets`; a list of enum values is a filter."""
    lists = [name for name, argument in field.args.items() if is_list_type(get_nullable_type(argument.type))]
    return [name for name in lists if not is_enum_type(get_named_type(field.args[name].type))]


def _plain_size(field: GraphQLField, values: Mapping[str, object]) -> int:
    """Return how many items a list without paging has: as many as its arguments name, if they do."""
    return _named(field, values, PLAIN_LIST_SIZE)


def _named(field: GraphQLField, values: Mapping[str, object], default: int = 0) -> int:
    """Return how many items the arguments name: a stream of so many markets costs as much as a list of them."""
    counts = [len(items) for name in _item_arguments(field) if isinstance(items := values.get(name), list | tuple)]
    return max(counts, default=default)


def _size(values: Mapping[str, object]) -> int | None:
    """Return how many items these arguments request: a number, or the number of intervals in a time range."""
    start, end, every = values.get("from"), values.get("to"), values.get("everySeconds")
    if isinstance(start, datetime) and isinstance(end, datetime) and isinstance(every, int):
        return _bounded((end - start) // timedelta(seconds=max(every, 1)) + 1)
    sizes = [size for name in SIZE_ARGUMENTS if isinstance(size := values.get(name), int)]
    return _bounded(max(sizes)) if sizes else None


def _interval_count(values: Mapping[str, object]) -> int | None:
    """Return how many parts a period is divided into, by which the items in its lists are counted."""
    interval, period, grouping = values.get("interval"), values.get("period"), values.get("by")
    groups = 1 if grouping is None else PLAIN_LIST_SIZE
    if isinstance(interval, EquityInterval):
        length, default = interval.duration, DEFAULT_INTERVALS
    elif isinstance(period, ProfitPeriod):
        length, default = shortest(period), DEFAULT_PARTS
    else:
        return None
    start, end = values.get("from"), values.get("to")
    if not isinstance(start, datetime):
        return _bounded(default * groups)
    until = end if isinstance(end, datetime) else datetime.now(UTC)
    return _bounded(((until - start) // length + 1) * groups)


def _book_size(values: Mapping[str, object]) -> int | None:
    """Return the cost of one side of a book with so many levels, used as the size of the list."""
    levels = values.get("levels")
    return -(-levels.per_side // LEVELS_PER_OBJECT) if isinstance(levels, DepthLevels) else None


def _source_size(field: GraphQLField, size: int | None) -> int:
    """Return the cost of what an object with a size is computed from, such as a volume profile; 0 for others."""
    if not any(name in field.args for name in SIZE_ARGUMENTS):
        return 0
    items = DEFAULT_TIMES if size is None else size
    return -(-items // _number_of(field, "items_per_object", 1))


def _bounded(size: int) -> int:
    return min(max(size, 0), MAX_SERIES_PAGE)
