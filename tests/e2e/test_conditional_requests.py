"""A client that keeps the answers to public queries, and asks whether they still hold."""

import asyncio
from hashlib import sha256

import httpx

from tests.support.engine import Engine
from tests.support.http_client import http_client
from tests.support.waiting import PATIENCE_SECONDS

MARKET = '{ market(symbol: "sandbox:BTC/USDT") { symbol base quote priceIncrement } }'
BOOK = '{ market(symbol: "sandbox:BTC/USDT") { depth { sequence } } }'


def client(engine: Engine) -> httpx.AsyncClient:
    return http_client(base_url=engine.url, timeout=PATIENCE_SECONDS)


async def test_a_public_answer_is_validated_by_its_tag_and_not_sent_twice(engine: Engine) -> None:
    async with client(engine) as http:
        identifier = f"sha256:{sha256(MARKET.encode()).hexdigest()}"
        await http.post("/graphql", json={"query": MARKET, "documentId": identifier})
        first = await http.get("/graphql", params={"documentId": identifier})
        tag = first.headers["etag"]
        assert (first.status_code, first.json()["data"]["market"]["base"]) == (200, "BTC")
        assert first.headers["cache-control"] == "private, no-cache"
        assert {"accept", "authorization", "accept-encoding"} <= set(first.headers["vary"].split(", "))
        for sent in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
            again = await http.get("/graphql", params={"documentId": identifier}, headers={"if-none-match": sent})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            assert "content-length" not in again.headers
            assert again.headers["cache-control"] == "private, no-cache"
        other = await http.get("/graphql", params={"documentId": identifier}, headers={"if-none-match": '"other"'})
        assert (other.status_code, other.json()["data"]) == (200, first.json()["data"])


async def test_an_answer_that_has_changed_is_sent_again(engine: Engine) -> None:
    async with client(engine) as http:
        known = (await http.get("/graphql", params={"query": BOOK})).headers.get("etag", "")
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await http.get("/graphql", params={"query": BOOK}, headers={"if-none-match": known})
            while answer.status_code == httpx.codes.NOT_MODIFIED:
                answer = await http.get("/graphql", params={"query": BOOK}, headers={"if-none-match": known})
        assert answer.json()["data"]["market"]["depth"] is not None
        assert answer.headers.get("etag") != known


async def test_private_answers_posts_and_errors_have_no_tag(engine: Engine) -> None:
    async with client(engine) as http:
        answers = [
            await http.post("/graphql", json={"query": MARKET}),
            await http.get("/graphql", params={"query": "{ viewer { email } }"}),
            await http.get("/graphql", params={"query": f"{MARKET[:-2]} viewer {{ email }} }}"}),
            await http.get("/graphql", params={"query": "{ nosuch }"}, headers={"if-none-match": "*"}),
        ]
    for answer in answers:
        assert answer.status_code in {200, 400}
        assert "etag" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
