"""Requests are counted at every door: POST, GET, event streams and WebSockets."""

from dataclasses import replace
from typing import Any

import pytest
from starlette.applications import Starlette

from domain.model.plans import STANDARD_PLAN
from domain.users.request_rates import RequestRates
from infra.embedded.cache import EmbeddedCache
from infra.web.operations import STOPPING
from infra.web.settings import WebSettings
from schema import build_schema
from tests.support.clocks import ManualClock
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.serving import serving
from tests.support.waiting import eventually

QUERY = "{ slow: __typename }"
MOST = 4


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def app_of(backend: DemoBackend, clock: ManualClock) -> Starlette:
    backend.plan = replace(STANDARD_PLAN, name="small", requests_per_minute=MOST, max_subscriptions=2)
    settings = WebSettings(requests_per_minute_per_address=MOST)
    return demo_app(backend, settings, rates=RequestRates(EmbeddedCache(clock), clock))


async def test_a_user_who_has_made_too_many_requests_is_answered_429_until_the_next_minute(
    backend: DemoBackend, clock: ManualClock
) -> None:
    clock.move(13)
    async with serving(app_of(backend, clock)) as served:
        answers = [await served.post({"query": QUERY}, token="good") for _ in range(MOST + 1)]
        assert [answer.status_code for answer in answers] == [200] * MOST + [429]
        assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["3", "2", "1", "0", "0"]
        assert answers[0].json()["extensions"]["rateLimit"] == {
            "limit": MOST, "used": 1, "remaining": 3, "resetsAt": "2024-08-08T00:01:00Z",
        }  # fmt: skip
        refused = answers[-1]
        assert {name: refused.headers[name] for name in ("retry-after", "ratelimit-limit", "ratelimit-reset")} == {
            "retry-after": "47", "ratelimit-limit": str(MOST), "ratelimit-reset": "47",
        }  # fmt: skip
        assert refused.json()["errors"][0]["extensions"] == {
            "code": "RATE_LIMITED", "retryAfterSeconds": 47, "entitlement": "REQUESTS_PER_MINUTE", "limit": MOST,
            "used": MOST, "remaining": 0, "resetsAt": "2024-08-08T00:01:00Z", "plan": "small",
        }  # fmt: skip
        assert (await served.post({"query": QUERY}, token="other")).status_code == 200
        clock.move(47)
        assert (await served.post({"query": QUERY}, token="good")).status_code == 200


async def test_all_doors_share_one_count(backend: DemoBackend, clock: ManualClock) -> None:
    async with serving(app_of(backend, clock)) as served, served.socket() as socket, served.client() as client:
        await socket.init("good")
        for number in ("1", "2"):
            await socket.subscribe(QUERY, number)
            assert (await socket.receive())["type"] == "next"
            await socket.receive()
        get = await client.get("/graphql", params={"query": QUERY}, headers={"authorization": "Bearer good"})
        assert get.headers["ratelimit-remaining"] == "1"
        accept = {"accept": "text/event-stream", "authorization": "Bearer good"}
        assert (await client.post("/graphql", json={"query": QUERY}, headers=accept)).status_code == 200
        refused = await client.post("/graphql", json={"query": QUERY}, headers=accept)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
        await socket.subscribe(QUERY, "3")
        message = await socket.receive()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "RATE_LIMITED")


async def test_strangers_are_counted_by_their_address_and_so_is_what_can_not_be_read(
    backend: DemoBackend, clock: ManualClock
) -> None:
    async with serving(app_of(backend, clock)) as served:
        assert (await served.post({"query": "{ nonsense"}, token="good")).status_code in {200, 400}
        assert [(await served.post({"query": QUERY})).status_code for _ in range(MOST)] == [200, 200, 200, 429]
        assert (await served.post({"query": "{ nonsense"})).status_code == 429
        assert (await served.post({"query": QUERY}, token="good")).status_code == 200


