"""Executes operations: queries and mutations to one payload, subscriptions to a stream of payloads."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import strawberry
from graphql import ExecutionResult, GraphQLError, GraphQLFormattedError, OperationType
from graphql.execution import create_source_event_stream

from domain.core.errors import FaultCode, RequestFault, Unavailable
from infra.web.context import ConnectionInfo, ContextFactory, OperationContext
from infra.web.documents.cost import cost_of
from infra.web.documents.documents import Documents, PreparedOperation, RequestErrors
from infra.web.documents.limits import complexity_error
from infra.web.documents.redaction import redact_variables
from infra.web.encoding import encode_json
from infra.web.executor import Executor
from infra.web.fair_use import FairUse
from infra.web.metrics import WebMetrics
from infra.web.operation_note import OperationNote
from infra.web.rooms import RoomKey, Rooms
from infra.web.settings import WebSettings
from resolvers.streams import ResumableSource, SharedSource
from schema.errors import public_error

Payload = dict[str, Any]
"""A response: `data`, `errors`, `extensions`."""


class Operations:
    """Executes the operations of one schema; all transports go through here, so that the same limits hold."""

    def __init__(
        self, schema: strawberry.Schema, contexts: ContextFactory, settings: WebSettings, metrics: WebMetrics
    ) -> None:
        self._schema = schema._schema  # noqa: SLF001  # the pipeline of graphql-core needs its own schema
        self._contexts = contexts
        self._settings = settings
        self._metrics = metrics
        self._documents = Documents(self._schema, settings)
        self._mutations: set[asyncio.Task[Payload]] = set()
        self._fair_use = FairUse(settings)
        self.rooms = Rooms(settings.mailbox_events, settings.max_rooms, metrics)

    async def prepare(self, query: str, operation_name: str | None, client: str = "") -> PreparedOperation:
        """Return the operation that is asked for; raise RequestErrors where it can't be executed."""
        if self._documents.knows(query):
            prepared = self._documents.prepare(query, operation_name)
        else:
            async with self._fair_use.loop.turn(client):
                prepared = self._documents.prepare(query, operation_name)
        OperationNote.current().asks(prepared)
        return prepared

    async def execute(
        self, prepared: PreparedOperation, variables: dict[str, Any] | None, context: OperationContext
    ) -> Payload:
        """Return the response to a query or mutation.

        Raises RequestErrors for what can't be executed, and Unavailable for what takes too long.
        """
        OperationNote.current().acts_for(context)
        executor = self._build(prepared, variables, context)
        cost = self._check_cost(prepared, executor)
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.operation_timeout_seconds):
                if prepared.type is OperationType.MUTATION:
                    payload = await self._whole(executor, context.client)
                else:
                    async with self._fair_use.query(context.client, cost):
                        payload = await _execute(executor)
        except TimeoutError:
            self._too_long()
        finally:
            self._metrics.seconds.labels(prepared.type.value).observe(time.monotonic() - started)
        payload["extensions"] = {"cost": {"requested": cost, "maximum": self._settings.max_cost}}
        return payload

    @asynccontextmanager
    async def subscribe(
        self, prepared: PreparedOperation, variables: dict[str, Any] | None, context: OperationContext
    ) -> AsyncGenerator["AsyncIterator[str]"]:
        """Give the payloads of a subscription as JSON texts; raise RequestErrors for what can't be executed.

        RequestErrors may also come from the iterator, when the stream ends with errors.
        """
        OperationNote.current().acts_for(context)
        executor = self._build(prepared, variables, context)
        cost = self._check_cost(prepared, executor)
        client, is_stranger = context.client, context.credential_id is None
        with self._fair_use.subscription(client, is_stranger=is_stranger):
            if prepared.shared:
                most = self._settings.max_rooms_per_stranger if is_stranger else self._settings.max_rooms_per_user
                make_kitchen = self._kitchen_of(prepared, variables, context, cost)
                member = self.rooms.join(self._room_key(prepared, executor), make_kitchen, client, most)
                try:
                    yield member
                finally:
                    member.leave()
            else:
                source = await _open(executor, self._settings.operation_timeout_seconds)
                stream = PrivateStream(source, EventRenderer(executor, self._fair_use, client, cost))
                try:
                    yield stream
                finally:
                    await stream.aclose()

    def _build(
        self, prepared: PreparedOperation, variables: dict[str, Any] | None, context: OperationContext | None
    ) -> Executor:
        executor = self._executor(prepared, variables or {}, context)
        if isinstance(executor, Executor):
            return executor
        # The errors quote the values, which may be secret; those of the redacted values say the same without.
        redacted = redact_variables(self._schema, prepared.operation.variable_definitions, variables or {})
        errors = self._executor(prepared, redacted, context)
        raise RequestErrors(errors if isinstance(errors, list) else [GraphQLError("A variable has an invalid value.")])

    def _executor(
        self, prepared: PreparedOperation, variables: dict[str, Any], context: OperationContext | None
    ) -> Executor | list[GraphQLError]:
        executor = Executor.build(
            self._schema,
            prepared.document.node,
            None,
            context,
            variables,
            prepared.operation_name,
            hide_suggestions=not self._settings.suggestions,
            operation_extensions=None,
        )
        assert isinstance(executor, Executor | list)
        return executor

    def _check_cost(self, prepared: PreparedOperation, executor: Executor) -> int:
        cost = cost_of(self._schema, prepared.operation, prepared.document.fragments, executor.variable_values)
        if cost > self._settings.max_cost:
            raise RequestErrors([complexity_error("cost", self._settings.max_cost, cost)])
        OperationNote.current().costs(cost)
        return cost

    @staticmethod
    def _room_key(prepared: PreparedOperation, executor: Executor) -> RoomKey:
        coerced = executor.variable_values.coerced
        variables = repr([(name, coerced[name]) for name in sorted(coerced)])
        return RoomKey(prepared.document.text, prepared.operation_name, variables)

    def _kitchen_of(
        self, prepared: PreparedOperation, variables: dict[str, Any] | None, opener: OperationContext, cost: int
    ) -> Callable[[], Any]:
        client, opened_by_user = opener.client, opener.credential_id is not None

        async def make() -> RoomKitchen:
            # A stranger's context: a room serves what everybody may see, and outlives whoever came first.
            context = await self._contexts(None, ConnectionInfo("", "room", opened_by_user=opened_by_user))
            async with self._fair_use.loop.turn(f"rooms of {client}", patiently=True):
                executor = self._build(prepared, variables, context)
            # Whatever else its opener has waiting, the room doesn't wait behind it: others are in it too.
            renderer = EventRenderer(executor, self._fair_use, f"rooms of {client}", cost)
            return RoomKitchen(executor, self._settings.operation_timeout_seconds, renderer)

        return make

    async def _whole(self, executor: Executor, client: str) -> Payload:
        """Execute to the end, come what may: neither a time-out nor a dropped socket cuts a mutation in half.

        It holds its turn for as long as it runs, whether or not anybody still waits for its answer.
        """
        await self._fair_use.begin_mutation(client)
        task = asyncio.create_task(_execute(executor))
        self._mutations.add(task)
        task.add_done_callback(self._mutations.discard)
        task.add_done_callback(lambda _task: self._fair_use.end_mutation(client))
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """Close all rooms and let running mutations finish, for as long as an operation may take."""
        await self.rooms.aclose()
        if self._mutations:
            await asyncio.wait(self._mutations, timeout=self._settings.operation_timeout_seconds)

    def _too_long(self) -> NoReturn:
        seconds = self._settings.operation_timeout_seconds
        raise Unavailable(f"The operation took longer than {seconds:g} s.") from None


