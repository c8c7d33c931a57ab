"""Positions and the worth of accounts, live, by the public API."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.market_data import codec
from domain.market_data.topics import ticker_topic
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import MarketSymbol, Ticker
from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole, OrderStatus
from domain.model.protection import ExitLevel, PositionIntent, PositionProtection, ProtectionRules
from domain.model.trading import Account, Balance, Position, TradingSessionStatus
from resolvers.ids import encode_id
from tests.support.api import Api, Stream
from tests.support.orders import BTC, a_market
from tests.support.trading import ETH, at, new_account, new_id
from tests.support.waiting import PATIENCE_SECONDS, eventually, read_until

UPDATES = """subscription($account: ID, $tradingSession: ID, $every: Int! = 500) {
  positionUpdates(account: $account, tradingSession: $tradingSession, everyMilliseconds: $every) {
    id quantity marketPrice unrealizedProfit closedAt account { name } } }"""
EQUITY = """subscription($account: ID!, $every: Int! = 500) {
  accountEquity(account: $account, everyMilliseconds: $every) {
    account { name archivedAt } at equity unpriced unrealizedProfit unpricedMarkets } }"""
METRICS = """subscription($tradingSession: ID!, $every: Int! = 500) {
  tradingSessionMetrics(tradingSession: $tradingSession, everyMilliseconds: $every) {
    at openPositions unrealizedProfit unpricedMarkets tradingSession { id status metrics { roundTrips } }
    metrics { roundTrips netProfit } } }"""
SOL = MarketSymbol("sandbox", "SOL/USDT")
PRICES = {BTC: "100", ETH: "10"}


async def store_positions(api: Api, *positions: Position) -> None:
    """Store positions with their events in the user's log, as the engine does."""
    async with api.database.transaction() as transaction:
        for position in positions:
            await transaction.positions.save(position)
            now = datetime.now(UTC)
            transaction.events.append([NewEvent(position.user_id, now, UserEventKind.POSITION, position)])


def opened(api: Api, market: MarketSymbol = BTC, **changes: object) -> Position:
    return api.position(market=market, quantity=Decimal(2), average_price=Decimal(90), **changes)


async def priced(api: Api, market: MarketSymbol, price: object) -> None:
    last = Decimal(str(price))
    ticker = Ticker(market, datetime.now(UTC), None, None, last, None, None)
    await api.harness.bus.publish(ticker_topic(market), codec.encode_ticker(ticker))


@pytest.fixture
async def live(api: Api) -> AsyncIterator[Api]:
    """An API where BTC and ETH have prices, said again all the time, which are those of `PRICES` until changed."""
    async with api.database.transaction() as transaction:
        await transaction.market_data.save_markets([a_market(), a_market(symbol=ETH, base="ETH")])
    await api.services.markets.catalogue.refresh()
    yield api
    assert len(api.services.portfolios) == 0


