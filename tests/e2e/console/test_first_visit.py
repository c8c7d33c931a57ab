"""The page that a new user is led to, from registering to the portfolio; each step is done where it says."""

import re
from uuid import uuid4

from playwright.async_api import Page, expect

from tests.support.browser import accessibility_violations

PASSWORD = "correct horse battery"


async def register(page: Page) -> None:
    await page.goto("/")
    await page.get_by_role("link", name="Sign in").click()
    await page.get_by_role("group", name="Sign in or register").get_by_role("button", name="Register").click()
    await page.get_by_label("Email").fill(f"{uuid4().hex}@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.locator("form").get_by_role("button", name="Register").click()
    await expect(page).to_have_url(re.compile("/start$"))


async def test_the_start_page_leads_from_an_account_to_an_order_and_says_what_is_done(page: Page) -> None:
    await register(page)
    steps = page.get_by_role("listitem")
    await expect(steps.filter(has_text="Register (done)")).to_be_visible()
    await expect(steps.filter(has_text="Open a paper account (not yet)")).to_have_attribute("aria-current", "step")
    assert await accessibility_violations(page) == []
    await page.get_by_role("button", name="Open a paper account").click()
    await expect(steps.filter(has_text="Open a paper account (done)")).to_be_visible()
    await page.get_by_role("link", name="To the order ticket").click()
    await page.get_by_label("Quantity (BTC)").fill("0.01")
    await page.get_by_role("button", name="Buy BTC").click()
    await expect(page.get_by_role("region", name="Your orders here").get_by_text("filled", exact=True)).to_be_visible()
    await page.get_by_role("navigation").get_by_role("link", name="Start").click()
    await expect(steps.filter(has_text="Place a first order (done)")).to_be_visible()
    await page.get_by_role("navigation").get_by_role("link", name="Portfolio").click()
    await expect(page.get_by_role("region", name="Open positions").get_by_role("link", name="BTC/USDT")).to_be_visible()
    await expect(page.get_by_role("region", name="Held").get_by_role("row").filter(has_text="BTC")).to_be_visible()
    assert await accessibility_violations(page) == []


async def test_a_portfolio_without_accounts_opens_one(page: Page) -> None:
    await register(page)
    await page.get_by_role("navigation").get_by_role("link", name="Portfolio").click()
    await page.get_by_role("button", name="Open a paper account").click()
    await expect(page.get_by_role("region", name="Accounts").get_by_role("row").filter(has_text="sandbox")).to_be_visible()
    await expect(page.get_by_text("No position is open")).to_be_visible()


async def test_a_user_makes_and_revokes_a_key_whose_secret_is_shown_once(page: Page) -> None:
    await register(page)
    await page.get_by_role("navigation").get_by_role("link", name="Settings").click()
    await expect(page.get_by_text("You have no API keys")).to_be_visible()
    await page.get_by_label("Name of the new key").fill("robot")
    await page.get_by_role("button", name="Create a key").click()
    await expect(page.get_by_text("The new key", exact=True)).to_be_visible()
    keys = page.get_by_role("region", name="API keys")
    await expect(keys.get_by_role("row").filter(has_text="robot")).to_be_visible()
    assert await accessibility_violations(page) == []
    await page.reload()
    await expect(keys.get_by_role("row").filter(has_text="robot")).to_be_visible()
    await expect(page.get_by_text("The new key", exact=True)).to_have_count(0)
    await page.get_by_role("button", name="Revoke robot").click()
    await expect(page.get_by_text("You have no API keys")).to_be_visible()
    await expect(page.get_by_text("this one", exact=True)).to_be_visible()