class EventRenderer:
    """Executes a subscription's selection on its events, in the client's turn."""

    def __init__(self, executor: Executor, fair_use: FairUse, client: str, cost: int) -> None:
        self._executor = executor
        self._fair_use = fair_use
        self._client = client
        self._cost = cost

    async def render(self, event: object) -> str:
        """Return the payload of an event as JSON text."""
        async with self._fair_use.loop.turn(self._client, patiently=True):
            result = self._executor.build_per_event_executor(event).execute_operation(serially=False)
            if not self._executor.is_awaitable(result):
                return encode_json(to_payload(result))
        # Nothing is asked of the database before it is awaited.
        async with self._fair_use.event(self._client, self._cost):
            return encode_json(to_payload(await result))

    def failure(self, error: Exception) -> RequestErrors:
        """Return what subscribers are told of an error of the source."""
        return _failure(self._executor, error)


class RoomKitchen:
    """Opens a room's source and executes its events; implements `infra.web.rooms.Kitchen`."""

    def __init__(self, executor: Executor, timeout_seconds: float, renderer: EventRenderer) -> None:
        self._executor = executor
        self._timeout_seconds = timeout_seconds
        self._renderer = renderer

    async def open(self) -> SharedSource[object]:
        """Return the shared source that the field's resolver gives."""
        source = await _open(self._executor, self._timeout_seconds)
        if not isinstance(source, SharedSource):
            raise self.failure(TypeError(f"a shared field must return a SharedSource, not {type(source).__name__}"))
        return source

    async def render(self, event: object) -> str:
        """Return the payload of an event; the work counts for the rooms of the client that opened this one."""
        return await self._renderer.render(event)

    def failure(self, error: Exception) -> RequestErrors:
        """Return what the members are told of an error of the source."""
        return self._renderer.failure(error)


