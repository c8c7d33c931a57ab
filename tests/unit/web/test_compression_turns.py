"""Large answers are compressed in turn, so that one client's don't take every core."""

import asyncio
import gzip

from infra.web.fair_use import FairUse
from infra.web.http.compression import compress_response
from infra.web.http.messages import HttpResponse
from infra.web.settings import WebSettings

LARGE = b"0123456789" * 10_000


async def compressed(fair_use: FairUse, client: str, body: bytes = LARGE) -> bytes:
    response = HttpResponse(body, 200, [])
    await compress_response(response, "gzip", 1, fair_use.compression(client))
    return response.body


async def test_a_clients_large_answer_waits_for_its_other_one_and_for_no_other_client() -> None:
    fair_use = FairUse(WebSettings())
    async with fair_use.compression("a"):
        waiting = asyncio.create_task(compressed(fair_use, "a"))
        assert gzip.decompress(await compressed(fair_use, "b")) == LARGE
        assert gzip.decompress(await compressed(fair_use, "a", b"small" * 100)) == b"small" * 100
        assert not waiting.done()
    assert gzip.decompress(await waiting) == LARGE
