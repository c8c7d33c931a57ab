"""A real Chromium on the console, whose pages fail the test on any error, CSP report or request to another host.

async with watched_page(browser, engine.url) as page:
    await page.goto("/markets")
"""

import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright, expect

from tests.support.require import require_or_skip
from tests.support.waiting import PATIENCE_SECONDS

CONSOLE = Path(__file__).parents[2] / "console"
AXE = CONSOLE / "node_modules" / "axe-core" / "axe.min.js"
TIMEOUT_MS = 1_000 * PATIENCE_SECONDS
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """Return the path of Debian's Chromium; skips without one."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _CHROMIUM)), None)
    require_or_skip(path, "Chromium is not installed")
    assert path is not None
    return path


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Yield a headless browser; expectations wait as long as other tests wait for what takes moments."""
    expect.set_options(timeout=TIMEOUT_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def watched_page(
    browser: Browser, url: str, *, allowed: str | None = None, **context_options: Any
) -> AsyncIterator[Page]:
    """Yield a page of a new context; at the end, what it reported that `allowed` (a pattern) doesn't match fails."""
    options: dict[str, Any] = {"locale": "en-GB", "timezone_id": "Europe/Vienna", "base_url": url, **context_options}
    context = await browser.new_context(**options)
    context.set_default_timeout(TIMEOUT_MS)
    page = await context.new_page()
    faults: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            faults.append(f"console {message.type}: {message.text}")

    def on_request(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != urlsplit(url).netloc:
            faults.append(f"request to another host: {request.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
    page.on("request", on_request)
    try:
        yield page
    finally:
        await context.close()
    rest = [fault for fault in faults if not (allowed and re.search(allowed, fault))]
    assert rest == [], rest


async def accessibility_violations(page: Page) -> list[str]:
    """Return what axe finds wrong on the page, as rules with the elements that break them; needs the `axe` fixture."""
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {', '.join(node['target'][0] for node in violation['nodes'][:4])}"
        for violation in found["violations"]
    ]
