"""Makes what a resolver is called with: its arguments and its Info."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLField, GraphQLObjectType, GraphQLResolveInfo, OperationDefinitionNode, print_ast
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import VariableValues, get_argument_values
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from schema.common.engine_schema import EngineSchema


class Unfit(Exception):
    """A plan can't give this answer; graphql-core can. The message is a label: what it is that needs graphql-core."""


class NoPathInfo(GraphQLResolveInfo[Any]):
    """A resolver's info without a path, which is not known while a plan runs."""

    @property
    def path(self) -> Any:  # noqa: ANN401
        """Have graphql-core execute the operation."""
        raise Unfit("info")


@dataclass(slots=True, eq=False)
class Call:
    """A field with a resolver, in one place of the operation."""

    schema: EngineSchema
    operation: OperationDefinitionNode
    parent: GraphQLObjectType
    field: GraphQLField
    definition: StrawberryField
    details: list[FieldDetails]
    constant: dict[str, Any] | None = None
    """Its arguments, once they are known to be the same for all variables."""

    def arguments(self, variables: VariableValues) -> dict[str, Any]:
        """Return its arguments as Strawberry passes them to the resolver."""
        if self.constant is not None:
            return self.constant
        found = self._convert(variables)
        if not self._has_variables() and all(isinstance(value, Hashable) for value in found.values()):
            self.constant = found
        return found

    def _has_variables(self) -> bool:
        # A text that only looks like a variable is converted each time, which is no mistake.
        return any("$" in print_ast(argument) for argument in self.details[0].node.arguments or ())

    def _convert(self, variables: VariableValues) -> dict[str, Any]:
        values = get_argument_values(self.field, self.details[0].node, variables)
        registry = self.schema.schema_converter.scalar_registry
        declared, config = self.definition.arguments, self.schema.config
        found = convert_arguments(values, declared, scalar_registry=registry, config=config)
        for extension in self.definition.extensions:
            found = extension.map_arguments(found)
        return found

    def info(self, context: object, variables: VariableValues) -> Any:  # noqa: ANN401  # an Info of strawberry
        """Return its Info, without a path."""
        nodes = [details.node for details in self.details]
        place = (nodes[0].name.value, nodes, self.field.type, self.parent, None)
        given: tuple[Any, ...] = (
            self.schema.graphql_schema,
            {},
            None,
            self.operation,
            variables,
            context,
            None,
            None,
            None,
        )
        raw = NoPathInfo._make((*place, *given))
        return self.schema.config.info_class(_raw_info=raw, _field=self.definition)
