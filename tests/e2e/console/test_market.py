"""A market's page: volume profile, book over time, own positions and their protection, and amending orders."""

import json
import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.support.browser import accessibility_violations, watched_page
from tests.support.engine import Engine
from tests.support.trader_client import TraderClient

MARKET = "/markets/sandbox:BTC/USDT"
LOST = r"ERR_FAILED|status of 503"
PAINTED = """canvas => {
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, index) => index % 4 === 3 && value > 0);
}"""


async def sign_in(page: Page, trader: TraderClient, path: str = MARKET) -> None:
    await page.goto("/sign-in")
    await page.evaluate("token => sessionStorage.setItem('r3edge:console::token', token)", trader.client.token)
    await page.goto(path)


@pytest.fixture
async def signed_in(engine: Engine, browser: Browser, trader: TraderClient) -> AsyncIterator[Page]:
    """The market's page of somebody with a paper account, where lost answers are part of the test."""
    async with watched_page(browser, engine.url, allowed=LOST) as page:
        await sign_in(page, trader)
        yield page


class LosingAnswers:
    """Lets the engine have each request of an operation, and loses the answer as long as `is_on`."""

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.is_on = True
        self.keys: list[str] = []

    async def handle(self, route: Route) -> None:
        request = json.loads(route.request.post_data or "{}")
        if request.get("operationName") != self.operation:
            await route.fallback()
            return
        self.keys.append(request["variables"]["input"]["idempotencyKey"])
        if not self.is_on:
            await route.continue_()
            return
        await route.fetch()
        await route.abort()


async def place_resting(trader: TraderClient) -> None:
    placed = await trader.place(side="BUY", type="LIMIT", quantity="0.01", price="50000")
    assert placed["status"] == "OPEN"


async def buy(trader: TraderClient) -> None:
    """Buy until the engine has sent an order in time, as a busy one may not."""
    while True:
        placed = await trader.place(side="BUY", type="MARKET", quantity="0.01")
        if placed["status"] == "FILLED":
            return


def orders(page: Page) -> Locator:
    return page.get_by_role("region", name="Your orders here")


async def test_an_order_is_amended_by_the_keyboard_after_what_the_risk_checks_say(
    signed_in: Page, trader: TraderClient
) -> None:
    page = signed_in
    await place_resting(trader)
    await orders(page).get_by_role("button", name="Amend Buy 0.01 BTC").press("Enter")
    dialog = page.get_by_role("dialog")
    price = dialog.get_by_label("Limit price (USDT)")
    await price.fill("50000.001")
    await expect(dialog.get_by_role("status")).to_contain_text("The price isn't a multiple of the market's price step.")
    assert await accessibility_violations(page) == []
    await price.fill("50100")
    await expect(dialog.get_by_role("status")).to_contain_text("The risk checks let it pass")
    await expect(dialog.get_by_text("501.00")).to_be_visible()
    await price.press("Enter")
    await expect(dialog).to_be_hidden()
    await expect(orders(page).get_by_role("row").filter(has_text="open").filter(has_text="50,100")).to_have_count(1)
    await expect(orders(page).get_by_text("An amended order took its place.")).to_be_visible()


async def test_an_amendment_whose_answer_got_lost_keeps_its_key_until_its_outcome_is_known(
    signed_in: Page, trader: TraderClient
) -> None:
    page = signed_in
    losing = LosingAnswers("AmendOrder")
    await page.route("**/graphql", losing.handle)
    # The events that would tell of the outcome are kept away too: the row stays as it was.
    await page.route_web_socket("**/graphql", lambda socket: None)
    await place_resting(trader)
    await page.reload()
    button = orders(page).get_by_role("button", name="Amend Buy 0.01 BTC")
    await button.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Limit price (USDT)").fill("50200")
    await dialog.get_by_role("button", name="Amend the order").click()
    alert = dialog.get_by_role("alert").filter(has_text="No answer came.")
    await expect(alert).to_be_visible()
    await expect(dialog.get_by_label("Limit price (USDT)")).to_be_disabled()
    assert await accessibility_violations(page) == []
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(button).to_be_focused()
    await button.press("Enter")
    losing.is_on = False
    await alert.get_by_role("button", name="Ask again with the same key").press("Enter")
    await expect(dialog).to_be_hidden()
    assert len(losing.keys) > 2
    assert len(set(losing.keys)) == 1
    listed = await trader.client.run("{ viewer { orders(first: 10) { nodes { status price } } } }")
    nodes = listed["viewer"]["orders"]["nodes"]
    assert sorted((node["status"], node["price"]) for node in nodes) == [("CANCELED", "50000"), ("OPEN", "50200")]


