"""The lists of the public API: their orders, filters and counts, and those that hang on something."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain.model.jobs import Job, JobStatus
from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole, OrderStatus, OrderType
from domain.model.reports import Report, ReportScope
from domain.model.trading import AccountKind, TradingSessionStatus
from domain.model.users import Activity
from resolvers.ids import encode_id
from tests.support.api import Api
from tests.support.trading import BTC, ETH, World, at, new_account, new_id, new_session, new_strategy, new_version

MEMBERS = 7


@dataclass(frozen=True)
class Shelf:
    """A user's things: `MEMBERS` of each kind, oldest first, on one account and in one trading session."""

    world: World
    ids: dict[str, list[str]]

    @property
    def account(self) -> str:
        return encode_id("Account", self.world.account.id)

    @property
    def session(self) -> str:
        return encode_id("TradingSession", self.world.session.id)


async def a_shelf(api: Api) -> Shelf:
    """Store and return `MEMBERS` things of each kind of the harness's user."""
    user = api.harness.user
    account, strategy = new_account(user.id), new_strategy(user.id)
    versions = [new_version(strategy, number + 1) for number in range(MEMBERS)]
    strategy = replace(strategy, current_version=MEMBERS)
    session = new_session(user.id, account.id, versions[0].id)
    world = World(user, account, strategy, versions[0], session)
    orders = [world.order(trading_session_id=session.id) for _ in range(MEMBERS)]
    fills = [world.fill(order) for order in orders]
    positions = [
        world.position(trading_session_id=session.id, opened_at=at(n), closed_at=at(100 - n)) for n in range(MEMBERS)
    ]
    signals = [world.signal() for _ in range(MEMBERS)]
    jobs = [Job(new_id(), user.id, "report", at(n), JobStatus.QUEUED) for n in range(MEMBERS)]
    reports = [Report(new_id(), user.id, ReportScope.ACCOUNT, account.id, at(0), at(1), at(2), job.id) for job in jobs]
    activity = [Activity(new_id(), user.id, at(n), "tradingHalt") for n in range(MEMBERS)]
    others = [new_account(user.id) for _ in range(MEMBERS - 2)]
    sessions = [world.new_session() for _ in range(MEMBERS - 1)]
    strategies = [new_strategy(user.id) for _ in range(MEMBERS - 1)]
    async with api.harness.database.transaction() as transaction:
        for other in (account, *others):
            await transaction.accounts.add(other, b"sealed")
        await transaction.strategies.add(strategy, versions[0])
        for version in versions[1:]:
            await transaction.strategies.add_version(version)
        for other_strategy in strategies:
            await transaction.strategies.add(other_strategy, new_version(other_strategy))
        for trading_session in (session, *sessions):
            await transaction.trading_sessions.add(trading_session)
        for order, fill in zip(orders, fills, strict=True):
            await transaction.orders.add(order)
            await transaction.orders.add_fill(fill)
        for position in positions:
            await transaction.positions.save(position)
        for signal in signals:
            await transaction.trading_sessions.add_signal(signal)
        for job, report in zip(jobs, reports, strict=True):
            await transaction.jobs.add(job)
            await transaction.reports.add_report(report)
        for action in activity:
            await transaction.users.add_activity(action)
    kinds: dict[str, tuple[str, list[Any]]] = {
        "accounts": ("Account", [api.harness.account, account, *others]),
        "strategies": ("Strategy", [strategy, *strategies]),
        "tradingSessions": ("TradingSession", [session, *sessions]),
        "orders": ("Order", orders),
        "fills": ("Fill", fills),
        "positions": ("Position", positions),
        "jobs": ("Job", jobs),
        "reports": ("Report", reports),
        "activity": ("Activity", activity),
        "signals": ("Signal", signals),
        "versions": ("StrategyVersion", versions),
    }
    return Shelf(world, {name: [encode_id(kind, item.id) for item in all_] for name, (kind, all_) in kinds.items()})


async def the_pages(ask: Callable[..., Any], forwards: bool, **given: object) -> list[str]:
    """Return the ids of a list by pages of three, from its beginning on or from its end back."""
    found: list[str] = []
    cursor = None
    while True:
        page = await ask(**({"first": 3, "after": cursor} if forwards else {"last": 3, "before": cursor}), **given)
        ids = [node["id"] for node in page["nodes"]]
        assert [edge["node"]["id"] for edge in page["edges"]] == ids
        found = found + ids if forwards else ids + found
        info = page["pageInfo"]
        more, cursor = (
            (info["hasNextPage"], info["endCursor"]) if forwards else (info["hasPreviousPage"], info["startCursor"])
        )
        assert len(found) < 100
        if not more:
            return found


