"""Compiles one operation to Python functions, one for each selection of an object type.

Which fields are selected is decided by graphql-core's own `collect_fields`. What is unusual at run time (an exception,
a null where there may be none, a value of a wrong type) raises, and graphql-core executes the operation from the start:
errors, paths and what becomes null are always its own. So a plan may only be of what can be executed twice.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from graphql import (
    DirectiveNode,
    GraphQLAbstractType,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    Node,
    OperationType,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    visit,
)
from graphql.execution.collect_fields import FieldDetails, collect_fields, collect_subfields
from strawberry.types.field import StrawberryField

from domain.core.columns import Column
from domain.core.money import plain
from infra.web.compiled.calls import Call, Unfit
from infra.web.compiled.running import Function, Gap, Run
from infra.web.execution import Executor
from schema.common.engine_schema import EngineSchema

MAX_FIELDS: Final = 2_000
"""How many fields a plan may have, each counted in every place and for every type that it may be of."""


class Plan:
    """One operation, compiled for certain values of the variables in its `@skip` and `@include`."""

    def __init__(self, schema: EngineSchema, executor: Executor) -> None:
        self._schema = schema
        self._executor = executor
        self._names: dict[str, Any] = {
            "fail": fail,
            "gap": Gap,
            "items": items,
            "decimal": decimal_text,
            "Column": Column,
        }
        self._lines: list[str] = []
        self.fields = 0
        self.calls: list[Call] = []
        operation = executor.operation
        if operation.operation is OperationType.MUTATION:
            raise Unfit("mutation")
        root = executor.schema.get_root_type(operation.operation)
        assert root is not None
        assert operation.loc is not None
        self.document_length = len(operation.loc.source.body)
        variables = executor.variable_values
        collected = collect_fields(executor.schema, executor.fragments, variables, root, operation)
        name = self._selection(root, collected.grouped_field_set, [])
        exec(compile("\n".join(self._lines), "<compiled selection>", "exec"), self._names)  # noqa: S102  # no text of the client but its aliases, which are names
        self.function: Function = self._names[name]
        del self._executor  # it has the context of one request

    def _name(self, value: object) -> str:
        name = f"n{len(self._names)}"
        self._names[name] = value
        return name

    def _selection(self, kind: GraphQLObjectType, fields: dict[str, list[FieldDetails]], first: list[str]) -> str:
        """Write the function of a selection, and return its name."""
        name, entries, gaps = self._name(None), [], []
        for key, details in fields.items():
            self.fields += 1
            if self.fields > MAX_FIELDS:
                raise Unfit("size")
            value, gap = self._field(kind, details)
            entries.append(f"{key!r}: {value}")
            if gap:
                gaps.append(f"    run.gaps.append(gap(answer, {key!r}, {gap}))")
        answer = f"    answer = {{{', '.join(entries)}}}"
        self._lines += [f"def {name}(source, run):", *first, answer, *gaps, "    return answer"]
        return name

    def _field(self, parent: GraphQLObjectType, details: list[FieldDetails]) -> tuple[str, str]:
        """Return the expression of a field, and what its gap is made of if it must be awaited."""
        name = details[0].node.name.value
        if name == "__typename":
            return repr(parent.name), ""
        if name.startswith("__"):
            raise Unfit("introspection")
        field = parent.fields[name]
        definition = field.extensions["strawberry-definition"]
        if any(each.supports_sync or each.supports_async for each in definition.extensions):
            raise Unfit("extension")
        if parent is self._executor.schema.subscription_type:
            return self._complete(field.type, "source", details), ""
        if definition.base_resolver is None:
            value = f"source.{definition.python_name}"
            if type(definition).get_result is not StrawberryField.get_result:
                value = f"{self._name(definition.get_result)}(source, None, [], {{}})"
            return self._complete(field.type, value, details), ""
        call = self._call(Call(self._schema, self._executor.operation, parent, field, definition, details))
        if not definition.is_async:
            return self._complete(field.type, call, details), ""
        complete = self._name(None)
        body = self._complete(field.type, "value", details)
        self._lines += [f"def {complete}(value, run):", f"    return {body}"]
        return "None", f"{complete}, {call}"

    def _call(self, call: Call) -> str:
        resolver, index = call.definition.base_resolver, len(self.calls)
        assert resolver is not None
        self.calls.append(call)
        given = ["source"] if resolver.self_parameter else []
        given += [f"{each.name}=source" for each in (resolver.parent_parameter, resolver.root_parameter) if each]
        if resolver.info_parameter:
            given.append(f"{resolver.info_parameter.name}=run.infos[{index}] or run.info_of({index})")
        if call.field.args:
            given.append(f"**run.arguments_of({index})")
        return f"{self._name(resolver.wrapped_func)}({', '.join(given)})"

    def _complete(self, kind: GraphQLOutputType, value: str, details: list[FieldDetails], depth: int = 0) -> str:
        """Return the expression that completes a value, which is an expression itself and is evaluated once."""
        if isinstance(kind, GraphQLNonNull):
            return self._complete_value(kind.of_type, value, details, depth)
        name = f"v{depth}"
        completed = self._complete_value(kind, name, details, depth + 1)
        return f"(None if ({name} := {value}) is None else {completed})"

    def _complete_value(self, kind: Any, value: str, details: list[FieldDetails], depth: int) -> str:  # noqa: ANN401
        if isinstance(kind, GraphQLList):
            item = self._complete(kind.of_type, f"i{depth}", details, depth + 1)
            if not is_leaf_type(get_named_type(kind)):
                return f"[{item} for i{depth} in items({value})]"
            name = f"l{depth}"
            return (
                f"({name}.texts if isinstance({name} := {value}, Column) else [{item} for i{depth} in items({name})])"
            )
        if is_leaf_type(kind):
            return "decimal(" + value + ")" if kind.name == "Decimal" else f"{self._name(leaf(kind))}({value})"
        if is_abstract_type(kind):
            return f"{self._name(self._dispatch(kind, details))}({value}, run)"
        return f"{self._object(kind, details)}({value}, run)"

    def _object(self, kind: GraphQLObjectType, details: list[FieldDetails]) -> str:
        executor = self._executor
        variables, operation = executor.variable_values, executor.operation
        selected = collect_subfields(executor.schema, executor.fragments, variables, operation, kind, details)
        first = ["    if source is None: fail()"]
        if kind.is_type_of is not None:
            first = [f"    if not {self._name(kind.is_type_of)}(source, None): fail()"]
        return self._selection(kind, selected.grouped_field_set, first)

    def _dispatch(self, kind: GraphQLAbstractType, details: list[FieldDetails]) -> Function:
        """Return a function that completes a value by the first type that it is of.

        An object of the schema's own classes has the type that it was made as: Strawberry takes it for one of every
        type with the same interface.
        """
        possible = self._executor.schema.get_possible_types(kind)
        options = [(each.is_type_of, self._object(each, details)) for each in possible]
        by_name = {each.name: function for each, (_, function) in zip(possible, options, strict=True)}
        names = self._names

        def dispatch(value: object, run: Run) -> dict[str, Any]:
            definition = getattr(type(value), "__strawberry_definition__", None)
            if definition is not None and definition.name in by_name:
                own: dict[str, Any] = names[by_name[definition.name]](value, run)
                return own
            for is_type_of, function in options:
                if is_type_of is not None and is_type_of(value, None):  # type: ignore[arg-type]  # none of ours uses it
                    answer: dict[str, Any] = names[function](value, run)
                    return answer
            raise Unfit("value")

        return dispatch


class _Conditions(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_args: object) -> None:
        """Note the variable of a `@skip` or `@include`."""
        if node.name.value not in {"skip", "include"}:
            raise Unfit("directive")
        for argument in node.arguments or ():
            if name := getattr(argument.value, "name", None):
                self.variables.add(name.value)


def conditions(nodes: list[Node]) -> tuple[str, ...]:
    """Return the variables that decide which fields are selected."""
    found = _Conditions()
    for node in nodes:
        visit(node, found)
    return tuple(sorted(found.variables))


def fail() -> None:
    """Have graphql-core report what is wrong with a value."""
    raise Unfit("value")


def items(value: object) -> list[Any] | tuple[Any, ...]:
    """Return a list's value."""
    if isinstance(value, list | tuple):
        return value
    raise Unfit("value")


def decimal_text(value: object) -> str:
    """Return a decimal as its scalar writes it."""
    if isinstance(value, Decimal):
        return plain(value)
    if value.__class__ is int:
        return str(value)
    raise Unfit("value")


def leaf(kind: GraphQLLeafType) -> Callable[[Any], Any]:
    """Return what writes the values of a scalar or an enum; the encoder writes times in UTC."""
    coerce, own = kind.coerce_output_value, {"String": str, "ID": str, "Boolean": bool}.get(kind.name)

    def write(value: Any) -> Any:  # noqa: ANN401  # any scalar's
        if value.__class__ is own:
            return value
        if value is None or isinstance(value, Exception):
            raise Unfit("value")
        return coerce(value)

    def write_time(value: Any) -> Any:  # noqa: ANN401  # any value, which may be wrong
        return value if value.__class__ is datetime and value.tzinfo is UTC else write(value)

    return write_time if kind.name == "DateTime" else write