JSON = {"content-type": "application/json"}
UNREADABLE: dict[str, dict[str, Any]] = {
    "no JSON": {"content": b"{", "headers": JSON},
    "a batch": {"json": [{"query": QUERY}]},
    "variables that are no object": {"json": {"query": QUERY, "variables": 1}},
    "another content type": {"content": b"a", "headers": {"content-type": "text/plain"}},
    "a body that is compressed": {"content": b"a", "headers": {**JSON, "content-encoding": "gzip"}},
    "a body that is too large": {"content": b" " * 200_000, "headers": JSON},
    "an answer in a strange format": {"json": {"query": QUERY}, "headers": {"accept": "text/csv"}},
    "a document that is not known": {"json": {"documentId": "nobody-s"}},
    "an identifier that is none": {"json": {"documentId": 1}},
    "a hash that isn't the document's": {
        "json": {"query": QUERY, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
    },
}


async def test_whatever_can_not_be_read_counts_for_its_address_and_delays_no_user(
    backend: DemoBackend, clock: ManualClock
) -> None:
    backend.plan = replace(STANDARD_PLAN, requests_per_minute=1_000)
    settings = WebSettings(requests_per_minute_per_address=MOST)
    app = demo_app(backend, settings, rates=RequestRates(EmbeddedCache(clock), clock))
    async with serving(app) as served, served.client() as client:
        for what, request in UNREADABLE.items():
            clock.move(60)
            answers = [(await client.post("/graphql", **request)).status_code for _ in range(MOST + 1)]
            assert answers[-1] == 429, what
            await eventually(lambda: served.app.state.limits.open_connections == 0, "it was disconnected")
            assert 429 not in answers[:-1], what
            assert (await served.post({"query": QUERY})).status_code == 429, what
            assert (await served.post({"query": QUERY}, token="good")).status_code == 200, what


async def test_messages_that_can_not_be_read_count_for_their_address(backend: DemoBackend, clock: ManualClock) -> None:
    async with serving(app_of(backend, clock)) as served, served.socket() as socket:
        await socket.init()
        codes = []
        for _ in range(MOST + 1):
            await socket.send(type="subscribe", id="1", payload={"query": 1})
            codes.append((await socket.receive())["payload"][0]["extensions"]["code"])
        assert codes == ["INVALID"] * MOST + ["RATE_LIMITED"]


async def test_refused_requests_are_counted_by_their_code(backend: DemoBackend, clock: ManualClock) -> None:
    app = app_of(backend, clock)
    async with serving(app) as served, served.socket() as socket:
        for body in ({"query": 1}, {"query": "{ nonsense }"}, {"documentId": "a"}, {"query": QUERY}, {"query": QUERY}):
            await served.post(body)
        await socket.init("good")
        await socket.subscribe("{ nonsense }")
        await socket.receive()
    read = app.state.metrics.registry.get_sample_value
    reasons = ("INVALID", "PERSISTED_QUERY_NOT_FOUND", "RATE_LIMITED")
    assert [read("r3edge_graphql_refused_total", {"reason": reason}) for reason in reasons] == [2, 1, 2]


async def test_one_subscription_too_many_is_refused_with_the_plan_s_figures(
    backend: DemoBackend, clock: ManualClock
) -> None:
    backend.plan = replace(STANDARD_PLAN, name="small", max_subscriptions=2)
    async with serving(demo_app(backend)) as served, served.socket() as first, served.socket() as second:
        for socket in (first, second):
            await socket.init("good")
        await first.subscribe("subscription { depth { sequence } }", "1")
        await eventually(lambda: backend.depth.readers, "the first one is counted")
        await second.subscribe("subscription { journal { sequence } }", "2")
        await eventually(lambda: backend.journal.readers, "the second one is counted")
        await second.subscribe("subscription { journal { sequence } }", "3")
        message = await second.receive()
        assert (message["id"], message["type"]) == ("3", "error")
        assert message["payload"][0]["extensions"] == {
            "code": "RATE_LIMITED", "entitlement": "SUBSCRIPTIONS", "limit": 2, "used": 2, "plan": "small",
        }  # fmt: skip


def test_what_stops_trading_is_a_mutation_each() -> None:
    mutations = build_schema().graphql_schema.mutation_type
    assert mutations is not None
    assert mutations.fields.keys() >= STOPPING
