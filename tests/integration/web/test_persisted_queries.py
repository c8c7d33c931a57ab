"""Documents by identifiers over every transport, and the links of real clients, unchanged."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from infra.web.http.negotiation import EVENT_STREAM, RESPONSE_JSON
from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.node import installed, run
from tests.support.serving import Served, serving

RECIPES = Path(__file__).parents[3] / "docs" / "clients"
SCRIPTS = Path(__file__).parent / "clients"
HELLO = "query Hello($name: String!) { hello(name: $name) }"
PLACE = "mutation { orderPlace(price: 1) { product { price } } }"
TICKS = "subscription { depth { text } }"
ADA = {"name": "Ada"}


def sha256(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()


def by_hash(document: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(document)}}}


def by_id(document: str) -> dict[str, Any]:
    return {"documentId": f"sha256:{sha256(document)}"}


async def got(served: Served, params: dict[str, Any], accept: str = RESPONSE_JSON) -> Any:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
    async with served.client() as client:
        return await client.get("/graphql", params=texts, headers={"accept": accept})


async def registered(served: Served, *documents: str) -> None:
    for document in documents:
        answer = await served.post({"query": document, "variables": ADA, **by_hash(document)}, accept=EVENT_STREAM)
        assert answer.status_code == 200


@pytest.mark.parametrize("accept", ["application/json", RESPONSE_JSON])
async def test_a_hash_that_is_not_known_asks_for_the_document_as_apollos_server_does(
    backend: DemoBackend, accept: str
) -> None:
    error = {"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}
    async with serving(demo_app(backend)) as served:
        for answer in (await served.post(by_hash(HELLO), accept=accept), await got(served, by_hash(HELLO), accept)):
            assert (answer.status_code, answer.json()) == (200, {"errors": [error]})
            assert answer.headers["cache-control"] == "no-store"


async def test_an_identifier_that_is_not_known_is_an_error_of_the_request(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        for params in (by_id(HELLO), {"documentId": "orders-v1"}):
            for answer in (await served.post(params), await got(served, params)):
                assert answer.status_code == 400
                assert answer.json()["errors"][0]["extensions"] == {"code": "PERSISTED_QUERY_NOT_FOUND"}


async def test_a_registered_document_is_found_by_both_forms_over_every_transport(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as socket:
        await registered(served, HELLO)
        await socket.init()
        for params in ({**by_hash(HELLO), "variables": ADA}, {**by_id(HELLO), "variables": ADA}):
            for answer in (await served.post(params), await got(served, params)):
                assert answer.json()["data"] == {"hello": "hello Ada"}
            streamed = await served.post(params, accept=EVENT_STREAM)
            assert '"hello Ada"' in streamed.text
            await socket.send(type="subscribe", id="1", payload=params)
            assert (await socket.receive())["payload"]["data"] == {"hello": "hello Ada"}
            assert (await socket.receive())["type"] == "complete"


async def test_a_subscription_by_its_hash_shares_the_room_of_the_same_document(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.socket() as first, served.socket() as second:
        await first.init()
        await second.init()
        backend.depth.push()
        await first.send(type="subscribe", id="1", payload={"query": TICKS, **by_hash(TICKS)})
        assert (await first.receive())["payload"]["data"] == {"depth": {"text": "snapshot"}}
        await second.send(type="subscribe", id="1", payload=by_id(TICKS))
        assert (await second.receive())["payload"]["data"] == {"depth": {"text": "snapshot"}}
        assert backend.depth.opened == 1


async def test_a_mutation_by_its_hash_is_not_run_by_get(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        await registered(served, PLACE)
        backend.placed.clear()
        assert (await got(served, by_id(PLACE))).status_code == 405
        assert not backend.placed
        assert (await served.post(by_id(PLACE))).json()["data"]["orderPlace"]["product"] == {"price": "1"}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"query": "{ me }", **by_hash(HELLO)}, "is not the SHA-256 hash of `query`"),
        ({"query": "{ me }", "documentId": "mine"}, "is not the SHA-256 hash of `query`"),
        ({"documentId": 5}, "`documentId` must be a string"),
        ({"documentId": ""}, "`documentId` must be a string"),
        ({"extensions": {"persistedQuery": {"version": 2, "sha256Hash": sha256(HELLO)}}}, "`version` 1"),
        ({"extensions": {"persistedQuery": {"version": 1}}}, "`sha256Hash`"),
        ({"extensions": {"persistedQuery": "x"}}, "`persistedQuery` must be an object"),
        ({"extensions": {}}, "`query` must be a string"),
    ],
)
async def test_a_malformed_identifier_is_refused_with_what_would_be_right(
    backend: DemoBackend, params: dict[str, Any], message: str
) -> None:
    async with serving(demo_app(backend)) as served:
        answer = await served.post(params, accept="application/json")
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "INVALID")
        assert message in answer.json()["errors"][0]["message"]


async def test_an_invalid_document_is_not_registered(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        assert "data" not in (await served.post({"query": "{ nothing }", **by_hash("{ nothing }")})).json()
        answer = await served.post(by_hash("{ nothing }"))
        assert answer.json()["errors"][0]["message"] == "PersistedQueryNotFound"


async def test_strictly_only_known_documents_run_whatever_a_client_sends(backend: DemoBackend) -> None:
    app = demo_app(backend, WebSettings(known_documents_only=True))
    app.state.operations.persisted.replace_known({"hello": HELLO})
    async with serving(app) as served:
        for params in ({"documentId": "hello"}, by_hash(HELLO), {"query": HELLO}):
            answer = await served.post({**params, "variables": ADA})
            assert answer.json()["data"] == {"hello": "hello Ada"}
        for params in ({"query": "{ me }"}, {"query": "{ me }", **by_hash("{ me }")}, by_hash("{ me }")):
            answer = await served.post(params)
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["extensions"] == {"code": "PERSISTED_QUERY_NOT_IN_LIST"}
        introspection = await served.post({"query": "{ __schema { queryType { name } } }"})
        assert "the introspection of GraphiQL" in introspection.json()["errors"][0]["message"]


async def test_what_is_asked_for_by_identifiers_is_counted(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        await served.post(by_hash(HELLO))
        await registered(served, HELLO)
        await served.post({**by_hash(HELLO), "variables": ADA})
        metrics = (await client.get("/metrics")).text
        for result in ("not_found", "registered", "automatic"):
            assert f'r3edge_persisted_documents_total{{result="{result}"}} 1.0' in metrics


@pytest.mark.timeout(180)
@pytest.mark.parametrize("client", ["apollo", "urql"])
@pytest.mark.parametrize("method", ["post", "get"])
async def test_real_links_register_a_document_once_and_then_send_its_hash(
    backend: DemoBackend, client: str, method: str
) -> None:
    script = SCRIPTS / f"persisted_{client}.mjs"
    folder = await installed(RECIPES, [script])
    async with serving(demo_app(backend)) as served, served.client() as http:
        code, output = await run("node", script.name, f"{served.url}/graphql", method, cwd=folder)
        metrics = (await http.get("/metrics")).text
    assert code == 0, output
    assert json.loads(output) == [{"hello": "hello Ada"}, {"hello": "hello Bob"}]
    for result in ("not_found", "registered", "automatic"):
        assert f'r3edge_persisted_documents_total{{result="{result}"}} 1.0' in metrics
