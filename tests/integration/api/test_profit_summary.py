"""Realised profit by period, market, strategy, tag and exit reason, by the public API."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole
from domain.model.trading import Position
from infra.postgres.connection import Connection
from infra.postgres.partitions import ensure_months
from resolvers.ids import encode_id
from tests.support.api import Api
from tests.support.orders import BTC, a_market
from tests.support.trading import ETH

D = Decimal
GROUP = """{ from to market strategy { name } tag exitReason profit fees roundTrips wins losses winRate unpricedFees
  unpriced { currency amount } }"""
ARGUMENTS = "period: $period, by: $by, from: $from, to: $to"
VARIABLES = "$period: ProfitPeriod, $by: ProfitGrouping, $from: DateTime, $to: DateTime"
OF_ACCOUNT = f"""query($id: ID!, {VARIABLES}) {{ node(id: $id) {{ ... on Account {{
  profitSummary({ARGUMENTS}) {{ currency timeZone total {GROUP} groups {GROUP} }} }} }} }}"""
OF_USER = f"""query($currency: String, {VARIABLES}) {{ viewer {{
  profitSummary({ARGUMENTS}, currency: $currency) {{ currency total {GROUP} groups {GROUP} }} }} }}"""
TAG = (
    "mutation($id: ID!, $tag: String) { positionTag(id: $id, input: {tag: $tag}) { position { tag } errors { code } } }"
)
NOON = datetime(2026, 10, 24, 12, tzinfo=UTC)
"""A Saturday, the day before clocks go back in Vienna."""

OCTOBER = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}


async def closed(api: Api, at: datetime, profit: str, **changes: Any) -> Position:
    position = api.position(
        opened_at=at - timedelta(hours=1), closed_at=at, realized_profit=D(profit), fees=D("0.5"), **changes
    )
    async with api.harness.database.transaction() as transaction:
        await transaction.positions.save(position)
    return position


async def summary(api: Api, **variables: Any) -> dict[str, Any]:
    return (await api.run(OF_ACCOUNT, id=api.account, **variables))["node"]["profitSummary"]


async def user_summary(api: Api, **variables: Any) -> dict[str, Any]:
    return (await api.run(OF_USER, **variables))["viewer"]["profitSummary"]


def short(groups: list[dict[str, Any]], key: str) -> list[tuple[object, str, int]]:
    return [(group[key], group["profit"], group["roundTrips"]) for group in groups]


async def test_all_that_closed_is_summed_up_by_market(api: Api) -> None:
    await closed(api, NOON, "10")
    await closed(api, NOON + timedelta(days=1), "-3", market=ETH)
    await closed(api, NOON + timedelta(days=2), "4", market=ETH, unpriced_fees=("BNB", "KCS"))
    await closed(api, NOON, "0")
    open_position = api.position(realized_profit=D(100), quantity=D(1))
    async with api.harness.database.transaction() as transaction:
        await transaction.positions.save(open_position)
    found = await summary(api, by="MARKET")
    assert short(found["groups"], "market") == [(str(BTC), "10", 2), (str(ETH), "1", 2)]
    total = found["total"]
    assert (total["profit"], total["fees"], total["roundTrips"], total["wins"], total["losses"]) == ("11", "2", 4, 2, 1)
    assert (total["winRate"], total["unpricedFees"]) == (50, ["BNB", "KCS"])
    assert (await summary(api))["groups"] == []
    assert (await user_summary(api, **OCTOBER))["total"] == (await summary(api, **OCTOBER))["total"]


async def test_days_are_those_of_the_users_time_zone(api: Api) -> None:
    rename = 'mutation { userUpdate(input: {timeZone: "Europe/Vienna"}) { errors { code } } }'
    assert (await api.run(rename))["userUpdate"]["errors"] == []
    for at in ("2026-10-24T21:59:59", "2026-10-24T22:00:00", "2026-10-25T22:59:59", "2026-10-25T23:00:00"):
        await closed(api, datetime.fromisoformat(at).replace(tzinfo=UTC), "1")
    arguments = {"period": "DAY", "from": "2026-10-23T22:00:00Z", "to": "2026-10-30T00:00:00Z"}
    found = await summary(api, **arguments)
    assert found["timeZone"] == "Europe/Vienna"
    groups = found["groups"]
    assert short(groups, "from") == [
        ("2026-10-23T22:00:00Z", "1", 1),
        ("2026-10-24T22:00:00Z", "2", 2),
        ("2026-10-25T23:00:00Z", "1", 1),
    ]
    assert groups[1]["to"] == "2026-10-25T23:00:00Z"


@pytest.mark.parametrize(("period", "parts"), [("DAY", 2), ("WEEK", 2), ("MONTH", 1)])
async def test_each_period_begins_with_its_first_day(api: Api, period: str, parts: int) -> None:
    await closed(api, NOON, "1")
    await closed(api, NOON + timedelta(days=2), "2")
    groups = (await summary(api, period=period, **OCTOBER))["groups"]
    assert len(groups) == parts
    assert sum(D(group["profit"]) for group in groups) == 3


async def test_positions_are_grouped_by_strategy_tag_and_what_closed_them(api: Api) -> None:
    session = await api.session()
    await closed(api, NOON, "10", trading_session_id=session.id)
    by_hand = await closed(api, NOON, "-2")
    stop = api.floor_order(side=OrderSide.SELL, role=OrderRole.STOP_LOSS)
    first = api.floor_order(side=OrderSide.SELL, role=OrderRole.TAKE_PROFIT)
    await api.stored(stop, first)
    async with api.harness.database.transaction() as transaction:
        await transaction.orders.add_fill(api.fill_of(first, at=NOON - timedelta(minutes=5)))
        await transaction.orders.add_fill(api.fill_of(stop, at=NOON))
    assert short((await summary(api, by="EXIT_REASON"))["groups"], "exitReason") == [
        (None, "10", 1), ("STOP_LOSS", "-2", 1),
    ]  # fmt: skip
    strategies = (await summary(api, by="STRATEGY"))["groups"]
    assert [(each["strategy"] and each["strategy"]["name"], each["profit"]) for each in strategies] == [
        ("cross", "10"), (None, "-2"),
    ]  # fmt: skip
    tagged = await api.run(TAG, id=encode_id("Position", by_hand.id), tag=" breakout ")
    assert tagged["positionTag"] == {"position": {"tag": "breakout"}, "errors": []}
    async with api.harness.database.transaction() as transaction:
        await transaction.positions.save(by_hand)
    assert short((await summary(api, by="TAG"))["groups"], "tag") == [(None, "10", 1), ("breakout", "-2", 1)]
    removed = await api.run(TAG, id=encode_id("Position", by_hand.id), tag=None)
    assert removed["positionTag"]["position"] == {"tag": None}


@pytest.mark.parametrize("tag", ["", "  ", "x" * 51, "a\nb", "\ud800"])
async def test_a_tag_that_cannot_be_shown_is_refused(api: Api, tag: str) -> None:
    position = await closed(api, NOON, "1")
    answer = await api.run(TAG, id=encode_id("Position", position.id), tag=tag)
    assert answer["positionTag"]["errors"] == [{"code": "INVALID"}]


async def test_profits_in_other_currencies_are_converted_at_the_end_of_their_day(api: Api) -> None:
    eth_btc, strange = MarketSymbol("sandbox", "ETH/BTC"), MarketSymbol("sandbox", "ABC/XYZ")
    async with api.harness.pool.acquire() as driver:
        await ensure_months(Connection(driver), "candles", NOON, NOON + timedelta(days=3))
    candles = [
        Candle(BTC, Timeframe.H1, NOON + timedelta(hours=hours), *[D(price)] * 4, D(1), closed=True)
        for hours, price in ((-2, 50_000), (10, 60_000), (34, 70_000))
    ]
    async with api.harness.database.transaction() as transaction:
        await transaction.market_data.save_markets([a_market(), a_market(symbol=eth_btc, base="ETH", quote="BTC")])
        await transaction.market_data.upsert_candles(candles)
    await closed(api, NOON, "0.1", market=eth_btc)
    await closed(api, NOON + timedelta(days=1), "0.1", market=eth_btc)
    await closed(api, NOON, "7", market=strange)
    total = (await summary(api))["total"]
    assert total["profit"] == "13000"
    assert total["unpriced"] == [{"currency": "XYZ", "amount": "7"}]
    by_day = (await summary(api, period="DAY", by="MARKET", **OCTOBER))["groups"]
    assert [group["profit"] for group in by_day] == ["6000", None, "7000"]
    in_coins = await user_summary(api, currency="btc")
    assert (in_coins["currency"], in_coins["total"]["profit"]) == ("BTC", "0.2")


async def test_a_currency_is_needed_where_accounts_have_several(api: Api) -> None:
    async with api.harness.pool.acquire() as connection:
        await connection.execute("UPDATE accounts SET currency = 'EUR' WHERE id <> $1", api.harness.account.id)
    await api.session_elsewhere()
    async with api.harness.pool.acquire() as connection:
        await connection.execute("UPDATE accounts SET currency = 'EUR' WHERE id <> $1", api.harness.account.id)
    assert await api.code(OF_USER) == "INVALID"
    assert (await user_summary(api, currency="USDT"))["currency"] == "USDT"
    assert await api.code(OF_USER, currency="no such thing!") == "INVALID"
