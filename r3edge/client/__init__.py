"""An asynchronous client of the engine's API, which needs aiohttp and nothing of the engine.

async with Client("https://trade.example.com", api_key) as client:
    viewer = await client.query("{ viewer { id eventCursor } }")
    async for event in client.follow("subscription($after: String) { events(after: $after) { cursor kind } }"):
        ...
"""

from r3edge.client.client import Client, new_idempotency_key
from r3edge.client.errors import (
    ClientError,
    ConnectionRejected,
    CursorTooOld,
    Forbidden,
    InvalidRequest,
    MutationRejected,
    OutcomeUnknown,
    RateLimited,
    RequestFailed,
    SlowReader,
    Unauthenticated,
    Unavailable,
    Unreachable,
    UserError,
)
from r3edge.client.subscription import Subscription

__all__ = [
    "Client",
    "ClientError",
    "ConnectionRejected",
    "CursorTooOld",
    "Forbidden",
    "InvalidRequest",
    "MutationRejected",
    "OutcomeUnknown",
    "RateLimited",
    "RequestFailed",
    "SlowReader",
    "Subscription",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "UserError",
    "new_idempotency_key",
]
