"""What a newcomer does in the first five minutes, in one go."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.graphql_client import Client
from tests.support.trader_client import (
    CREATE_STRATEGY,
    FINAL,
    LOGIN,
    MARKET,
    ORDER,
    ORDER_EVENTS,
    PASSWORD,
    PLACE,
    START_SESSION,
    TraderClient,
    new_trader,
    register,
)

ALWAYS_IN = {"enterLong": "close > 0", "exitLong": "close < 0", "sizing": {"quoteAmount": "500"}}
SESSION = """query($id: ID!) { node(id: $id) { ... on TradingSession { status statusReason
  signals(first: 5) { nodes { action order { id } } } position { quantity closedAt }
  orders(first: 5) { nodes { role status } } } } }"""
STOP = """mutation($id: ID!) { tradingSessionStop(id: $id, input: {closePosition: true}) {
  tradingSession { id status } errors { code message path } } }"""
GENERATE = """mutation($input: ReportGenerateInput!) { reportGenerate(input: $input) {
  report { id } errors { code message path } } }"""
REPORT = """query($id: ID!) { node(id: $id) { ... on Report { job { status message }
  metrics { roundTrips netProfit fees startEquity endEquity currency } equityCurve { equity }
  roundTrips(first: 5) { nodes { side profit fees quantity entryPrice exitPrice } } } } }"""


@pytest.mark.timeout(240)
async def test_a_newcomer_goes_from_registering_to_a_report(engine: Engine) -> None:
    stranger = engine.client()
    await _watch_the_book(stranger)
    trader = await _sign_up(stranger)
    await _buy_and_follow(trader)
    version = await _write_a_strategy(trader.client)
    session = await _let_it_trade(trader, version)
    await _read_the_report(trader.client, session)
    await _leave(trader)


async def _watch_the_book(stranger: Client) -> None:
    document = """subscription($m: MarketSymbol!) { marketDepth(market: $m) { __typename
      ... on MarketDepthSnapshot { sequence bids { price quantity } asks { price quantity } } } }"""
    async with stranger.subscribed(document, m=MARKET) as events:
        books = [await events.until(lambda event: "bids" in event, "a book") for _ in range(5)]
    sequences = [int(book["sequence"]) for book in books]
    assert sequences == sorted(set(sequences))
    for book in books:
        assert Decimal(book["bids"][0]["price"]) < Decimal(book["asks"][0]["price"])


async def _sign_up(stranger: Client) -> TraderClient:
    newcomer = await register(stranger)
    signed_in = await stranger.one(LOGIN, input={"email": newcomer.email, "password": PASSWORD})
    trader = await new_trader(Client(stranger.url))
    assert signed_in["token"]
    assert (await trader.client.one("{ viewer { email } }"))["email"] == trader.email
    return trader


async def _buy_and_follow(trader: TraderClient) -> None:
    async with trader.client.subscribed(ORDER_EVENTS, after=await trader.head()) as events:
        placed = await trader.place()

        def has_ended(event: dict[str, Any]) -> bool:
            return event["order"]["id"] == placed["id"] and event["order"]["status"] in FINAL

        end = await events.until(has_ended, "the order's end")
    seen = [event for event in events.seen if event["order"]["id"] == placed["id"]]
    assert [event["kind"] for event in seen][:3] == ["PENDING", "SUBMITTED", "ACCEPTED"]
    assert end["order"]["status"] == "FILLED"
    filled = sum(Decimal(event["fill"]["quantity"]) for event in seen if event["fill"])
    assert filled == Decimal("0.01")


async def _write_a_strategy(client: Client) -> str:
    typo = {**ALWAYS_IN, "enterLong": "close > emma(close, 3)"}
    (error,) = await client.refusal(CREATE_STRATEGY, input={"name": "typo", "definition": typo})
    assert (error["start"], error["end"], error["suggestion"]) == (8, 12, "ema")
    assert error["path"] == ["input", "definition", "enterLong"]
    made = await client.change(CREATE_STRATEGY, input={"name": "always in", "definition": ALWAYS_IN})
    return made["strategy"]["version"]["id"]


async def _let_it_trade(trader: TraderClient, version: str) -> str:
    client = trader.client
    async with client.subscribed(ORDER_EVENTS, after=await trader.head()) as events:
        started = await client.change(
            START_SESSION,
            input={"strategyVersion": version, "account": trader.account, "market": MARKET, "timeframe": "M1"},
        )
        session = started["tradingSession"]["id"]

        def entered(event: dict[str, Any]) -> bool:
            of = event["order"]["tradingSession"]
            return of is not None and of["id"] == session and event["order"]["status"] == "FILLED"

        await events.until(entered, "the session's entry", 150)
    running = await client.one(SESSION, id=session)
    assert running["status"] == "RUNNING"
    assert running["signals"]["nodes"][0]["action"] == "ENTER_LONG"
    assert Decimal(running["position"]["quantity"]) > 0
    await client.change(STOP, id=session)
    await _eventually_flat(client, session)
    return session


async def _eventually_flat(client: Client, session: str) -> None:
    async with asyncio.timeout(60):
        while True:
            now = await client.one(SESSION, id=session)
            position = now["position"]
            if now["status"] == "STOPPED" and (position is None or Decimal(position["quantity"]) == 0):
                return
            await asyncio.sleep(0.1)


async def _read_the_report(client: Client, session: str) -> None:
    made = await client.change(GENERATE, input={"scope": {"tradingSession": session}})
    async with asyncio.timeout(60):
        while True:
            report = await client.one(REPORT, id=made["report"]["id"])
            if report["job"]["status"] not in {"QUEUED", "RUNNING"}:
                break
            await asyncio.sleep(0.1)
    assert report["job"]["status"] == "SUCCEEDED"
    (trip,) = report["roundTrips"]["nodes"]
    metrics = report["metrics"]
    assert metrics["roundTrips"] == 1
    assert Decimal(metrics["fees"]) == Decimal(trip["fees"]) > 0
    rest = Decimal(metrics["endEquity"]) - Decimal(metrics["startEquity"]) - Decimal(metrics["netProfit"])
    assert abs(rest) <= Decimal("0.00000001"), "each figure is rounded by itself, to 8 decimals or 12 digits"
    assert report["equityCurve"]


async def _leave(trader: TraderClient) -> None:
    order = (await trader.orders())[0]["id"]
    await trader.client.change("mutation { userLogout { errors { code message path } } }")
    assert await trader.client.one("{ viewer { id } }") is None
    assert await trader.client.one(ORDER, id=order) is None
    (refused,) = await trader.client.refusal(PLACE, input=trader.order())
    assert refused["extensions"]["code"] == "UNAUTHENTICATED"
