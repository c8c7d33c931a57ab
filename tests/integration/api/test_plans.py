"""Operators make plans and give them to users; users see theirs, how much of it they use, and why they are refused."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.core.pagination import KeysetPage
from domain.model.markets import Candle, Timeframe
from domain.model.plans import STANDARD_PLAN
from domain.model.users import User
from resolvers.context import RequestContext
from resolvers.ids import encode_id
from tests.support.api import Api
from tests.support.orders import BTC
from tests.support.plans import set_limits
from tests.support.users import store_credential

CREATE = """mutation($input: PlanCreateInput!) { planCreate(input: $input) {
  plan { name maxTradingSessions maxMarkets maxApiKeys backtestCandlesPerDay default }
  errors { code message path } } }"""
UPDATE = """mutation($input: PlanUpdateInput!) { planUpdate(input: $input) {
  plan { name maxTradingSessions maxMarkets backtestCandlesPerDay default } errors { code message path } } }"""
CHANGE = """mutation($input: UserPlanChangeInput!) { userPlanChange(input: $input) {
  plan { name } planChange { id plan status source reason effectiveAt } errors { code message path } } }"""
CANCEL = (
    """mutation($id: ID!) { userPlanChangeCancel(id: $id) { planChange { status } errors { code message path } } }"""
)
ARCHIVE = """mutation($name: String!) { planArchive(name: $name) {
  plan { name archivedAt } errors { code message path } } }"""
VIEWER = """{ viewer { plan { name maxApiKeys default }
  planUsage { entitlement limit used resetsAt } planChanges { plan status source } } }"""
KEY = """mutation { apiKeyCreate(input: {name: "one", scopes: [READ]}) { secret errors { code message path
  ... on PlanLimitError { plan entitlement limit used resetsAt } } } }"""
BACKTEST = """mutation { backtestRun(input: {market: "sandbox:BTC/USDT", timeframe: H1, from: "2026-01-01T00:00:00Z",
  to: "2026-01-02T00:00:00Z", initialEquity: "1000",
  definition: {enterLong: "close > 1", sizing: {quoteAmount: "100"}}}) {
  backtest { id } errors { code message path ... on PlanLimitError { entitlement limit used resetsAt } } } }"""


async def created(api: Api, name: str, **limits: int | None) -> dict[str, Any]:
    answer = (await api.run(CREATE, input={"name": name, "limits": limits}))["planCreate"]
    assert not answer["errors"], answer
    return answer["plan"]


async def given(api: Api, user: User, plan: str | None, **more: object) -> dict[str, Any]:
    answer = await api.run(CHANGE, input={"user": encode_id("User", user.id), "plan": plan, **more})
    assert not answer["userPlanChange"]["errors"], answer
    return answer["userPlanChange"]


async def plan_of(api: Api, user: User) -> str:
    return (await api.run(VIEWER, api.context(user)))["viewer"]["plan"]["name"]


@pytest.fixture
async def ada(api: Api) -> User:
    """A user who is no operator, as the harness's user is."""
    return await api.another_user()


async def signed_in(api: Api, user: User) -> RequestContext:
    await api.harness.pool.execute("DELETE FROM login_sessions")
    await store_credential(api.harness.database, user)
    return api.context(user)


