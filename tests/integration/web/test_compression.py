"""Gzip over HTTP: large answers of queries, to those who take it, and nothing else."""

import gzip
import json

import httpx
import pytest

from infra.web.settings import WebSettings
from schema import build_schema
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.serving import Served, serving

PRODUCTS = "{ products(first: 100) { nodes { id price } } }"


async def ask(served: Served, query: str, accept_encoding: str | None, **headers: str) -> httpx.Response:
    """Return the answer as it came over the wire."""
    async with served.client() as client:
        client.headers.pop("accept-encoding")
        if accept_encoding is not None:
            headers["accept-encoding"] = accept_encoding
        async with client.stream("POST", "/graphql", json={"query": query}, headers=headers) as response:
            response.raw = b"".join([chunk async for chunk in response.aiter_raw()])
            return response


@pytest.mark.parametrize(
    "accept", ["gzip", "gzip, deflate, br, zstd", "x-gzip", "*", "br;q=1.0, gzip;q=0.8, *;q=0.1", "GZIP"]
)
async def test_a_large_answer_is_compressed_if_the_client_accepts_it(backend: DemoBackend, accept: str) -> None:
    async with serving(demo_app(backend)) as served:
        plain, packed = await ask(served, PRODUCTS, None), await ask(served, PRODUCTS, accept)
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) == len(packed.raw) < len(plain.raw) / 4
        assert gzip.decompress(packed.raw) == plain.raw
        assert json.loads(plain.raw)["data"]["products"]["nodes"][99]["price"] == "99"


@pytest.mark.parametrize(
    "accept", [None, "", "identity", "gzip;q=0", "*;q=0", "br", "gzip;q=0.5, identity", "gzip;q=x"]
)
async def test_an_answer_stays_plain_if_the_client_does_not_accept_gzip(
    backend: DemoBackend, accept: str | None
) -> None:
    async with serving(demo_app(backend)) as served:
        answer = await ask(served, PRODUCTS, accept)
        assert "content-encoding" not in answer.headers
        assert answer.headers["vary"] == "accept, accept-encoding"
        assert len(json.loads(answer.raw)["data"]["products"]["nodes"]) == 100


async def test_small_answers_mutations_and_streams_stay_plain(backend: DemoBackend) -> None:
    async with serving(demo_app(backend, WebSettings(gzip_min_bytes=200))) as served:
        assert "content-encoding" in (await ask(served, PRODUCTS, "gzip")).headers
        aliases = " ".join(f'a{n}: orderPlace(price: "1") {{ product {{ id price }} }}' for n in range(9))
        mutation = await ask(served, f"mutation {{ {aliases} }}", "gzip")
        assert len(mutation.raw) > 200
        for answer in (
            await ask(served, "{ hello }", "gzip"), mutation,
            await ask(served, PRODUCTS, "gzip", accept="text/event-stream"),
        ):  # fmt: skip
            assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(("least", "packs"), [(0, False), (1, True), (10**9, False)])
async def test_the_minimum_size_is_a_setting_and_zero_compresses_nothing(
    backend: DemoBackend, least: int, packs: bool
) -> None:
    async with serving(demo_app(backend, WebSettings(gzip_min_bytes=least))) as served:
        for query in ("{ hello }", PRODUCTS):
            assert ("content-encoding" in (await ask(served, query, "gzip")).headers) is packs


def test_only_payloads_of_mutations_hold_secrets() -> None:
    types = build_schema().graphql_schema.type_map.values()
    holders = {kind.name for kind in types for name in getattr(kind, "fields", ()) if name in {"token", "secret"}}
    outputs = {name for name in holders if not name.endswith("Input")}
    webhooks = {"SignalWebhookCreatePayload", "SignalWebhookRotatePayload"}
    channels = {"NotificationChannelCreatePayload", "NotificationChannelSecretRotatePayload"}
    sign_in = {"UserRegisterPayload", "UserLoginPayload", "OidcSignInPayload"}
    users = sign_in | {"TwoFactorSetupPayload", "ApiKeyCreatePayload"}
    assert outputs == users | webhooks | channels
