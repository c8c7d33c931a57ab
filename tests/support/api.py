"""The public schema in process, over a real database and an executor at a scripted venue."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import asyncpg
from graphql import ExecutionResult
from strawberry.extensions import ParserCache, ValidationCache

from domain.market_data.analytics import MarketAnalytics
from domain.market_data.history import MarketHistory
from domain.market_data.hub import MarketDataHub
from domain.model.notifications import ChannelKind
from domain.model.orders import Fill, Order
from domain.model.strategies import StrategyVersion
from domain.model.trading import Position, TradingSession
from domain.model.users import ApiScope, Identity, User, UserRole
from infra.embedded.cache import EmbeddedCache
from infra.outgoing.addresses import AddressGuard
from infra.outgoing.http import OutgoingHttp
from infra.outgoing.telegram import TelegramSender
from infra.outgoing.webhook import WebhookSender
from infra.postgres.archive.archives import Archives
from infra.postgres.database import PostgresDatabase, PostgresTransaction
from infra.runtime.backends import Backends
from infra.runtime.container import build_container, build_services
from infra.runtime.outgoing import Outgoing
from infra.settings import Settings
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues
from resolvers.context import RequestContext
from resolvers.ids import encode_id
from resolvers.services import EngineInfo, Services
from schema import build_schema
from schema.common.errors import public_error
from tests.support.order_harness import OrderHarness
from tests.support.orders import a_market
from tests.support.trading import World, new_account, new_session, new_strategy, new_user, new_version
from tests.support.users import CREDENTIAL, store_credential

SCHEMA = build_schema()
# As the engine's web server does: reading a document takes longer than answering it.
SCHEMA.extensions = [*SCHEMA.extensions, lambda: ParserCache(maxsize=1_000), lambda: ValidationCache(maxsize=1_000)]
NOWHERE = "http://127.0.0.1:9"


class CountingDatabase(PostgresDatabase):
    """A database that keeps the statements of its reads."""

    statements: list[str]

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[PostgresTransaction]:
        async with super().read_only() as reading:
            with reading._connection.driver.query_logger(self._note):
                yield reading

    @asynccontextmanager
    async def read_past(self, until: datetime) -> AsyncIterator[PostgresTransaction]:
        async with super().read_past(until) as reading:
            with reading._connection.driver.query_logger(self._note):
                yield reading

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[PostgresTransaction]:
        async with super().snapshot() as reading:
            with reading._connection.driver.query_logger(self._note):
                yield reading

    def _note(self, record: "asyncpg.connection.LoggedQuery") -> None:
        own_questions = ("pg_catalog", "set_config('jit'", "BEGIN ")  # the driver's, and the snapshot's
        if not any(text in record.query for text in own_questions):
            self.statements.append(record.query)


class Stream:
    """A subscription's events; closes its source at the end of the block."""

    def __init__(self, results: Any) -> None:
        self.results = results

    async def next(self) -> dict[str, Any]:
        """Return the data of the next event."""
        result = await anext(self.results)
        assert not result.errors, result.errors
        return result.data

    async def take(self, count: int) -> list[dict[str, Any]]:
        """Return the data of so many events."""
        return [await self.next() for _ in range(count)]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.results.aclose()


