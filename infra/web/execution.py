"""Executes prepared operations by graphql-core: one payload, or the events of a subscription's source."""

import asyncio
from collections.abc import AsyncIterable, Awaitable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any, Final

from graphql import ExecutionResult, GraphQLError, GraphQLSchema
from graphql.execution import create_source_event_stream
from graphql.execution.values import VariableValues
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from domain.core.errors import Unavailable
from infra.web.documents.preparation import PreparedOperation
from infra.web.documents.redaction import redact_variables
from infra.web.errors import RequestErrors
from schema.common.errors import public_error

AT_ONCE: Final = nullcontext()
"""In the place of a turn of the event loop, for what is short."""

Payload = dict[str, Any]
"""A response: `data`, `errors`, `extensions`."""


_NO_VARIABLES: Final = VariableValues({}, {})


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Executes one operation; for a subscription, each of its events in turn."""

    def build_per_event_executor(self, payload: Any) -> "Executor":  # noqa: ANN401  # as graphql-core has it
        """Return an executor of one event that leaves nothing behind when it's done.

        graphql-core 3.3 makes a shallow copy (`Executor.build_per_event_executor`), so all events would share the memo
        of `Executor.collect_subfields`. Its keys are the ids of lists that each event creates, and its values keep
        those lists alive: no event finds what another stored, and it grows for as long as the subscription lives.
        """
        executor = super().build_per_event_executor(payload)
        assert isinstance(executor, Executor)
        executor._relevant_sub_fields = {}  # noqa: SLF001  # the memo has no other name
        return executor


def build_executor(
    schema: GraphQLSchema,
    prepared: PreparedOperation,
    variables: dict[str, Any],
    context: object,
    *,
    suggestions: bool = True,
) -> Executor:
    """Return the executor of an operation with its variables coerced; raise RequestErrors if any is invalid."""

    def build(values: dict[str, Any]) -> Executor | list[GraphQLError]:
        executor = Executor.build(
            schema,
            prepared.document.node,
            None,
            context,
            values,
            prepared.operation_name,
            hide_suggestions=not suggestions,
            operation_extensions=None,
        )
        assert isinstance(executor, Executor | list)
        return executor

    executor = build(variables)
    if isinstance(executor, Executor):
        return executor
    # The errors quote the values, which may be secret; those of the redacted values report the same without them.
    errors = build(redact_variables(schema, prepared.operation.variable_definitions, variables))
    raise RequestErrors(errors if isinstance(errors, list) else [GraphQLError("A variable has an invalid value.")])


class Execution:
    """One execution of a prepared operation; raises RequestErrors if any of its variables is invalid.

    The executor is built where it is needed: an operation without variables may have a plan, and do without.
    """

    __slots__ = ("_build", "_executor", "context")

    def __init__(
        self,
        schema: GraphQLSchema,
        prepared: PreparedOperation,
        variables: dict[str, Any],
        context: object,
        *,
        suggestions: bool = True,
    ) -> None:
        self.context = context
        self._build = partial(build_executor, schema, prepared, variables, context, suggestions=suggestions)
        self._executor = self._build() if prepared.operation.variable_definitions else None

    @property
    def executor(self) -> Executor:
        """What executes it by graphql-core."""
        if self._executor is None:
            self._executor = self._build()
        return self._executor

    @property
    def variable_values(self) -> VariableValues:
        """The values of its variables, coerced."""
        return _NO_VARIABLES if self._executor is None else self._executor.variable_values


async def execute(executor: Executor, turn: AbstractAsyncContextManager[None] = AT_ONCE) -> Payload:
    """Return the response to a query or mutation; what needn't be awaited is executed within `turn`."""
    async with turn:
        result = executor.execute_operation()
    if executor.is_awaitable(result):
        result = await result
    return to_payload(result)


async def open_source(executor: Executor, timeout_seconds: float) -> AsyncIterable[object]:
    """Return the source of a subscription; raise RequestErrors if its resolver refuses or takes too long."""
    try:
        async with asyncio.timeout(timeout_seconds):
            opening = create_source_event_stream(executor)
            source = await opening if isinstance(opening, Awaitable) else opening
    except TimeoutError as error:
        raise source_failure(executor, Unavailable("The stream could not be opened in time.")) from error
    if isinstance(source, ExecutionResult):
        raise RequestErrors(list(source.errors or ()))
    return source


def source_failure(executor: Executor, error: Exception) -> RequestErrors:
    """Return the errors that a subscriber gets for an exception of its source, at the path of the root field."""
    field = executor.operation.selection_set.selections[0]
    name = getattr(getattr(field, "alias", None) or getattr(field, "name", None), "value", "subscription")
    return RequestErrors([GraphQLError(str(error), [field], path=[name], original_error=error)])


def to_payload(result: Any) -> Payload:  # noqa: ANN401  # one of several result classes of graphql-core
    """Return a result as a response with public errors."""
    payload: Payload = {"data": result.data}
    if result.errors:
        payload["errors"] = [public_error(error) for error in result.errors]
    return payload
