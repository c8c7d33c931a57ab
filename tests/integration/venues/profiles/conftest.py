"""A small server for each venue's protocol, and the engine's real client of an account on it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from domain.model.client_order_ids import client_order_id
from domain.model.orders import Order, OrderRole, OrderType
from domain.model.trading import VenueCredentials
from infra.clock import SystemClock
from infra.venues.ccxt.account_stream import UserStreamTimings
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.execution_client import CcxtExecutionClient
from infra.venues.config import VenueSettings
from infra.venues.rate_limit.rate_limiter import RateLimiter
from tests.support.fake_venues.bybit import FakeBybit
from tests.support.fake_venues.coinbase import FakeCoinbase
from tests.support.fake_venues.kraken import FakeKraken
from tests.support.fake_venues.okx import FakeOkx
from tests.support.fake_venues.server import FakeVenue, running
from tests.support.venues import BTC, new_order

PROTOCOLS: dict[str, type[FakeVenue]] = {each.ccxt_id: each for each in (FakeKraken, FakeCoinbase, FakeOkx, FakeBybit)}
CREDENTIALS = VenueCredentials("key", "c2VjcmV0", "passphrase")
QUICK = UserStreamTimings(follow_seconds=0.05, poll_seconds=0.05, least_gap_seconds=0.01)


class Unhurried(RateLimiter):
    """A rate limiter that keeps bans and waits for nothing else: ccxt's pace for Kraken is a request in 3 s."""

    async def acquire(self, weight: float) -> None:
        if self.banned_seconds:
            await super().acquire(weight)


def id_of(cause: str) -> str:
    """An id as the engine makes it."""
    return client_order_id(UUID(int=2), "orderPlace", cause, OrderRole.MANUAL, 0)


@pytest.fixture(params=PROTOCOLS)
async def venue(request: pytest.FixtureRequest) -> AsyncIterator[FakeVenue]:
    async with running(PROTOCOLS[request.param]()) as venue:
        yield venue


@pytest.fixture
def timings() -> UserStreamTimings:
    return QUICK


@pytest.fixture
async def connection(venue: FakeVenue) -> AsyncIterator[VenueConnection]:
    settings = VenueSettings(BTC.venue, venue.ccxt_id, venue.url, live=True)
    connection = VenueConnection(settings, SystemClock(), Unhurried(SystemClock()))
    yield connection
    await connection.close()


@pytest.fixture
async def account(connection: VenueConnection, timings: UserStreamTimings) -> AsyncIterator[CcxtExecutionClient]:
    account = CcxtExecutionClient(connection, CREDENTIALS, "account", timings)
    yield account
    await account.close()


@pytest.fixture
def limit_order() -> Order:
    """An order that rests."""
    now = datetime.now(UTC)
    return new_order(
        market=BTC,
        client_order_id=id_of(str(uuid4())),
        type=OrderType.LIMIT,
        price=Decimal(100),
        quantity=Decimal("0.5"),
        submitted_at=now,
    )
