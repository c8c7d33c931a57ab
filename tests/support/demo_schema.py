"""A small real schema for tests of the transport: shared and private streams, mutations, pages, failures."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import strawberry
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

from domain.core.errors import ErrorCode, FaultCode, RequestFault
from domain.core.errors import InputError as DomainInputError
from domain.core.pagination import CursorScope, Page, page_request, slice_page
from domain.core.presence import client_has_left
from domain.model.plans import STANDARD_PLAN, Plan
from domain.users.request_rates import RequestLimit, RequestRates
from infra.web.app import build_app
from infra.web.context import ConnectionInfo
from infra.web.settings import WebSettings
from resolvers.sources import Sources
from resolvers.streams import DeltaStream, LatestStream
from schema.common.engine_schema import EngineSchema
from schema.common.errors import InputError, UserError
from schema.common.mutations import Fields, mutation
from schema.common.node import Node, NodeQuery, instance_of
from schema.common.pagination import connection
from schema.common.scalars import SCALARS


@dataclass(frozen=True, slots=True)
class Item:
    id: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Level:
    sequence: int
    previous: int | None
    text: str


class Feed:
    """Numbered events to any number of readers; each reader has what came since it began."""

    def __init__(self) -> None:
        self.sequence = 0
        self.readers: list[asyncio.Queue[Level]] = []
        self.opened = 0

    def push(self, text: str = "x") -> Level:
        self.sequence += 1
        event = Level(self.sequence, self.sequence - 1, text)
        for reader in self.readers:
            reader.put_nowait(event)
        return event

    def snapshot(self) -> Level | None:
        return Level(self.sequence, None, "snapshot") if self.sequence else None

    async def events(self) -> AsyncIterator[Level]:
        queue: asyncio.Queue[Level] = asyncio.Queue()
        self.readers.append(queue)
        self.opened += 1
        try:
            while True:
                event = await queue.get()
                if event.text == "fault":
                    raise RequestFault(FaultCode.UNAVAILABLE, "The venue is gone.")
                if event.text == "bug":
                    raise ZeroDivisionError("secret detail")
                if event.text == "end":
                    return
                yield event
        finally:
            self.readers.remove(queue)


@dataclass
class DemoBackend:
    """What the resolvers work on, and what tests look at."""

    depth: Feed = field(default_factory=Feed)
    ticker: Feed = field(default_factory=Feed)
    journal: Feed = field(default_factory=Feed)
    tokens: dict[str, str] = field(default_factory=lambda: {"good": "credential-1", "other": "credential-2"})
    seconds_left: float | None = None
    plan: Plan = STANDARD_PLAN
    contexts: int = 0
    depth_executions: int = 0
    placed: list[Decimal] = field(default_factory=list)
    left: list[bool] = field(default_factory=list)
    """Of each order that was placed slowly: whether its client had left by then."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0

    async def context(self, credential: str | None, connection: ConnectionInfo) -> "Context":
        self.contexts += 1
        if credential == "limited":
            raise RequestFault(FaultCode.RATE_LIMITED, "Too many requests.", {"retryAfterSeconds": 7})
        if credential == "broken":
            raise ZeroDivisionError("secret detail")
        credential_id = self.tokens.get(credential or "")
        return Context(self, credential_id, self.seconds_left if credential_id else None, connection)


@dataclass
class Context:
    backend: DemoBackend
    credential_id: str | None
    credential_seconds_left: float | None
    connection: ConnectionInfo
    sources: Sources | None = None

    @property
    def sharing_scope(self) -> str:
        return "all"

    @property
    def credential_kind(self) -> str | None:
        return "login_session" if self.credential_id else None

    @property
    def principal_id(self) -> str | None:
        return f"user-of-{self.credential_id}" if self.credential_id else None

    @property
    def client(self) -> str:
        return self.credential_id or self.connection.network

    @property
    def plan(self) -> Plan | None:
        return self.backend.plan if self.credential_id else None

    @property
    def request_limits(self) -> Sequence[RequestLimit]:
        if self.plan is None:
            return ()
        return (RequestLimit(f"user:{self.credential_id}", self.plan.requests_per_minute, "The plan", self.plan.name),)

    @property
    def node_loaders(self) -> dict:
        async def item(key: str) -> Item | None:
            return Item(int(key), Decimal(1)) if key.isdecimal() else None

        return {"Product": item}

    def reset_loaders(self) -> None:
        """Nothing is loaded here."""


@strawberry.type
class Product(Node):
    is_type_of = instance_of(Item)
    price: Decimal


ProductConnection = connection(Product, "products", counted=False)


@strawberry.type
class OrderPayload:
    product: Product | None
    errors: list[UserError]


@strawberry.type
class Tick:
    sequence: int
    previous: int | None

    @strawberry.field
    def text(self, info: Info) -> str:
        info.context.backend.depth_executions += 1
        return self.text

    @strawberry.field
    async def slow_text(self, info: Info) -> str:
        info.context.backend.waiting += 1
        await info.context.backend.gate.wait()
        return self.text

    @strawberry.field
    def who(self, info: Info) -> str | None:
        return info.context.credential_id