@dataclass
class Api:
    """What a client can do; `harness` is the other side: the account's executor, its venue and the database."""

    harness: OrderHarness
    services: Services
    database: CountingDatabase
    contexts: list[RequestContext] = field(default_factory=list)

    @property
    def account(self) -> str:
        """The global id of the harness's account."""
        return encode_id("Account", self.harness.account.id)

    def context(self, user: User | None, scopes: Sequence[ApiScope] = (ApiScope.ADMIN,)) -> RequestContext:
        """Return the context of one operation."""
        identity = None
        if user is not None:
            identity = Identity(user, CREDENTIAL, frozenset(scopes), None, is_login_session=True)
        return RequestContext(self.services, identity, "127.0.0.1")

    async def answer(self, query: str, context: RequestContext | None = None, **variables: Any) -> dict[str, Any]:
        """Return `data` and the public `errors`; as the harness's user where no context is given."""
        context = context or self.context(self.harness.user)
        result = await SCHEMA.execute(query, variables, context)
        return {"data": result.data, "errors": [public_error(error) for error in result.errors or ()]}

    async def run(self, query: str, context: RequestContext | None = None, **variables: Any) -> dict[str, Any]:
        """Return the data; there must be no top-level error."""
        answer = await self.answer(query, context, **variables)
        assert not answer["errors"], answer
        return answer["data"]

    async def code(self, query: str, context: RequestContext | None = None, **variables: Any) -> str:
        """Return the code of the one top-level error that there must be."""
        (error,) = (await self.answer(query, context, **variables))["errors"]
        return error["extensions"]["code"]

    async def subscribe(self, query: str, context: RequestContext | None = None, **variables: Any) -> Stream:
        """Return an open stream."""
        results = await SCHEMA.subscribe(query, variables, context or self.context(self.harness.user))
        return Stream(results)

    async def refused(self, query: str, context: RequestContext | None = None, **variables: Any) -> str:
        """Return the code that a subscription is refused with."""
        results = await SCHEMA.subscribe(query, variables, context or self.context(self.harness.user))
        result = results if isinstance(results, ExecutionResult) else await anext(results)
        (error,) = result.errors
        return public_error(error)["extensions"]["code"]

    async def stored(self, *orders: Order) -> None:
        """Put orders into the database behind the engine's back."""
        async with self.harness.database.transaction() as transaction:
            for order in orders:
                await transaction.orders.add(order)

    def floor_order(self, **changes: object) -> Order:
        """Return a new order of the harness's account, not stored yet."""
        return self._world().order(**{"created_at": datetime.now(UTC), **changes})

    def fill_of(self, order: Order, **changes: object) -> Fill:
        """Return a new fill of the order, not stored yet."""
        return self._world().fill(order, **changes)

    def position(self, **changes: object) -> Position:
        """Return a new position of the harness's account, not stored yet."""
        return self._world().position(**changes)

    async def another_user(self) -> User:
        """Return a second stored user."""
        user = new_user()
        async with self.harness.database.transaction() as transaction:
            await transaction.users.add(user, "argon2id")
        return user

    async def an_operator(self) -> User:
        """Return a second stored user, who is an operator."""
        user = await self.another_user()
        async with self.harness.database.transaction() as transaction:
            await transaction.users.set_role(user.email, UserRole.OPERATOR)
        return replace(user, role=UserRole.OPERATOR)

    async def session(
        self, version: StrategyVersion | None = None, account_id: UUID | None = None, **changes: object
    ) -> TradingSession:
        """Return a stored trading session, on the harness's account, of a new strategy if none is given."""
        harness, strategy = self.harness, new_strategy(self.harness.user.id)
        async with harness.database.transaction() as transaction:
            if version is None:
                version = new_version(strategy)
                await transaction.strategies.add(strategy, version)
            changes = {"started_at": datetime.now(UTC), **changes}
            session = new_session(harness.user.id, account_id or harness.account.id, version.id, **changes)
            await transaction.trading_sessions.add(session)
        return session

    async def session_elsewhere(self) -> TradingSession:
        """Return a stored trading session on another account of the harness's user."""
        account = new_account(self.harness.user.id)
        async with self.harness.database.transaction() as transaction:
            await transaction.accounts.add(account, b"sealed")
        return await self.session(account_id=account.id)

    def _world(self) -> World:
        """Return the harness's user and account as the other helpers know them; it has no session of its own."""
        harness, strategy = self.harness, new_strategy(self.harness.user.id)
        version = new_version(strategy)
        return World(
            harness.user,
            harness.account,
            strategy,
            version,
            new_session(harness.user.id, harness.account.id, version.id),
        )


@asynccontextmanager
async def open_api(harness: OrderHarness) -> AsyncIterator[Api]:
    """Build the services over the harness's database; orders go to the harness's executor."""
    cache = EmbeddedCache(harness.clock)
    database = CountingDatabase(harness.pool, harness.bus, harness.clock)
    database.statements = []
    venues = Venues([VenueSettings("sandbox", "binance", NOWHERE, live=False)], harness.clock)
    async with database.transaction() as transaction:
        await transaction.market_data.save_markets([a_market()])
    hub = MarketDataHub(harness.bus, cache, database, harness.clock)
    await hub.start()
    base = Backends(harness.pool, database, database, cache, harness.bus, harness.clock, harness.ids, Archives())
    facts = EngineInfo("0", datetime.now(UTC), _healthy)
    http = OutgoingHttp(AddressGuard(["127.0.0.0/8"]))
    nobody = "http://127.0.0.1:1"
    senders = {
        ChannelKind.WEBHOOK: WebhookSender(http, harness.clock),
        ChannelKind.TELEGRAM: TelegramSender(http, nobody),
    }
    outgoing = Outgoing(senders, http.guard)
    services = build_services(build_container(base, venues, hub, bytes(32), outgoing=outgoing), Settings(), facts)
    try:
        # Nobody here collects, so there is nothing to wait for.
        past = MarketHistory(database, hub, venues, harness.bus, harness.clock, wait_seconds=0)
        analytics = MarketAnalytics(database, past, harness.clock)
        own = {"orders": harness.service, "market_history": past, "analytics": analytics, "price_wait_seconds": 0}
        await store_credential(database, harness.user)
        yield Api(harness, replace(services, **own), database)
    finally:
        await http.close()
        await hub.close()
        await venues.close()
        await database.close()


async def _healthy() -> bool:
    return True