async def test_a_new_engine_has_one_plan_that_allows_what_it_allowed_before(api: Api, ada: User) -> None:
    limits = "maxTradingSessions maxMarkets maxActiveOrders maxSubscriptions requestsPerMinute maxApiKeys maxOpenJobs"
    more = (
        "maxRunningJobs maxOptimizationTrials maxBacktestCandles backtestCandlesPerDay historyDays default archivedAt"
    )
    (plan,) = (await api.run(f"{{ plans {{ name {limits} {more} archivedAt }} }}"))["plans"]
    assert plan == {
        "name": "standard", "maxTradingSessions": 20, "maxMarkets": 1_000, "maxActiveOrders": 1_000,
        "maxSubscriptions": 5_000, "requestsPerMinute": 60_000, "maxApiKeys": 100, "maxOpenJobs": 20,
        "maxRunningJobs": 2, "maxOptimizationTrials": 1_000, "maxBacktestCandles": 2_000_000,
        "backtestCandlesPerDay": None, "historyDays": None, "default": True, "archivedAt": None,
    }  # fmt: skip
    viewer = (await api.run(VIEWER, api.context(ada)))["viewer"]
    assert (viewer["plan"]["name"], viewer["planChanges"]) == ("standard", [])
    assert {one["entitlement"]: (one["limit"], one["used"]) for one in viewer["planUsage"]} == {
        "TRADING_SESSIONS": ("20", "0"), "MARKETS": ("1000", "0"), "ACTIVE_ORDERS": ("1000", "0"),
        "API_KEYS": ("100", "0"), "ALERT_RULES": ("500", "0"), "OPEN_JOBS": ("20", "0"),
        "REPORT_SCHEDULES": ("50", "0"),
        "BACKTEST_CANDLES_PER_DAY": (None, "0"), "REQUESTS_PER_MINUTE": ("60000", "0"),
    }  # fmt: skip


async def test_a_plan_is_created_given_and_enforced_and_the_refusal_has_all_figures(api: Api, ada: User) -> None:
    assert await created(api, "small", maxApiKeys=1) == {
        "name": "small", "maxTradingSessions": 20, "maxMarkets": 1_000, "maxApiKeys": 1, "backtestCandlesPerDay": None,
        "default": False,
    }  # fmt: skip
    change = await given(api, ada, "small", reason="on trial")
    assert change["plan"]["name"] == "small"
    assert (change["planChange"]["status"], change["planChange"]["source"]) == ("IN_FORCE", "OPERATOR")
    context = await signed_in(api, ada)
    assert (await api.run(KEY, context))["apiKeyCreate"]["secret"]
    (error,) = (await api.run(KEY, context))["apiKeyCreate"]["errors"]
    assert error == {
        "code": "LIMIT_REACHED",
        "message": "Your plan small allows 1 API keys; you use 1. To go on, revoke one first; the operator of this "
        "engine can give you another plan.",
        "path": ["input"], "plan": "small", "entitlement": "API_KEYS", "limit": "1", "used": "1", "resetsAt": None,
    }  # fmt: skip
    usage = (await api.run(VIEWER, context))["viewer"]["planUsage"]
    assert {"entitlement": "API_KEYS", "limit": "1", "used": "1", "resetsAt": None} in usage


async def test_of_requests_for_the_last_place_at_the_same_moment_one_gets_it(api: Api, ada: User) -> None:
    await set_limits(api.harness.pool, max_api_keys=3)
    context = await signed_in(api, ada)
    answers = await asyncio.gather(*(api.run(KEY, context) for _ in range(12)))
    codes = [error["code"] for answer in answers for error in answer["apiKeyCreate"]["errors"]]
    assert codes == ["LIMIT_REACHED"] * 9


async def test_an_expired_key_takes_no_place(api: Api, ada: User) -> None:
    await set_limits(api.harness.pool, max_api_keys=1)
    context = await signed_in(api, ada)
    await api.run(KEY, context)
    await api.harness.pool.execute("UPDATE api_keys SET expires_at = now() - interval '1 second'")
    assert (await api.run(KEY, context))["apiKeyCreate"]["secret"]


