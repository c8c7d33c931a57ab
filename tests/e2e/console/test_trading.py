"""A first visit to a first order, its life on the screen, and what is denied in words."""

import re
from uuid import uuid4

from playwright.async_api import Browser, Locator, Page, expect

from tests.support.browser import accessibility_violations, watched_page
from tests.support.engine import Engine

PASSWORD = "correct horse battery"


async def open_market_with_paper_account(page: Page) -> None:
    await page.goto("/")
    await page.get_by_role("link", name="BTC/USDT").click()
    await page.get_by_role("main").get_by_role("link", name="Register").click()
    await page.get_by_label("Email").fill(f"{uuid4().hex}@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.locator("form").get_by_role("button", name="Register").click()
    await expect(page).to_have_url(re.compile("/markets/sandbox:BTC/USDT$"))
    await page.get_by_role("button", name="Open a paper account").click()
    await expect(page.get_by_text("Free: 10,000 USDT")).to_be_visible()


async def buy_until_filled(page: Page) -> Locator:
    """Buy as the ticket says; return the row of the order that was filled. A busy engine may not send one in time."""
    rows = page.get_by_role("region", name="Your orders here").get_by_role("row").filter(has_text="market")
    while True:
        before = await rows.count()
        await page.get_by_role("button", name="Buy BTC").click()
        await expect(rows).to_have_count(before + 1)
        newest = rows.first
        await expect(newest).to_contain_text(re.compile("filled|cancelled"))
        if await newest.get_by_text("filled", exact=True).count():
            return newest


async def test_a_first_visit_leads_to_a_filled_order_and_its_life(page: Page) -> None:
    await open_market_with_paper_account(page)
    await page.get_by_label("Quantity (BTC)").fill("0.01")
    await page.get_by_label("Stop-loss", exact=True).fill("2")
    bought = await buy_until_filled(page)
    await expect(page.get_by_role("img", name="Candles of sandbox:BTC/USDT, 1m").locator("canvas").first).to_be_visible()
    assert await accessibility_violations(page) == []
    await bought.get_by_role("link").click()
    await expect(page.get_by_role("listitem").filter(has_text="Sent to the venue")).to_be_visible()
    await expect(page.get_by_role("listitem").filter(has_text="Filled").filter(has_text="0.01 BTC at")).to_be_visible()
    assert await accessibility_violations(page) == []


async def test_an_order_that_rests_is_cancelled_and_one_that_is_too_large_is_denied_in_words(page: Page) -> None:
    await open_market_with_paper_account(page)
    await page.get_by_label("Type").select_option("LIMIT")
    await page.get_by_label("Limit price").fill("50000")
    await page.get_by_label("Quantity (BTC)").fill("0.01")
    await page.get_by_role("button", name="Buy BTC").click()
    orders = page.get_by_role("region", name="Your orders here")
    await expect(orders.get_by_text("open", exact=True)).to_be_visible()
    await page.get_by_label("Quantity (BTC)").fill("5")
    verdict = page.get_by_role("status", name="What the risk checks will say")
    await expect(verdict).to_contain_text("The free balance doesn't cover the order.")
    await expect(verdict).to_contain_text("The order needs 250000 USDT")
    await page.get_by_role("button", name="Buy BTC").click()
    await expect(page.get_by_role("alert").filter(has_text="The order needs 250000 USDT")).to_be_visible()
    await expect(orders.get_by_text("denied", exact=True)).to_be_visible()
    await page.get_by_role("navigation").get_by_role("link", name="Orders").click()
    await page.get_by_role("button", name="Cancel Buy 0.01 BTC").click()
    await expect(page.get_by_text("cancelled", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Active", exact=True).click()
    await expect(page.get_by_text("There are no orders here")).to_be_visible()
    assert await accessibility_violations(page) == []


async def test_what_the_risk_checks_will_say_follows_what_is_typed_and_nothing_is_placed(page: Page) -> None:
    await open_market_with_paper_account(page)
    verdict = page.get_by_role("status", name="What the risk checks will say")
    quantity = page.get_by_label("Quantity (BTC)")
    await quantity.fill("0.01")
    await expect(verdict).to_contain_text("The risk checks let it pass")
    assert await accessibility_violations(page) == []
    await quantity.fill("0.000001")
    await expect(verdict).to_contain_text("The quantity isn't a multiple of the market's quantity step.")
    assert await accessibility_violations(page) == []
    await quantity.fill("0.01")
    await page.get_by_label("Stop-loss", exact=True).fill("200")
    await expect(verdict).to_contain_text("It would not be taken:")
    await quantity.fill("")
    await expect(verdict).to_be_empty()
    await expect(page.get_by_text("No order of yours on this market yet")).to_be_visible()


async def test_what_is_denied_is_said_in_french_too(engine: Engine, browser: Browser) -> None:
    async with watched_page(browser, engine.url, locale="fr-FR") as page:
        await page.goto("/sign-in?register&from=/markets/sandbox:BTC/USDT")
        await page.get_by_label("Adresse électronique").fill(f"{uuid4().hex}@example.com")
        await page.get_by_label("Mot de passe").fill(PASSWORD)
        await page.locator("form").get_by_role("button", name="S’inscrire").click()
        await page.get_by_role("button", name="Ouvrir un compte fictif").click()
        await page.get_by_label("Quantité (BTC)").fill("500")
        verdict = page.get_by_role("status", name="Ce que diront les contrôles de risque")
        await expect(verdict).to_contain_text("Le solde disponible ne couvre pas l’ordre.")


async def test_a_market_that_does_not_exist_says_so(page: Page) -> None:
    await page.goto("/markets/sandbox:NO/SUCH")
    await expect(page.get_by_text("There is no market sandbox:NO/SUCH")).to_be_visible()


async def test_an_order_with_a_stop_loss_that_cannot_be_read_is_not_sent_without_it(page: Page) -> None:
    await open_market_with_paper_account(page)
    await page.get_by_label("Quantity (BTC)").fill("0.01")
    await page.get_by_label("Stop-loss", exact=True).fill("1,000")
    await expect(page.get_by_role("alert").filter(has_text="This is not a number")).to_be_visible()
    await page.get_by_role("button", name="Buy BTC").click()
    await page.get_by_label("Stop-loss", exact=True).fill("2")
    await buy_until_filled(page)
    await expect(page.get_by_role("region", name="Your orders here").get_by_role("row").filter(has_text="market")).to_have_count(1)