async def test_a_position_is_protected_in_a_dialog_that_shows_the_risk(signed_in: Page, trader: TraderClient) -> None:
    page = signed_in
    await buy(trader)
    positions = page.get_by_role("region", name="Your positions here")
    await expect(positions.get_by_text("nothing")).to_be_visible()
    await positions.get_by_role("button", name=re.compile("Protect the position")).press("Enter")
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Stop-loss", exact=True).fill("10")
    outlook = dialog.get_by_role("status", name="What the levels would lose or gain")
    await expect(outlook).to_contain_text(re.compile(r"-\d+\.\d\d USDT"))
    await dialog.get_by_label("Take-profit", exact=True).fill("1")
    await dialog.get_by_label("Take-profit: given as").select_option("price")
    await expect(outlook).to_contain_text("The market has passed this price already.")
    assert await accessibility_violations(page) == []
    await dialog.get_by_role("button", name="Set protection").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("The takeProfit 1 must be above")
    await dialog.get_by_label("Take-profit", exact=True).fill("")
    await dialog.get_by_label("Trailing stop: distance from the best price", exact=True).fill("12")
    await dialog.get_by_label("Trailing stop: distance from the best price", exact=True).press("Enter")
    await expect(dialog).to_be_hidden()
    await expect(positions.get_by_text("Trailing stop")).to_be_visible()
    await positions.get_by_role("button", name=re.compile("Protect the position")).click()
    await expect(dialog.get_by_label("Trailing stop: distance from the best price", exact=True)).to_have_value("12")
    await dialog.get_by_label("Stop-loss", exact=True).fill("")
    await dialog.get_by_label("Trailing stop: distance from the best price", exact=True).fill("")
    await dialog.get_by_role("button", name="Take the protection away").click()
    await expect(positions.get_by_text("nothing")).to_be_visible()


async def test_a_protection_whose_answer_got_lost_is_asked_for_again_with_its_key(
    signed_in: Page, trader: TraderClient
) -> None:
    page = signed_in
    losing = LosingAnswers("ProtectPosition")
    await page.route("**/graphql", losing.handle)
    await buy(trader)
    await page.get_by_role("button", name=re.compile("Protect the position")).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Stop-loss", exact=True).fill("10")
    await dialog.get_by_role("button", name="Set protection").click()
    alert = dialog.get_by_role("alert").filter(has_text="No answer came.")
    await expect(alert).to_be_visible()
    losing.is_on = False
    await alert.get_by_role("button", name="Ask again with the same key").click()
    await expect(dialog).to_be_hidden()
    assert len(losing.keys) > 2
    assert len(set(losing.keys)) == 1
    answer = await trader.client.run("{ viewer { positions(first: 1) { nodes { protections { endedAt } } } } }")
    assert answer["viewer"]["positions"]["nodes"][0]["protections"] == [{"endedAt": None}]


async def test_a_position_is_protected_from_the_portfolio_too(signed_in: Page, trader: TraderClient) -> None:
    page = signed_in
    await buy(trader)
    await page.goto("/portfolio")
    button = page.get_by_role("button", name=re.compile("Protect the position"))
    await button.press("Enter")
    stop = page.get_by_role("dialog").get_by_label("Stop-loss", exact=True)
    await stop.fill("10")
    await stop.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(page.get_by_role("listitem").filter(has_text="Stop-loss")).to_be_visible()
    assert await accessibility_violations(page) == []


async def test_the_book_over_time_is_a_picture_with_a_legend_and_a_table(page: Page) -> None:
    await page.goto(MARKET)
    heat = page.get_by_role("region", name="Book over time")
    picture = heat.get_by_role("img", name=re.compile("Quantities in the book from"))
    await expect(picture).to_be_visible()
    await page.wait_for_function(f"() => ({PAINTED})(document.querySelector('.heat canvas'))")
    await heat.locator("summary").press("Enter")
    await expect(heat.get_by_role("cell", name="Bids").first).to_be_visible()
    assert await accessibility_violations(page) == []
    await heat.get_by_role("button", name="6 h").press("Enter")
    await expect(picture).to_be_visible()


async def test_without_its_past_the_picture_of_the_book_begins_with_the_page(engine: Engine, browser: Browser) -> None:
    async def fail(route: Route) -> None:
        is_history = json.loads(route.request.post_data or "{}").get("operationName") == "DepthHistory"
        await (route.fulfill(status=503, body="") if is_history else route.fallback())

    async with watched_page(browser, engine.url, allowed=LOST) as page:
        await page.route("**/graphql", fail)
        await page.goto(MARKET)
        heat = page.get_by_role("region", name="Book over time")
        await expect(heat.get_by_text("The past could not be loaded")).to_be_visible()
        await expect(heat.get_by_role("img")).to_be_visible()
        await page.unroute("**/graphql", fail)
        await heat.get_by_role("button", name="Load the past").click()
        await expect(heat.get_by_text("The past could not be loaded")).to_be_hidden()


async def test_the_volume_profile_is_drawn_and_given_in_words(page: Page) -> None:
    await page.goto(MARKET)
    await page.get_by_label("Volume profile").select_option("4")
    await expect(page.get_by_text("Most traded at")).to_be_visible()
    await expect(page.get_by_text("70 % of the volume at")).to_be_visible()
    assert await accessibility_violations(page) == []


@pytest.mark.parametrize(("width", "locale"), [(360, "fr-FR"), (3840, "en-GB")])
async def test_it_fits_a_phone_and_a_large_screen(
    engine: Engine, browser: Browser, trader: TraderClient, width: int, locale: str
) -> None:
    await place_resting(trader)
    await buy(trader)
    async with watched_page(browser, engine.url, locale=locale, viewport={"width": width, "height": 900}) as page:
        await sign_in(page, trader)
        protect = page.get_by_role("button", name=re.compile("Prot.*ger la position|Protect the position"))
        await expect(protect).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await accessibility_violations(page) == []
        await protect.click()
        assert await accessibility_violations(page) == []
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name=re.compile("Modifier|Amend")).click()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await accessibility_violations(page) == []