async def test_candles_of_backtests_are_counted_by_the_day(api: Api, ada: User) -> None:
    await set_limits(api.harness.pool, backtest_candles_per_day=60)
    context = api.context(ada)
    first, second = [(await api.run(BACKTEST, context))["backtestRun"] for _ in range(2)]
    await api.harness.pool.execute("UPDATE plan_uses SET day = (now() AT TIME ZONE 'UTC')::date")
    third = (await api.run(BACKTEST, context))["backtestRun"]
    assert first["backtest"] is not None
    assert second["backtest"] is not None
    (error,) = third["errors"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    assert (error["code"], error["entitlement"], error["limit"]) == ("LIMIT_REACHED", "BACKTEST_CANDLES_PER_DAY", "60")
    assert error["resetsAt"] == f"{tomorrow}T00:00:00Z"
    assert f"you use {int(error['used']):,}, and this needs 24 more" in error["message"]
    await api.harness.pool.execute("UPDATE plan_uses SET day = day - 1")
    assert (await api.run(BACKTEST, context))["backtestRun"]["backtest"] is not None


async def test_a_scheduled_change_takes_effect_at_its_time_by_itself(api: Api, ada: User) -> None:
    await created(api, "pro")
    later = datetime.now(UTC) + timedelta(days=30)
    change = await given(api, ada, "pro", effectiveAt=later.isoformat())
    assert (change["plan"]["name"], change["planChange"]["status"]) == ("standard", "SCHEDULED")
    assert await plan_of(api, ada) == "standard"
    await api.harness.pool.execute("UPDATE plan_changes SET effective_at = now()")
    assert await plan_of(api, ada) == "pro"


async def test_a_scheduled_change_is_cancelled_once_and_one_in_force_never(api: Api, ada: User) -> None:
    await created(api, "pro")
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    change = (await given(api, ada, "pro", effectiveAt=later))["planChange"]
    cancelled = (await api.run(CANCEL, id=change["id"]))["userPlanChangeCancel"]
    assert cancelled == {"planChange": {"status": "CANCELED"}, "errors": []}
    (again,) = (await api.run(CANCEL, id=change["id"]))["userPlanChangeCancel"]["errors"]
    assert (again["code"], "CANCELED" in again["message"]) == ("CONFLICT", True)
    in_force = (await given(api, ada, "pro"))["planChange"]
    (error,) = (await api.run(CANCEL, id=in_force["id"]))["userPlanChangeCancel"]["errors"]
    assert error["code"] == "CONFLICT"


async def test_the_decision_made_last_counts_from_when_it_takes_effect(api: Api, ada: User) -> None:
    for name in ("pro", "basic"):
        await created(api, name)
    in_a_month = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    await given(api, ada, "pro", effectiveAt=in_a_month)
    await given(api, ada, "basic")
    changes = (await api.run(VIEWER, api.context(ada)))["viewer"]["planChanges"]
    assert [(one["plan"], one["status"]) for one in changes] == [("basic", "IN_FORCE"), ("pro", "REPLACED")]
    await given(api, ada, None)
    assert await plan_of(api, ada) == "standard"


async def test_two_operators_at_once_leave_one_plan_in_force(api: Api, ada: User) -> None:
    names = [f"plan-{number}" for number in range(6)]
    for name in names:
        await created(api, name)
    await asyncio.gather(*(given(api, ada, name) for name in names))
    changes = (await api.run(VIEWER, api.context(ada)))["viewer"]["planChanges"]
    assert Counter(one["status"] for one in changes) == {"IN_FORCE": 1, "REPLACED": 5}
    assert changes[0]["plan"] == await plan_of(api, ada)


async def test_another_default_plan_is_that_of_all_who_were_given_none(api: Api, ada: User) -> None:
    await created(api, "free", maxApiKeys=2)
    answer = (await api.run(UPDATE, input={"name": "free", "default": True}))["planUpdate"]
    assert answer["plan"]["default"] is True
    assert await plan_of(api, ada) == "free"
    await given(api, ada, "standard")
    assert await plan_of(api, ada) == "standard"
    plans = (await api.run("{ plans { name default } }"))["plans"]
    assert [(plan["name"], plan["default"]) for plan in plans] == [("free", True), ("standard", False)]


async def test_what_was_given_changes_and_null_removes_only_what_may_be_without_limit(api: Api, ada: User) -> None:
    await created(api, "pro", maxMarkets=7, backtestCandlesPerDay=10)
    limits = {"backtestCandlesPerDay": None}
    plan = (await api.run(UPDATE, input={"name": "pro", "limits": limits}))["planUpdate"]["plan"]
    assert (plan["maxMarkets"], plan["backtestCandlesPerDay"]) == (7, None)
    errors = (await api.run(UPDATE, input={"name": "pro", "limits": {"maxMarkets": None}}))["planUpdate"]["errors"]
    assert [(error["code"], error["path"]) for error in errors] == [("INVALID", ["input", "limits", "maxMarkets"])]


@pytest.mark.parametrize("name", ["", "A", "with space", "-a", "a-", "x" * 41, "naïve", "a\0"])
async def test_a_name_that_is_none_is_refused(api: Api, name: str) -> None:
    (error,) = (await api.run(CREATE, input={"name": name}))["planCreate"]["errors"]
    assert (error["code"], error["path"]) == ("INVALID", ["input", "name"])


async def test_all_that_is_wrong_with_a_plan_is_reported_at_once(api: Api) -> None:
    limits = {"maxMarkets": -1, "requestsPerMinute": 0}
    errors = (await api.run(CREATE, input={"name": "?", "limits": limits}))["planCreate"]["errors"]
    assert [error["path"][-1] for error in errors] == ["name", "maxMarkets", "requestsPerMinute"]


async def test_a_name_is_taken_for_ever_and_the_default_plan_stays(api: Api, ada: User) -> None:
    await created(api, "pro")
    (taken,) = (await api.run(CREATE, input={"name": "pro"}))["planCreate"]["errors"]
    assert taken["code"] == "CONFLICT"
    await given(api, ada, "pro")
    assert (await api.run(ARCHIVE, name="pro"))["planArchive"]["plan"]["archivedAt"]
    assert await plan_of(api, ada) == "pro"
    (archived,) = (await api.run(CHANGE, input={"user": encode_id("User", ada.id), "plan": "pro"}))["userPlanChange"][
        "errors"
    ]
    assert (archived["code"], archived["path"]) == ("CONFLICT", ["input", "plan"])
    (default,) = (await api.run(ARCHIVE, name="standard"))["planArchive"]["errors"]
    assert (default["code"], "make another plan the default first" in default["message"]) == ("CONFLICT", True)
    (wrong,) = (await api.run(UPDATE, input={"name": "pro", "default": True}))["planUpdate"]["errors"]
    assert wrong["code"] == "CONFLICT"


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"plan": "none"}, "NOT_FOUND", ["input", "plan"]),
        ({"plan": "standard", "effectiveAt": "2001-01-01T00:00:00Z"}, "INVALID", ["input", "effectiveAt"]),
        ({"plan": "standard", "effectiveAt": "9999-01-01T00:00:00Z"}, "INVALID", ["input", "effectiveAt"]),
        ({"plan": "standard", "reason": "x" * 501}, "INVALID", ["input", "reason"]),
        ({"plan": "standard", "user": encode_id("User", "0" * 32)}, "NOT_FOUND", ["input", "user"]),
        ({"plan": "standard", "user": "nonsense"}, "NOT_FOUND", ["input", "user"]),
    ],
)
async def test_a_change_that_can_not_be_is_refused(
    api: Api, ada: User, changes: dict[str, str], code: str, path: list[str]
) -> None:
    answer = await api.run(CHANGE, input={"user": encode_id("User", ada.id), **changes})
    (error,) = answer["userPlanChange"]["errors"]
    assert (error["code"], error["path"]) == (code, path)


