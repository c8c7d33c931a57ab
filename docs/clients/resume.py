"""Follow a subscription over every interruption, on from the last cursor."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport

TRANSIENT = {"UNAVAILABLE", "SLOW_READER", "RATE_LIMITED"}


async def resume(
    url: str, token: str, document: str, after: str | None = None, patience_seconds: float = 30
) -> AsyncIterator[dict[str, Any]]:
    authorization = {"Authorization": f"Bearer {token}"}
    while True:
        # A connection may be dead without anybody being told: then not even the pings come that are sent every 15 s.
        transport = WebsocketsTransport(
            url, init_payload=authorization, keep_alive_timeout=patience_seconds, close_timeout=1
        )
        try:
            async with Client(transport=transport) as session:
                async for data in session.subscribe(GraphQLRequest(document, variable_values={"after": after})):
                    (event,) = data.values()
                    after = event.get("cursor", after)
                    yield event
                return
        except TransportQueryError as error:  # a wrong document or cursor, unless trying again may mend it
            if any(each["extensions"]["code"] not in TRANSIENT for each in error.errors or []):
                raise
        except (TransportError, TimeoutError) as error:  # a lost connection, unless the token isn't accepted
            if "4403" in str(error.__cause__):
                raise
        await asyncio.sleep(1 + random.random())