PAGE = "totalCount nodes { id } edges { node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
ARGUMENTS = "$first: Int, $after: String, $last: Int, $before: String"
GIVEN = "first: $first, after: $after, last: $last, before: $before"


def of_viewer(api: Api, name: str, order: str = "TimeOrder") -> Callable[..., Any]:
    """Return what asks for a page of a list of the viewer."""
    query = f"query({ARGUMENTS}, $by: {order}!) {{ viewer {{ {name}({GIVEN}, orderBy: $by) {{ {PAGE} }} }} }}"

    async def ask(**given: object) -> dict:
        return (await api.run(query, **given))["viewer"][name]

    return ask


def of_node(api: Api, type_name: str, name: str, order: str = "TimeOrder") -> Callable[..., Any]:
    """Return what asks for a page of a list of an object."""
    query = (
        f"query($id: ID!, {ARGUMENTS}, $by: {order}!) {{ node(id: $id) {{ ... on {type_name} {{"
        f" {name}({GIVEN}, orderBy: $by) {{ {PAGE} }} }} }} }}"
    )

    async def ask(**given: object) -> dict:
        return (await api.run(query, **given))["node"][name]

    return ask


VIEWERS = ("accounts", "strategies", "tradingSessions", "orders", "fills", "jobs", "reports", "activity")


async def test_every_list_of_the_viewer_is_paged_both_ways_in_both_orders_and_counted(api: Api) -> None:
    shelf = await a_shelf(api)
    for name in VIEWERS:
        oldest_first = shelf.ids[name]
        ask = of_viewer(api, name)
        for forwards in (True, False):
            assert await the_pages(ask, forwards, by="OLDEST_FIRST") == oldest_first, name
            assert await the_pages(ask, forwards, by="NEWEST_FIRST") == oldest_first[::-1], name
        assert (await ask(by="NEWEST_FIRST", first=1))["totalCount"] == MEMBERS, name


async def test_positions_are_listed_by_opening_and_by_closing_both_ways(api: Api) -> None:
    shelf = await a_shelf(api)
    still_open = shelf.world.position(opened_at=at(50))
    async with api.harness.database.transaction() as transaction:
        await transaction.positions.save(still_open)
    closed, opened = shelf.ids["positions"], [*shelf.ids["positions"], encode_id("Position", still_open.id)]
    for ask, given in (
        (of_viewer(api, "positions", "PositionOrder"), {}),
        (of_node(api, "Account", "positions", "PositionOrder"), {"id": shelf.account}),
    ):
        for forwards in (True, False):
            for order, expected in (
                ("OPENED_OLDEST_FIRST", opened),
                ("OPENED_NEWEST_FIRST", opened[::-1]),
                ("CLOSED_OLDEST_FIRST", closed[::-1]),
                ("CLOSED_NEWEST_FIRST", closed),
            ):
                assert await the_pages(ask, forwards, by=order, **given) == expected, order
        assert (await ask(by="CLOSED_NEWEST_FIRST", **given))["totalCount"] == MEMBERS
        assert (await ask(by="OPENED_NEWEST_FIRST", **given))["totalCount"] == MEMBERS + 1


async def test_positions_that_closed_at_the_same_moment_are_each_listed_once(api: Api) -> None:
    shelf = await a_shelf(api)
    async with api.harness.database.transaction() as transaction:
        twins = [shelf.world.position(closed_at=at(7)) for _ in range(5)]
        for position in twins:
            await transaction.positions.save(position)
    ask = of_viewer(api, "positions", "PositionOrder")
    for forwards in (True, False):
        found = await the_pages(ask, forwards, by="CLOSED_OLDEST_FIRST")
        assert found[:5] == [encode_id("Position", twin.id) for twin in twins]
        assert len(found) == len(set(found)) == MEMBERS + 5


async def test_open_positions_have_no_order_by_closing(api: Api) -> None:
    query = "{ viewer { positions(open: true, orderBy: CLOSED_NEWEST_FIRST) { nodes { id } } } }"
    assert await api.code(query) == "INVALID"


