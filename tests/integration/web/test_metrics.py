"""What a scrape gets, who gets it, and that no client can make the series more."""

import asyncio

import httpx
import pytest

from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.serving import Served, serving

TOKEN = "scrape-me-if-you-can"


async def scraped(client: httpx.AsyncClient) -> set[str]:
    """Return the series of a fresh scrape: those that came within a second would be given the same text."""
    text = ""
    async with asyncio.timeout(30):
        while (answer := (await client.get("/metrics", headers={"accept": "text/plain"})).text) == text or not text:
            text = answer
    return {line.rpartition(" ")[0] for line in answer.splitlines() if line and not line.startswith("#")}


async def use_oddly(served: Served, client: httpx.AsyncClient, number: int) -> None:
    """Send what a client can make up: names of operations, methods, paths, headers, sockets."""
    await served.post({"query": f"query Name{number} {{ me }}", "operationName": f"Name{number}"})
    await served.post({"query": f"{{ unknown{number} }}"})
    await client.request(f"ODD{number}", "/graphql")
    headers = {"x-request-id": f"id-{number}", "user-agent": f"agent-{number}"}
    await client.get(f"/path{number}?query={number}", headers=headers)
    await client.get(f"/hooks/signals/{number}")


async def test_no_client_makes_the_series_more(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        await use_oddly(served, client, 0)
        before = await scraped(client)
        for number in range(1, 15):
            await use_oddly(served, client, number)
        assert await scraped(client) == before


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401), ("", 401), ("Bearer", 401), ("Bearer scrape-me", 401), (f"Basic {TOKEN}", 401), (TOKEN, 401),
        (f"Bearer {TOKEN}", 200), (f"bearer  {TOKEN}", 200), ("Bearer é", 401),
    ],
)  # fmt: skip
async def test_a_scrape_needs_the_token_if_there_is_one(backend: DemoBackend, header: str | None, status: int) -> None:
    settings = WebSettings(metrics_token=TOKEN)
    async with serving(demo_app(backend, settings)) as served, served.client() as client:
        headers = {} if header is None else {"authorization": header.encode()}
        answer = await client.get("/metrics", headers=headers)  # type: ignore[arg-type]  # bytes are sent as they are
    assert answer.status_code == status
    assert ("r3edge_http_requests" in answer.text) is (status == 200)
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "R3EDGE_METRICS_TOKEN" in answer.text
    assert TOKEN not in answer.text
    assert TOKEN not in repr(settings)


async def test_prometheus_gets_the_form_that_it_asks_for(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        plain = await client.get("/metrics")
        modern = await client.get("/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"})
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert modern.text.endswith("# EOF\n")


async def test_scrapes_at_once_share_one_text(backend: DemoBackend) -> None:
    app = demo_app(backend)
    collected = 0

    class Collector:
        def collect(self) -> list[object]:
            nonlocal collected
            collected += 1
            return []

    app.state.metrics.registry.register(Collector())
    collected = 0
    async with serving(app) as served, served.client() as client:
        answers = await asyncio.gather(*(client.get("/metrics") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert collected < 20
