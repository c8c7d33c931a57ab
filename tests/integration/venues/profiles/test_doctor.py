"""What the doctor finds of each venue and of an account's key there."""

from dataclasses import replace

from domain.model.trading import Account, AccountKind, VenueCredentials
from infra.clock import SystemClock
from infra.doctor.findings import Finding, Status
from infra.doctor.venues import check_keys, check_venue
from infra.security import AesVault
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues
from tests.integration.venues.profiles.conftest import CREDENTIALS, Unhurried
from tests.support.fake_venues.server import FakeVenue
from tests.support.trading import new_account, new_user

VAULT = AesVault(b"k" * 32)


def live_account(venue: str) -> Account:
    return replace(new_account(new_user().id), kind=AccountKind.LIVE, venue=venue)


async def checked(venue: FakeVenue, credentials: VenueCredentials = CREDENTIALS, vault: AesVault = VAULT) -> Finding:
    account = live_account(venue.ccxt_id)
    venues = Venues([VenueSettings(venue.ccxt_id, venue.ccxt_id, venue.url, live=True)], SystemClock())
    venues.connection(venue.ccxt_id).limiter = Unhurried(SystemClock())
    try:
        (found,) = await check_keys(venues, [(account, vault.seal(credentials, account.id))], VAULT)
    finally:
        await venues.close()
    assert found.check == f"keys.{account.id}"
    return found


async def test_a_key_that_may_withdraw_is_a_warning(venue: FakeVenue) -> None:
    venue.keys_may_withdraw = True
    found = await checked(venue)
    assert (found.status, found.message) == (Status.WARNING, "the key may withdraw")


async def test_a_key_that_may_trade_alone_is_well_where_the_venue_says_nothing_of_addresses(venue: FakeVenue) -> None:
    found = await checked(venue)
    if venue.ccxt_id in {"okx", "bybit"}:
        assert (found.status, found.message) == (Status.WARNING, "the key may trade from any address")
    else:
        assert (found.status, found.message) == (Status.OK, "the key may trade, and may not withdraw")


async def test_credentials_that_another_key_sealed_are_an_error_and_not_sent(venue: FakeVenue) -> None:
    found = await checked(venue, vault=AesVault(b"o" * 32))
    assert found.status is Status.ERROR
    assert "R3EDGE_PREVIOUS_SECRET_KEYS" in (found.advice or "")
    assert venue.received == []


async def test_a_venue_is_reached_without_its_markets_and_its_clock_compared(
    venue: FakeVenue, connection: VenueConnection
) -> None:
    (found,) = await check_venue(connection)
    # The test's venue lives at the beginning of a year, far from this machine's clock.
    assert (found.status, "its clock is" in found.message) == (Status.WARNING, True)
    assert len(venue.received) <= 3


async def test_a_venue_that_does_not_answer_is_an_error(venue: FakeVenue, connection: VenueConnection) -> None:
    connection.settings = replace(connection.settings, url="http://127.0.0.1:9")
    (found,) = await check_venue(connection)
    assert found.status is Status.ERROR
    assert found.message.startswith(f"{connection.settings.name} can't be reached: ")
