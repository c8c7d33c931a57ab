"""An account's equity over time, by the public API."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.model.equity import StoredEquity
from resolvers.ids import encode_id
from tests.support.api import Api
from tests.support.trading import new_account

D = Decimal
HISTORY = """query($id: ID!, $interval: EquityInterval!, $from: DateTime, $to: DateTime) { node(id: $id) {
  ... on Account { equityHistory(interval: $interval, from: $from, to: $to) { currency interval from to returnPercent
    points { at recordedAt equity netDeposits profit drawdownPercent unpriced } gaps { from to } } } } }"""
DAY = datetime(2026, 10, 5, tzinfo=UTC)


async def opened(api: Api, at: datetime) -> None:
    async with api.harness.pool.acquire() as connection:
        await connection.execute("UPDATE accounts SET created_at = $1", at)


async def put(api: Api, at: datetime, equity: str, deposited: str = "1000", **changes: Any) -> None:
    account_id = api.harness.account.id
    point = StoredEquity(account_id, account_id, at, D(equity), D(deposited), D(0), **changes)
    async with api.harness.database.transaction() as transaction:
        await transaction.equity.save(point, {})


async def history(api: Api, interval: str, start: datetime, end: datetime, account: str = "") -> dict[str, Any]:
    times = {"from": start.isoformat(), "to": end.isoformat()}
    answer = await api.run(HISTORY, id=account or api.account, interval=interval, **times)
    return answer["node"]["equityHistory"]


async def test_each_interval_has_its_last_point_and_what_is_not_known_is_a_gap(api: Api) -> None:
    await opened(api, DAY)
    for minute, equity, growth in ((0, "1000", 1.0), (59, "1100", 1.1), (61, "1050", 1.05), (245, "990", 0.99)):
        await put(api, DAY + timedelta(minutes=minute), equity, growth=growth, highest_growth=1.1)
    found = await history(api, "HOUR", DAY, DAY + timedelta(hours=5))
    assert [(point["at"][11:16], point["recordedAt"][11:16], point["equity"]) for point in found["points"]] == [
        ("00:00", "00:59", "1100"),
        ("01:00", "01:01", "1050"),
        ("04:00", "04:05", "990"),
    ]
    assert found["points"][1]["profit"] == "50"
    assert round(found["points"][1]["drawdownPercent"], 6) == round((1.1 - 1.05) / 1.1 * 100, 6)
    assert found["gaps"] == [{"from": "2026-10-05T02:00:00Z", "to": "2026-10-05T04:00:00Z"}]
    assert round(found["returnPercent"], 6) == round((0.99 / 1.1 - 1) * 100, 6)
    assert (found["currency"], found["interval"]) == ("USDT", "HOUR")


async def test_the_end_of_the_period_is_no_part_of_it(api: Api) -> None:
    await opened(api, DAY)
    for minute in range(3):
        await put(api, DAY + timedelta(minutes=minute), str(minute + 1))
    found = await history(api, "MINUTE", DAY + timedelta(minutes=1), DAY + timedelta(minutes=2))
    assert [point["equity"] for point in found["points"]] == ["2"]


async def test_the_history_of_an_archived_account_ends_with_it(api: Api) -> None:
    await opened(api, DAY)
    await put(api, DAY + timedelta(minutes=1), "1000")
    async with api.harness.pool.acquire() as connection:
        await connection.execute("UPDATE accounts SET archived_at = $1", DAY + timedelta(minutes=30))
    found = await history(api, "HOUR", DAY, DAY + timedelta(days=1))
    assert (len(found["points"]), found["gaps"], found["to"]) == (1, [], "2026-10-05T00:30:00Z")


async def test_an_account_of_another_has_none(api: Api) -> None:
    await opened(api, DAY)
    await put(api, DAY, "1000")
    stranger = await api.another_user()
    account = new_account(stranger.id, created_at=DAY)
    async with api.harness.database.transaction() as transaction:
        await transaction.accounts.add(account, b"sealed")
    answer = await api.run(HISTORY, api.context(stranger), id=api.account, interval="DAY")
    assert answer == {"node": None}
    own = await api.run(HISTORY, api.context(stranger), id=encode_id("Account", account.id), interval="DAY")
    assert own["node"]["equityHistory"]["points"] == []


async def test_too_many_intervals_are_refused_with_what_would_do(api: Api) -> None:
    times = {"from": "2020-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    (error,) = (await api.answer(HISTORY, id=api.account, interval="HOUR", **times))["errors"]
    assert error["extensions"]["code"] == "INVALID"
    assert "52,608 hours; there may be at most 1,000. Ask for a longer `interval`" in error["message"]
    for start, end in (("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), ("0001-01-01T00:00:00Z", None)):
        assert await api.code(HISTORY, id=api.account, interval="DAY", **{"from": start, "to": end}) == "INVALID"


async def test_a_year_is_two_statements_however_many_points_there_are(api: Api) -> None:
    await opened(api, DAY)
    for minute in range(30):
        await put(api, DAY + timedelta(minutes=minute), "1000")
    api.database.statements.clear()
    found = await history(api, "DAY", DAY - timedelta(days=364), DAY + timedelta(days=1))
    assert len(found["points"]) == 1
    assert sum("equity_points" in statement for statement in api.database.statements) == 2
