"""Requests that are no GraphQL, or no HTTP that it travels by: each has its status, and the engine lives on."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.e2e.test_bad_input import assert_nothing_internal
from tests.support.engine import Engine
from tests.support.http_client import http_client
from tests.support.waiting import PATIENCE_SECONDS

ASK = b'{"query": "{ __typename }"}'
JSON = {"content-type": "application/json"}


async def _post(engine: Engine, body: bytes, **headers: str) -> httpx.Response:
    async with http_client(timeout=PATIENCE_SECONDS) as client:
        return await client.post(engine.graphql_url, content=body, headers={**JSON, **headers})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"hello", 400),
        (b"[]", 400),
        (b"[" + ASK + b"]", 400),
        (b"null", 400),
        (b"1", 400),
        (b"{}", 400),
        (b'{"query": 1}', 400),
        (b'{"query": ""}', 400),
        (b'{"query": "{ __typename }", "variables": []}', 400),
        (b'{"query": "{ __typename }", "variables": "x"}', 400),
        (b'{"query": "{ __typename }", "operationName": 7}', 400),
        (b'{"query": "{ __typename }", "query": ', 400),
        (b"\xff\xfe{", 400),
        (b'{"query": "\xc3\x28"}', 400),
        (b'{"a":' * 100_000, 413),
        (b'{"a":' * 20_000, 400),
        (b'{"query": "' + b"{a" * 30_000 + b'"}', 200),
        (b'{"query": "{ __typename }", "variables": {"x": "\\u0000"}}', 400),
        (b'{"query": "{ __typename }", "variables": {"x": ' + b"9" * 100_000 + b"}}", 400),
        (b"x" * 10_000_000, 413),
    ],
    ids=range(21),
)
async def test_a_body_that_is_no_request_is_answered_in_the_shape_of_graphql(
    engine: Engine, body: bytes, status: int
) -> None:
    response = await _post(engine, body, accept="application/json")
    assert response.status_code == status, response.text[:300]
    if b"__typename" not in body or status != 200:
        assert response.json()["errors"]
    assert_nothing_internal(response.json())


@pytest.mark.parametrize(
    "type_", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""]
)
async def test_another_content_type_is_not_read(engine: Engine, type_: str) -> None:
    assert (await _post(engine, ASK, **{"content-type": type_})).status_code == 415


async def test_a_mutation_does_not_go_by_get_and_other_methods_not_at_all(engine: Engine) -> None:
    async with http_client(base_url=engine.url) as client:
        query = {"query": "mutation { userLogout { errors { code } } }"}
        assert (await client.get("/graphql", params=query)).status_code == 405
        for method in ("PUT", "DELETE", "PATCH"):
            assert (await client.request(method, "/graphql", content=ASK, headers=JSON)).status_code == 405
        assert (await client.get("/no/such/page")).status_code == 404
        for path in (
            "/graphiql/../../etc/passwd",
            "/graphiql/%2e%2e/%2e%2e/etc/passwd",
            "/static/..%2f..%2fetc/passwd",
        ):
            assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET /graphql HTTP/9.9\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -5\r\n\r\n",
        b"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 10\r\ncontent-type: application/json\r\n\r\n{",
        b"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
        b"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer \xff\xfe\x00\r\n"
        b"content-type: application/json\r\ncontent-length: 27\r\n\r\n" + ASK,
    ],
    ids=range(9),
)
async def test_requests_that_are_not_http_harm_nobody(engine: Engine, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", engine.port)
    try:
        writer.write(sent)
        await writer.drain()
        with suppress(OSError):  # it may be closed already
            writer.write_eof()
        async with asyncio.timeout(60):
            answer = await reader.read()
    except ConnectionError:
        answer = b""
    finally:
        writer.close()
    assert_nothing_internal(answer.decode(errors="replace"))
    assert b" 500 " not in answer.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "query",
    [
        "{" + " a" * 2_000 + "}",
        "{ viewer { " + "orders { nodes { account { " * 10 + "id" + " } } }" * 10 + " } }",
        "{" + " ".join(f"a{i}: __typename" for i in range(100)) + "}",
        "{ __typename " + "@skip(if: false) " * 50 + "}",
        "query A { ...F } fragment F on Query { ...G } fragment G on Query { ...F }",
        "{ nope }",
        "{ viewer }",
        "subscription { orderEvents { cursor } } ",
        "{ markets(first: 100) { nodes { candles(timeframe: M1, first: 1000) { nodes { open } } } } }",
        "{ markets(first: 101) { nodes { id } } }",
        "{ markets(first: -1) { nodes { id } } }",
        "{ markets(first: 1, last: 1) { nodes { id } } }",
        "{ markets(first: 99999999999) { nodes { id } } }",
        '{ market(symbol: "x") { id } }',
        '{ market(symbol: "sandbox:BTC/USDT") { candles(timeframe: M1, from: "2026-13-01T0:0Z") { nodes { open } } } }',
        '{ market(symbol: "sandbox:BTC/USDT") { depth(levels: L7) { sequence } } }',
        '{ node(id: "a\\u0000b") { id } }',
        "query($n: Int!) { markets(first: $n) { nodes { id } } }",
        "\ufeff{ nope }",
        "{ __typename } { __typename }",
        "{ __typename } # \ud83d",
    ],
    ids=range(21),
)  # fmt: skip
async def test_a_document_that_cannot_be_executed_is_answered_with_the_reason(engine: Engine, query: str) -> None:
    response = await _post(engine, json.dumps({"query": query}).encode(), accept="application/json")
    assert response.status_code in {200, 400, 406}
    answer: dict[str, Any] = response.json()
    if "\ud83d" not in query:
        assert answer["errors"][0]["message"]
    assert_nothing_internal(answer)


async def test_impossible_times_and_pages_are_rejected_or_empty(engine: Engine) -> None:
    anonymous = engine.client()
    document = """query($from: DateTime, $to: DateTime) { market(symbol: "sandbox:BTC/USDT") {
      candles(timeframe: M1, from: $from, to: $to, first: 2) { nodes { open } }
      trades(from: $from, to: $to, first: 2) { nodes { price } } } }"""
    for start, end in (
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59-14:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-02-30T00:00:00Z", None),
        ("2027-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("yesterday", None),
        (1700000000, None),
    ):
        assert_nothing_internal(await anonymous.raw(document, **{"from": start, "to": end}))
