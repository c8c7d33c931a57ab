"""Operators see how much happened in a period, over all users, and nothing of any user."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from domain.administration.operator_report import report_period
from domain.core.errors import RequestFault
from domain.model.events import NewEvent, UserEventKind
from domain.model.orders import OrderEvent, OrderEventKind, OrderRole, OrderStatus, RiskCode, RiskDenial
from domain.model.users import UserRole
from infra.cli.arguments import BadArgument
from infra.cli.exit_codes import USAGE_ERROR
from infra.cli.main import app
from infra.cli.operator_reports import write_operator_report
from infra.settings import Settings
from tests.support.api import Api

REPORT = """query($from: DateTime, $to: DateTime) { administration { report(from: $from, to: $to) {
  from to users { active registered trading } orders { status count } denials { code count } fills
  latency { orders median p90 p99 longest } errors { tradingSessions mails accountAlerts jobs { kind count } } } } }"""
DAY = timedelta(days=1)


def today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


async def report(api: Api, start: datetime, end: datetime) -> Any:
    given = {"from": start.isoformat(), "to": end.isoformat()}
    return (await api.run(REPORT, **given))["administration"]["report"]


@pytest.fixture
async def operating(api: Api) -> Api:
    """The API for an operator, with orders of whom anybody may be the user."""
    world, begun = api._world(), today()
    async with api.harness.database.transaction() as transaction:
        await transaction.users.set_role(api.harness.user.email, UserRole.OPERATOR)
        for number in range(4):
            order = world.order(created_at=begun, status=OrderStatus.FILLED)
            await transaction.orders.add(order)
            at = begun + timedelta(milliseconds=100 * (number + 1))
            events = [
                NewEvent(order.user_id, begun, UserEventKind.ORDER, OrderEvent(OrderEventKind.SUBMITTED, order)),
                NewEvent(order.user_id, at, UserEventKind.ORDER, OrderEvent(OrderEventKind.ACCEPTED, order)),
            ]
            transaction.events.append(events)
        denial = RiskDenial(RiskCode.MAX_OPEN_ORDERS, "too many", None, None)
        denied = world.order(created_at=begun, status=OrderStatus.DENIED, denials=(denial,))
        foreign = world.order(created_at=begun, status=OrderStatus.CANCELED, role=OrderRole.FOREIGN)
        for order in (denied, foreign):
            await transaction.orders.add(order)
    return api


async def test_the_numbers_of_a_period_are_those_of_its_days(operating: Api) -> None:
    found = await report(operating, today(), today() + DAY)
    assert found["orders"] == [{"status": "FILLED", "count": 4}, {"status": "DENIED", "count": 1}]
    assert found["denials"] == [{"code": "MAX_OPEN_ORDERS", "count": 1}]
    assert found["users"]["trading"] == 1
    latency = found["latency"]
    assert (latency["orders"], latency["median"], latency["longest"]) == (4, 250.0, 400.0)
    assert latency["p90"] == pytest.approx(370.0)
    before = await report(operating, today() - 2 * DAY, today() - DAY)
    assert before["orders"] == []
    assert before["latency"] == {"orders": 0, "median": None, "p90": None, "p99": None, "longest": None}


async def test_nothing_of_a_user_stands_in_it(operating: Api) -> None:
    user, account = operating.harness.user, operating.harness.account
    text = json.dumps(await report(operating, today(), today() + DAY))
    for private in (user.email, str(user.id), str(account.id), account.name, "BTC", "USDT"):
        assert private not in text


async def test_others_than_operators_are_refused(api: Api) -> None:
    async with api.harness.database.transaction() as transaction:
        await transaction.users.set_role(api.harness.user.email, UserRole.USER)
    assert await api.code(REPORT) == "FORBIDDEN"


async def test_the_command_writes_a_page_and_json(operating: Api, database_dsn: str, tmp_path: Path) -> None:
    settings = Settings(database_url=SecretStr(database_dsn))
    start = today().replace(tzinfo=None)
    page, data = await write_operator_report(settings, start, start + DAY, tmp_path / "new")
    assert json.loads(data.read_text())["orders"] == {"FILLED": 4, "DENIED": 1}
    text = page.read_text()
    assert "250.0 ms" in text
    assert "<script" not in text
    with pytest.raises(BadArgument, match="must have from 1 to 92"):
        await write_operator_report(settings, start, start, tmp_path)


async def test_the_latency_of_very_many_orders_is_that_of_some_of_them(operating: Api) -> None:
    async with operating.harness.database.read_only() as reading:
        found = [await reading.operator_reports.latency(today(), today() + DAY, one_of) for one_of in (1, 2, 1_000_000)]
    assert found[0].orders == 4
    assert found[1].orders <= 4
    assert found[2].orders < 4


async def test_a_period_of_a_big_engine_is_found_without_reading_the_others(operating: Api) -> None:
    """Many orders lie before the period: the pages of the period alone are read."""
    async with operating.harness.pool.acquire() as connection:
        await connection.execute(
            """INSERT INTO orders SELECT (populated).* FROM (
                SELECT jsonb_populate_record(known, jsonb_build_object(
                    'id', gen_random_uuid(), 'client_order_id', 'c-' || number,
                    'created_at', now() - interval '400 days' + number * interval '10 minutes')) AS populated
                FROM (SELECT orders AS known FROM orders WHERE status = 'FILLED' LIMIT 1) AS one,
                    generate_series(1, 40000) AS number
            ) AS many"""
        )
        await connection.execute("VACUUM ANALYZE orders")
        plan = "\n".join(
            row[0]
            for row in await connection.fetch(
                """EXPLAIN SELECT user_id, status, count(*) FROM orders
                WHERE created_at >= now() - interval '300 days' AND created_at < now() - interval '299 days'
                AND role <> 'FOREIGN' GROUP BY user_id, status"""
            )
        )
    assert "orders_of_period" in plan


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, datetime.min.replace(tzinfo=UTC)),
        (None, datetime(1, 1, 5, tzinfo=UTC)),
        (datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_a_period_at_the_ends_of_the_calendar_is_refused(start: datetime | None, end: datetime) -> None:
    with pytest.raises(RequestFault, match="beyond the calendar"):
        report_period(start, end, datetime(2026, 12, 1, tzinfo=UTC))


def test_a_report_over_all_users_is_about_no_user() -> None:
    result = CliRunner().invoke(app, ["report", "--all-users", "--user", "you@example.com"])
    assert result.exit_code == USAGE_ERROR
    assert "--all-users" in result.stderr


def test_a_period_is_of_whole_days_and_at_most_a_quarter() -> None:
    now = datetime(2026, 12, 1, 15, tzinfo=UTC)
    assert report_period(None, None, now) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    noon = datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert report_period(noon, noon + timedelta(hours=1), now) == (
        datetime(2026, 11, 30, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
    )
    for start in (noon + DAY, noon - 92 * DAY):
        with pytest.raises(RequestFault, match="must have from 1 to 92"):
            report_period(start, noon, now)