async def test_a_change_is_in_the_activity_of_both(api: Api, ada: User) -> None:
    await created(api, "pro")
    await given(api, ada, "pro", reason="paid")
    async with api.harness.database.read_only() as reading:
        (hers, *_) = await reading.users.activity(ada.id, KeysetPage(5))
        (own, *_) = await reading.users.activity(api.harness.user.id, KeysetPage(5))
    assert {hers.action, own.action} == {"userPlanChange"}
    assert hers.detail is not None
    assert hers.detail.startswith("pro from ")
    assert (hers.author.value, hers.operator_id, hers.reason) == ("OPERATOR", api.harness.user.id, "paid")


async def test_no_user_but_an_operator_sees_or_changes_plans(api: Api, ada: User) -> None:
    await created(api, "pro")
    context = api.context(ada)
    user, pro = encode_id("User", ada.id), {"name": "pro"}
    assert await api.code("{ plans { name } }", context) == "FORBIDDEN"
    for document, variables in (
        (CREATE, {"input": {"name": "mine"}}),
        (UPDATE, {"input": {**pro, "default": True}}),
        (ARCHIVE, pro),
        (CHANGE, {"input": {"user": user, "plan": "pro"}}),
        (CANCEL, {"id": encode_id("PlanChange", "0" * 32)}),
    ):
        assert await api.code(document, context, **variables) == "FORBIDDEN"
    assert await plan_of(api, ada) == "standard"


