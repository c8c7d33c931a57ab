"""What HTTP reveals, and what pages of other origins may do."""

import pytest

from infra.web.app import EXPOSED_HEADERS
from infra.web.http.negotiation import RESPONSE_JSON
from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.engine_log import EngineLog
from tests.support.serving import serving


async def test_introspection_and_suggestions_can_be_switched_off(backend: DemoBackend) -> None:
    introspection = {"query": "{ __schema { queryType { name } } }"}
    circular = {"query": "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"}
    async with serving(demo_app(backend)) as served:
        assert (await served.post(introspection)).json()["data"]
        assert "introspection depth" in (await served.post(circular)).json()["errors"][0]["message"]
        assert "hello" in (await served.post({"query": "{ helo }"})).text
    async with serving(demo_app(backend, WebSettings(introspection=False, suggestions=False))) as served:
        assert (await served.post(introspection)).json()["errors"]
        assert "Did you mean" not in (await served.post({"query": "{ helo }"})).text
        refused = await served.post({"query": "query ($v: Decima) { echo(value: $v) }"})
        assert "Did you mean" not in refused.text


async def test_the_requests_of_graphql_cop_find_nothing(backend: DemoBackend) -> None:
    settings = WebSettings(introspection=False, suggestions=False, graphiql=False, console=False)
    async with serving(demo_app(backend, settings)) as served, served.client() as client:
        aliases = "query cop {" + " ".join(f"alias{n}:__typename" for n in range(101)) + "}"
        assert "data" not in (await served.post({"query": aliases})).json()
        assert isinstance((await served.post([{"query": "query cop { __typename }"}] * 10)).json(), dict)
        directives = (await served.post({"query": "query cop { __typename " + "@aa" * 10 + " }"})).json()
        assert len(directives["errors"]) != 10
        for path in ("/", "/graphiql", "/graphql", "/playground", "/console"):
            page = await client.get(path, headers={"accept": "text/html"})
            assert "graphiql" not in page.text.lower()
        assert (await client.get("/graphql", params={"query": "mutation cop {__typename}"})).status_code == 405
        form = await client.post("/graphql", data={"query": "query cop { __typename }"})
        assert (form.status_code, "data" in form.json()) == (415, False)
        trace = await served.post({"query": "query cop { __typename }", "extensions": {"tracing": True}})
        assert "tracing" not in trace.json()["extensions"]
        unhandled = await served.post({"query": "qwerty cop { abc }"})
        assert not {"exception", "stacktrace"} & unhandled.json()["errors"][0]["extensions"].keys()
        repeated = await served.post({"query": "query cop { " + "__typename \n" * 500 + "}"})
        assert [error["extensions"]["code"] for error in repeated.json()["errors"]] == ["OPERATION_TOO_COMPLEX"]


async def test_graphiql_comes_from_our_own_files_under_a_strict_policy(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        for path in ("/graphiql", "/graphql"):
            page = await client.get(path, headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
            assert page.status_code == 200
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'; script-src 'self';" in policy
            assert f"connect-src 'self' ws://{page.url.host}:{page.url.port} " in policy
            assert "http://" not in page.text
            assert "https://" not in page.text
        for name in ("graphiql.js", "graphiql.css", "LICENSES.txt"):
            assert (await client.get(f"/graphiql/static/{name}")).status_code == 200
        assert (await client.get("/graphiql/static/../app.py")).status_code == 404
    async with serving(demo_app(backend, WebSettings(graphiql=False))) as served, served.client() as client:
        assert (await client.get("/graphiql")).status_code == 404


async def test_every_answer_has_a_request_id_and_the_log_holds_nothing_private(
    backend: DemoBackend, engine_log: EngineLog
) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        params = {"query": '{ hello(name: "private") }'}
        response = await client.get("/graphql", params=params, headers={"x-request-id": "mine-1"})
        assert response.headers["x-request-id"] == "mine-1"
        response = await client.get("/graphql", params=params, headers={"x-request-id": "bad id"})
        assert len(response.headers["x-request-id"]) == 32
    logged = engine_log()
    assert "mine-1" in logged
    assert "private" not in logged


@pytest.mark.parametrize(
    "requested",
    [
        "content-type", "authorization,content-type", "traceparent,tracestate,baggage", "sentry-trace,baggage",
        "apollo-require-preflight,apollographql-client-name,apollographql-client-version", "x-anything",
    ],
)  # fmt: skip
async def test_pages_of_allowed_origins_may_call_with_any_header(backend: DemoBackend, requested: str) -> None:
    settings = WebSettings(allowed_origins=("https://App.example:443",))
    async with serving(demo_app(backend, settings)) as served, served.client() as client:
        preflight = {"access-control-request-method": "POST", "access-control-request-headers": requested}
        allowed = await client.options("/graphql", headers={"origin": "https://app.example", **preflight})
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        assert allowed.headers["access-control-allow-credentials"] == "true"
        assert allowed.headers["access-control-allow-headers"] == requested
        refused = await client.options("/graphql", headers={"origin": "https://evil.example", **preflight})
        assert refused.status_code == 400
        assert "access-control-allow-origin" not in refused.headers


async def test_pages_of_allowed_origins_may_read_answers_whatever_the_status(backend: DemoBackend) -> None:
    settings = WebSettings(allowed_origins=("https://app.example",))
    async with serving(demo_app(backend, settings)) as served, served.client() as client:
        for body, status in (('{"query": "{ me }"}', 200), ("no json", 400), ("x" * 200_000, 413)):
            headers = {"origin": "https://app.example", "content-type": "application/json", "accept": RESPONSE_JSON}
            response = await client.post("/graphql", content=body, headers=headers)
            assert response.status_code == status
            assert response.headers["access-control-allow-origin"] == "https://app.example"
            assert response.headers["access-control-expose-headers"] == ", ".join(EXPOSED_HEADERS)
            assert "origin" in response.headers["vary"].lower()


async def test_if_all_origins_are_allowed_credentials_are_not(backend: DemoBackend) -> None:
    async with serving(demo_app(backend, WebSettings(allowed_origins=("*",)))) as served, served.client() as client:
        headers = {"origin": "https://any.example", "cookie": "session=1"}
        response = await client.get("/graphql", params={"query": "{ me }"}, headers=headers)
        assert "access-control-allow-credentials" not in response.headers
        assert response.headers["access-control-allow-origin"] != "https://any.example"


async def test_no_answer_is_guessed_to_be_something_else(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        answers = [await client.get(path) for path in ("/graphql?query={me}", "/graphql", "/readyz", "/metrics", "/no")]
        assert [answer.headers["x-content-type-options"] for answer in answers] == ["nosniff"] * 5
