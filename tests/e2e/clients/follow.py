"""Follows `orderEvents` with the recipe of docs/clients/resume.py, and writes a line for each event."""

import asyncio
import json
import sys

from gql.transport.exceptions import TransportError
from resume import resume

EVENTS = "subscription ($after: String) { orderEvents(after: $after) { cursor sequence } }"


async def main(url: str, token: str, after: str) -> None:
    try:
        async for event in resume(url.replace("http", "ws", 1), token, EVENTS, after):
            print(json.dumps({"sequence": int(event["sequence"])}), flush=True)
        print(json.dumps({"complete": True}), flush=True)
    except TransportError as error:
        print(json.dumps({"error": f"{error} {error.__cause__}"}), flush=True)


asyncio.run(main(*sys.argv[1:]))