async def test_a_cursor_of_one_order_is_refused_in_another(api: Api) -> None:
    await a_shelf(api)
    for name, type_name, orders in (
        ("orders", "TimeOrder", ("NEWEST_FIRST", "OLDEST_FIRST")),
        ("positions", "PositionOrder", ("OPENED_NEWEST_FIRST", "CLOSED_NEWEST_FIRST")),
        ("positions", "PositionOrder", ("CLOSED_NEWEST_FIRST", "CLOSED_OLDEST_FIRST")),
    ):
        query = (
            f"query($after: String, $by: {type_name}!) {{ viewer {{ {name}(first: 1, after: $after, orderBy: $by)"
            " { pageInfo { endCursor } } } }"
        )
        for mine, other in (orders, orders[::-1]):
            cursor = (await api.run(query, by=mine))["viewer"][name]["pageInfo"]["endCursor"]
            await api.run(query, by=mine, after=cursor)
            assert await api.code(query, by=other, after=cursor) == "INVALID"


async def test_what_belongs_to_an_object_is_paged_both_ways_in_both_orders_and_counted(api: Api) -> None:
    shelf = await a_shelf(api)
    strategy, version = shelf.world.strategy.id, shelf.world.version.id
    for type_name, id_, names in (
        ("Account", shelf.account, ("orders", "fills", "tradingSessions")),
        ("TradingSession", shelf.session, ("orders", "fills", "signals")),
        ("Strategy", encode_id("Strategy", strategy), ("tradingSessions", "versions")),
        ("StrategyVersion", encode_id("StrategyVersion", version), ("tradingSessions",)),
    ):
        for name in names:
            ask = of_node(api, type_name, name)
            for forwards in (True, False):
                assert await the_pages(ask, forwards, id=id_, by="OLDEST_FIRST") == shelf.ids[name], name
                assert await the_pages(ask, forwards, id=id_, by="NEWEST_FIRST") == shelf.ids[name][::-1], name
            assert (await ask(id=id_, by="NEWEST_FIRST", first=1))["totalCount"] == MEMBERS


async def test_a_list_below_a_list_has_ten_items_a_page(api: Api) -> None:
    session = await api.session()
    await api.stored(*(api.floor_order(trading_session_id=session.id) for _ in range(12)))
    query = "{ viewer { tradingSessions { nodes { orders { nodes { id } pageInfo { hasNextPage } } } } } }"
    (found,) = (await api.run(query))["viewer"]["tradingSessions"]["nodes"]
    assert (len(found["orders"]["nodes"]), found["orders"]["pageInfo"]["hasNextPage"]) == (10, True)
    listed = (await api.run("{ viewer { orders { nodes { id } } } }"))["viewer"]["orders"]["nodes"]
    assert len(listed) == 12


async def test_lists_below_many_objects_and_their_counts_are_read_by_as_many_statements_as_those_below_one(
    api: Api,
) -> None:
    query = """{ viewer { accounts { totalCount nodes { orders { totalCount nodes { fees { currency } } }
      fills { totalCount nodes { id } }
      positions { totalCount nodes { orders { nodes { id } } fills { nodes { id } } } }
      tradingSessions { totalCount nodes { orders { totalCount nodes { id } } signals { nodes { id } }
        positions { nodes { id } } fills { nodes { id } } } } } } } }"""

    async def statements() -> list[str]:
        api.database.statements.clear()
        await api.run(query)
        return sorted(api.database.statements)

    async def an_account() -> None:
        account = new_account(api.harness.user.id)
        async with api.harness.database.transaction() as transaction:
            await transaction.accounts.add(account, b"sealed")
            for _ in range(2):
                strategy = new_strategy(api.harness.user.id)
                version = new_version(strategy)
                await transaction.strategies.add(strategy, version)
                session = new_session(api.harness.user.id, account.id, version.id)
                await transaction.trading_sessions.add(session)
                world = World(api.harness.user, account, strategy, version, session)
                order = world.order(trading_session_id=session.id)
                await transaction.orders.add(order)
                await transaction.orders.add_fill(world.fill(order))
                await transaction.positions.save(world.position(trading_session_id=session.id))

    await an_account()
    await an_account()
    of_three = await statements()
    for _ in range(5):
        await an_account()
    of_eight = await statements()
    assert of_three == of_eight
    assert len(of_eight) <= 22


async def test_a_list_is_counted_only_on_request(api: Api) -> None:
    await a_shelf(api)
    for selection, counted in (("nodes { id }", 0), ("totalCount", 1), ("nodes { id } totalCount", 1)):
        api.database.statements.clear()
        await api.run(f"{{ viewer {{ orders {{ {selection} }} }} }}")
        assert sum("count(*)" in text for text in api.database.statements) == counted


