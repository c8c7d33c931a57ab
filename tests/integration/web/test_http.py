"""GraphQL over HTTP: requests, responses, statuses and media types."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from domain.model.trading import Signal
from infra.web.http.negotiation import RESPONSE_JSON
from infra.web.settings import WebSettings
from infra.web.signal_hooks import SignalHookRoute
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.engine_log import EngineLog
from tests.support.serving import serving
from tests.support.waiting import PATIENCE_SECONDS, eventually


async def test_a_query_is_answered_with_its_cost(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        response = await served.post({"query": "{ products(first: 3) { nodes { price } } }"})
        assert response.status_code == 200
        assert response.headers["content-type"] == f"{RESPONSE_JSON}; charset=utf-8"
        assert response.json() == {
            "data": {"products": {"nodes": [{"price": "0"}, {"price": "1"}, {"price": "2"}]}},
            "extensions": {"cost": {"requested": 4, "maximum": 5000}},
        }


async def test_a_bad_token_is_anonymous_and_a_good_one_is_not(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        for token, expected in ((None, None), ("bad", None), ("good", "credential-1")):
            assert (await served.post({"query": "{ me }"}, token)).json()["data"] == {"me": expected}


async def test_input_errors_are_data_faults_have_codes_and_bugs_are_masked(
    backend: DemoBackend, engine_log: EngineLog
) -> None:
    async with serving(demo_app(backend)) as served:
        response = await served.post(
            {"query": "mutation { orderPlace(price: 0) { product { id } errors { code message path } } }"}
        )
        assert response.json()["data"]["orderPlace"] == {
            "product": None,
            "errors": [{"code": "INVALID", "message": "The price is 0; it must be above 0.", "path": ["price"]}],
        }
        fault = (await served.post({"query": "{ fault }"})).json()["errors"][0]
        assert (fault["extensions"], fault["path"]) == ({"oldest": "x", "code": "CURSOR_TOO_OLD"}, ["fault"])
        response = await served.post({"query": "{ hello bug }"})
        assert response.status_code == 200
        assert response.json()["data"] == {"hello": "hello you", "bug": None}
        (bug,) = response.json()["errors"]
        assert (bug["message"], bug["extensions"]["code"]) == ("Internal error", "INTERNAL")
        assert "secret" not in response.text
        assert bug["extensions"]["errorId"] in engine_log()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"not json", 400),
        (b"\xff\xfe", 400),
        (b'{"query": "{ hello }", "variables": {"x": NaN}}', 400),
        (b"[" * 100_000, 400),
        (b"{" + b'"a":' * 30_000, 400),
        ([{"query": "{ hello }"}] * 3, 400),
        ({}, 400),
        ({"query": 1}, 400),
        ({"query": "{ hello }", "variables": "x"}, 400),
        ({"query": "{ hello }", "operationName": 1}, 400),
        ({"query": "{ hello }", "extensions": []}, 400),
        ({"query": "query ($n: String!) { hello(name: $n) }", "variables": {"n": "a\0b"}}, 400),
        (b'{"query": "query ($n: String!) { hello(name: $n) }", "variables": {"n": "\\ud800"}}', 400),
        ({"query": '{ hello(name: "a\\u0000b") }'}, 400),
        ({"query": "{"}, 400),
        ({"query": "{" * 2_000}, 400),
        ({"query": "query A { hello }", "operationName": "B"}, 400),
        ({"query": "query ($v: Decimal!) { echo(value: $v) }", "variables": {"v": 10**40}}, 400),
        (b'{"query": "query ($v: Decimal!) { echo(value: $v) }", "variables": {"v": 1e400}}', 400),
        (b'{"query": "query ($v: Decimal!) { echo(value: $v) }", "variables": {"v": ' + b"9" * 9_000 + b"}}", 400),
        ({"query": "subscription { depth { sequence } }"}, 406),
        (b" " * (128 * 1024 + 1), 413),
    ],
)
async def test_bad_bodies_are_answered_in_the_shape_of_graphql(backend: DemoBackend, body: Any, status: int) -> None:
    async with serving(demo_app(backend)) as served:
        response = await served.post(body)
        assert response.status_code == status
        assert "data" not in response.json()
        assert response.json()["errors"][0]["extensions"]["code"] == "INVALID"


async def test_a_body_without_a_length_is_rejected_at_the_limit(backend: DemoBackend) -> None:
    async def chunks():  # noqa: ANN202
        for _ in range(100):
            yield b" " * 10_000

    async with serving(demo_app(backend)) as served, served.client() as client:
        response = await client.post("/graphql", content=chunks(), headers={"content-type": "application/json"})
        assert response.status_code == 413


async def test_numbers_keep_every_digit_from_json_to_json(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        for sent in ("12345678901234567890123456789012345678", '"0.10000000000000000000000000000000000001"'):
            body = f'{{"query": "query ($v: Decimal!) {{ echo(value: $v) }}", "variables": {{"v": {sent}}}}}'
            assert (await served.post(body)).json()["data"]["echo"] == sent.strip('"')


@pytest.mark.parametrize(
    ("query", "limit"),
    [
        ("{ " + "".join("products { nodes { " for _ in range(6)), "INVALID"),
        ("{" + " ".join(f"a{n}: __typename" for n in range(101)) + "}", "aliases"),
        ("{ __typename " + "@aa" * 11 + " }", "directives"),
        ("{ a: products(first: 100) { nodes { id } } b: products(first: 1000) { edges { node { id } } } }", None),
        (
            "fragment F on Query { " + " ".join(f"a{n}: hello" for n in range(4)) + " } { " + "...F " * 4 + "}",
            "aliases",
        ),
    ],
)
async def test_operations_that_exceed_a_limit_are_rejected(backend: DemoBackend, query: str, limit: str | None) -> None:
    async with serving(demo_app(backend, WebSettings(max_cost=5000))) as served:
        errors = (await served.post({"query": query})).json()["errors"]
        if limit == "INVALID" or limit is None:
            assert errors[0]["extensions"]["code"] == "INVALID"
        else:
            assert errors[0]["extensions"]["code"] == "OPERATION_TOO_COMPLEX"
            assert errors[0]["extensions"]["limit"] == limit


async def test_cost_counts_page_sizes_from_variables_too(backend: DemoBackend) -> None:
    query = "query ($n: Int = 1) { products(first: $n) { nodes { id } } }"
    async with serving(demo_app(backend, WebSettings(max_cost=50))) as served:
        assert (await served.post({"query": query})).json()["extensions"]["cost"]["requested"] == 2
        refused = await served.post({"query": query, "variables": {"n": 51}})
        assert refused.json()["errors"][0]["extensions"] == {
            "code": "OPERATION_TOO_COMPLEX", "limit": "cost", "maximum": 50, "actual": 52,
        }  # fmt: skip


@pytest.mark.parametrize(
    "arguments", ["first: 1, last: 1", "first: -1", "first: 101", 'after: "zzz"', 'before: "WzFd"']
)
async def test_bad_page_arguments_are_faults_of_the_request(backend: DemoBackend, arguments: str) -> None:
    async with serving(demo_app(backend)) as served:
        response = await served.post({"query": f"{{ products({arguments}) {{ nodes {{ id }} }} }}"})
        assert response.json()["errors"][0]["extensions"]["code"] == "INVALID"


async def test_an_unreadable_id_answers_null_and_affects_nothing_else(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        known = (await served.post({"query": "{ product { id } }"})).json()["data"]["product"]["id"]
        query = 'query ($id: ID!) { node(id: $id) { id ... on Product { price } } nodes(ids: [$id, "x", ""]) { id } }'
        data = (await served.post({"query": query, "variables": {"id": known}})).json()["data"]
        assert data == {"node": {"id": known, "price": "1"}, "nodes": [{"id": known}, None, None]}


async def test_get_answers_queries_only(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        variables = json.dumps({"n": "me"})
        query = "query A($n: String) { hello(name: $n) } query B { me }"
        response = await client.get("/graphql", params={"query": query, "variables": variables, "operationName": "A"})
        assert response.json()["data"] == {"hello": "hello me"}
        response = await client.get(
            "/graphql", params={"query": "mutation { orderPlace(price: 1) { errors { code } } }"}
        )
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
        assert not backend.placed
        assert (await client.get("/graphql", params={"query": "{ me }", "variables": "{"})).status_code == 400
        assert (await client.get("/graphql")).status_code == 400
        for method in ("PUT", "DELETE", "OPTIONS", "HEAD"):
            assert (await client.request(method, "/graphql")).status_code == 405


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/json; charset=utf-16", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("text/plain", 415),
        ("", 415),
    ],
)
async def test_only_json_is_read_so_that_forms_of_other_pages_are_not(
    backend: DemoBackend, content_type: str, status: int
) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        response = await client.post("/graphql", content='{"query":"{ me }"}', headers={"content-type": content_type})
        assert response.status_code == status


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        (RESPONSE_JSON, RESPONSE_JSON),
        (f"application/json;q=0.5, {RESPONSE_JSON}", RESPONSE_JSON),
        (f"{RESPONSE_JSON};q=0.5, application/json", "application/json"),
        (f"{RESPONSE_JSON}; charset=utf-8, application/json; charset=utf-8", RESPONSE_JSON),
        (f"{RESPONSE_JSON};q=0, */*;q=0.1", "application/json"),
        ("text/csv", None),
    ],
)
async def test_the_media_type_is_the_one_that_the_client_prefers(
    backend: DemoBackend, accept: str, content_type: str | None
) -> None:
    async with serving(demo_app(backend)) as served:
        response = await served.post({"query": "{ me }"}, accept=accept)
        assert response.status_code == (200 if content_type else 406)
        assert response.headers["content-type"] == f"{content_type or 'application/json'}; charset=utf-8"


async def test_a_limit_of_the_context_has_its_status(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        response = await served.post({"query": "{ me }"}, "limited")
        assert response.status_code == 429
        assert response.json()["errors"][0]["extensions"] == {"retryAfterSeconds": 7, "code": "RATE_LIMITED"}
        assert response.headers["retry-after"] == "7"
        broken = await served.post({"query": "{ me }"}, "broken")
        assert broken.status_code == 500
        assert broken.json()["errors"][0]["message"] == "Internal error"
        assert "secret" not in broken.text


async def test_an_operation_that_takes_too_long_is_answered_with_a_fault_and_a_mutation_still_ends(
    backend: DemoBackend,
) -> None:
    async with serving(demo_app(backend, WebSettings(operation_timeout_seconds=0.1))) as served:
        for query in ("{ slow }", "mutation { orderSlowly(price: 1) }"):
            response = await served.post({"query": query})
            assert response.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
            assert response.status_code == 503
        backend.gate.set()
        await eventually(lambda: backend.placed, "the mutation has ended")


async def test_health_readiness_and_metrics(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        await served.post({"query": "{ me }"})
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        metrics = (await client.get("/metrics")).text
        assert 'r3edge_graphql_operations_total{transport="http",type="query"} 1.0' in metrics
        assert 'r3edge_http_requests_total{method="POST",route="/graphql",status="200"} 1.0' in metrics


async def test_a_compressed_body_is_rejected_with_what_would_be_right(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        response = await client.post("/graphql", content=gzip.compress(b'{"query": "{ me }"}'), headers=headers)
        assert (response.status_code, response.headers["accept-encoding"]) == (415, "identity")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{" + " ".join(f"a{n}: me" for n in range(16)) + "}", "The operation has 16 aliases; at most 15 are allowed."),
        ("{ __typename " + "@skip(if: false) " * 11 + "}", "The operation has 11 directives; at most 10 are allowed."),
        ("{ products " * 11 + "{ id" + " }" * 12, "The operation is 11 levels deep; at most 10 are allowed."),
        ("{ products(first: 100) { nodes { id } } }", "The operation costs 101; at most 50 is allowed."),
        (
            "{ " + "hello " * 900 + "}",
            (
                "The document is too much to validate: it names the field 'hello' 900 times. "
                "Name each field and fragment once in a selection."
            ),
        ),
        ("{ " + " ".join(f"no{n}" for n in range(9)) + "}", "The document has more errors; the first 5 are reported."),
    ],
    ids=["aliases", "directives", "depth", "cost", "repetition", "mistakes"],
)  # fmt: skip
async def test_a_limit_that_is_exceeded_is_reported_with_its_value(
    backend: DemoBackend, query: str, message: str
) -> None:
    async with serving(demo_app(backend, WebSettings(max_cost=50))) as served:
        assert (await served.post({"query": query})).json()["errors"][-1]["message"] == message


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_error(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served:
        port = int(served.url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"content-length: 99\r\n\r\n{"
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await served.post({"query": "{ me }"})).status_code == 200


class SlowReceiver:
    """Receives webhook messages and never gets done with one."""

    waiting = 0

    async def receive(self, _secret: str, _body: bytes, _address: str) -> Signal:
        self.waiting += 1
        return await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(("path", "body"), [("/graphql", '{"query": "{ slow }"}'), ("/hooks/signals/secret", "buy")])
async def test_a_request_that_outlasts_the_grace_of_a_shutdown_is_unavailable_without_a_traceback(
    backend: DemoBackend, caplog: pytest.LogCaptureFixture, path: str, body: str
) -> None:
    receiver = SlowReceiver()
    app = demo_app(backend, routes=[SignalHookRoute(receiver, answer_within_seconds=PATIENCE_SECONDS)])
    async with serving(app) as served, served.client() as client:
        sending = client.post(path, content=body, headers={"content-type": "application/json"})
        response = asyncio.create_task(sending)
        await eventually(lambda: backend.waiting + receiver.waiting == 1, "the request is under way")
        for task in served.server.server_state.tasks:
            task.cancel(msg="Task cancelled, timeout graceful shutdown exceeded")
        answer = await response
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
    assert not [record for record in caplog.records if record.exc_info]
