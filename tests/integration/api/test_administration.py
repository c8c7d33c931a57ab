"""What operators see of users through the API: a list that is filtered and paged, and what each has, by numbers."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.administration.overview import NodeReporter
from domain.core.background import cancel_and_wait
from domain.model.markets import FeedState
from domain.model.node_reports import LoggedError, NodeReport, ReportedFeed
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus, OrderType
from domain.model.users import ALL_SCOPES, Identity, LoginSession, User, UserRole
from resolvers.context import RequestContext
from resolvers.ids import encode_id
from tests.support.api import Api
from tests.support.users import stored_user
from tests.support.waiting import PATIENCE_SECONDS, read_until

USERS = """query($email: String, $role: UserRole, $status: UserStatus, $plan: String, $first: Int, $after: String,
    $order: TimeOrder! = NEWEST_FIRST) {
  administration { users(email: $email, role: $role, status: $status, plan: $plan, first: $first, after: $after,
    orderBy: $order) { totalCount pageInfo { hasNextPage endCursor } nodes { email } } } }"""


async def emails(api: Api, **variables: object) -> list[str]:
    data = await api.run(USERS, **variables)
    return [node["email"] for node in data["administration"]["users"]["nodes"]]


async def test_users_are_found_filtered_ordered_and_paged_by_keys(api: Api) -> None:
    ann, bob, eve = [await stored_user(api.database, email=f"{name}@Corp.example.com".lower()) for name in "abe"]
    root = api.harness.user.email
    async with api.database.transaction() as transaction:
        await transaction.users.set_role(eve.email, UserRole.OPERATOR)
    everybody = [eve.email, bob.email, ann.email, root]

    assert await emails(api) == everybody
    assert await emails(api, order="OLDEST_FIRST") == everybody[::-1]
    assert await emails(api, email="@CORP") == everybody[:3]
    assert await emails(api, email="%") == [], "it is text, not a pattern"
    assert await emails(api, role="OPERATOR") == [eve.email, root]
    assert await emails(api, plan="none of this name") == []
    pages, cursor = [], None
    for _ in everybody:
        data = (await api.run(USERS, first=1, after=cursor))["administration"]["users"]
        pages += [node["email"] for node in data["nodes"]]
        assert (data["totalCount"], data["pageInfo"]["hasNextPage"]) == (4, len(pages) < 4)
        cursor = data["pageInfo"]["endCursor"]
    assert pages == everybody

    id_ = encode_id("ManagedUser", bob.id)
    disabled = await api.run(
        'mutation($id: ID!) { userDisable(id: $id, input: {reason: "spam"}) { user { status tradingState halts '
        "{ reason by } activity { nodes { action reason author operator { email } operatorName detail } } } "
        "errors { code } } }",
        id=id_,
    )
    user = disabled["userDisable"]["user"]
    assert (user["status"], user["tradingState"], user["halts"]) == (
        "DISABLED", "REDUCING", [{"reason": "spam", "by": "OPERATOR"}],
    )  # fmt: skip
    assert user["activity"]["nodes"] == [
        {
            "action": "userDisable", "reason": "spam", "author": "OPERATOR", "operator": {"email": root},
            "operatorName": None, "detail": None,
        }
    ]  # fmt: skip
    assert await emails(api, status="DISABLED") == [bob.email]
    assert await emails(api, status="ACTIVE") == [eve.email, ann.email, root]
    own = await api.run("{ viewer { activity(first: 1) { nodes { action reason author subject { id } } } } }")
    (entry,) = own["viewer"]["activity"]["nodes"]
    assert entry == {"action": "userDisable", "reason": "spam", "author": "SELF", "subject": {"id": id_}}


async def test_an_operator_sees_how_much_a_user_has_and_no_details_of_what_they_did(api: Api) -> None:
    harness = api.harness
    owner = harness.user
    await api.session()
    await api.stored(api.floor_order())
    eve = await stored_user(api.database, email="eve@example.com")
    async with api.database.transaction() as transaction:
        await transaction.users.set_role(eve.email, UserRole.OPERATOR)
    await api.run('mutation { apiKeyCreate(input: {name: "a secret name", scopes: [READ]}) { errors { code } } }')
    context = await context_of(api, eve)
    answer = await api.run(
        "query($email: String!) { administration { user(email: $email) { email counts { loginSessions apiKeys "
        "paperAccounts liveAccounts liveTradingSessions failedTradingSessions activeOrders openPositions openJobs } "
        'activity(action: ["apiKeyCreate"]) { nodes { action detail subject { id } } } } } }',
        context,
        email=owner.email.upper(),
    )
    user = answer["administration"]["user"]
    assert user["counts"] == {
        "loginSessions": 1, "apiKeys": 1, "paperAccounts": 1, "liveAccounts": 0, "liveTradingSessions": 1,
        "failedTradingSessions": 0, "activeOrders": 1, "openPositions": 0, "openJobs": 0,
    }  # fmt: skip
    assert user["activity"]["nodes"] == [{"action": "apiKeyCreate", "detail": None, "subject": None}]
    for nobody in ("nonsense", f"erased-{owner.id}@invalid", "nobody@example.com"):
        query = "query($email: String!) { administration { user(email: $email) { id } } }"
        assert (await api.run(query, context, email=nobody))["administration"]["user"] is None
    mine = await api.run("{ viewer { activity(first: 1) { nodes { detail } } } }")
    assert mine["viewer"]["activity"]["nodes"] == [{"detail": "a secret name"}]


async def test_nobody_but_an_operator_gets_anywhere_by_the_id_of_a_user(api: Api) -> None:
    ann = await stored_user(api.database, email="ann@example.com")
    context = await context_of(api, ann)
    target = encode_id("ManagedUser", api.harness.user.id)
    assert await api.code("{ administration { users { nodes { id } } } }", context) == "FORBIDDEN"
    assert (await api.run("query($id: ID!) { node(id: $id) { id } }", context, id=target))["node"] is None
    for call in (
        "userDisable(id: $id)", "userEnable(id: $id)", "userRoleChange(id: $id, input: {role: OPERATOR})",
        "userPasswordReset(id: $id)", "userTwoFactorReset(id: $id)", "userSignOut(id: $id)",
    ):  # fmt: skip
        for id_ in (target, encode_id("User", ann.id), encode_id("ManagedUser", "x"), "nonsense"):
            document = f"mutation($id: ID!) {{ {call} {{ errors {{ code }} }} }}"
            assert await api.code(document, context, id=id_) == "FORBIDDEN", (call, id_)
    for id_ in ("nonsense", encode_id("Account", api.harness.account.id)):
        answer = await api.run("mutation($id: ID!) { userDisable(id: $id) { errors { code path } } }", id=id_)
        assert answer["userDisable"]["errors"] == [{"code": "NOT_FOUND", "path": ["id"]}]


async def context_of(api: Api, user: User) -> RequestContext:
    """Return a context of the user, signed in apart from the harness's user."""
    now = datetime.now(UTC)
    session = LoginSession(api.harness.ids.next_id(), user.id, now, now, now + timedelta(days=1))
    async with api.database.transaction() as transaction:
        await transaction.users.add_login_session(session, session.id.bytes)
    identity = Identity(user, session.id, ALL_SCOPES, None, is_login_session=True)
    return RequestContext(api.services, identity, "127.0.0.1")


