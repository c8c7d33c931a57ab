"""The list of all markets: its pages, search and filters by the API, and favourites."""

import json
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.support.browser import accessibility_violations, watched_page
from tests.support.engine import Engine

MANY = [f"C{number:04}/USDT" for number in range(250)]
FAILED = r"status of 503"


def a_page(after: str | None) -> dict[str, Any]:
    """Return the page of made-up markets after a cursor."""
    start = 0 if after is None else int(after)
    venue = {"__typename": "Venue", "id": "v", "name": "sandbox", "live": False}
    nodes = [
        {
            **{"__typename": "Market", "id": symbol, "symbol": f"sandbox:{symbol}", "base": symbol[:5]},
            **{"quote": "USDT", "priceIncrement": "0.01", "venue": venue},
        }
        for symbol in MANY[start : start + 100]
    ]
    end = start + len(nodes)
    info = {"__typename": "PageInfo", "hasNextPage": end < len(MANY), "endCursor": str(end)}
    connection = {"__typename": "MarketConnection", "totalCount": len(MANY), "nodes": nodes, "pageInfo": info}
    return {"data": {"__typename": "Query", "markets": connection}}


class ManyMarkets:
    """Answers for the engine as if it had 250 markets; `failures` pages fail before that."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.failures = 0

    async def answer(self, route: Route) -> None:
        request = json.loads(route.request.post_data or "{}")
        if request.get("operationName") != "Markets":
            await route.fallback()
            return
        after = request["variables"].get("after")
        self.asked.append(after)
        if after is not None and self.failures:
            self.failures -= 1
            await route.fulfill(status=503, body="")
            return
        await route.fulfill(json=a_page(after))


@pytest.fixture
async def many(engine: Engine, browser: Browser) -> Any:
    """A page on an engine of 250 markets."""
    async with watched_page(browser, engine.url, allowed=FAILED) as page:
        markets = ManyMarkets()
        await page.route("**/graphql", markets.answer)
        yield page, markets


async def test_all_markets_are_reached_by_the_keyboard_page_by_page(many: tuple[Page, ManyMarkets]) -> None:
    page, markets = many
    await page.goto("/markets")
    await expect(page.get_by_text("250 markets")).to_be_visible()
    await expect(page.get_by_role("link", name="C0000")).to_be_visible()
    table = page.get_by_role("group", name="Markets")
    await table.focus()
    last = page.get_by_role("link", name="C0249")
    while not await last.count():
        await page.keyboard.press("End")
    await expect(last).to_be_visible()
    assert markets.asked == [None, "100", "200"]
    assert await accessibility_violations(page) == []


async def test_a_page_that_fails_is_said_and_can_be_asked_for_again(many: tuple[Page, ManyMarkets]) -> None:
    page, markets = many
    markets.failures = 1
    await page.goto("/markets")
    await page.get_by_role("group", name="Markets").focus()
    alert = page.get_by_role("alert").filter(has_text="Not all markets could be loaded.")
    while not await alert.count():
        await page.keyboard.press("End")
    assert await accessibility_violations(page) == []
    await alert.get_by_role("button", name="Load the rest").press("Enter")
    await expect(alert).to_be_hidden()
    assert markets.asked[:3] == [None, "100", "100"]


async def test_search_and_quote_are_asked_of_the_api_and_favourites_stand_first(page: Page) -> None:
    await page.goto("/markets")
    rows = page.get_by_role("group", name="Markets").locator("tbody tr:not(.spacer)")
    await expect(rows).to_have_count(4)
    await page.get_by_label("Search markets").fill("eth")
    await expect(rows).to_have_count(2)
    await page.get_by_label("Quote currency").select_option("USDT")
    await expect(rows).to_have_count(1)
    await expect(rows.first).to_contain_text("ETH")
    await page.get_by_label("Search markets").fill("nothing like it")
    await expect(page.get_by_text("No market fits")).to_be_visible()
    assert await accessibility_violations(page) == []
    await page.get_by_label("Search markets").fill("")
    await page.get_by_label("Quote currency").select_option("")
    await page.get_by_role("button", name="Favourite: sandbox:SOL/USDT").press("Enter")
    await expect(rows.first).to_contain_text("SOL")
    await page.reload()
    await expect(rows).to_have_count(4)
    await expect(rows.first).to_contain_text("SOL")
    await page.get_by_label("Favourites only").check()
    await expect(rows).to_have_count(1)


async def test_prices_come_for_the_rows_in_view(page: Page) -> None:
    await page.goto("/markets")
    row = page.get_by_role("row").filter(has_text="BTC/USDT")
    await expect(row.get_by_text("live")).to_be_visible()
    await expect(row.get_by_text("ago")).to_be_visible()


@pytest.mark.parametrize("width", [360, 3840])
async def test_it_fits_a_phone_and_a_large_screen(engine: Engine, browser: Browser, width: int) -> None:
    async with watched_page(browser, engine.url, viewport={"width": width, "height": 900}) as page:
        await page.goto("/markets")
        await expect(page.get_by_role("link", name="BTC/USDT")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await accessibility_violations(page) == []