HISTORY = """query($from: DateTime, $to: DateTime) { market(symbol: "sandbox:BTC/USDT") {
  candles(timeframe: D1, from: $from, to: $to, first: 100) { nodes { openTime } pageInfo { hasPreviousPage } } } }"""
OTHERS = (
    "trades(from: $from, to: $to, first: 1) { nodes { at } }",
    "volumeProfile(from: $from, to: $to, bins: 5) { pointOfControl }",
    "depthHistory(from: $from, to: $to, everySeconds: 86400) { sequence }",
    'indicator(name: "sma", timeframe: D1, from: $from, to: $to) { times }',
)


async def test_history_is_read_as_far_back_as_the_plan_reaches_by_strangers_too(api: Api, ada: User) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [today - timedelta(days=number) for number in range(1, 41)]
    candles = [Candle(BTC, Timeframe.D1, day, *[Decimal(100)] * 4, Decimal(2), closed=True) for day in days]
    async with api.harness.database.transaction() as transaction:
        await transaction.market_data.ensure_candle_partitions(days[-1], days[0])
        await transaction.market_data.upsert_candles(candles)
    assert len((await api.run(HISTORY))["market"]["candles"]["nodes"]) == 40
    await created(api, "pro")
    await given(api, api.harness.user, "pro")
    await set_limits(api.harness.pool, history_days=30)
    early, late = (today - timedelta(days=number) for number in (35, 25))
    for context in (api.context(replace(ada, plan=replace(STANDARD_PLAN, history_days=30))), api.context(None)):
        api.services.plans._default = None
        page = (await api.run(HISTORY, context))["market"]["candles"]
        assert min(node["openTime"] for node in page["nodes"]) >= f"{today - timedelta(days=30):%Y-%m-%d}"
        assert (await api.run(HISTORY, context, to=early.isoformat()))["market"]["candles"]["nodes"] == []
        (error,) = (await api.answer(HISTORY, context, **{"from": early.isoformat()}))["errors"]
        assert (error["extensions"]["code"], error["extensions"]["limit"]) == ("LIMIT_REACHED", 30)
        assert (error["extensions"]["entitlement"], error["extensions"]["plan"]) == ("HISTORY_DAYS", "standard")
        for field in OTHERS:
            document = f'query($from: DateTime!, $to: DateTime!) {{ market(symbol: "sandbox:BTC/USDT") {{ {field} }} }}'
            for start, code in ((early, "LIMIT_REACHED"), (late, None)):
                variables = {"from": start.isoformat(), "to": (start + timedelta(days=1)).isoformat()}
                errors = (await api.answer(document, context, **variables))["errors"]
                assert [error["extensions"]["code"] for error in errors] == ([code] if code else []), errors
    assert len((await api.run(HISTORY))["market"]["candles"]["nodes"]) == 40, "another plan reaches farther"


async def test_a_backtest_begins_within_what_the_plan_reaches(api: Api, ada: User) -> None:
    await set_limits(api.harness.pool, history_days=3)
    (error,) = (await api.run(BACKTEST, api.context(ada)))["backtestRun"]["errors"]
    assert (error["code"], error["path"]) == ("LIMIT_REACHED", ["input", "from"])
    assert "The plan standard reaches 3 days back" in error["message"]
