"""`r3edge.client` on a real server of a small schema: what is sent again, what isn't, and how streams go on."""

import asyncio

import pytest
from aiohttp import ClientConnectorError

from infra.web.connections.close_codes import CloseCode
from infra.web.settings import WebSettings
from r3edge.client import (
    Client,
    ConnectionRejected,
    InvalidRequest,
    MutationRejected,
    OutcomeUnknown,
    RateLimited,
    RequestFailed,
    Unauthenticated,
    Unreachable,
)
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.link import linked
from tests.support.ports import free_port
from tests.support.serving import serving
from tests.support.waiting import eventually

PLACE = "mutation($price: Decimal!) { orderPlace(price: $price) { product { price } errors { code message path } } }"
DEPTH = "subscription { depth { sequence text } }"


@pytest.fixture
def backend() -> DemoBackend:
    return DemoBackend()


async def test_errors_come_by_their_kinds(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, Client(served.url, "good", patience_seconds=1) as client:
        assert await client.query("query($n: String!) { hello(name: $n) }", {"n": "Ada"}) == {"hello": "hello Ada"}
        with pytest.raises(InvalidRequest, match="Cannot query field 'nothing'"):
            await client.query("{ nothing }")
        with pytest.raises(MutationRejected, match="INVALID: The price is 0") as rejected:
            await client.mutate(PLACE, {"price": "0"})
        assert rejected.value.errors[0].path == ("price",)
        with pytest.raises(RequestFailed) as bug:
            await client.query("{ me bug }")
        assert (bug.value.codes, bug.value.data) == (("INTERNAL",), {"me": "credential-1", "bug": None})
    async with serving(demo_app(backend)) as served, Client(served.url, "limited", patience_seconds=1) as client:
        with pytest.raises(RateLimited) as limited:
            await client.query("{ me }")
        assert limited.value.retry_after_seconds == 7


async def test_a_mutation_that_is_not_answered_is_sent_once_and_its_outcome_is_unknown(backend: DemoBackend) -> None:
    async with (
        serving(demo_app(backend)) as served,
        linked(served.port) as link,
        Client(f"http://127.0.0.1:{link.port}", "good", answer_seconds=0.5, patience_seconds=5) as client,
    ):
        link.cut_answers()
        with pytest.raises(OutcomeUnknown, match="it isn't known whether the mutation was executed"):
            await client.mutate(PLACE, {"price": "1"})
        assert len(backend.placed) == 1


async def test_where_nothing_listens_nothing_was_executed(backend: DemoBackend) -> None:
    async with Client(f"http://127.0.0.1:{free_port()}", patience_seconds=0.1) as client:
        with pytest.raises(Unreachable) as error:
            await client.mutate(PLACE, {"price": "1"})
        assert isinstance(error.value.__cause__, ClientConnectorError)


async def test_a_query_is_sent_again_until_it_is_answered(backend: DemoBackend) -> None:
    settings = WebSettings(operation_timeout_seconds=0.2)
    async with serving(demo_app(backend, settings)) as served, Client(served.url) as client:
        tries: list[str] = []

        async def token() -> str:
            tries.append("good")
            return "good"

        async with Client(served.url, token) as signed_in:
            assert await signed_in.query("{ me }") == {"me": "credential-1"}
        backend.gate.clear()
        asking = asyncio.create_task(client.query("{ slow }"))
        await eventually(lambda: backend.waiting >= 2, "the query has been sent twice")
        backend.gate.set()
        assert await asking == {"slow": "done"}
        assert tries == ["good"]


async def test_a_subscription_goes_on_after_the_engine_closes_for_a_restart(backend: DemoBackend) -> None:
    app = demo_app(backend)
    async with serving(app) as served, Client(served.url, "good") as client:
        backend.depth.push("one")
        subscription = client.subscribe(DEPTH)
        events = aiter(subscription)
        assert (await anext(events))["sequence"] == 1
        for connection in list(app.state.connections._open):
            await connection.close(CloseCode.SERVICE_RESTART, "restart")
        backend.depth.push("two")
        while (await anext(events))["sequence"] != 2:
            pass
        assert subscription.connections == 2
        await events.aclose()


async def test_a_transient_error_connects_again_and_the_end_of_a_stream_ends_it(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, Client(served.url, "good") as client:
        backend.depth.push("one")
        subscription = client.subscribe(DEPTH)
        events = aiter(subscription)
        await anext(events)
        backend.depth.push("fault")
        assert (await anext(events))["text"] == "snapshot"
        assert subscription.connections == 2
        backend.depth.push("end")
        assert [event async for event in events] == []


async def test_a_token_that_is_refused_ends_a_stream_unless_another_can_be_had(backend: DemoBackend) -> None:
    given = iter(["bad", "good"])

    async def sign_in() -> str:
        return next(given)

    async with serving(demo_app(backend)) as served:
        backend.depth.push("one")
        async with Client(served.url, "bad") as client:
            with pytest.raises(Unauthenticated):
                await anext(aiter(client.subscribe(DEPTH)))
        async with Client(served.url, sign_in) as client:
            events = aiter(client.subscribe("subscription { depth { sequence } }"))
            assert (await anext(events))["sequence"] == 1
            await events.aclose()


async def test_what_trying_again_does_not_help_ends_a_stream(backend: DemoBackend) -> None:
    async with serving(demo_app(backend, WebSettings(max_message_bytes=200))) as served, Client(served.url) as client:
        with pytest.raises(ConnectionRejected) as rejected:
            await anext(aiter(client.subscribe(DEPTH + " " * 300)))
        assert rejected.value.code == CloseCode.MESSAGE_TOO_BIG
        with pytest.raises(InvalidRequest):
            await anext(aiter(client.subscribe("subscription { nothing }")))
        async with Client(f"{served.url}/nowhere") as lost:
            with pytest.raises(ConnectionRejected):
                await anext(aiter(lost.subscribe(DEPTH)))
