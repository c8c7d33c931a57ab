"""The schema's class: it describes itself, and leaves the logging of errors to `public_error`."""

from typing import Any, Final

import strawberry
from graphql import GraphQLError, GraphQLSchema, Undefined
from graphql.utilities.print_schema import print_schema_definition
from strawberry.types.execution import ExecutionContext

DESCRIPTION: Final = (
    "The API of a self-hosted trading engine: market data, accounts, orders, strategies, trading sessions and reports, "
    "with live subscriptions that continue without a gap after an interruption.\n\n"
    "Market data is public. All other data is private: it is below `viewer`, or found by its `id`. An object of "
    "another user is treated as if it didn't exist. To sign in, send a token of `userLogin` or an API key as "
    "`Authorization: Bearer …`.\n\n"
    "Errors in the input of a mutation are in the `errors` of its payload. Errors of the request itself are top-level "
    "errors, with a code in `extensions.code` (see `ErrorCode`). A field that fails is null and doesn't affect the "
    "fields beside it.\n\n"
    'Money, prices and quantities are decimals in strings. Anything that is marked as "Not supported yet" results in '
    "the error UNSUPPORTED."
)


class EngineSchema(strawberry.Schema):
    """A strawberry schema that logs no errors itself: `public_error` does. Its printed form has a description."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # those of its base
        super().__init__(*args, **kwargs)
        self._schema.description = DESCRIPTION
        _drop_null_defaults(self._schema)

    @property
    def graphql_schema(self) -> GraphQLSchema:
        """The schema of graphql-core that Strawberry builds."""
        return self._schema

    def as_str(self) -> str:
        """Return the printed schema. Strawberry's printer leaves out the schema's own description."""
        roots = print_schema_definition(self._schema) or ""
        return f"{roots}\n\n{super().as_str()}"

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Do nothing: `public_error` sees every error once."""


def _drop_null_defaults(schema: GraphQLSchema) -> None:
    """Remove null defaults: they would say that null means the same as no value, but an update distinguishes them."""
    for kind in schema.type_map.values():
        for field in getattr(kind, "fields", {}).values():
            for value in (field, *getattr(field, "args", {}).values()):
                if getattr(value, "default_value", Undefined) is None:
                    value.default_value = Undefined
