"""Executes operations: queries and mutations to one payload, subscriptions to a stream of payloads."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final, NoReturn
from uuid import UUID

from graphql import OperationType
from graphql.execution.values import VariableValues

from domain.core.errors import RequestFault, Unavailable
from domain.core.tracing import Span, span
from domain.users.request_rates import RequestRate, RequestRates, limit_of_address, rate_fields
from domain.users.subscription_places import NoPlaceLeft, SubscriptionPlaces
from infra.web.compiled.plans import Plans
from infra.web.context import ConnectionInfo, ContextFactory, OperationContext
from infra.web.documents.cost import cost_of
from infra.web.documents.identifiers import DocumentId
from infra.web.documents.limits import complexity_error
from infra.web.documents.persisted import PersistedDocuments
from infra.web.documents.preparation import Documents, PreparedOperation
from infra.web.errors import RequestErrors
from infra.web.execution import AT_ONCE, Execution, Executor, Payload, execute, open_source
from infra.web.fair_use import FairUse, too_many_subscriptions
from infra.web.metrics import WebMetrics
from infra.web.operation_log import OperationLogEntry
from infra.web.requests import has_many_values
from infra.web.rooms.registry import RoomKey, Rooms
from infra.web.rooms.room import MakeExecutor
from infra.web.rooms.subscriber import Subscriber
from infra.web.settings import WebSettings
from infra.web.shared_answers import Key, SharedAnswers
from infra.web.subscriptions import EventRenderer, GraphQLRoomExecutor, PrivateStream
from schema.common.engine_schema import EngineSchema

_SHORT_DOCUMENT: Final = 4 * 1024
_FEW_VALUES: Final = 200
"""With a document of so many characters and so many values in its variables an operation begins without a turn."""


STOPPING: Final = frozenset(
    {
        "tradingHalt",
        "tradingSessionPause",
        "tradingSessionStop",
        "orderCancel",
        "ordersCancel",
        "positionClose",
        "jobCancel",
    }
)
"""Mutations that stop something."""


class Operations:
    """Executes the operations of one schema; all transports go through here, so that the same limits hold."""

    def __init__(
        self,
        schema: EngineSchema,
        contexts: ContextFactory,
        settings: WebSettings,
        metrics: WebMetrics,
        rates: RequestRates | None = None,
        places: SubscriptionPlaces | None = None,
    ) -> None:
        self._schema = schema.graphql_schema
        self._contexts = contexts
        self._settings = settings
        self._metrics = metrics
        self._rates = rates
        self._places = places
        self._documents = Documents(self._schema, settings)
        self.persisted = PersistedDocuments(settings, metrics)
        self._plans = Plans(schema, metrics, enabled=settings.compiled_selections)
        self._shared = SharedAnswers(settings.shared_answers_bytes, metrics)
        self._mutations: set[asyncio.Task[Payload]] = set()
        self.fair_use = FairUse(settings)
        self.rooms = Rooms(settings.queued_events_per_subscriber, settings.max_rooms, metrics)

    async def prepare(
        self,
        query: str | None,
        operation_name: str | None,
        client: str = "",
        document_id: DocumentId | None = None,
    ) -> PreparedOperation:
        """Return the requested operation; raise RequestErrors if it can't be executed.

        One that can't be counts for the address of the `client`, who isn't known yet. Without `query` its document is
        the persisted one with that identifier; with both the document is kept under it, once it is known to be valid.
        """
        try:
            text = self.persisted.find(query, document_id)
            if self._documents.is_cached(text):
                prepared = self._documents.prepare(text, operation_name)
            else:
                async with self.fair_use.loop.turn(client):
                    prepared = self._documents.prepare(text, operation_name)
        except (RequestErrors, RequestFault):
            await self.count_unreadable(client)
            raise
        if query is not None and document_id is not None:
            self.persisted.register(document_id, query, client)
        OperationLogEntry.current().set_operation(prepared)
        return prepared

    async def count_unreadable(self, client: str) -> None:
        """Count a request that can't be read for the address of a client; raises `RequestRateExceeded`."""
        if self._rates is not None:
            await self._rates.take(limit_of_address(client, self._settings.requests_per_minute_per_address))

    async def admit(self, prepared: PreparedOperation, context: OperationContext) -> RequestRate | None:
        """Count a request, and return the rate of which least remains; raises `RequestRateExceeded`.

        What stops trading is counted on its own: who has made too many requests can still stop.
        """
        if self._rates is None:
            return None
        of_address = limit_of_address(context.client, self._settings.requests_per_minute_per_address)
        limits = context.request_limits or (of_address,)
        if prepared.type is OperationType.MUTATION and STOPPING.issuperset(prepared.root_fields):
            limits = [replace(limit, key=f"stopping:{limit.key}") for limit in limits]
        return min([await self._rates.take(limit) for limit in limits], key=lambda rate: rate.remaining)

    async def execute(
        self,
        prepared: PreparedOperation,
        variables: dict[str, Any] | None,
        context: OperationContext,
        rate: RequestRate | None,
    ) -> Payload:
        """Return the response to a query or mutation; `rate` is what `admit` returned.

        Raises RequestErrors if it can't be executed, and Unavailable if it takes too long.
        """
        OperationLogEntry.current().set_client(context)
        started = time.monotonic()
        try:
            payload, cost = self._find_shared(prepared, context) or await self._execute(prepared, variables, context)
        finally:
            self._metrics.seconds_of(prepared.type.value).observe(time.monotonic() - started)
        payload["extensions"] = {"cost": {"requested": cost, "maximum": self._settings.max_cost}}
        if rate is not None:
            payload["extensions"]["rateLimit"] = rate_fields(rate)
        return payload

    def _find_shared(self, prepared: PreparedOperation, context: OperationContext) -> tuple[Payload, int] | None:
        """Return a shared answer and its cost if it can be found without a look at variables."""
        cost = prepared.constant_cost
        if cost is None or prepared.operation.variable_definitions:
            return None
        key = self._shared.key(prepared, context)
        data = None if key is None else self._shared.find(key)
        if data is None:
            return None
        OperationLogEntry.current().set_cost(cost)
        return {"data": data}, cost

    async def _execute(
        self, prepared: PreparedOperation, variables: dict[str, Any] | None, context: OperationContext
    ) -> tuple[Payload, int]:
        async with self._turn_to_begin(prepared, variables, context.client):
            execution = self._execution(prepared, variables, context)
            cost = self._check_cost(prepared, execution.variable_values)
        key = self._shared.key(prepared, context, execution.variable_values)
        data = None if key is None else self._shared.find(key)
        if data is not None:
            return {"data": data}, cost
        try:
            async with asyncio.timeout(self._settings.operation_timeout_seconds):
                return await self._run(prepared, execution, context, cost, key), cost
        except TimeoutError:
            self._raise_timeout()

    async def _run(
        self,
        prepared: PreparedOperation,
        execution: Execution,
        context: OperationContext,
        cost: int,
        key: Key | None,
    ) -> Payload:
        with _span(prepared):
            if prepared.type is OperationType.MUTATION:
                return await self._run_shielded(execution.executor, context.client)
            execute = partial(
                self._plans.execute, prepared, execution, partial(self.fair_use.loop.turn, context.client)
            )
            # The turn is awaited before others may wait for this answer: they don't queue behind this client.
            async with self.fair_use.query(context.client, cost):
                if key is None:
                    self._shared.count_bypass()
                    return await execute()
                return await self._shared.answer(key, context, execute)

    @asynccontextmanager
    async def subscribe(
        self, prepared: PreparedOperation, variables: dict[str, Any] | None, context: OperationContext
    ) -> AsyncGenerator[PrivateStream | Subscriber]:
        """Give the payloads of a subscription; raise RequestErrors if it can't be executed.

        RequestErrors may also come from the iterator, when the stream ends with errors.
        """
        OperationLogEntry.current().set_client(context)
        async with self._turn_to_begin(prepared, variables, context.client):
            execution = self._execution(prepared, variables, context)
            cost = self._check_cost(prepared, execution.variable_values)
        async with self._place(context):
            if prepared.shared:
                key = self._room_key(prepared, execution.variable_values)
                del execution  # the room has one of its own
                subscriber = self._join(key, context, self._room_executor_factory(prepared, variables, context, cost))
                try:
                    yield subscriber
                finally:
                    subscriber.unsubscribe()
            else:
                executor = execution.executor
                source = await open_source(executor, self._settings.operation_timeout_seconds)
                stream = PrivateStream(source, EventRenderer(executor, self.fair_use, context.client, cost))
                try:
                    yield stream
                finally:
                    await stream.aclose()

    @asynccontextmanager
    async def _place(self, context: OperationContext) -> AsyncIterator[None]:
        """Hold a place for a subscription, on this node and, if there are several, among those on all of them."""
        plan, user_id = context.plan, context.principal_id
        with self.fair_use.subscription(context.client, plan):
            if self._places is None or plan is None or user_id is None:
                yield
                return
            try:
                async with self._places.place(UUID(user_id), plan.max_subscriptions):
                    yield
            except NoPlaceLeft:
                raise too_many_subscriptions(plan, plan.max_subscriptions) from None

    async def aclose(self) -> None:
        """Close all rooms and let running mutations finish, for as long as an operation may take."""
        await self.rooms.aclose()
        if self._mutations:
            await asyncio.wait(self._mutations, timeout=self._settings.operation_timeout_seconds)

    def _execution(
        self, prepared: PreparedOperation, variables: dict[str, Any] | None, context: OperationContext
    ) -> Execution:
        return Execution(self._schema, prepared, variables or {}, context, suggestions=self._settings.suggestions)

    def _join(self, key: RoomKey, context: OperationContext, make_executor: MakeExecutor) -> Subscriber:
        settings, is_anonymous = self._settings, context.credential_id is None
        max_rooms = settings.max_rooms_per_anonymous if is_anonymous else settings.max_rooms_per_user
        return self.rooms.join(key, make_executor, context.client, max_rooms)

    def _turn_to_begin(
        self, prepared: PreparedOperation, variables: dict[str, Any] | None, client: str
    ) -> AbstractAsyncContextManager[None]:
        """Return a turn of the event loop for reading variables and counting the cost, where that may take long."""
        if prepared.document.length <= _SHORT_DOCUMENT and not has_many_values(variables, _FEW_VALUES):
            return AT_ONCE
        return self.fair_use.loop.turn(client)

    def _check_cost(self, prepared: PreparedOperation, variables: VariableValues) -> int:
        cost = self._cost(prepared, variables)
        if cost > self._settings.max_cost:
            raise RequestErrors([complexity_error("cost", self._settings.max_cost, cost)])
        OperationLogEntry.current().set_cost(cost)
        return cost

    def _cost(self, prepared: PreparedOperation, variables: VariableValues) -> int:
        if prepared.constant_cost is not None:
            return prepared.constant_cost
        cost = cost_of(self._schema, prepared.operation, prepared.document.fragments, variables)
        if cost.is_constant:
            prepared.constant_cost = cost.points
        return cost.points

    @staticmethod
    def _room_key(prepared: PreparedOperation, variables: VariableValues) -> RoomKey:
        coerced = repr([(name, variables.coerced[name]) for name in sorted(variables.coerced)])
        return RoomKey(prepared.document.text, prepared.operation_name, coerced)

    def _room_executor_factory(
        self, prepared: PreparedOperation, variables: dict[str, Any] | None, opener: OperationContext, cost: int
    ) -> MakeExecutor:
        client, opened_by_user = opener.client, opener.credential_id is not None

        async def make() -> GraphQLRoomExecutor:
            # An anonymous context: a room serves public data, and outlives the client that opened it.
            context = await self._contexts(None, ConnectionInfo("", "room", opened_by_user=opened_by_user))
            async with self.fair_use.loop.turn(f"rooms of {client}", unbounded=True):
                executor = self._execution(prepared, variables, context).executor
            # The room doesn't queue behind the other operations of its opener: it serves other clients too.
            renderer = EventRenderer(executor, self.fair_use, f"rooms of {client}", cost)
            return GraphQLRoomExecutor(executor, self._settings.operation_timeout_seconds, renderer)

        return make

    async def _run_shielded(self, executor: Executor, client: str) -> Payload:
        """Execute a mutation to its end: neither a time-out nor a closed connection interrupts it.

        It holds its turn for as long as it runs, whether or not anybody still waits for its answer.
        """
        await self.fair_use.begin_mutation(client)
        task = asyncio.create_task(execute(executor))
        self._mutations.add(task)
        task.add_done_callback(self._mutations.discard)
        task.add_done_callback(lambda _task: self.fair_use.end_mutation(client))
        return await asyncio.shield(task)

    def _raise_timeout(self) -> NoReturn:
        seconds = self._settings.operation_timeout_seconds
        raise Unavailable(f"The operation took longer than {seconds:g} s.") from None


def _span(prepared: PreparedOperation) -> AbstractContextManager[Span]:
    """Return the span of an operation, which has names of the schema, and no document or variable."""
    kind, fields = str(prepared.log_fields["operation_type"]), str(prepared.log_fields["root_fields"])
    return span(f"graphql {kind}", **{"graphql.operation.type": kind, "r3edge.root_fields": fields})
