"""Checks the venues: whether they answer, their clocks, and what the accounts' API keys may do there."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from domain.model.trading import Account, VenueCredentials
from domain.ports.market_data import VenueUnreachable
from infra.doctor.findings import Finding, error, ok, skipped, warning
from infra.postgres.connection import Connection
from infra.postgres.repositories.accounts import PostgresAccounts
from infra.security import AesVault
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.key_rights import fetch_key_rights
from infra.venues.ccxt.profiles.key_rights import KeyRights
from infra.venues.registry import Venues

SKEW_WARNING_SECONDS = 1.0
KEYS_AT_ONCE = 8


async def check_venue(connection: VenueConnection) -> Sequence[Finding]:
    """Return whether a venue answers, and how far its clock is from this machine's."""
    venue = connection.settings.name
    name = f"venue.{venue}"
    try:
        await connection.reach()
    except VenueUnreachable as failure:
        advice = "look at the network, a proxy or firewall, and the venue's own status page"
        return [error(name, f"{venue} can't be reached: {failure}", advice)]
    if not connection.clock.is_measured:
        return [ok(name, f"{venue} is known to ccxt, and tells no time")]
    offset = connection.clock.offset_seconds
    message = f"{venue} answers; its clock is {offset:+.3f} s from this machine's"
    if abs(offset) > SKEW_WARNING_SECONDS:
        return [
            warning(name, message, "keep this machine's clock by NTP or chrony; the engine corrects for it meanwhile")
        ]
    return [ok(name, message)]


async def live_accounts(connection: Connection) -> list[tuple[Account, bytes]]:
    """Return the LIVE accounts that aren't archived, with their sealed credentials."""
    accounts = PostgresAccounts(connection)
    sealed = await accounts.live_credentials()
    return [(account, sealed[account.id]) for account in await accounts.get_many(list(sealed))]


async def check_keys(
    venues: Venues, accounts: Sequence[tuple[Account, bytes]], vault: AesVault | None
) -> Sequence[Finding]:
    """Return what the keys of LIVE accounts may do at their venues; without `vault` none of them can be used."""
    if not accounts:
        return [skipped("keys", "there is no LIVE account")]
    turns = asyncio.Semaphore(KEYS_AT_ONCE)

    async def check(account: Account, sealed: bytes) -> Finding:
        async with turns:
            return await _check_key(venues, account, sealed, vault)

    return await asyncio.gather(*(check(account, sealed) for account, sealed in accounts))


async def _check_key(venues: Venues, account: Account, sealed: bytes, vault: AesVault | None) -> Finding:
    name = f"keys.{account.id}"
    if venues.get(account.venue) is None:
        advice = f"add {account.venue} to R3EDGE_VENUES, or archive the account"
        return warning(name, f"the account's venue {account.venue} isn't among the settings' venues", advice)
    credentials = _opened(account.id, sealed, vault)
    if credentials is None:
        advice = "set R3EDGE_SECRET_KEY (or R3EDGE_PREVIOUS_SECRET_KEYS) to the key that sealed them, or replace them"
        return error(name, "the credentials of the account don't open under this secret key", advice)
    try:
        rights = await fetch_key_rights(venues.connection(account.venue), credentials)
    except VenueUnreachable as failure:
        advice = f"see whether the key still exists at {account.venue} and is good for this machine's address"
        return error(name, f"{account.venue} doesn't say what the key may do: {failure}", advice)
    return (
        skipped(name, f"{account.venue} can't be asked what a key may do") if rights is None else _rights(name, rights)
    )


def _opened(account_id: UUID, sealed: bytes, vault: AesVault | None) -> VenueCredentials | None:
    try:
        return None if vault is None else vault.unseal(sealed, account_id)
    except ValueError:
        return None


def _rights(name: str, rights: KeyRights) -> Finding:
    if rights.may_withdraw:
        advice = "make a key without that right at the venue, and replace the account's: the engine never withdraws"
        return warning(name, "the key may withdraw", advice)
    if not rights.may_trade:
        return error(name, "the key may not trade on the spot market", "allow it at the venue, or replace the key")
    if rights.is_bound is False:
        advice = "bind the key to this machine's address at the venue, so that it is worth nothing elsewhere"
        return warning(name, "the key may trade from any address", advice)
    return ok(name, "the key may trade, and may not withdraw")
