"""Tax exports by signed links: whole, exact, of the own accounts alone, and safe in a spreadsheet."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from domain.core.csv_rows import csv_text
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.model.order_side import OrderSide
from domain.model.trading import AccountTransfer, TransferKind
from domain.reports.tax_export import PAGES_AT_ONCE, TaxExport
from domain.reports.tax_links import LINK_LIFE
from infra.postgres.connection import Connection
from infra.postgres.partitions import ensure_months
from infra.web.downloads import DownloadRoute, tax_download
from resolvers.taxes import TAX_PATH
from tests.support.api import Api
from tests.support.orders import BTC, a_market
from tests.support.trading import new_account
from tests.support.waiting import eventually

D = Decimal
ARGUMENTS = "currency: $currency, from: $from, to: $to, depositCost: $cost"
VARIABLES = "$currency: String, $from: DateTime, $to: DateTime, $cost: DepositCost! = UNKNOWN"
OF_ACCOUNT = f"""query($id: ID!, {VARIABLES}) {{ node(id: $id) {{ ... on Account {{
  taxExport({ARGUMENTS}) {{ currency path expiresAt }} }} }} }}"""
OF_USER = f"query({VARIABLES}) {{ viewer {{ taxExport({ARGUMENTS}) {{ currency path }} }} }}"
PER_MINUTE = 60
START = datetime(2026, 3, 1, tzinfo=UTC)
BUY, SELL = OrderSide.BUY, OrderSide.SELL


async def fetch(api: Api, path: str, method: str = "GET") -> httpx.Response:
    route = DownloadRoute(TAX_PATH, tax_download(api.services.tax_links), api.services.rates, PER_MINUTE)
    app = Starlette(routes=[route])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine") as client:
        return await client.request(method, path)


async def rows(api: Api, **arguments: Any) -> list[dict[str, str]]:
    link = (await api.run(OF_ACCOUNT, id=api.account, **arguments))["node"]["taxExport"]
    answer = await fetch(api, link["path"])
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="r3edge-taxes-{link["currency"]}.csv"'
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def trade(api: Api, *trades: tuple[float, OrderSide, object, object], market: MarketSymbol = BTC) -> None:
    """Store fills of rows (days since the start, side, quantity, price), with a fee of 1 in quote."""
    for days, side, quantity, price in trades:
        order = api.floor_order(side=side, market=market)
        await api.stored(order)
        amounts = {"price": D(str(price)), "quantity": D(str(quantity)), "fee": D(1), "fee_currency": "USDT"}
        async with api.harness.database.transaction() as transaction:
            await transaction.orders.add_fill(api.fill_of(order, at=START + timedelta(days=days), **amounts))


async def pay(api: Api, days: float, amount: object, currency: str = "BTC", reference: str = "") -> None:
    kind = TransferKind.DEPOSIT if D(str(amount)) > 0 else TransferKind.WITHDRAWAL
    at = START + timedelta(days=days)
    ids = (api.harness.ids.next_id(), api.harness.user.id, api.harness.account.id)
    async with api.harness.database.transaction() as transaction:
        await transaction.transfers.add(
            AccountTransfer(*ids, kind, currency, D(str(amount)), at, reference or f"{at}{amount}")
        )


async def test_a_file_has_every_purchase_and_sale_with_its_gain_by_both_methods(api: Api) -> None:
    await trade(api, (0, BUY, 1, 100), (1, BUY, 1, 200), (2, SELL, "1.5", 300))
    await pay(api, 3, "-0.5")
    found = await rows(api)
    assert [(row["event"], row["quantity"], row["value"]) for row in found] == [
        ("BUY", "1", "101"), ("BUY", "1", "201"), ("SELL", "-1.5", "449"), ("WITHDRAWAL", "-0.5", ""),
    ]  # fmt: skip
    sold = found[2]
    assert (sold["fifo_cost"], sold["fifo_gain"], sold["average_cost"], sold["average_gain"]) == (
        "201.5", "247.5", "226.5", "222.5",
    )  # fmt: skip
    assert (sold["acquired_from"], sold["acquired_until"]) == ("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")
    assert (sold["time"], sold["account"], sold["market"], sold["currency"]) == (
        "2026-03-03T00:00:00Z", api.harness.account.name, str(BTC), "USDT",
    )  # fmt: skip
    assert (found[3]["fifo_cost"], found[3]["fifo_gain"]) == ("100.5", "")


async def test_what_came_before_the_period_counts_for_costs_alone(api: Api) -> None:
    await trade(api, (0, BUY, 1, 100), (2, SELL, 1, 300), (4, BUY, 1, 500))
    period = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-05T00:00:00Z"}
    (sold,) = await rows(api, **period)
    assert (sold["event"], sold["fifo_cost"]) == ("SELL", "101")


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
async def test_the_pages_make_no_difference(api: Api, at_once: int) -> None:
    await pay(api, 0.5, 1)
    await trade(api, *((day, BUY if day % 3 else SELL, 1 + day, 100 + day) for day in range(9)))
    async with api.harness.pool.acquire() as connection:
        await connection.execute("UPDATE fills SET at = $1 WHERE at < $2", START, START + timedelta(days=4))
    whole = await rows(api, cost="VALUE")
    links = api.services.tax_links
    link = (await api.run(OF_ACCOUNT, id=api.account, cost="VALUE"))["node"]["taxExport"]["path"]
    found = await links.find(link.removeprefix(TAX_PATH))
    assert found is not None
    export = TaxExport(api.database, ["sandbox"], api.services.markets.graph, fills_at_once=at_once)
    text = b"".join([piece async for piece in export.pieces(found.request, found.accounts)]).decode()
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == whole
    assert len(whole) == 10


async def test_amounts_in_another_currency_are_converted_by_the_last_price_before(api: Api) -> None:
    eth_btc = MarketSymbol("sandbox", "ETH/BTC")
    async with api.harness.pool.acquire() as driver:
        await ensure_months(Connection(driver), "candles", START - timedelta(days=1), START + timedelta(days=3))
    candles = [
        Candle(BTC, Timeframe.M1, START + timedelta(days=day, minutes=-2), *[D(price)] * 4, D(1), closed=True)
        for day, price in ((0, 50_000), (1, 60_000))
    ]
    async with api.harness.database.transaction() as transaction:
        await transaction.market_data.save_markets([a_market(), a_market(symbol=eth_btc, base="ETH", quote="BTC")])
        await transaction.market_data.upsert_candles(candles)
    await trade(api, (0, BUY, 10, "0.05"), (1, SELL, 10, "0.05"), market=eth_btc)
    found = [row for row in await rows(api) if row["asset"] == "ETH"]
    assert [(row["event"], row["value"], row["fifo_gain"]) for row in found] == [
        ("BUY", "25001", ""), ("SELL", "29999", "4998"),
    ]  # fmt: skip


async def test_what_others_wrote_is_no_formula_in_a_spreadsheet(api: Api) -> None:
    async with api.harness.pool.acquire() as connection:
        await connection.execute("UPDATE accounts SET name = '=HYPERLINK(\"http://evil\")'")
    await pay(api, 0, 1, reference="@SUM(A1:A9)")
    await trade(api, (1, SELL, 2, 100))
    found = await rows(api)
    assert found[0]["account"] == '\'=HYPERLINK("http://evil")'
    assert found[0]["reference"] == "'@SUM(A1:A9)"
    assert found[1]["quantity"] == "-2"
    assert csv_text([("=1", "+1", "-1", "@x", "\tx", "\rx", "a=1", 'say "so", or not')]) == (
        '\'=1,\'+1,\'-1,\'@x,\'\tx,"\'\rx",a=1,"say ""so"", or not"\r\n'
    )


async def test_all_accounts_of_the_user_are_in_one_file_and_nobody_elses(api: Api) -> None:
    await trade(api, (0, BUY, 1, 100))
    stranger = await api.another_user()
    accounts = [new_account(api.harness.user.id, name="second"), new_account(stranger.id, name="strange")]
    async with api.harness.database.transaction() as transaction:
        for account in accounts:
            await transaction.accounts.add(account, b"sealed")
            ids = (api.harness.ids.next_id(), account.user_id, account.id)
            await transaction.transfers.add(AccountTransfer(*ids, TransferKind.DEPOSIT, "ETH", D(1), START, "r"))
    link = (await api.run(OF_USER))["viewer"]["taxExport"]["path"]
    text = (await fetch(api, link)).text
    assert [row["account"] for row in csv.DictReader(io.StringIO(text, newline=""))] == [
        api.harness.account.name, "second",
    ]  # fmt: skip


async def test_a_link_opens_what_it_was_made_for_and_nothing_else(api: Api) -> None:
    first = (await api.run(OF_ACCOUNT, id=api.account))["node"]["taxExport"]["path"]
    other = (await api.run(OF_ACCOUNT, id=api.account, currency="EUR"))["node"]["taxExport"]["path"]
    assert (await fetch(api, first)).status_code == 200
    mixed = f"{first[:-80]}{other[-80:]}"
    for path in (mixed, first[:-2], TAX_PATH, f"{TAX_PATH}x.y", f"{TAX_PATH}{'x' * 5000}", f"{first}é"):
        answer = await fetch(api, path)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "NOT_FOUND")
    assert (await fetch(api, first, "POST")).status_code == 405
    api.harness.clock.ahead += LINK_LIFE + timedelta(seconds=1)
    late = await fetch(api, first)
    assert (late.status_code, late.json()["errors"][0]["code"]) == (410, "LINK_EXPIRED")


async def test_a_link_rests_while_the_user_is_disabled_and_ends_when_they_are_erased(api: Api) -> None:
    path = (await api.run(OF_ACCOUNT, id=api.account))["node"]["taxExport"]["path"]
    user_id, now = api.harness.user.id, api.harness.clock.now()
    answers = []
    for at in (None, now, None):
        async with api.database.transaction() as transaction:
            await transaction.users.set_disabled(user_id, at)
        answers.append((await fetch(api, path)).status_code)
    async with api.database.transaction() as transaction:
        await transaction.personal_data.erase(user_id, now)
    answers.append((await fetch(api, path)).status_code)
    assert answers == [200, 404, 200, 404]


async def test_nothing_of_an_account_is_read_before_it_is_the_turn_of_its_export(api: Api) -> None:
    await pay(api, 0, 1)
    links = api.services.tax_links
    link = (await api.run(OF_ACCOUNT, id=api.account))["node"]["taxExport"]["path"]
    found = await links.find(link.removeprefix(TAX_PATH))
    assert found is not None
    export = TaxExport(api.database, ["sandbox"], api.services.markets.graph)
    for _ in range(PAGES_AT_ONCE):
        await export._slots.acquire()
    pieces = aiter(export.pieces(found.request, found.accounts))
    await anext(pieces)
    api.database.statements.clear()
    waiting = asyncio.ensure_future(anext(pieces))
    await eventually(lambda: export._slots._waiters or api.database.statements, "it waits")
    assert api.database.statements == []
    export._slots.release()
    assert "DEPOSIT" in (await waiting).decode()


async def test_a_currency_or_a_period_that_cannot_be_is_refused(api: Api) -> None:
    assert await api.code(OF_ACCOUNT, id=api.account, currency="=EUR") == "INVALID"
    times = {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    assert await api.code(OF_ACCOUNT, id=api.account, **times) == "INVALID"
    unknown = await rows(api, currency="XYZ")
    assert unknown == []
