"""Schedules of reports by the API: made, changed, listed and deleted, and named by the reports that they made."""

from datetime import timedelta
from typing import Any

from domain.model.users import UserRole
from domain.reports.scheduler import ReportScheduler
from infra.embedded.bus import EmbeddedBus
from tests.support.api import Api
from tests.support.clocks import AdjustableClock
from tests.support.fill_ledgers import MARKETS
from tests.support.reporting import report_worker

FIELDS = """id name cadence hour weekday dayOfMonth status nextRunAt lastRunAt lastError leftOut
  scope { __typename } lastReport { id } channels { name }"""
CREATE = f"""mutation($input: ReportScheduleCreateInput!) {{ reportScheduleCreate(input: $input) {{
  reportSchedule {{ {FIELDS} }} errors {{ code message path }} }} }}"""
UPDATE = f"""mutation($id: ID!, $input: ReportScheduleUpdateInput!) {{ reportScheduleUpdate(id: $id, input: $input) {{
  reportSchedule {{ {FIELDS} }} errors {{ code message path }} }} }}"""
DELETE = "mutation($id: ID!) { reportScheduleDelete(id: $id) { deletedId errors { code } } }"
LIST = f"{{ viewer {{ reportSchedules(first: 5) {{ totalCount nodes {{ {FIELDS} }} }} }} }}"


async def create(api: Api, **changes: Any) -> dict[str, Any]:
    given = {"name": "my weeks", "scope": {"account": api.account}, "recurrence": {"daily": {"hour": 7}}, **changes}
    answer: dict[str, Any] = (await api.run(CREATE, input=given))["reportScheduleCreate"]
    return answer


async def test_a_schedule_is_created_listed_changed_and_deleted(api: Api) -> None:
    monday = {"weekly": {"weekday": "MONDAY", "hour": 8}}
    made = (await create(api, recurrence=monday))["reportSchedule"]
    assert (made["cadence"], made["hour"], made["weekday"], made["dayOfMonth"]) == ("WEEKLY", 8, "MONDAY", None)
    assert (made["status"], made["scope"], made["channels"]) == ("ACTIVE", {"__typename": "Account"}, [])
    assert made["nextRunAt"].endswith("T08:00:00Z")
    assert (await api.run(LIST))["viewer"]["reportSchedules"] == {"totalCount": 1, "nodes": [made]}
    monthly = {"name": "months", "recurrence": {"monthly": {"dayOfMonth": 31, "hour": 0}}, "enabled": False}
    payload = (await api.run(UPDATE, id=made["id"], input=monthly))["reportScheduleUpdate"]
    changed = payload["reportSchedule"]
    assert (changed["name"], changed["weekday"], changed["dayOfMonth"]) == ("months", None, 31)
    assert (changed["status"], changed["nextRunAt"]) == ("DISABLED", None)
    deleted = (await api.run(DELETE, id=made["id"]))["reportScheduleDelete"]
    assert deleted == {"deletedId": made["id"], "errors": []}
    assert (await api.run(LIST))["viewer"]["reportSchedules"]["nodes"] == []


async def test_a_refusal_names_its_place(api: Api) -> None:
    hour = await create(api, recurrence={"daily": {"hour": 24}})
    assert hour["reportSchedule"] is None
    assert hour["errors"] == [
        {
            "code": "INVALID",
            "message": "hour is 24; it must be from 0 to 23.",
            "path": ["input", "recurrence", "daily", "hour"],
        }
    ]
    everything = await create(api, scope={"everything": False})
    assert everything["errors"][0]["path"] == ["input", "scope", "everything"]
    foreign = await create(api, channels=[api.account])
    assert foreign["errors"][0]["code"] == "NOT_FOUND"


async def test_a_report_names_its_schedule_and_the_log_has_its_summary(api: Api) -> None:
    harness, clock = api.harness, AdjustableClock()
    made = (await create(api))["reportSchedule"]
    clock.ahead = timedelta(days=2)
    await ReportScheduler(harness.database, EmbeddedBus(), clock, harness.ids).run_due()
    assert await report_worker(harness.database, lambda: MARKETS).work_once()
    schedule = (await api.run(LIST))["viewer"]["reportSchedules"]["nodes"][0]
    assert schedule["lastRunAt"] is not None
    document = "query($id: ID!) { node(id: $id) { ... on Report { schedule { id } metrics { currency } } } }"
    report = (await api.run(document, id=schedule["lastReport"]["id"]))["node"]
    assert report["schedule"] == {"id": made["id"]}
    async with harness.database.read_only() as reading:
        events = await reading.events.read_after(harness.user.id, 0, None, 1_000)
    (event,) = [one for one in events if type(one.subject).__name__ == "ScheduledReport"]
    assert event.subject is not None


async def test_the_plan_shows_how_many_schedules_are_used(api: Api) -> None:
    await create(api)
    usage = (await api.run("{ viewer { planUsage { entitlement limit used } } }"))["viewer"]["planUsage"]
    assert {"entitlement": "REPORT_SCHEDULES", "limit": "50", "used": "1"} in usage
    async with api.harness.database.transaction() as transaction:
        await transaction.users.set_role(api.harness.user.email, UserRole.OPERATOR)
    await api.harness.pool.execute("UPDATE plans SET max_report_schedules = 1")
    refused = await create(api)
    assert refused["errors"][0]["code"] == "LIMIT_REACHED"
