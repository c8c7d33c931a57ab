"""Asks a venue what an account's API key may do."""

from domain.model.trading import VenueCredentials
from infra.venues.ccxt.account_requests import AccountRequests
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.profiles.key_rights import KeyRights


async def fetch_key_rights(connection: VenueConnection, credentials: VenueCredentials) -> KeyRights | None:
    """Return the key's rights; None where the venue doesn't say. Raises `VenueUnreachable`, with the venue's reason."""
    profile = connection.profile
    if profile is None or profile.key_rights is None:
        return None
    request, read = profile.key_rights
    requests = AccountRequests(connection, credentials)
    try:
        return await requests.query(request, read)
    finally:
        await requests.close()
