"""The console's shell in a browser: register, sign in and out, languages, themes, paths, keyboard."""

import re
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.browser import accessibility_violations, watched_page
from tests.support.engine import Engine

PASSWORD = "correct horse battery"


async def register(page: Page, email: str) -> None:
    await page.goto("/sign-in?register")
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.locator("form").get_by_role("button", name="Register").click()
    await expect(page).not_to_have_url(re.compile("sign-in"))


async def test_a_stranger_sees_markets_live_and_is_led_to_the_sign_in_and_back(page: Page) -> None:
    await page.goto("/")
    row = page.get_by_role("row").filter(has_text="BTC")
    await expect(row.filter(has_text="USDT").get_by_text("live")).to_be_visible()
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    email = f"{uuid4().hex}@example.com"
    await register(page, email)
    await page.get_by_role("button", name="Your menu").click()
    await page.get_by_role("menuitem", name="Sign out").click()
    await page.goto("/orders?status=open")
    await expect(page).to_have_url(re.compile(r"/sign-in\?from=%2Forders%3Fstatus%3Dopen"))
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill("not the password")
    await page.locator("form").get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert").first).to_contain_text("is wrong")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("Password").press("Enter")
    await expect(page).to_have_url(re.compile(r"/orders\?status=open$"))
    await page.reload()
    await expect(page.get_by_role("heading", name="Orders")).to_be_visible()


async def test_a_token_that_ended_elsewhere_leads_to_the_sign_in(engine: Engine, browser: Browser) -> None:
    async with watched_page(browser, engine.url) as page:
        await register(page, f"{uuid4().hex}@example.com")
        token = await page.evaluate("Object.values(sessionStorage)[0]")
        await engine.client(token).run("mutation { userLogout { errors { code } } }")
        await expect(page.get_by_text("Your sign-in has ended.", exact=False)).to_be_visible()


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("path", ["/markets", "/sign-in", "/sign-in?register"])
async def test_axe_finds_nothing(engine: Engine, browser: Browser, path: str, scheme: str) -> None:
    async with watched_page(browser, engine.url, color_scheme=scheme) as page:
        await page.goto(path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert await accessibility_violations(page) == []


async def test_french_and_a_phone(engine: Engine, browser: Browser) -> None:
    async with watched_page(browser, engine.url, locale="fr-FR", viewport={"width": 360, "height": 740}) as page:
        await page.goto("/markets")
        await expect(page.get_by_role("heading", name="Marchés")).to_be_visible()
        assert await page.evaluate("document.documentElement.lang") == "fr"
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await page.get_by_role("button", name="Navigation").click()
        await page.get_by_role("navigation").get_by_role("link", name="Marchés").press("Enter")


async def test_the_keyboard_skips_to_the_content(page: Page) -> None:
    await page.goto("/markets")
    await expect(page.get_by_role("heading", name="Markets")).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()
