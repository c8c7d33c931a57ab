"""What accounts are worth, and that a deposit changes nothing of the past, on a running engine."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.engine import Engine, running_engine
from tests.support.trader_client import CREATE_ACCOUNT, MARKET, TraderClient, new_trader
from tests.support.waiting import read_until

DEPOSIT = """mutation($id: ID!, $input: PaperDepositInput!) { paperDeposit(id: $id, input: $input) {
  account { balances { currency total } } transfer { id kind currency amount at reference account { id } }
  errors { code message path } } }"""
TRANSFERS = """query($id: ID!) { node(id: $id) { ... on Account { transfers(first: 5) {
  nodes { id kind currency amount } } } } }"""
TRANSFER = "query($id: ID!) { node(id: $id) { ... on AccountTransfer { amount kind } } }"
GENERATE = """mutation($input: ReportGenerateInput!) { reportGenerate(input: $input) {
  report { id to } errors { code message path } } }"""
REPORT = """query($id: ID!) { node(id: $id) { ... on Report { to job { status message }
  metrics { startEquity endEquity netDeposits netProfit netProfitPercent maxDrawdown maxDrawdownPercent turnover fees
    notes { code } }
  equityCurve { at equity netDeposits drawdownPercent } } } }"""

WORTH = "query($id: ID!) { node(id: $id) { ... on Account { equity unpriced } } }"
BALANCES = "query($id: ID!) { node(id: $id) { ... on Account { balances { currency total } } } }"
CANDLES = """query($m: MarketSymbol!, $from: DateTime!, $to: DateTime!) { market(symbol: $m) {
  candles(timeframe: M1, from: $from, to: $to) { nodes { openTime } } } }"""


async def test_an_account_is_worth_what_it_holds_though_nobody_follows_those_markets(engine: Engine) -> None:
    trader = await new_trader(engine.client(), USDT="1000", SOL="3", ETH="1")
    made = await trader.client.change(
        CREATE_ACCOUNT,
        input={
            "name": "in coins", "kind": "PAPER", "venue": "sandbox", "currency": "BTC",
            "balances": [{"currency": "SOL", "amount": "100"}],
        },
    )  # fmt: skip

    async def worth(account: str) -> dict[str, Any]:
        return await read_until(
            lambda: trader.client.one(WORTH, id=account), lambda now: not now["unpriced"], "all of it is priced"
        )

    assert Decimal((await worth(trader.account))["equity"]) > 1000
    # No market of the sandbox leads from SOL to BTC in one step.
    assert 0 < Decimal((await worth(made["account"]["id"]))["equity"]) < 10


async def _until_balances(trader: TraderClient, holds: Callable[[dict[str, Decimal]], bool]) -> None:
    """Wait until the balances are so: the venue reports them after a fill or a deposit."""

    async def held() -> dict[str, Decimal]:
        rows = (await trader.client.one(BALANCES, id=trader.account))["balances"]
        return {row["currency"]: Decimal(row["total"]) for row in rows}

    await read_until(held, holds, "the balances have come")


async def _until_stored(trader: TraderClient, at: datetime) -> None:
    """Wait until the candle of the last minute that ended by then is stored."""
    end = at.replace(second=0, microsecond=0)
    given = {"m": MARKET, "from": (end - timedelta(minutes=1)).isoformat(), "to": end.isoformat()}
    await read_until(
        lambda: trader.client.one(CANDLES, **given), lambda market: market["candles"]["nodes"], "the minute is stored"
    )


async def test_a_deposit_changes_no_return_and_is_reported_with_the_profit(engine: Engine) -> None:
    trader = await new_trader(engine.client(), USDT="1000")
    client = trader.client

    async def report(**given: Any) -> dict[str, Any]:
        made = await client.change(GENERATE, input={"scope": {"account": trader.account}, **given})
        done = await read_until(
            lambda: client.one(REPORT, id=made["report"]["id"]), lambda now: now["metrics"], "the report is made"
        )
        return {**done["metrics"], "to": done["to"], "curve": done["equityCurve"]}

    await trader.place()
    await _until_balances(trader, lambda held: held.get("BTC", 0) > 0)
    # A minute that ended just before may not be stored yet; what a report says of it is final once it is.
    to = (await report())["to"]
    await _until_stored(trader, datetime.fromisoformat(to))
    before = await report(to=to)
    assert (before["startEquity"], before["netDeposits"]) == ("1000", "0")

    given = {"currency": "USDT", "amount": "9000", "idempotencyKey": "rent"}
    paid = await client.change(DEPOSIT, id=trader.account, input=given)
    again = await client.change(DEPOSIT, id=trader.account, input=given)
    assert again["transfer"] == paid["transfer"]
    assert {key: paid["transfer"][key] for key in ("kind", "currency", "amount", "reference")} == {
        "kind": "DEPOSIT", "currency": "USDT", "amount": "9000", "reference": "deposit:rent",
    }  # fmt: skip
    assert paid["transfer"]["account"]["id"] == trader.account
    assert await client.one(TRANSFER, id=paid["transfer"]["id"]) == {"amount": "9000", "kind": "DEPOSIT"}
    listed = (await client.one(TRANSFERS, id=trader.account))["transfers"]["nodes"]
    assert [(one["kind"], one["amount"]) for one in listed] == [("DEPOSIT", "9000"), ("OPENING", "1000")]

    await _until_balances(trader, lambda held: held["USDT"] > 9000)
    assert await report(to=to) == before

    after = await report()
    assert (after["startEquity"], after["netDeposits"]) == ("1000", "9000")
    profit = Decimal(after["endEquity"]) - 10_000
    assert Decimal(after["netProfit"]) == profit
    at = datetime.fromisoformat(paid["transfer"]["at"])
    for point in after["curve"]:
        paid_in = 9000 if datetime.fromisoformat(point["at"]) >= at else 0
        assert Decimal(point["netDeposits"]) == paid_in
        assert abs(Decimal(point["equity"]) - 1000 - paid_in) < 50
    assert Decimal(after["turnover"]) == Decimal(before["turnover"])


async def test_the_first_report_of_a_new_account_values_its_coins_though_no_price_of_them_was_stored(
    data_folder: Path,
) -> None:
    # An engine of its own, since nobody may have followed the market of the coin before.
    async with running_engine(data_folder / "data", "--seed", "7") as engine:
        trader = await new_trader(engine.client(), USDT="10", SOL="1000", BTC="0.5")
        made = await trader.client.change(GENERATE, input={"scope": {"account": trader.account}})
        report = await read_until(
            lambda: trader.client.one(REPORT, id=made["report"]["id"]), lambda now: now["metrics"], "the report is made"
        )
    figures = report["metrics"]
    assert [note["code"] for note in figures["notes"]] == ["PERIOD_TOO_SHORT"]
    assert Decimal(figures["startEquity"]) > 100_000
    assert figures["netProfitPercent"] is not None
