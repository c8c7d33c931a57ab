"""The accounts of a venue hold its large tables in common, and nothing else that could carry one's state to another."""

import importlib
from typing import Any

import pytest

from domain.model.trading import VenueCredentials
from infra.clock import SystemClock
from infra.venues.ccxt.client import exchange_class, new_exchange
from infra.venues.ccxt.clock import VenueClock
from infra.venues.ccxt.transport import SHARED_TABLES
from infra.venues.config import VenueSettings
from infra.venues.rate_limit.rate_limiter import RateLimiter

VENUES = ("binance", "kraken", "bybit", "okx", "coinbase")


async def two_accounts(venue: str) -> tuple[Any, Any]:
    settings, clock = VenueSettings(venue, venue, None, live=True), SystemClock()
    exchange_type, limiter = await exchange_class(settings), RateLimiter(clock)
    one, other = (
        new_exchange(exchange_type, settings, VenueClock(clock), limiter, VenueCredentials(key, "s"))
        for key in ("one", "other")
    )
    return one, other


def containers(value: object, found: dict[int, object]) -> dict[int, object]:
    """Return the dictionaries and lists that are reachable, by their identity."""
    if isinstance(value, dict | list) and id(value) not in found:
        found[id(value)] = value
        for inner in value.values() if isinstance(value, dict) else value:
            containers(inner, found)
    return found


@pytest.mark.parametrize("venue", VENUES)
async def test_no_state_of_an_account_is_another_accounts(venue: str) -> None:
    one, other = await two_accounts(venue)
    assert (one.apiKey, other.apiKey) == ("one", "other")
    shared: dict[int, object] = {}
    for table in SHARED_TABLES:
        containers(getattr(one, table, None), shared)
    for cls in type(one).__mro__:  # ccxt's own constants
        for value in vars(cls).values():
            containers(value, shared)
    common = containers(vars(one), {}).keys() & containers(vars(other), {}).keys()
    assert [value for key, value in containers(vars(one), {}).items() if key in common - shared.keys()] == []


@pytest.mark.parametrize("venue", ["kraken", "bybit", "okx"])  # whose description has a method of the exchange object
async def test_each_account_has_the_methods_of_its_own_object(venue: str) -> None:
    for account in await two_accounts(venue):
        assert account.streaming["ping"].__self__ is account


@pytest.mark.parametrize("venue", VENUES)
async def test_the_tables_are_ccxts_own_and_stay_as_they_are(venue: str) -> None:
    one, other = await two_accounts(venue)
    assert one.api is other.api
    plain = getattr(importlib.import_module(f"ccxt.pro.{venue}"), venue)().describe()
    for table in SHARED_TABLES & plain.keys():
        assert getattr(one, table) == plain[table]
