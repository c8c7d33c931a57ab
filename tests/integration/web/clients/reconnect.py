"""Follows a stream with the recipe of docs/clients/resume.py, which loses patience soon."""

import asyncio
import sys

from resume import resume


async def main(url: str) -> None:
    document = "subscription { journal { sequence } }"
    async for event in resume(url.replace("http", "ws", 1), "good", document, patience_seconds=1):
        print(event["sequence"], flush=True)


asyncio.run(main(sys.argv[1]))
