"""`r3edge channel`: notification channels from the command line, but for where they send to."""

import base64
import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.core.changes import UNCHANGED
from domain.core.errors import Forbidden, InputErrors
from domain.model.events import UserEventKind
from domain.model.notifications import ChannelStatus, DeliveryStatus
from domain.notifications.channels import ChannelChanges
from infra.cli.arguments import BadArgument
from infra.cli.channel_actions import ChannelCommands
from infra.postgres.database import PostgresDatabase
from infra.settings import Settings
from infra.settings_loading import load_settings
from tests.support.mail_server import open_mail_server
from tests.support.notifying import Notifying, open_notifying
from tests.support.receiver import LOOPBACK


@pytest.fixture
async def notifying(database: PostgresDatabase) -> AsyncIterator[Notifying]:
    async with open_mail_server() as mails, open_notifying(database, mails) as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path, database_dsn: str) -> Settings:
    return load_settings(
        data_dir=tmp_path,
        database_url=database_dsn,
        secret_key=base64.b64encode(bytes(32)).decode(),
        webhook_networks=[LOOPBACK],
    )


@pytest.fixture
def commands(settings: Settings, notifying: Notifying) -> ChannelCommands:
    return ChannelCommands(settings, notifying.user.email)


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_a_channel_is_listed_changed_and_deleted(commands: ChannelCommands, notifying: Notifying) -> None:
    channel, _ = await notifying.webhook()
    changes = ChannelChanges(name="my server", event_kinds=[UserEventKind.FILL], enabled=False)
    changed = await commands.update("hook", changes)
    assert changed == await notifying.stored(channel)
    assert changed.status is ChannelStatus.DISABLED
    (line,) = lines(await commands.list_all())
    assert (line["name"], line["kind"], line["status"], line["event_kinds"], line["receiver"]) == (
        "my server", "WEBHOOK", "DISABLED", "FILL", notifying.receiver.url,
    )  # fmt: skip
    assert (await commands.delete(line["id"])).id == channel.id
    assert lines(await commands.list_all()) == []


async def test_a_test_message_is_sent_and_logged(commands: ChannelCommands, notifying: Notifying) -> None:
    await notifying.webhook()
    assert (await commands.test("hook")).status is DeliveryStatus.DELIVERED
    assert [request.json["type"] for request in notifying.receiver.requests] == ["TEST"]
    notifying.receiver.refuse(500, text="our internals")
    assert (await commands.test("hook")).status is DeliveryStatus.FAILED
    found = lines(await commands.log("hook", 5))
    assert [(line["status"], line["event_kind"], line["error"]) for line in found] == [
        ("FAILED", "test", "The receiver answered 500."), ("DELIVERED", "test", ""),
    ]  # fmt: skip
    assert len(lines(await commands.log("hook", 1))) == 1


async def test_no_receiver_is_changed_and_nothing_wrong_is_stored(
    commands: ChannelCommands, notifying: Notifying
) -> None:
    channel, _ = await notifying.webhook()
    for changes in (ChannelChanges(url="https://example.com/x"), ChannelChanges(bot_token="1:x")):
        with pytest.raises(Forbidden, match="Only the user can say"):
            await commands.update("hook", changes)
    with pytest.raises(InputErrors):
        await commands.update("hook", ChannelChanges(max_per_hour=5))
    assert await notifying.stored(channel) == channel
    with pytest.raises(BadArgument, match=r"there is no channel 'hok'.*hook"):
        await commands.update("hok", ChannelChanges(name=UNCHANGED))


async def test_without_the_key_of_the_engine_it_is_said_where_it_was_looked_for(
    notifying: Notifying, tmp_path: Path, database_dsn: str
) -> None:
    await notifying.webhook()
    commands = ChannelCommands(load_settings(data_dir=tmp_path, database_url=database_dsn), None)
    with pytest.raises(BadArgument, match="R3EDGE_SECRET_KEY"):
        await commands.test("hook")
    assert len(lines(await commands.list_all())) == 1
