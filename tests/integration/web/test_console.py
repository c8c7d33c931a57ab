"""How the console is served: its page at every path of its own, its files, and what the page may do."""

import logging
import re
from pathlib import Path

import pytest
import structlog

from infra.web.console import page as console_page
from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.serving import serving

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_the_page_comes_at_its_paths_under_a_policy_without_anything_inline(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        for path in ("/", "/markets", "/markets/sandbox:BTC/USDT", "/sign-in", "/strategies/abc"):
            page = await client.get(path, headers=BROWSER)
            assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
            assert f"connect-src 'self' ws://{page.url.host}:{page.url.port} " in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert page.headers["x-content-type-options"] == "nosniff"
            assert page.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("path", "base"), [("/", "./"), ("/markets", "./"), ("/markets/", "../"), ("/markets/sandbox:BTC/USDT", "../../")]
)
async def test_the_page_finds_the_root_from_any_depth(backend: DemoBackend, path: str, base: str) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        assert f'<base href="{base}" />' in (await client.get(path, headers=BROWSER)).text


async def test_its_files_are_kept_for_ever_and_the_page_is_not(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        page = (await client.get("/", headers=BROWSER)).text
        files = re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page)
        assert files
        for file in files:
            answer = await client.get(f"/{file}")
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
            assert answer.headers["x-content-type-options"] == "nosniff"
        absent = await client.get("/assets/index-00000000.js", headers=BROWSER)
        assert absent.status_code == 404
        assert "cache-control" not in absent.headers
        for name in ("favicon.svg", "LICENSES.txt"):
            assert (await client.get(f"/{name}")).status_code == 200


async def test_paths_of_the_engine_and_requests_of_programs_get_no_page(backend: DemoBackend) -> None:
    async with serving(demo_app(backend)) as served, served.client() as client:
        for path in ("/graphql/x", "/metrics/x", "/healthz/x", "/exports/x", "/hooks/signals/x", "/sign-in/x/callback"):
            assert (await client.get(path, headers=BROWSER)).status_code == 404
        assert (await client.get("/no/such/page")).status_code == 404
        assert (await client.post("/markets", headers=BROWSER)).status_code == 404
        assert (await client.head("/markets", headers=BROWSER)).text == ""
        assert (await client.get("/readyz", headers=BROWSER)).json()["status"] == "ready"


async def test_it_can_be_switched_off(backend: DemoBackend) -> None:
    async with serving(demo_app(backend, WebSettings(console=False))) as served, served.client() as client:
        assert (await client.get("/", headers=BROWSER)).headers["location"] == "/graphiql"
        assert (await client.get("/markets", headers=BROWSER)).status_code == 404
    settings = WebSettings(console=False, graphiql=False)
    async with serving(demo_app(backend, settings)) as served, served.client() as client:
        assert (await client.get("/", headers=BROWSER)).status_code == 404


async def test_a_page_that_is_replaced_on_disk_is_served_with_its_own_files(
    backend: DemoBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_page, "STATIC", tmp_path)
    (tmp_path / "assets").mkdir()
    index = tmp_path / "index.html"
    index.write_text("the old page")
    async with serving(demo_app(backend)) as served, served.client() as client:
        assert (await client.get("/", headers=BROWSER)).text == "the old page"
        index.unlink()
        absent = await client.get("/markets", headers=BROWSER)
        assert (absent.status_code, absent.headers["retry-after"]) == (503, "1")
        index.write_text("the new page")
        assert (await client.get("/markets", headers=BROWSER)).text == "the new page"


async def test_the_access_log_names_the_routes_of_the_console(
    backend: DemoBackend, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "r3edge.access")
    async with serving(demo_app(backend)) as served, served.client() as client:
        with structlog.testing.capture_logs() as logs:
            for path in ("/", "/markets/sandbox:BTC/USDT", "/favicon.svg", "/assets/index-00000000.js", "/graphql/x"):
                await client.get(path, headers=BROWSER)
    assert [line["route"] for line in logs if line["event"] == "http"] == ["/", "/", "/favicon.svg", "/assets", "other"]