async def test_operators_see_which_files_of_the_archive_were_given_up(api: Api) -> None:
    query = "{ administration { lostArchiveFiles { name table part rows first last reason givenUpAt } } }"
    assert (await api.run(query))["administration"]["lostArchiveFiles"] == []
    await api.harness.pool.execute(
        "INSERT INTO archive_lost_files VALUES ('trades/2024-02/x.parquet', 'trades', 'kraken:BTC/EUR', 7, 'abc', "
        "'2024-02-01T00:00Z', '2024-02-29T12:00Z', 'it is absent', '2026-01-02T00:00Z')"
    )
    (lost,) = (await api.run(query))["administration"]["lostArchiveFiles"]
    assert lost["name"] == "trades/2024-02/x.parquet"
    assert (lost["table"], lost["part"], lost["rows"]) == ("trades", "kraken:BTC/EUR", 7)
    assert [lost[each][:10] for each in ("first", "last", "givenUpAt")] == ["2024-02-01", "2024-02-29", "2026-01-02"]
    assert lost["reason"] == "it is absent"


async def test_the_overview_has_nodes_feeds_errors_and_numbers_over_all_users(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.administration.overview.WITHDRAW_SECONDS", PATIENCE_SECONDS)
    now = datetime.now(UTC)
    feeds = (
        ReportedFeed("sandbox:BTC/USDT", FeedState.LIVE, now),
        ReportedFeed("sandbox:ETH/USDT", FeedState.STALE, now),
    )
    failing = NodeReport("b", "0", ("web",), now, ("the database",), 3, 1, 2, feeds, (LoggedError(now, "x", "failed"),))

    async def make_report() -> NodeReport:
        return failing

    session = await api.session()
    await api.stored(api.floor_order())
    await api.harness.pool.execute(
        "UPDATE trading_sessions SET status = 'FAILED', status_code = 'INTERNAL', stopped_at = now() WHERE id = $1",
        session.id,
    )
    reporting = asyncio.create_task(NodeReporter(api.database, make_report).run())
    query = """{ administration { overview { users { total operators disabled } accounts { paper live unreconciled
        unattended alerting } tradingSessions { running failed failures { code user { email } } } trading { activeOrders
        ordersInDoubt openPositions exitsWaiting unwatchedProtections halts } jobs { queued running failed
        oldestWaitSeconds } mails { waiting retried givenUp oldestWaitSeconds error } nodes { name lost roles pending
        connections errorCount warningCount feedCount failingFeeds { market state } errors { logger message } } } } }"""

    async def overview() -> dict[str, Any]:
        return (await api.run(query))["administration"]["overview"]

    found = await read_until(overview, lambda found: found["nodes"], "the node has reported")
    assert found["nodes"] == [
        {
            "name": "b", "lost": False, "roles": ["web"], "pending": ["the database"], "connections": 3,
            "errorCount": 1, "warningCount": 2, "feedCount": 2,
            "failingFeeds": [{"market": "sandbox:ETH/USDT", "state": "STALE"}],
            "errors": [{"logger": "x", "message": "failed"}],
        }
    ]  # fmt: skip
    assert found["users"] == {"total": 1, "operators": 1, "disabled": 0}
    assert (found["accounts"]["paper"], found["trading"]["activeOrders"]) == (1, 1)
    assert found["tradingSessions"] == {
        "running": 0, "failed": 1, "failures": [{"code": "INTERNAL", "user": {"email": api.harness.user.email}}],
    }  # fmt: skip
    await cancel_and_wait(reporting)
    assert (await overview())["nodes"] == [], "a node that stops properly isn't listed any more"


async def test_operators_alone_see_the_nodes_with_what_they_hold(api: Api) -> None:
    report = NodeReport("b", "0", ("trader",), datetime.now(UTC), event_loop_lag_seconds=0.25, cpu_share=0.5)
    async with api.database.transaction() as transaction:
        await transaction.overview.save_node(report)
        await transaction.leases.acquire("account", str(api.harness.account.id), "b", 60)
    await api.session()
    query = """{ engine { nodes { name status leases { kind count } tradingSessions runningJobs eventLoopLagSeconds
        cpuShare } } }"""
    (node,) = (await api.run(query))["engine"]["nodes"]
    assert node == {
        "name": "b", "status": "READY", "leases": [{"kind": "account", "count": 1}], "tradingSessions": 1,
        "runningJobs": 0, "eventLoopLagSeconds": 0.25, "cpuShare": 0.5,
    }  # fmt: skip
    eve = await stored_user(api.database, email="eve@example.com")
    assert (await api.run(query, await context_of(api, eve)))["engine"]["nodes"] is None
    assert (await api.run(query, RequestContext(api.services, None, "127.0.0.1")))["engine"]["nodes"] is None


async def test_a_node_drains_only_if_others_can_take_its_work_or_by_force(api: Api) -> None:
    now = datetime.now(UTC)
    drain = """mutation($name: String!, $input: EngineNodeDrainInput) { engineNodeDrain(name: $name, input: $input) {
        node { status } errors { code path } } }"""

    async def request(name: str, **input: object) -> dict[str, Any]:
        return (await api.run(drain, name=name, input=input))["engineNodeDrain"]

    async def stored(name: str, *roles: str) -> bool:
        async with api.database.transaction() as transaction:
            return await transaction.overview.save_node(NodeReport(name, "0", roles, now))

    assert not await stored("a", "web", "trader")
    assert await request("b") == {"node": None, "errors": [{"code": "NOT_FOUND", "path": ["name"]}]}
    assert await request("a") == {"node": None, "errors": [{"code": "CONFLICT", "path": ["name"]}]}
    assert (await request("a", force=True, reason="x" * 501))["errors"] == [
        {"code": "INVALID", "path": ["input", "reason"]}
    ]
    await stored("b", "web", "trader")
    assert await request("a", reason="an update") == {"node": {"status": "DRAINING"}, "errors": []}
    assert await stored("a", "web", "trader"), "it reads the request with its next report"
    assert (await request("b"))["errors"] == [{"code": "CONFLICT", "path": ["name"]}], "the other one drains"
    assert (await request("b", force=True))["errors"] == []
    resumed = await api.run('mutation { engineNodeResume(name: "a") { node { status } errors { code } } }')
    assert resumed["engineNodeResume"] == {"node": {"status": "READY"}, "errors": []}
    assert not await stored("a", "web", "trader")
    done = await api.run("{ viewer { activity(first: 3) { nodes { action detail reason } } } }")
    assert done["viewer"]["activity"]["nodes"] == [
        {"action": "engineNodeResume", "detail": "a", "reason": None},
        {"action": "engineNodeDrain", "detail": "b", "reason": None},
        {"action": "engineNodeDrain", "detail": "a", "reason": "an update"},
    ]


async def test_disabling_a_user_cancels_open_orders_and_leaves_positions_to_their_protection(api: Api) -> None:
    harness = api.harness
    await harness.start()
    eve = await stored_user(api.database, email="eve@example.com")
    async with api.database.transaction() as transaction:
        await transaction.users.set_role(eve.email, UserRole.OPERATOR)
    filled = await harness.place("bought", quantity=Decimal(2))
    await harness.until(filled.id, OrderStatus.FILLED)
    resting = await harness.limit("resting", price="91", quantity=Decimal(1))
    closing = await harness.place("sold", side=OrderSide.SELL, type=OrderType.LIMIT, price=Decimal(120),
                                  quantity=Decimal(1), reduce_only=True)  # fmt: skip

    answer = await api.run(
        "mutation($id: ID!) { userDisable(id: $id) { user { counts { openPositions } } errors { code } } }",
        await context_of(api, eve),
        id=encode_id("ManagedUser", harness.user.id),
    )
    assert answer["userDisable"]["user"]["counts"]["openPositions"] == 1
    await harness.until(resting.id, OrderStatus.CANCELED)
    assert (await harness.read(closing.id)).status is OrderStatus.OPEN
    denied = await harness.place("more", quantity=Decimal(1))
    assert denied.status is OrderStatus.DENIED
