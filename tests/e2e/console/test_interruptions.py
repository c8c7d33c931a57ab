"""What a page shows while the engine is killed, and that it misses nothing once that is back."""

from pathlib import Path
from uuid import uuid4

from playwright.async_api import Browser, expect

from tests.support.browser import watched_page
from tests.support.engine import running_engine
from tests.support.trader_client import CANCEL, new_trader

LOST = r"ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|WebSocket connection|ERR_CONNECTION_CLOSED"


async def test_a_killed_engine_is_shown_and_its_orders_are_caught_up_with(browser: Browser, tmp_path: Path) -> None:
    async with running_engine(tmp_path / "data", "--seed", "7") as engine:
        trader = await new_trader(engine.client())
        placed = await trader.place(side="BUY", type="LIMIT", quantity="0.01", price="50000")
        async with watched_page(browser, engine.url, allowed=LOST) as page:
            await page.goto("/sign-in")
            await page.evaluate("token => sessionStorage.setItem('r3edge:console::token', token)", trader.client.token)
            await page.goto("/orders")
            await expect(page.get_by_text("open", exact=True)).to_be_visible()
            engine.kill()
            await expect(page.get_by_role("alert").filter(has_text="The connection to the engine is lost.")).to_be_visible()
            await engine.start()
            await trader.client.change(CANCEL, id=placed["id"])
            await expect(page.get_by_text("cancelled", exact=True)).to_be_visible()
            await expect(page.get_by_text("The connection to the engine is lost.")).to_be_hidden()
            await expect(page.get_by_role("row")).to_have_count(2)  # with the head: the order once
