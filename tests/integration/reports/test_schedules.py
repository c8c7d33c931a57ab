"""Of each local day, week and month a schedule makes one report, whatever nodes do, and its channels deliver it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.model.events import UserEventKind
from domain.model.jobs import JobStatus
from domain.model.report_schedules import Recurrence, ReportCadence, ReportScheduleStatus, Weekday
from domain.model.reports import ReportScope
from domain.reports.downloads import LinkExpired
from domain.reports.schedule_requests import ScheduleChanges, ScheduleRequest
from domain.reports.schedule_service import follow_time_zone
from infra.postgres.pool import Pool
from resolvers.reports import REPORT_PATH
from tests.support.postgres import somebody_waits_for_a_lock
from tests.support.reporting import report_worker
from tests.support.scheduling_reports import PUBLIC, ReportScheduling
from tests.support.trading import new_id
from tests.support.users import stored_user

EARLIER = Recurrence(ReportCadence.DAILY, 11)


def days_ago(scheduling: ReportScheduling, days: int) -> datetime:
    """Return the beginning of a day (UTC)."""
    return scheduling.now.replace(hour=0) - timedelta(days=days)


async def test_a_report_is_made_at_its_time_and_sent_through_the_channels_that_the_schedule_names(
    scheduling: ReportScheduling,
) -> None:
    channel, _ = await scheduling.notifying.webhook()
    await scheduling.notifying.webhook(event_kinds=[UserEventKind.REPORT])
    schedule = await scheduling.create(channel_ids=(channel.id,))
    scheduling.pass_time(minutes=59)
    await scheduling.run()
    assert await scheduling.reports() == []
    scheduling.pass_time(minutes=1)
    await scheduling.run()
    (report,) = await scheduling.reports()
    assert (report.from_, report.to) == (days_ago(scheduling, 1), days_ago(scheduling, 0))
    (request,) = scheduling.notifying.receiver.requests
    assert request.json["type"] == "REPORT"
    data = request.json["data"]
    assert (data["name"], data["period"]) == ("my days", days_ago(scheduling, 1).date().isoformat())
    assert (data["currency"], data["netProfit"], data["roundTrips"], data["leftOut"]) == ("USDT", "0", 0, 0)
    stored = await scheduling.stored(schedule)
    assert (stored.last_report_id, stored.is_open, stored.last_error) == (report.id, False, None)
    assert stored.due_at == scheduling.now + timedelta(days=1)


async def test_the_link_in_a_message_opens_the_page_for_a_day_without_a_token(scheduling: ReportScheduling) -> None:
    channel, _ = await scheduling.notifying.webhook()
    await scheduling.create(channel_ids=(channel.id,))
    scheduling.pass_time(hours=1)
    await scheduling.run()
    url = scheduling.notifying.receiver.requests[0].json["data"]["url"]
    assert url.startswith(f"{PUBLIC}{REPORT_PATH}")
    token = url.removeprefix(f"{PUBLIC}{REPORT_PATH}")
    found = await scheduling.downloads.find(token)
    assert found is not None
    pieces = [piece async for piece in scheduling.downloads.pieces(found.file)]
    assert b"<html" in b"".join(pieces)
    scheduling.pass_time(hours=24)
    with pytest.raises(LinkExpired):
        await scheduling.downloads.find(token)


async def test_nodes_that_look_at_the_same_time_make_one_report(scheduling: ReportScheduling) -> None:
    schedules = [await scheduling.create() for _ in range(5)]
    scheduling.pass_time(hours=1)
    await asyncio.gather(*(scheduling.scheduler().run_due() for _ in range(4)))
    assert sorted(str(report.schedule_id) for report in await scheduling.reports()) == sorted(
        str(schedule.id) for schedule in schedules
    )


async def test_the_database_takes_no_second_report_of_a_period(scheduling: ReportScheduling) -> None:
    await scheduling.create()
    scheduling.pass_time(hours=1)
    await scheduling.scheduler().run_due()
    (report,) = await scheduling.reports()
    with pytest.raises(asyncpg.UniqueViolationError):
        async with scheduling.database.transaction() as transaction:
            await transaction.reports.add_report(replace(report, id=new_id()))


async def test_a_node_that_dies_while_it_requests_a_report_leaves_it_to_another_one(
    scheduling: ReportScheduling, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scheduling.create()
    scheduling.pass_time(hours=1)
    dying, reached = scheduling.scheduler(), asyncio.Event()

    async def stall(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr("domain.reports.scheduler._unreachable", stall)
        task = asyncio.create_task(dying.run_due())
        await reached.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await scheduling.reports() == []
    await scheduling.scheduler().run_due()
    assert len(await scheduling.reports()) == 1


async def test_a_node_that_dies_before_the_report_is_sent_leaves_that_to_another_one(
    scheduling: ReportScheduling,
) -> None:
    channel, _ = await scheduling.notifying.webhook()
    await scheduling.create(channel_ids=(channel.id,))
    scheduling.pass_time(hours=1)
    await scheduling.scheduler().run_due()
    assert await scheduling.compute()
    receiver = scheduling.notifying.receiver
    receiver.stalls = asyncio.Event()
    receiver.came.clear()
    dying = asyncio.create_task(scheduling.deliver("node:dying"))
    await receiver.came.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    receiver.stalls.set()
    receiver.stalls = None
    scheduling.pass_time(minutes=1)
    await scheduling.run()
    names = [request.json["data"]["name"] for request in receiver.requests]
    assert names
    assert set(names) == {"my days"}
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1, "a second copy can be known"
    assert len(await scheduling.reports()) == 1


async def test_a_report_arrives_by_mail_once_the_mail_server_is_back(scheduling: ReportScheduling) -> None:
    channel = await scheduling.notifying.email()
    await scheduling.create(channel_ids=(channel.id,))
    mails = scheduling.notifying.mails
    await mails.stop()
    scheduling.pass_time(hours=1)
    await scheduling.run()
    assert (await scheduling.notifying.stored(channel)).last_error is not None
    await mails.start()
    scheduling.pass_time(minutes=1)
    await scheduling.run()
    (mail,) = mails.messages
    assert "Report: my days" in mail["Subject"]
    text = mail.get_content()
    assert "net profit 0 USDT" in text
    assert f"{PUBLIC}{REPORT_PATH}" in text
    assert len(await scheduling.reports()) == 1


async def test_after_days_without_a_worker_the_latest_period_alone_is_made_up_for_and_the_message_says_so(
    scheduling: ReportScheduling,
) -> None:
    channel, _ = await scheduling.notifying.webhook()
    schedule = await scheduling.create(channel_ids=(channel.id,))
    scheduling.pass_time(days=3, hours=4)
    await scheduling.run()
    (report,) = await scheduling.reports()
    assert report.to == days_ago(scheduling, 0).replace(hour=0)
    assert scheduling.notifying.receiver.requests[0].json["data"]["leftOut"] == 3
    stored = await scheduling.stored(schedule)
    assert stored.left_out == 3
    scheduling.pass_time(days=1)
    await scheduling.run()
    assert (await scheduling.stored(schedule)).left_out == 0


async def test_what_the_plan_refuses_is_shown_and_tried_again(scheduling: ReportScheduling, pool: Pool) -> None:
    schedule = await scheduling.create()
    await pool.execute("UPDATE plans SET max_open_jobs = 0")
    scheduling.pass_time(hours=1)
    await scheduling.run()
    refused = await scheduling.stored(schedule)
    assert "Your plan standard allows 0 jobs" in str(refused.last_error)
    assert (refused.retry_at, refused.due_at) == (scheduling.now + timedelta(minutes=10), scheduling.now)
    await pool.execute("UPDATE plans SET max_open_jobs = 20")
    await scheduling.run()
    assert await scheduling.reports() == [], "not before its time"
    scheduling.pass_time(minutes=10)
    await scheduling.run()
    made = await scheduling.stored(schedule)
    assert (made.last_error, made.left_out, made.retry_at) == (None, 0, None)
    assert len(await scheduling.reports()) == 1


async def test_a_report_that_fails_is_shown_and_the_channels_are_notified(
    scheduling: ReportScheduling, pool: Pool
) -> None:
    channel, _ = await scheduling.notifying.webhook()
    schedule = await scheduling.create(scope=ReportScope.USER, scope_id=scheduling.user_id, channel_ids=(channel.id,))
    await pool.execute("UPDATE accounts SET created_at = created_at + interval '1 year'")
    scheduling.pass_time(hours=1)
    await scheduling.run()
    (report,) = await scheduling.reports()
    assert (await scheduling.job(report)).status is JobStatus.FAILED
    stored = await scheduling.stored(schedule)
    assert (stored.last_error, stored.is_open) == ("There was no account in this period.", False)
    (request,) = scheduling.notifying.receiver.requests
    assert request.json["data"]["error"] == "There was no account in this period."
    await scheduling.run()
    assert len(scheduling.notifying.receiver.requests) == 1


async def test_a_disabled_user_gets_no_reports_and_an_enabled_one_the_latest(scheduling: ReportScheduling) -> None:
    schedule = await scheduling.create()
    async with scheduling.database.transaction() as transaction:
        await transaction.users.set_disabled(scheduling.user_id, scheduling.now)
    scheduling.pass_time(days=2, hours=1)
    await scheduling.run()
    assert await scheduling.reports() == []
    async with scheduling.database.transaction() as transaction:
        await transaction.users.set_disabled(scheduling.user_id, None)
    await scheduling.run()
    assert len(await scheduling.reports()) == 1
    assert (await scheduling.stored(schedule)).left_out == 2


async def test_an_archived_account_has_a_last_report_and_then_the_schedule_ends(
    scheduling: ReportScheduling, pool: Pool
) -> None:
    await scheduling.notifying.webhook()
    schedule = await scheduling.create()
    await pool.execute("UPDATE accounts SET archived_at = $1", scheduling.now)
    scheduling.pass_time(days=1, hours=1)
    await scheduling.run()
    assert len(await scheduling.reports()) == 1, "of the day on which it was archived"
    scheduling.pass_time(days=1)
    await scheduling.run()
    ended = await scheduling.stored(schedule)
    assert ended.status is ReportScheduleStatus.ENDED
    assert "The account was archived at" in str(ended.last_error)
    (alert,) = scheduling.notifying.receiver.requests
    assert "my days" in alert.json["message"]
    with pytest.raises(InputError, match="nothing more to report"):
        await scheduling.service.update(scheduling.user_id, schedule.id, ScheduleChanges(enabled=True))


async def test_times_that_pass_while_a_schedule_is_disabled_have_no_report(scheduling: ReportScheduling) -> None:
    schedule = await scheduling.create()
    service, user_id = scheduling.service, scheduling.user_id
    await service.update(user_id, schedule.id, ScheduleChanges(enabled=False))
    scheduling.pass_time(days=2, hours=2)
    await scheduling.run()
    enabled = await service.update(user_id, schedule.id, ScheduleChanges(enabled=True))
    assert enabled.due_at == scheduling.now + timedelta(hours=23)
    await scheduling.run()
    assert await scheduling.reports() == []


async def test_another_time_zone_moves_the_next_report_and_repeats_none(scheduling: ReportScheduling) -> None:
    schedule = await scheduling.create()
    scheduling.pass_time(hours=1)
    await scheduling.run()
    for zone in ("America/New_York", "Pacific/Kiritimati", "Asia/Tokyo"):
        async with scheduling.database.transaction() as transaction:
            user = await transaction.users.get(scheduling.user_id)
            assert user is not None
            moved = replace(user, time_zone=zone)
            await transaction.users.update(moved)
            await follow_time_zone(transaction, moved, user.time_zone, scheduling.now)
        stored = await scheduling.stored(schedule)
        assert stored.due_at > scheduling.now
        assert stored.due_at - scheduling.now <= timedelta(hours=24 + 12)
    for _ in range(48):
        scheduling.pass_time(hours=1)
        await scheduling.scheduler().run_due()
    reports = await scheduling.reports()
    periods = [report.schedule_period for report in reports]
    assert len(set(periods)) == len(periods)
    assert 2 <= len(periods) <= 4


async def test_a_report_whose_time_is_over_in_another_time_zone_is_made_at_once(scheduling: ReportScheduling) -> None:
    schedule = await scheduling.create()
    async with scheduling.database.transaction() as transaction:
        user = await transaction.users.get(scheduling.user_id)
        assert user is not None
        moved = replace(user, time_zone="Asia/Tokyo")  # it is 21:00 there, and 12:00 in UTC
        await transaction.users.update(moved)
        await follow_time_zone(transaction, moved, user.time_zone, scheduling.now)
    await scheduling.run()
    (report,) = await scheduling.reports()
    assert report.schedule_period == f"DAILY:{days_ago(scheduling, 1):%Y-%m-%d}"
    stored = await scheduling.stored(schedule)
    assert (stored.left_out, stored.due_at) == (0, scheduling.now + timedelta(hours=16))


async def test_a_change_of_time_zone_keeps_what_is_noted_of_a_schedule_meanwhile(
    scheduling: ReportScheduling, pool: Pool
) -> None:
    schedule = await scheduling.create()
    async with scheduling.database.read_only() as reading:
        user = await reading.users.get(scheduling.user_id)
    assert user is not None

    async def move() -> None:
        async with scheduling.database.transaction() as transaction:
            moved = replace(user, time_zone="America/New_York")
            await follow_time_zone(transaction, moved, user.time_zone, scheduling.now)

    async with scheduling.database.transaction() as transaction:
        held = await transaction.report_schedules.get_for_update(scheduling.user_id, schedule.id)
        assert held is not None
        await transaction.report_schedules.save(replace(held, last_error="It failed."))
        moving = asyncio.create_task(move())
        await somebody_waits_for_a_lock(pool)
    await moving
    stored = await scheduling.stored(schedule)
    assert stored.last_error == "It failed."
    assert stored.due_at > schedule.due_at, "one o'clock is later there"


async def test_what_is_wrong_with_one_schedule_holds_up_no_other(scheduling: ReportScheduling, pool: Pool) -> None:
    broken, whole = await scheduling.create(), await scheduling.create()
    # As a newer version of the engine might store one, while nodes of this one go on.
    await pool.execute("UPDATE report_schedules SET cadence = 'HOURLY' WHERE id = $1", broken.id)
    scheduling.pass_time(hours=1)
    await scheduling.run()
    assert [report.schedule_id for report in await scheduling.reports()] == [whole.id]
    retry_at = await pool.fetchval("SELECT retry_at FROM report_schedules WHERE id = $1", broken.id)
    assert retry_at == scheduling.now + timedelta(minutes=10), "it doesn't stand before all others"


async def test_a_failure_that_is_noticed_late_is_not_taken_for_that_of_the_next_report(
    scheduling: ReportScheduling, pool: Pool
) -> None:
    channel, _ = await scheduling.notifying.webhook()
    schedule = await scheduling.create(channel_ids=(channel.id,))
    scheduling.pass_time(hours=1)
    await scheduling.scheduler().run_due()
    (failed,) = await scheduling.reports()
    await pool.execute("UPDATE jobs SET status = 'FAILED', message = 'It was too much.', finished_at = created_at")
    scheduling.pass_time(days=1)  # no node ran
    await scheduling.run()
    messages = [request.json["data"] for request in scheduling.notifying.receiver.requests]
    made = (await scheduling.reports())[-1]
    assert [(each["period"], each["error"]) for each in messages] == [
        (str(failed.schedule_period).removeprefix("DAILY:"), "It was too much."),
        (str(made.schedule_period).removeprefix("DAILY:"), None),
    ]
    stored = await scheduling.stored(schedule)
    assert (stored.last_report_id, stored.is_open, stored.last_error) == (made.id, False, None)


async def test_a_schedule_whose_channels_were_deleted_says_so(scheduling: ReportScheduling) -> None:
    channel, _ = await scheduling.notifying.webhook()
    schedule = await scheduling.create(channel_ids=(channel.id,))
    await scheduling.notifying.service.delete(scheduling.user_id, channel.id)
    scheduling.pass_time(hours=1)
    await scheduling.run()
    assert "were deleted" in str((await scheduling.stored(schedule)).last_error)
    assert len(await scheduling.reports()) == 1


async def test_without_channels_all_that_take_reports_get_it(scheduling: ReportScheduling) -> None:
    await scheduling.notifying.webhook(event_kinds=[UserEventKind.REPORT])
    await scheduling.create()
    scheduling.pass_time(hours=1)
    await scheduling.run()
    assert len(scheduling.notifying.receiver.requests) == 1


async def test_the_reports_of_a_schedule_that_was_deleted_stay(scheduling: ReportScheduling) -> None:
    schedule = await scheduling.create()
    scheduling.pass_time(hours=1)
    await scheduling.scheduler().run_due()
    await scheduling.service.delete(scheduling.user_id, schedule.id)
    assert await report_worker(scheduling.database).work_once()
    (report,) = await scheduling.reports()
    assert (await scheduling.job(report)).status is JobStatus.SUCCEEDED


async def test_what_is_wrong_with_a_schedule_is_refused(scheduling: ReportScheduling, pool: Pool) -> None:
    with pytest.raises(InputErrors) as found:
        await scheduling.create(Recurrence(ReportCadence.MONTHLY, 24, None, 32))
    assert [error.path for error in found.value.errors] == [
        ("input", "recurrence", "monthly", "hour"),
        ("input", "recurrence", "monthly", "dayOfMonth"),
    ]
    other = await stored_user(scheduling.database)
    await refused(scheduling, ErrorCode.NOT_FOUND, scope_id=other.id)
    await refused(scheduling, ErrorCode.NOT_FOUND, channel_ids=(new_id(),))
    await refused(scheduling, ErrorCode.UNSUPPORTED, scope=ReportScope.BACKTEST, scope_id=new_id())
    await pool.execute("UPDATE plans SET max_report_schedules = 1")
    schedule = await scheduling.create()
    await refused(scheduling, ErrorCode.LIMIT_REACHED)
    with pytest.raises(InputError) as stranger:
        await scheduling.service.delete(other.id, schedule.id)
    assert stranger.value.code is ErrorCode.NOT_FOUND
    await pool.execute("UPDATE plans SET max_report_schedules = 50")
    await pool.execute("UPDATE accounts SET archived_at = $1", scheduling.now)
    await refused(scheduling, ErrorCode.CONFLICT)


async def refused(scheduling: ReportScheduling, code: ErrorCode, **changes: object) -> None:
    with pytest.raises(InputError) as found:
        await scheduling.create(**changes)  # type: ignore[arg-type]
    assert found.value.code is code


async def test_a_key_makes_it_safe_to_repeat_the_request(scheduling: ReportScheduling) -> None:
    weekly = Recurrence(ReportCadence.WEEKLY, 8, Weekday.MONDAY)
    request = ScheduleRequest("weeks", ReportScope.ACCOUNT, scheduling.account.id, weekly)
    first = await scheduling.service.create(scheduling.user_id, request, "key")
    assert await scheduling.service.create(scheduling.user_id, request, "key") == first
    assert first.due_at.weekday() == 0
    assert first.due_at.astimezone(UTC).hour == 8