@strawberry.type
class Query(NodeQuery):
    @strawberry.field
    def hello(self, name: str = "you") -> str:
        return f"hello {name}"

    @strawberry.field
    def me(self, info: Info) -> str | None:
        return info.context.credential_id

    @strawberry.field
    def address(self, info: Info) -> str:
        return info.context.connection.address

    @strawberry.field
    def product(self) -> Product:
        return Item(1, Decimal("0.10"))  # type: ignore[return-value]

    @strawberry.field(graphql_type=ProductConnection)
    def products(
        self, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> Page[Item]:
        request = page_request(CursorScope("products"), first, after, last, before)
        return slice_page(request, [Item(n, Decimal(n)) for n in range(120)], lambda item: (str(item.id),))

    @strawberry.field
    def echo(self, value: Decimal) -> Decimal:
        return value

    @strawberry.field
    def bug(self) -> str | None:
        raise ZeroDivisionError("secret detail")

    @strawberry.field
    def fault(self) -> str | None:
        raise RequestFault(FaultCode.CURSOR_TOO_OLD, "Too old.", {"oldest": "x"})

    @strawberry.field
    async def slow(self, info: Info) -> str:
        info.context.backend.waiting += 1
        await info.context.backend.gate.wait()
        return "done"


@strawberry.type
class Mutation:
    @mutation(OrderPayload, scope=None, description="Place an order.")
    async def order_place(self, info: Info, price: Decimal) -> Fields:
        if price <= 0:
            raise DomainInputError(ErrorCode.INVALID, f"The price is {price}; it must be above 0.", ("price",))
        info.context.backend.placed.append(price)
        return {"product": Item(7, price)}

    @strawberry.mutation
    async def order_slowly(self, info: Info, price: Decimal) -> bool:
        info.context.backend.waiting += 1
        await info.context.backend.gate.wait()
        info.context.backend.left.append(client_has_left())
        info.context.backend.placed.append(price)
        return True


def _covers(snapshot: Level, event: Level) -> bool:
    return event.sequence <= snapshot.sequence


class PrivateTicks:
    """A resumable stream: its cursor names the last event that was returned."""

    def __init__(self, events: AsyncIterator[Level]) -> None:
        self._events = events
        self.cursor: str | None = None

    def __aiter__(self) -> "PrivateTicks":
        return self

    async def __anext__(self) -> Level:
        event = await anext(self._events)
        self.cursor = f"after-{event.sequence}"
        return event

    async def aclose(self) -> None:
        await self._events.aclose()  # type: ignore[attr-defined]


class WordSource(DeltaStream[Level]):
    """Cuts readers off that are too slow, since it never makes fewer of its events."""

    def overflow(self, queued: Sequence[Level]) -> Sequence[Level]:
        return queued


@strawberry.type
class Subscription:
    @strawberry.subscription(metadata={"shared": True})
    async def depth(self, info: Info, levels: int = 20) -> AsyncIterator[Tick]:
        backend = info.context.backend
        if levels > 100:
            raise RequestFault(FaultCode.INVALID, "At most 100 levels.")
        return DeltaStream(backend.depth.events(), backend.depth.snapshot, _covers)  # type: ignore[return-value]

    @strawberry.subscription(metadata={"shared": True})
    async def ticker(self, info: Info) -> AsyncIterator[Tick]:
        return LatestStream(info.context.backend.ticker.events())  # type: ignore[return-value]

    @strawberry.subscription(metadata={"shared": True})
    async def words(self, info: Info) -> AsyncIterator[Tick]:
        backend = info.context.backend
        return WordSource(backend.depth.events(), backend.depth.snapshot, _covers)  # type: ignore[return-value]

    @strawberry.subscription
    async def journal(self, info: Info) -> AsyncIterator[Tick]:
        events = info.context.backend.journal.events()
        return PrivateTicks(events)  # type: ignore[return-value]

    @strawberry.subscription
    async def refused(self) -> AsyncIterator[Tick]:
        raise RequestFault(FaultCode.CURSOR_TOO_OLD, "Too old.")
        yield


SCHEMA = EngineSchema(Query, Mutation, Subscription, types=[InputError], config=StrawberryConfig(scalar_map=SCALARS))


async def ready() -> Sequence[str]:
    """Miss nothing."""
    return ()


def demo_app(
    backend: DemoBackend,
    settings: WebSettings | None = None,
    routes: list[BaseRoute] | None = None,
    rates: RequestRates | None = None,
) -> Starlette:
    """Return the application over one backend, with `routes` besides its own."""
    settings = settings or WebSettings()
    return build_app(SCHEMA, backend.context, settings, ready, CollectorRegistry(), routes, rates=rates)
