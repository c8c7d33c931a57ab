"""Clients that others wrote, unchanged."""

import asyncio

from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport
from graphql import get_introspection_query

from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.serving import serving
from tests.support.waiting import eventually


async def test_gql_queries_and_subscribes_over_one_socket(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        transport = WebsocketsTransport(url=served.ws_url, init_payload={"Authorization": "Bearer good"})
        async with Client(transport=transport) as session:
            assert await session.execute(gql("{ me }")) == {"me": "credential-1"}
            events = session.subscribe(gql("subscription { depth { sequence } }"))
            first = anext(events)
            task = asyncio.ensure_future(first)
            await eventually(lambda: backend.depth.readers, "the room is open")
            backend.depth.push()
            assert await task == {"depth": {"sequence": 1}}
            await events.aclose()
        await eventually(lambda: not backend.depth.readers, "leaving closes the source")


async def test_the_fullest_introspection_query_is_within_the_limits(backend: DemoBackend) -> None:
    query = get_introspection_query(
        specified_by_url=True,
        directive_is_repeatable=True,
        schema_description=True,
        one_of=True,
        input_value_deprecation=True,
    )
    async with serving(demo_app(backend)) as served, served.client() as client:
        answer = (await client.post("/graphql", json={"query": query})).json()
    assert answer["data"]["__schema"]["queryType"] == {"name": "Query", "kind": "OBJECT"}