async def until(stream: Stream, field: str, name: str, value: object) -> dict:
    """Return the first event that says so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            event = (await stream.next())[field]
            if event[name] == value:
                return event


async def followed(api: Api, *markets: MarketSymbol) -> None:
    """Wait until the markets are listened to, and give each its price."""
    markets_of_node = api.services.markets.followed
    await eventually(lambda: all(map(markets_of_node.get, markets)), "the markets are followed")
    for market in markets:
        await priced(api, market, PRICES[market])


async def test_open_positions_come_first_then_each_change_of_position_or_price_and_the_closing_at_last(
    live: Api,
) -> None:
    position, closed = opened(live), opened(live, closed_at=at(1))
    theirs = replace(opened(live, SOL), user_id=(await live.another_user()).id)
    await store_positions(live, position, closed)
    async with await live.subscribe(UPDATES) as stream:
        assert (await stream.next())["positionUpdates"]["id"] == encode_id("Position", position.id)
        await followed(live, BTC)
        event = await until(stream, "positionUpdates", "unrealizedProfit", "20")
        assert (event["marketPrice"], event["quantity"], event["account"]) == ("100", "2", {"name": "paper"})
        await priced(live, BTC, 110)
        assert (await until(stream, "positionUpdates", "marketPrice", "110"))["unrealizedProfit"] == "40"
        await store_positions(live, theirs)
        grown = position.changed(quantity=Decimal(3))
        await store_positions(live, grown)
        assert (await until(stream, "positionUpdates", "quantity", "3"))["unrealizedProfit"] == "60"
        flash = opened(live, ETH)
        await store_positions(live, flash, flash.changed(quantity=Decimal(0), closed_at=at(60)))
        assert (await until(stream, "positionUpdates", "id", encode_id("Position", flash.id)))["closedAt"]
        await store_positions(live, grown.changed(quantity=Decimal(0), closed_at=at(90)))
        event = await until(stream, "positionUpdates", "quantity", "0")
        assert (event["id"], event["unrealizedProfit"]) == (encode_id("Position", position.id), "0")
    state = live.services.markets.followed.get(BTC)
    assert state is not None
    await eventually(lambda: not state.subscriber_count, "the feed is let go of")


async def test_positions_are_those_of_the_account_or_the_session_that_is_named(live: Api) -> None:
    session = await live.session()
    by_hand, of_session = opened(live), opened(live, ETH, trading_session_id=session.id)
    await store_positions(live, by_hand, of_session)
    async with await live.subscribe(UPDATES, tradingSession=encode_id("TradingSession", session.id)) as stream:
        assert (await stream.next())["positionUpdates"]["id"] == encode_id("Position", of_session.id)
    async with await live.subscribe(UPDATES, account=live.account) as stream:
        ids = {(await stream.next())["positionUpdates"]["id"] for _ in range(2)}
        assert ids == {encode_id("Position", position.id) for position in (by_hand, of_session)}


async def test_what_is_not_ones_own_can_not_be_followed(live: Api) -> None:
    theirs = live.context(await live.another_user())
    session = encode_id("TradingSession", (await live.session()).id)
    for given in ({"account": live.account}, {"account": "x"}, {"tradingSession": session}):
        assert await live.refused(UPDATES, theirs, **given) == "NOT_FOUND"
    for account in (live.account, "x", encode_id("Account", new_id())):
        assert await live.refused(EQUITY, theirs, account=account) == "NOT_FOUND"
    for query in (UPDATES, EQUITY):
        assert await live.refused(query, live.context(None), account=live.account) == "UNAUTHENTICATED"
        for every in (499, 60_001, -1):
            assert await live.refused(query, account=live.account, every=every) == "INVALID"


async def test_a_slow_reader_gets_the_newest_state_alone(live: Api) -> None:
    position = opened(live)
    await store_positions(live, position)
    async with await live.subscribe(UPDATES) as stream:
        assert (await stream.next())["positionUpdates"]["quantity"] == "2"
        for quantity in range(3, 30):
            await store_positions(live, position.changed(quantity=Decimal(quantity)))
        # Another reader of the same portfolio, which isn't slow.
        async with (
            live.services.portfolios.for_user(live.harness.user.id) as portfolio,
            aclosing(portfolio.position_values(lambda _position: True, 0, lambda: False)) as values,
        ):
            async for value in values:
                if value.position.quantity == 29:
                    break
        assert (await stream.next())["positionUpdates"]["quantity"] == "29"


async def test_many_readers_share_one_valuation_and_the_last_one_ends_it(live: Api) -> None:
    await store_positions(live, opened(live))
    streams = [await live.subscribe(UPDATES) for _ in range(3)]
    streams += [await live.subscribe(EQUITY, account=live.account)]
    for stream in streams:
        await stream.next()
    assert len(live.services.portfolios) == 1
    for stream in streams[:3]:
        await stream.results.aclose()
    assert len(live.services.portfolios) == 1
    await streams[3].results.aclose()
    assert len(live.services.portfolios) == 0


async def held(api: Api, account: Account, **amounts: object) -> None:
    balances = [Balance(name, Decimal(str(amount)), Decimal(str(amount))) for name, amount in amounts.items()]
    async with api.database.transaction() as transaction:
        await transaction.accounts.replace_balances(account.id, balances)
        now = datetime.now(UTC)
        transaction.events.append([NewEvent(account.user_id, now, UserEventKind.ACCOUNT, account)])


async def test_an_accounts_equity_moves_with_prices_and_balances_and_names_what_has_no_price(live: Api) -> None:
    account = new_account(live.harness.user.id, name="live")
    async with live.database.transaction() as transaction:
        await transaction.accounts.add(account, b"sealed")
    await held(live, account, USDT=1000, BTC=2, DOGE=7)
    await store_positions(live, opened(live, account_id=account.id), opened(live, ETH, account_id=account.id))
    async with await live.subscribe(EQUITY, account=encode_id("Account", account.id)) as stream:
        valued = asyncio.ensure_future(until(stream, "accountEquity", "equity", "1200"))
        await followed(live, BTC)
        event = await valued
        assert event["account"]["name"] == "live"
        assert (event["unpriced"], event["unpricedMarkets"]) == (["DOGE"], [str(ETH)])
        assert event["unrealizedProfit"] == "20"
        await priced(live, BTC, 110)
        assert (await until(stream, "accountEquity", "equity", "1220"))["unrealizedProfit"] == "40"
        await priced(live, ETH, 100)
        event = await until(stream, "accountEquity", "unpricedMarkets", [])
        assert event["unrealizedProfit"] == "60"
        await held(live, account, USDT=500)
        event = await until(stream, "accountEquity", "equity", "500")
        assert event["unpriced"] == []
        archived = replace(account, archived_at=at(0))
        async with live.database.transaction() as transaction:
            await transaction.accounts.update(archived)
            now = datetime.now(UTC)
            transaction.events.append([NewEvent(account.user_id, now, UserEventKind.ACCOUNT, archived)])
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (result := await anext(stream.results, None)) is not None:
                event = result.data["accountEquity"]
        assert event["account"]["archivedAt"] is not None


async def test_a_sessions_metrics_follow_its_positions_and_end_with_it(live: Api) -> None:
    session = await live.session(start_equity=Decimal(1000))
    position = opened(live, trading_session_id=session.id)
    await store_positions(live, position)
    async with await live.subscribe(METRICS, tradingSession=encode_id("TradingSession", session.id)) as stream:
        event = (await stream.next())["tradingSessionMetrics"]
        assert (event["openPositions"], event["metrics"]) == (1, None)
        await followed(live, BTC)
        await until(stream, "tradingSessionMetrics", "unrealizedProfit", "20")
        buy = live.floor_order(status=OrderStatus.FILLED, role=OrderRole.ENTRY, trading_session_id=session.id)
        sell = replace(
            live.floor_order(status=OrderStatus.FILLED, role=OrderRole.EXIT, trading_session_id=session.id),
            side=OrderSide.SELL,
        )
        async with live.database.transaction() as transaction:
            for order, price in ((buy, 90), (sell, 95)):
                await transaction.orders.add(order)
                now = datetime.now(UTC)
                amounts = {"price": Decimal(price), "quantity": Decimal(2), "fee": Decimal(0), "fee_currency": "USDT"}
                await transaction.orders.add_fill(live.fill_of(order, at=now, **amounts))
        await store_positions(live, position.changed(quantity=Decimal(0), closed_at=datetime.now(UTC)))
        # An event may show that the position is closed while its metrics are still computed.
        event = await until(stream, "tradingSessionMetrics", "metrics", {"roundTrips": 1, "netProfit": "10"})
        assert event["openPositions"] == 0
        stopped = replace(session, status=TradingSessionStatus.STOPPED, stopped_at=datetime.now(UTC))
        async with live.database.transaction() as transaction:
            await transaction.trading_sessions.save(stopped)
            kind = UserEventKind.TRADING_SESSION
            transaction.events.append([NewEvent(session.user_id, datetime.now(UTC), kind, stopped)])
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (result := await anext(stream.results, None)) is not None:
                event = result.data["tradingSessionMetrics"]
        assert event["tradingSession"]["status"] == "STOPPED"
        assert event["tradingSession"]["metrics"] == {"roundTrips": 1}


async def test_metrics_are_those_of_ones_own_session(live: Api) -> None:
    theirs, session = live.context(await live.another_user()), encode_id("TradingSession", (await live.session()).id)
    for id_ in (session, "x", encode_id("TradingSession", new_id())):
        assert await live.refused(METRICS, theirs, tradingSession=id_) == "NOT_FOUND"
    assert await live.refused(METRICS, live.context(None), tradingSession=session) == "UNAUTHENTICATED"
    for every in (499, 60_001):
        assert await live.refused(METRICS, tradingSession=session, every=every) == "INVALID"


async def test_what_only_a_delisted_market_prices_is_named_and_not_waited_for(live: Api) -> None:
    luna = MarketSymbol("sandbox", "LUNA/USDT")
    async with live.database.transaction() as transaction:
        delisted = a_market(symbol=luna, base="LUNA", active=False)
        await transaction.market_data.save_markets([*await transaction.market_data.markets(), delisted])
    await live.services.markets.catalogue.refresh()
    account = new_account(live.harness.user.id, name="live")
    async with live.database.transaction() as transaction:
        await transaction.accounts.add(account, b"sealed")
    await held(live, account, USDT=1000, BTC=2, LUNA=5)
    async with await live.subscribe(EQUITY, account=encode_id("Account", account.id)) as stream:
        valued = asyncio.ensure_future(until(stream, "accountEquity", "equity", "1200"))
        await followed(live, BTC)
        assert (await valued)["unpriced"] == ["LUNA"]
        assert live.services.markets.followed.get(luna) is None


async def test_the_positions_of_an_archived_account_are_an_ended_stream(live: Api) -> None:
    account = new_account(live.harness.user.id, archived_at=at(0))
    async with live.database.transaction() as transaction:
        await transaction.accounts.add(account, b"sealed")
    async with await live.subscribe(UPDATES, account=encode_id("Account", account.id)) as stream:
        assert await anext(stream.results, None) is None


CLOSING = """query($id: ID!) { node(id: $id) { ... on Position { missing
  protections { stopLossPrice exitAt quantity endedAt }
  closing { role reason tries lastRefusal nextTryAt endedAt } } } }"""


async def test_what_closes_a_position_and_how_far_that_is_can_be_read(api: Api) -> None:
    position = opened(api, missing=Decimal("0.25"))
    waiting = PositionProtection(
        new_id(), position.user_id, position.account_id, BTC, ProtectionRules(ExitLevel(price=Decimal(80))), at(0)
    )
    active = waiting.changed(
        id=new_id(),
        position_id=position.id,
        quantity=Decimal(2),
        reference_price=Decimal(90),
        stop_loss_price=Decimal(80),
    )
    ended = active.changed(id=new_id(), ended_at=at(1))
    intent = PositionIntent(
        new_id(), position.user_id, position.account_id, BTC, OrderRole.STOP_LOSS, "It was reached.", at(2),
        position_id=position.id, tries=3, failures=3, next_try_at=at(9), last_refusal="It isn't traded.",
    )  # fmt: skip
    await store_positions(api, position)
    node = encode_id("Position", position.id)
    before = (await api.run(CLOSING, id=node))["node"]
    assert before == {"missing": "0.25", "protections": [], "closing": None}
    async with api.database.transaction() as transaction:
        for protection in (waiting, active, ended):
            await transaction.protection.add(protection)
        await transaction.protection.add_intent(intent)
    after = (await api.run(CLOSING, id=node))["node"]
    assert [(row["stopLossPrice"], row["quantity"], row["endedAt"]) for row in after["protections"]] == [
        ("80", "2", None),
        ("80", "2", at(1).isoformat(timespec="microseconds").replace("+00:00", "Z")),
    ]
    assert {name: after["closing"][name] for name in ("role", "reason", "tries", "lastRefusal", "endedAt")} == {
        "role": "STOP_LOSS",
        "reason": "It was reached.",
        "tries": 3,
        "lastRefusal": "It isn't traded.",
        "endedAt": None,
    }


PORTFOLIO = """query($currency: String) { viewer { portfolio(currency: $currency) {
  currency total unpriced { currency amount } accounts { account { name } worth unpriced { currency } sharePercent }
  assets { currency amount worth unpricedAmount sharePercent } } } }"""


async def test_all_open_accounts_are_worth_a_sum_in_one_currency(api: Api) -> None:
    async with api.harness.pool.acquire() as connection:
        await connection.execute("DELETE FROM balances")
    second, archived = (new_account(api.harness.user.id, name=name) for name in ("second", "archived"))
    async with api.database.transaction() as transaction:
        for account in (second, replace(archived, archived_at=datetime.now(UTC))):
            await transaction.accounts.add(account, b"sealed")
            await transaction.accounts.update(account)
        for account, held in (
            (api.harness.account, {"USDT": "500", "BTC": "2", "XYZ": "3"}), (second, {"USDT": "100"}),
            (archived, {"USDT": "1000000"}),
        ):  # fmt: skip
            balances = [Balance(currency, Decimal(amount), Decimal(amount)) for currency, amount in held.items()]
            await transaction.accounts.replace_balances(account.id, balances)

    async def portfolio() -> dict[str, Any]:
        return (await api.run(PORTFOLIO))["viewer"]["portfolio"]

    # Nobody collects here, so that a subscriber has to be there when the price comes.
    async with await api.subscribe(EQUITY, account=api.account) as stream:
        await stream.next()
        await priced(api, BTC, 100)
        found = await read_until(portfolio, lambda found: found["total"] == "800", "the price is known")
        in_coins = (await api.run(PORTFOLIO, currency="btc"))["viewer"]["portfolio"]
    assert found["currency"] == "USDT"
    assert found["unpriced"] == [{"currency": "XYZ", "amount": "3"}]
    assert [(each["account"]["name"], each["worth"], each["sharePercent"]) for each in found["accounts"]] == [
        ("second", "100", 12.5), (api.harness.account.name, "700", 87.5),
    ]  # fmt: skip
    assert [(each["currency"], each["amount"], each["worth"]) for each in found["assets"]] == [
        ("USDT", "600", "600"), ("BTC", "2", "200"), ("XYZ", "3", None),
    ]  # fmt: skip
    assert (in_coins["currency"], in_coins["total"]) == ("BTC", "8")
    assert await api.code(PORTFOLIO, currency="-") == "INVALID"
    stranger = await api.another_user()
    assert (await api.run(PORTFOLIO, api.context(stranger)))["viewer"]["portfolio"]["total"] == "0"
