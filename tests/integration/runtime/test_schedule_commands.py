"""`r3edge report schedule` makes, lists and deletes schedules, and says what is wrong with what it was given."""

import pytest
from pydantic import SecretStr

from domain.model.events import UserEventKind
from domain.model.notifications import ChannelKind, ChannelStatus, NotificationChannel
from domain.model.report_schedules import Recurrence, ReportCadence, Weekday
from infra.cli.arguments import BadArgument
from infra.cli.report_files import Subject
from infra.cli.report_schedules import recurrence_of, schedule_lines
from infra.cli.schedule_store import delete_schedule, read_schedules, store_schedule
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.settings import Settings
from resolvers.ids import encode_id
from tests.support.postgres import patient_database
from tests.support.trading import NOW, World, new_id, stored_world

WEEKLY = Recurrence(ReportCadence.WEEKLY, 7, weekday=Weekday.MONDAY)


@pytest.fixture
async def world(pool: Pool) -> World:
    async with pool.acquire() as driver:
        return await stored_world(Connection(driver))


@pytest.fixture
def settings(world: World, database_dsn: str) -> Settings:
    return Settings(database_url=SecretStr(database_dsn))


async def test_a_schedule_is_created_listed_and_deleted(settings: Settings, world: World) -> None:
    user = str(world.user.email)
    subject = Subject(user=user, account=world.account.name)
    created = await store_schedule(settings, "my weeks", subject, WEEKLY, [])
    lines = schedule_lines(created)
    assert lines[0] == f"my weeks  {created.id}  ACTIVE"
    assert lines[1] == f"  Account {world.account.name}, each Monday at 07:00 UTC"
    assert lines[2] == "  to all channels that take reports"
    assert lines[3].endswith(" 07:00 UTC")
    assert await read_schedules(settings, user) == [created]
    assert await delete_schedule(settings, user, created.id) == "my weeks"
    assert await read_schedules(settings, user) == []


async def test_what_is_wrong_is_said(settings: Settings, world: World) -> None:
    user = str(world.user.email)
    with pytest.raises(BadArgument, match="there is no channel"):
        await store_schedule(settings, "x", Subject(user=user), WEEKLY, ["nowhere"])
    with pytest.raises(BadArgument, match="there is no schedule"):
        await delete_schedule(settings, user, "none")
    for _ in range(2):
        await store_schedule(settings, "twin", Subject(user=user), WEEKLY, [])
    with pytest.raises(BadArgument, match="2 schedules 'twin'"):
        await delete_schedule(settings, user, "twin")


async def test_a_channel_is_named_by_a_name_that_no_other_has(settings: Settings, world: World, pool: Pool) -> None:
    user, ids = str(world.user.email), [new_id(), new_id()]
    async with patient_database(pool, EmbeddedBus(), SystemClock()).transaction() as transaction:
        for id_ in ids:
            await transaction.channels.add(
                NotificationChannel(
                    id_, world.user.id, ChannelKind.EMAIL, "mail", None, None, (UserEventKind.REPORT,),
                    ChannelStatus.ACTIVE, NOW, 0, NOW,
                )
            )  # fmt: skip
    with pytest.raises(BadArgument, match="2 channels 'mail'; give the id of one"):
        await store_schedule(settings, "x", Subject(user=user), WEEKLY, ["mail"])
    named = encode_id("NotificationChannel", ids[1])
    made = await store_schedule(settings, "x", Subject(user=user), WEEKLY, [named])
    assert made.schedule.channel_ids == (ids[1],)


def test_options_make_a_recurrence() -> None:
    assert recurrence_of(7, None, None) == Recurrence(ReportCadence.DAILY, 7)
    assert recurrence_of(7, Weekday.MONDAY, None) == WEEKLY
    assert recurrence_of(0, None, 31) == Recurrence(ReportCadence.MONTHLY, 0, day_of_month=31)
    with pytest.raises(BadArgument, match="--weekly and --monthly"):
        recurrence_of(7, Weekday.MONDAY, 1)
