"""Follow a subscription over every interruption, on from the last cursor."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import ConnectionClosed, InvalidStatus

TRANSIENT = {"UNAVAILABLE", "SLOW_READER", "RATE_LIMITED"}
# A token that isn't accepted (4403), and what is wrong with the messages: their size, form, order, ids or subprotocol.
FINAL_CLOSES = {1009, 4400, 4401, 4403, 4406, 4409, 4429}


async def resume(
    url: str, token: str, document: str, after: str | None = None, patience_seconds: float = 30
) -> AsyncIterator[dict[str, Any]]:
    authorization = {"Authorization": f"Bearer {token}"}
    while True:
        # A connection may be dead without anybody noticing: then not even the pings come that are sent every 15 s.
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
        except TransportQueryError as error:  # a wrong document or cursor, unless trying again may help
            if any(each["extensions"]["code"] not in TRANSIENT for each in error.errors or []):
                raise
        except (TransportError, TimeoutError) as error:  # a lost connection, unless trying again can't help
            if is_final(error):
                raise
        await asyncio.sleep(1 + random.random())


def is_final(error: BaseException | None) -> bool:
    match error:  # why the connection ended lies below the error of gql
        case None:
            return False
        case ConnectionClosed():
            close = error.rcvd or error.sent
            return close is not None and close.code in FINAL_CLOSES
        case InvalidStatus():
            status = error.response.status_code
            return status < 500 and status not in {408, 429}
    return is_final(error.__cause__)