async def test_more_than_is_counted_has_no_count(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = await a_shelf(api)
    monkeypatch.setattr("infra.postgres.repositories.lists.MAX_COUNT", MEMBERS - 1)
    query = "query($market: MarketSymbol) { viewer { orders(market: $market) { totalCount } } }"
    assert (await api.run(query))["viewer"]["orders"]["totalCount"] is None
    assert (await api.run(query, market=str(ETH)))["viewer"]["orders"]["totalCount"] == 0
    assert shelf.ids["orders"]


async def test_every_list_is_narrowed_by_its_filters(api: Api) -> None:
    shelf = await a_shelf(api)
    world, user = shelf.world, api.harness.user
    archived = new_account(user.id, kind=AccountKind.LIVE, archived_at=at(1))
    by_hand = world.order(
        market=ETH, side=OrderSide.SELL, type=OrderType.MARKET, role=OrderRole.CLOSE, created_at=at(60)
    )
    filled = world.fill(by_hand, at=at(60))
    opened = world.position(market=ETH, opened_at=at(60))
    stopped = world.new_session(market=ETH, status=TradingSessionStatus.STOPPED)
    job = Job(new_id(), user.id, "report", at(60), JobStatus.QUEUED)
    report = Report(new_id(), user.id, ReportScope.TRADING_SESSION, stopped.id, at(0), at(1), at(60), job.id)
    signed_in = Activity(new_id(), user.id, at(60), "userLogin")
    async with api.harness.database.transaction() as transaction:
        await transaction.accounts.add(archived, b"sealed")
        await transaction.orders.add(by_hand)
        await transaction.orders.add_fill(filled)
        await transaction.positions.save(opened)
        await transaction.trading_sessions.add(stopped)
        await transaction.jobs.add(job)
        await transaction.reports.add_report(report)
        await transaction.users.add_activity(signed_in)
    strategy, stopped_id = encode_id("Strategy", world.strategy.id), encode_id("TradingSession", stopped.id)
    since = f'"{at(59).isoformat()}"'

    async def count(list_: str) -> int:
        found = (await api.run(f"{{ viewer {{ list: {list_} {{ totalCount nodes {{ __typename }} }} }} }}"))["viewer"][
            "list"
        ]
        assert found["totalCount"] == len(found["nodes"])
        return found["totalCount"]

    for list_, expected in (
        ("accounts(kind: LIVE)", 1),
        ("accounts(kind: PAPER)", MEMBERS),
        ("accounts(archived: true)", 1),
        ("accounts(archived: false)", MEMBERS),
        ("orders(type: [MARKET])", 1),
        ("orders(type: [MARKET, LIMIT])", MEMBERS + 1),
        ("orders(role: [CLOSE])", 1),
        ("orders(type: [MARKET], role: [ENTRY])", 0),
        (f'orders(strategy: "{strategy}")', MEMBERS),
        (f"orders(from: {since})", 1),
        (f"orders(to: {since})", MEMBERS),
        ("orders(status: [PENDING])", MEMBERS + 1),
        ("orders(status: [FILLED])", 0),
        ("fills(side: SELL)", 1),
        (f'fills(strategy: "{strategy}")', MEMBERS),
        (f'tradingSessions(strategy: "{strategy}")', MEMBERS + 1),
        (f'tradingSessions(strategy: "{encode_id("Strategy", new_id())}")', 0),
        ("tradingSessions(status: [STOPPED])", 1),
        (f'positions(tradingSession: "{shelf.session}")', MEMBERS),
        (f'positions(strategy: "{strategy}", open: false)', MEMBERS),
        ("positions(open: true)", 1),
        (f'positions(market: "{BTC}")', MEMBERS),
        (f'reports(account: "{shelf.account}")', MEMBERS),
        (f'reports(tradingSession: "{stopped_id}")', 1),
        (f'reports(strategy: "{strategy}")', 0),
        (f'reports(account: "{shelf.account}", tradingSession: "{stopped_id}")', 0),
        ('activity(action: ["userLogin"])', 1),
        ('activity(action: ["userLogin", "tradingHalt"])', MEMBERS + 1),
        (f"activity(from: {since})", 1),
        (f"activity(to: {since})", MEMBERS),
    ):
        assert await count(list_) == expected, list_
    for list_ in ('orders(strategy: "x")', 'reports(account: "x")', f'positions(tradingSession: "{shelf.account}")'):
        assert await api.code(f"{{ viewer {{ {list_} {{ totalCount }} }} }}") == "NOT_FOUND"
    backwards = f'activity(from: {since}, to: "{at(0).isoformat()}")'
    assert await api.code(f"{{ viewer {{ {backwards} {{ totalCount }} }} }}") == "INVALID"


async def test_nothing_of_another_user_is_listed_or_counted(api: Api) -> None:
    shelf = await a_shelf(api)
    theirs = api.context(await api.another_user())
    for filter_ in (f'account: "{shelf.account}"', f'tradingSession: "{shelf.session}"'):
        counts = " ".join(f"{name}({filter_}) {{ totalCount }}" for name in ("fills", "positions", "reports"))
        query = f"{{ viewer {{ orders({filter_}) {{ totalCount nodes {{ id }} }} {counts} }} }}"
        viewer = (await api.run(query, theirs))["viewer"]
        assert viewer["orders"] == {"totalCount": 0, "nodes": []}
        assert viewer["fills"] == viewer["positions"] == viewer["reports"] == {"totalCount": 0}
    node = """query($id: ID!) { node(id: $id) { id ... on Account { orders { totalCount } }
      ... on TradingSession { its: orders { totalCount } } } }"""
    for id_ in (shelf.account, shelf.session):
        assert (await api.run(node, theirs, id=id_))["node"] is None
        assert (await api.run(node, api.context(None), id=id_))["node"] is None


async def test_a_position_lists_the_orders_and_fills_that_made_it(api: Api) -> None:
    world = (await a_shelf(api)).world
    start = timedelta(hours=1)
    made: list[tuple[UUID, list[UUID], list[UUID]]] = []
    async with api.harness.database.transaction() as transaction:
        for number in range(2):  # one after the other, on the same market by hand
            opened_at = at(0) + start + timedelta(minutes=10 * number)
            closed_at = opened_at + timedelta(minutes=5)
            buy, sell = world.order(market=ETH), world.order(market=ETH, side=OrderSide.SELL)
            fills = [world.fill(buy, at=opened_at), world.fill(buy, at=opened_at), world.fill(sell, at=closed_at)]
            position = world.position(market=ETH, opened_at=opened_at, closed_at=None if number else closed_at)
            for order in (buy, sell):
                await transaction.orders.add(order)
            for fill in fills:
                await transaction.orders.add_fill(fill)
            await transaction.positions.save(position)
            made.append((position.id, [buy.id, sell.id], [fill.id for fill in fills]))
        await transaction.orders.add_fill(world.fill(sell, market=BTC, at=opened_at))  # of another market
    for position_id, orders, fills in made:
        for name, type_name, expected in (("orders", "Order", orders), ("fills", "Fill", fills)):
            ask = of_node(api, "Position", name)
            page = await ask(id=encode_id("Position", position_id), by="OLDEST_FIRST")
            assert [node["id"] for node in page["nodes"]] == [encode_id(type_name, id_) for id_ in expected]
            assert page["totalCount"] == len(expected)


async def test_an_order_has_the_sum_of_its_fees_by_currency(api: Api) -> None:
    order, without = api.floor_order(status=OrderStatus.FILLED), api.floor_order()
    await api.stored(order, without)
    async with api.harness.database.transaction() as transaction:
        for fee, currency in (("0.1", "USDT"), ("0.2", "USDT"), ("-0.05", "BNB")):
            await transaction.orders.add_fill(api.fill_of(order, fee=Decimal(fee), fee_currency=currency))
    query = "{ viewer { orders { nodes { fees { currency amount } } } } }"
    newest, oldest = (await api.run(query))["viewer"]["orders"]["nodes"]
    assert newest["fees"] == []
    assert oldest["fees"] == [{"currency": "BNB", "amount": "-0.05"}, {"currency": "USDT", "amount": "0.3"}]


async def test_a_report_has_its_scope(api: Api) -> None:
    shelf = await a_shelf(api)
    query = "{ viewer { reports(first: 1) { nodes { scope { __typename ... on Account { id } } } } } }"
    (report,) = (await api.run(query))["viewer"]["reports"]["nodes"]
    assert report["scope"] == {"__typename": "Account", "id": shelf.account}


async def test_the_same_list_in_two_windows_is_answered_for_each(api: Api) -> None:
    shelf = await a_shelf(api)
    query = "{ viewer { a: orders(first: 2) { nodes { id } } b: orders(last: 2) { nodes { id } } } }"
    viewer, again = await asyncio.gather(api.run(query), api.run(query))
    newest_first = shelf.ids["orders"][::-1]
    assert [node["id"] for node in viewer["viewer"]["a"]["nodes"]] == newest_first[:2]
    assert [node["id"] for node in viewer["viewer"]["b"]["nodes"]] == newest_first[-2:]
    assert viewer == again
