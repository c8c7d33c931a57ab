"""One browser for a module, on the engine of all end-to-end tests; a context of its own for each page."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page

from tests.support.browser import CONSOLE, running_browser, watched_page
from tests.support.engine import Engine
from tests.support.node import install_in_place


@pytest.fixture(scope="module", autouse=True)
def axe() -> None:
    """The console's packages, of which one finds what keeps people from using a page."""
    install_in_place(CONSOLE)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    async with running_browser() as browser:
        yield browser


@pytest.fixture
async def page(engine: Engine, browser: Browser) -> AsyncIterator[Page]:
    """A page of somebody whom the engine doesn't know yet."""
    async with watched_page(browser, engine.url) as page:
        yield page