class PrivateStream:
    """The payloads of one subscriber's own stream; an event is asked for when the one before has been taken."""

    def __init__(self, source: AsyncIterable[object], renderer: EventRenderer) -> None:
        self._source = source
        self._renderer = renderer
        self._events = aiter(source)

    @property
    def cursor(self) -> str | None:
        """Where a new subscription can go on, where the stream has such places."""
        return self._source.cursor if isinstance(self._source, ResumableSource) else None

    def __aiter__(self) -> "PrivateStream":
        return self

    async def __anext__(self) -> str:
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the client is told what it may know
            raise self._renderer.failure(error) from None
        return await self._renderer.render(event)

    async def aclose(self) -> None:
        """Close the source."""
        close = getattr(self._events, "aclose", None)
        if close is not None:
            await close()


def to_payload(result: Any) -> Payload:  # noqa: ANN401  # one of several result classes of graphql-core
    """Return a result as a response with public errors."""
    payload: Payload = {"data": result.data}
    if result.errors:
        payload["errors"] = [public_error(error) for error in result.errors]
    return payload


def public_errors(errors: RequestErrors) -> list[GraphQLFormattedError]:
    """Return what a client may know of the errors."""
    return [public_error(error) for error in errors.errors]


def is_subscription(prepared: PreparedOperation) -> bool:
    """Tell whether the operation gives a stream."""
    return prepared.type is OperationType.SUBSCRIPTION


def slow_reader(cursor: str | None) -> RequestFault:
    """Return the fault of a reader that lost its stream; `cursor` is where it can go on, if there is such a place."""
    extensions: dict[str, str | int | float] = {"cursor": cursor} if cursor else {}
    return RequestFault(FaultCode.SLOW_READER, "The reader is too slow; subscribe again after the cursor.", extensions)


async def _execute(executor: Executor) -> Payload:
    result = executor.execute_operation()
    if executor.is_awaitable(result):
        result = await result
    return to_payload(result)


async def _open(executor: Executor, timeout_seconds: float) -> AsyncIterable[object]:
    try:
        async with asyncio.timeout(timeout_seconds):
            opening = create_source_event_stream(executor)
            source = await opening if isinstance(opening, Awaitable) else opening
    except TimeoutError as error:
        raise _failure(executor, Unavailable("The stream could not be opened in time.")) from error
    if isinstance(source, ExecutionResult):
        raise RequestErrors(list(source.errors or ()))
    return source


def _failure(executor: Executor, error: Exception) -> RequestErrors:
    field = executor.operation.selection_set.selections[0]
    name = getattr(getattr(field, "alias", None) or getattr(field, "name", None), "value", "subscription")
    return RequestErrors([GraphQLError(str(error), [field], path=[name], original_error=error)])
