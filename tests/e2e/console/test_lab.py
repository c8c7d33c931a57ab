"""Strategies, backtests and sessions in a browser: from a template to a paper session, and each state of a list."""

import asyncio
import re
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.e2e.console.test_shell import register
from tests.support.browser import accessibility_violations, watched_page
from tests.support.engine import Engine

LISTS = {
    "/strategies": ("Strategies", "You have no strategy yet"),
    "/backtests": ("Backtests", "There are no backtests yet"),
    "/sessions": ("Trading sessions", "No strategy has run yet"),
}


async def strategy_of_a_template(page: Page, title: str = "EMA cross with ADX") -> None:
    await page.get_by_role("link", name="Strategies").first.click()
    await page.get_by_role("link", name=f"Use this template: {title}").click()
    await expect(page.get_by_text("Valid.", exact=False)).to_be_visible()
    await page.get_by_role("button", name="Save strategy").click()
    await expect(page).to_have_url(re.compile(r"/strategies/(?!new)"))


async def test_a_template_becomes_a_strategy_a_backtest_and_a_paper_session(page: Page) -> None:
    await register(page, f"{uuid4().hex}@example.com")
    await strategy_of_a_template(page)
    await page.get_by_role("link", name="Backtest", exact=True).first.click()
    await page.get_by_role("button", name="Last 30 days").click()
    await page.get_by_role("button", name="Run the backtest").click()
    await expect(page.get_by_text("Net profit").first).to_be_visible()
    await expect(page.get_by_role("img", name="Equity over time")).to_be_visible()
    assert await accessibility_violations(page) == []
    await page.get_by_role("link", name="Start a session").click()
    await page.get_by_role("button", name="Open a paper account with 10000 USDT").click()
    await expect(page.get_by_role("combobox", name="Account")).to_have_value(re.compile("."))
    await page.get_by_role("button", name="Start the session").click()
    await expect(page.get_by_text("running", exact=True)).to_be_visible()
    await expect(page.get_by_text("There is no signal yet")).to_be_visible()
    assert await accessibility_violations(page) == []
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_text("paused", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Stop", exact=True).click()
    await page.get_by_role("button", name="Stop it").click()
    await expect(page.get_by_text("stopped", exact=True)).to_be_visible()


async def test_a_mistake_is_marked_where_it_is_and_corrected_with_one_click(page: Page) -> None:
    await register(page, f"{uuid4().hex}@example.com")
    await page.goto("/strategies/new")
    rule = page.get_by_role("textbox", name="Buy when")
    await rule.click()
    await page.keyboard.type("close > smaa(close, 3)")
    await expect(page.get_by_text("did you mean sma?", exact=False).first).to_be_visible()
    await expect(page.locator(".cm-lintRange-error")).to_have_text("smaa")
    await page.get_by_role("button", name="Write sma").first.click()
    await expect(page.get_by_text("Valid.", exact=False)).to_be_visible()
    await expect(rule).to_have_text("close > sma(close, 3)")


async def test_writing_goes_on_in_the_editor_when_it_is_loaded(page: Page) -> None:
    await register(page, f"{uuid4().hex}@example.com")
    is_held = asyncio.Event()

    async def hold(route: Route) -> None:
        await is_held.wait()
        await route.fallback()

    await page.route("**/CodeEditor-*.js", hold)
    await page.goto("/strategies/new")
    rule = page.get_by_role("textbox", name="Buy when")
    await rule.click()
    await page.keyboard.type("close > sma")
    is_held.set()
    await expect(page.locator(".cm-content").first).to_be_visible()
    await page.keyboard.type("(close, 3)")
    await expect(rule).to_have_text("close > sma(close, 3)")


async def test_versions_stand_side_by_side(page: Page) -> None:
    await register(page, f"{uuid4().hex}@example.com")
    await strategy_of_a_template(page, "Golden cross")
    await page.get_by_label("Longest holding, in candles").fill("30")
    await page.get_by_role("button", name="Save as new version").click()
    row = page.get_by_role("row").filter(has_text="maxHoldingBars")
    await expect(row.locator("ins")).to_have_text("30")


@pytest.mark.parametrize("path", LISTS)
async def test_an_empty_list_says_what_to_do_and_axe_finds_nothing(engine: Engine, browser: Browser, path: str) -> None:
    title, empty = LISTS[path]
    async with watched_page(browser, engine.url, viewport={"width": 360, "height": 740}) as page:
        await register(page, f"{uuid4().hex}@example.com")
        await page.goto(path)
        await expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
        await expect(page.get_by_text(empty)).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        assert await accessibility_violations(page) == []


@pytest.mark.parametrize(
    ("path", "operation"), [("/strategies", "Strategies"), ("/backtests", "Backtests"), ("/sessions", "Sessions")]
)
async def test_a_list_that_fails_can_be_asked_for_again(
    engine: Engine, browser: Browser, path: str, operation: str
) -> None:
    async with watched_page(browser, engine.url, allowed="Failed to load resource") as page:
        await register(page, f"{uuid4().hex}@example.com")

        async def fail(route: Route) -> None:
            await (route.abort() if f"query {operation}(" in (route.request.post_data or "") else route.fallback())

        await page.route("**/graphql", fail)
        await page.goto(path)
        await expect(page.get_by_text("The engine can't be reached.", exact=False)).to_be_visible()
        await page.unroute("**/graphql")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_text(LISTS[path][1])).to_be_visible()
