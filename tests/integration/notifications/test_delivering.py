"""Events reach each channel at least once and in order, whatever receivers and nodes do."""

import asyncio
import base64
import hashlib
import hmac
import logging
from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from aiohttp import web

from domain.core.errors import ErrorCode, InputError, RateLimited
from domain.model.events import UserEvent, UserEventKind
from domain.model.notifications import ChannelMessage, ChannelStatus, DeliveryStatus, NotificationChannel, QuietHours
from domain.model.users import User
from domain.notifications import messages
from domain.notifications.channels import ChannelChanges
from domain.notifications.deliverer import FAULT, DelivererOptions
from domain.notifications.messages import EncodeId, ReportUrl, event_message
from domain.users.recent_sign_in import RECENT
from infra.postgres.pool import Pool
from infra.security import AesVault, reseal_channels
from tests.support.notifying import BOT_TOKEN, Notifying
from tests.support.receiver import Received, open_receiver
from tests.support.waiting import eventually, read_until

HOUR = 3_600.0


def is_signed(request: Received, secret: str) -> bool:
    """Check a signature as the receiver of a Standard Webhook does, with nothing of the engine's."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in headers["webhook-signature"].split(" ")


async def test_events_arrive_signed_once_each_and_in_order(notifying: Notifying) -> None:
    await notifying.alert("before the channel was there")
    _, secret = await notifying.webhook()
    await notifying.alert("one", "two")
    await notifying.alert("three")
    assert await notifying.deliverer().deliver_due() == 1
    assert [request.json["message"] for request in notifying.receiver.requests] == ["one", "two", "three"]
    assert all(is_signed(request, secret) for request in notifying.receiver.requests)
    assert not is_signed(notifying.receiver.requests[0], f"whsec_{'A' * 44}")
    assert notifying.receiver.requests[0].json["type"] == "ALERT"
    assert await notifying.deliverer().deliver_due() == 0


async def test_a_channel_gets_only_the_kinds_that_it_takes(notifying: Notifying) -> None:
    channel, _ = await notifying.webhook(event_kinds=[UserEventKind.ACTIVITY])
    await notifying.alert(*["not this"] * 250)
    await notifying.service.update(notifying.identity, channel.id, ChannelChanges(name="renamed"))
    await notifying.deliverer().deliver_due()
    actions = [request.json["data"]["action"] for request in notifying.receiver.requests]
    assert actions == ["notificationChannelCreate", "notificationChannelUpdate"]


@pytest.mark.parametrize("status", [500, 503, 429, 404, 302, 401])
async def test_a_receiver_that_refuses_for_a_day_loses_nothing(notifying: Notifying, status: int) -> None:
    channel, _ = await notifying.webhook()
    await notifying.alert("one", "two")
    notifying.receiver.refuse(status)
    for _ in range(24):
        await notifying.deliverer().deliver_due()
        notifying.clock.move(HOUR)
    assert 10 <= notifying.receiver.attempts <= 24, "it waits longer and longer"
    stored = await notifying.stored(channel)
    assert str(status) in str(stored.last_error)
    notifying.receiver.refuse(200)
    await notifying.deliverer().deliver_due()
    assert [request.json["message"] for request in notifying.receiver.requests] == ["one", "two"]
    ids = {request.headers["webhook-id"] for request in notifying.receiver.requests}
    assert len(ids) == 2


async def test_a_receiver_asked_to_be_left_alone_is(notifying: Notifying) -> None:
    await notifying.webhook()
    await notifying.alert("one")
    notifying.receiver.refuse(429, headers={"Retry-After": "1200"})
    await notifying.deliverer().deliver_due()
    notifying.clock.move(1_199)
    assert await notifying.deliverer().deliver_due() == 0
    notifying.clock.move(2)
    assert await notifying.deliverer().deliver_due() == 1


@pytest.mark.parametrize("is_webhook", [True, False])
async def test_no_number_of_changes_calls_a_receiver_that_fails_more_often(
    notifying: Notifying, is_webhook: bool
) -> None:
    channel = (await notifying.webhook())[0] if is_webhook else await notifying.telegram()
    same = ChannelChanges(url=notifying.receiver.url) if is_webhook else ChannelChanges(chat="42", bot_token=BOT_TOKEN)
    await notifying.alert("one")
    notifying.receiver.refuse(500)
    await notifying.deliverer().deliver_due()
    failed = await notifying.stored(channel)
    assert failed.attempts == 1
    for changes in (ChannelChanges(name="renamed"), ChannelChanges(enabled=True), same):
        await notifying.service.update(notifying.identity, channel.id, changes)
        assert await notifying.deliverer().deliver_due() == 0
    if is_webhook:
        await notifying.service.rotate(notifying.identity, channel.id)
        assert await notifying.deliverer().deliver_due() == 0
    stored = await notifying.stored(channel)
    assert (stored.attempts, stored.due_at, stored.failing_since) == (1, failed.due_at, failed.failing_since)
    elsewhere = ChannelChanges(url=f"{notifying.receiver.url}/2") if is_webhook else ChannelChanges(chat="43")
    await notifying.service.update(notifying.identity, channel.id, elsewhere)
    assert await notifying.deliverer().deliver_due() == 1, "another receiver is tried at once"


async def test_after_three_days_the_channel_is_given_up_and_an_alert_reports_it(
    notifying: Notifying, pool: Pool
) -> None:
    channel, _ = await notifying.webhook()
    chat = await notifying.telegram()
    await notifying.alert("one")
    notifying.receiver.answer = lambda: _only_chat(notifying)
    for _ in range(80):
        await notifying.deliverer().deliver_due()
        notifying.clock.move(HOUR)
    stored = await notifying.stored(channel)
    assert stored.status is ChannelStatus.FAILING
    assert await pool.fetchval("SELECT status FROM channel_deliveries WHERE channel_id = $1", channel.id) == "FAILED"
    texts = [request.json["text"] for request in notifying.receiver.requests]
    assert [("one" in text, "has failed and delivers nothing more" in text) for text in texts] == [
        (True, False),
        (False, True),
    ]
    assert (await notifying.stored(chat)).status is ChannelStatus.ACTIVE

    notifying.receiver.refuse(200)
    notifying.receiver.requests.clear()
    assert await notifying.deliverer().deliver_due() == 0
    await notifying.service.update(notifying.identity, channel.id, ChannelChanges(enabled=True))
    await notifying.deliverer().deliver_due()
    first, second = notifying.receiver.requests
    assert first.json["message"] == "one", "it goes on where it stopped"
    assert "has failed" in second.json["message"]


def _only_chat(notifying: Notifying) -> object:
    from aiohttp import web  # noqa: PLC0415

    is_chat = notifying.receiver.last_path.startswith("/bot")
    return web.Response(status=200 if is_chat else 500)


async def test_a_receiver_that_is_gone_is_given_up_at_once(notifying: Notifying) -> None:
    channel, _ = await notifying.webhook()
    await notifying.alert("one")
    notifying.receiver.refuse(410)
    await notifying.deliverer().deliver_due()
    assert (await notifying.stored(channel)).status is ChannelStatus.FAILING


async def test_a_receiver_that_is_down_loses_nothing(notifying: Notifying) -> None:
    channel, _ = await notifying.webhook()
    await notifying.alert("one")
    await notifying.receiver.stop()
    await notifying.deliverer().deliver_due()
    assert (await notifying.stored(channel)).last_error == "The receiver can't be reached."
    await notifying.receiver.start()
    notifying.clock.move(5)
    await notifying.deliverer().deliver_due()
    assert len(notifying.receiver.requests) == 1


async def test_a_receiver_that_never_answers_holds_up_its_own_channel_alone(notifying: Notifying) -> None:
    notifying.receiver.stalls = asyncio.Event()
    slow, _ = await notifying.webhook()
    async with open_receiver() as other:
        await notifying.webhook(url=other.url)
        await notifying.alert("one")
        deliverer = notifying.deliverer()
        await deliverer.start_due()
        await eventually(lambda: other.requests, "the other channel's message")
        assert notifying.receiver.requests == []
        await notifying.alert("two")
        await read_until(deliverer.start_due, lambda _: len(other.requests) == 2, "the second one, beside the slow one")
    assert (await notifying.stored(slow)).attempts == 0
    notifying.receiver.stalls.set()
    await eventually(lambda: notifying.receiver.sequences == other.sequences, "the slow channel's messages")


async def test_an_attempt_takes_no_longer_than_its_bound(notifying: Notifying) -> None:
    notifying.receiver.stalls = asyncio.Event()
    notifying.options = DelivererOptions(send_seconds=0.1)
    channel, _ = await notifying.webhook()
    await notifying.alert("one")
    await notifying.deliverer().deliver_due()
    assert (await notifying.stored(channel)).last_error == "The receiver took longer than 0.1 s."


async def test_two_nodes_deliver_each_event_once(notifying: Notifying) -> None:
    for _ in range(5):
        await notifying.webhook()
    await notifying.alert(*(str(number) for number in range(20)))
    nodes = [notifying.deliverer("node:1"), notifying.deliverer("node:2")]
    counts = await asyncio.gather(*(node.deliver_due() for node in nodes))
    assert sum(counts) == 5
    ids = [request.headers["webhook-id"] for request in notifying.receiver.requests]
    assert len(ids) == len(set(ids)) == 100
    by_channel = {id_.partition("-")[0] for id_ in ids}
    for channel in by_channel:
        sequences = [int(id_.partition("-")[2]) for id_ in ids if id_.startswith(channel)]
        assert sequences == sorted(sequences)


async def test_after_a_node_has_died_another_goes_on_with_what_is_not_known_to_be_delivered(
    notifying: Notifying,
) -> None:
    await notifying.webhook()
    await notifying.alert("one", "two", "three")
    notifying.receiver.stalls = asyncio.Event()
    dead = notifying.deliverer("node:dead")
    await dead.start_due()
    await notifying.receiver.came.wait()
    (task,) = dead._serving.values()
    task.cancel()  # no more than a killed process does it release its claim
    await asyncio.gather(task, return_exceptions=True)
    notifying.receiver.stalls.set()
    heir = notifying.deliverer("node:heir")
    assert await heir.deliver_due() == 0, "the claim of the dead one ends by itself"
    notifying.clock.move(notifying.options.claim_seconds)
    assert await heir.deliver_due() == 1
    assert [request.json["message"] for request in notifying.receiver.requests][-3:] == ["one", "two", "three"]


async def test_a_node_that_lost_its_claim_stores_nothing(notifying: Notifying) -> None:
    channel, _ = await notifying.webhook()
    await notifying.alert("one")
    notifying.receiver.stalls = asyncio.Event()
    frozen = notifying.deliverer("node:frozen")
    await frozen.start_due()
    await notifying.receiver.came.wait()
    notifying.clock.move(notifying.options.claim_seconds)
    async with notifying.database.transaction() as transaction:
        now = notifying.clock.now()
        assert await transaction.channels.claim_due("node:other", now, now + timedelta(hours=1), 1, [])
    notifying.receiver.stalls.set()
    await asyncio.gather(*frozen._serving.values())
    assert (await notifying.stored(channel)).sequence == channel.sequence


async def test_a_channel_that_its_user_disables_or_deletes_stops(notifying: Notifying) -> None:
    disabled, _ = await notifying.webhook()
    deleted, _ = await notifying.webhook()
    await notifying.alert("one")
    await notifying.service.update(notifying.identity, disabled.id, ChannelChanges(enabled=False))
    await notifying.service.delete(notifying.user.id, deleted.id)
    assert await notifying.deliverer().deliver_due() == 0
    await notifying.service.update(notifying.identity, disabled.id, ChannelChanges(enabled=True))
    await notifying.deliverer().deliver_due()
    assert [request.json["message"] for request in notifying.receiver.requests] == ["one"]


async def test_a_channel_that_is_disabled_while_a_message_is_on_its_way_sends_no_second_one(
    notifying: Notifying,
) -> None:
    channel, _ = await notifying.webhook()
    await notifying.alert("one", "two")
    notifying.receiver.stalls = asyncio.Event()
    deliverer = notifying.deliverer()
    await deliverer.start_due()
    await notifying.receiver.came.wait()
    await notifying.service.update(notifying.identity, channel.id, ChannelChanges(enabled=False))
    notifying.receiver.stalls.set()
    await asyncio.gather(*deliverer._serving.values())
    assert [request.json["message"] for request in notifying.receiver.requests] == ["one"]
    assert (await notifying.stored(channel)).status is ChannelStatus.DISABLED


async def test_for_a_day_after_a_rotation_both_secrets_sign(notifying: Notifying) -> None:
    channel, old = await notifying.webhook()
    _, new = await notifying.service.rotate(notifying.identity, channel.id)
    await notifying.alert("one")
    await notifying.deliverer().deliver_due()
    notifying.clock.move(24 * HOUR)
    await notifying.alert("two")
    await notifying.deliverer().deliver_due()
    one, two = notifying.receiver.requests
    assert (is_signed(one, old), is_signed(one, new)) == (True, True)
    assert (is_signed(two, old), is_signed(two, new)) == (False, True)


async def test_telegram_gets_text_and_its_wish_to_be_left_alone_is_kept(
    notifying: Notifying, caplog: pytest.LogCaptureFixture, pool: Pool
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = await notifying.telegram()
    await notifying.alert("BTC is dear")
    body = b'{"ok": false, "error_code": 429, "parameters": {"retry_after": 90}}'
    notifying.receiver.refuse(429, body=body)
    await notifying.deliverer().deliver_due()
    assert (await notifying.stored(channel)).last_error == "Telegram takes no more messages for a while (429)."
    notifying.clock.move(89)
    assert await notifying.deliverer().deliver_due() == 0
    notifying.clock.move(1)
    notifying.receiver.refuse(200)
    await notifying.deliverer().deliver_due()
    (request,) = notifying.receiver.requests
    assert request.path == f"/bot{BOT_TOKEN}/sendMessage"
    assert request.json["chat_id"] == "42"
    assert "BTC is dear" in request.json["text"]
    secret = BOT_TOKEN.partition(":")[2]
    assert secret not in caplog.text
    rows = await pool.fetch("SELECT t::text FROM notification_channels t UNION ALL SELECT t::text FROM user_events t")
    assert not [row for row in rows if secret in row[0]]


async def test_a_group_that_became_a_supergroup_still_gets_its_messages(notifying: Notifying) -> None:
    channel = await notifying.telegram()
    await notifying.alert("BTC is dear")
    moved = b'{"ok": false, "error_code": 400, "parameters": {"migrate_to_chat_id": -1001557912345}}'
    answers = iter([web.Response(status=400, body=moved), web.Response()])
    notifying.receiver.answer = lambda: next(answers)
    await notifying.deliverer().deliver_due()
    (request,) = notifying.receiver.requests
    assert request.json["chat_id"] == "-1001557912345"
    assert (await notifying.stored(channel)).last_error is None


async def test_mail_goes_to_the_verified_address_of_the_user(notifying: Notifying) -> None:
    channel = await notifying.email()
    await notifying.alert("an order is in doubt")
    notifying.mails.answer = "451 later"
    await notifying.deliverer().deliver_due()
    assert (await notifying.stored(channel)).last_error == "The mail server didn't take the mail."
    notifying.mails.answer = "250 taken"
    notifying.clock.move(5)
    await notifying.deliverer().deliver_due()
    (text,) = notifying.mails.texts(notifying.user.email)
    assert "an order is in doubt" in text


async def test_no_mail_goes_to_an_address_that_is_not_verified(notifying: Notifying, pool: Pool) -> None:
    channel = await notifying.email()
    await pool.execute("UPDATE users SET email_verified_at = NULL WHERE id = $1", notifying.user.id)
    await notifying.alert("one")
    await notifying.deliverer().deliver_due()
    assert notifying.mails.messages == []
    assert "isn't verified" in str((await notifying.stored(channel)).last_error)


async def test_what_happens_in_quiet_hours_comes_as_one_summary_at_their_end(notifying: Notifying) -> None:
    await notifying.telegram(quiet_hours=QuietHours(time(11), time(13)))  # it is noon
    await notifying.alert("one", "two")
    await notifying.deliverer().deliver_due()
    await notifying.alert(*(f"number {number}" for number in range(300)))
    notifying.clock.move(HOUR - 1)
    assert await notifying.deliverer().deliver_due() == 0
    notifying.clock.move(1)
    await notifying.deliverer().deliver_due()
    (request,) = notifying.receiver.requests
    assert "302 events were held back (302 alert)" in request.json["text"]
    assert "number 299" in request.json["text"]
    await notifying.alert("three")
    await notifying.deliverer().deliver_due()
    assert "three" in notifying.receiver.requests[1].json["text"]


async def test_what_exceeds_the_cap_is_summed_up_later(notifying: Notifying) -> None:
    channel = await notifying.telegram(max_per_hour=3)
    await notifying.alert(*(f"number {number}." for number in range(10)))
    await notifying.deliverer().deliver_due()
    assert len(notifying.receiver.requests) == 3
    assert await notifying.deliverer().deliver_due() in {0, 1}
    assert (await notifying.stored(channel)).is_held_back
    notifying.clock.move(HOUR)
    await notifying.deliverer().deliver_due()
    assert len(notifying.receiver.requests) == 4
    text = notifying.receiver.requests[3].json["text"]
    assert "7 events were held back" in text
    assert "number 3." in text
    assert not (await notifying.stored(channel)).is_held_back


async def test_the_test_button_sends_one_message_and_says_how_that_ended(notifying: Notifying) -> None:
    channel, secret = await notifying.webhook()
    delivery = await notifying.service.test(notifying.user, channel.id)
    assert delivery.status is DeliveryStatus.DELIVERED
    (request,) = notifying.receiver.requests
    assert is_signed(request, secret)
    assert request.json["type"] == "TEST"
    notifying.receiver.refuse(500, text="our internals")
    delivery = await notifying.service.test(notifying.user, channel.id)
    assert (delivery.status, delivery.error) == (DeliveryStatus.FAILED, "The receiver answered 500.")
    for _ in range(3):
        await notifying.service.test(notifying.user, channel.id)
    with pytest.raises(RateLimited):
        await notifying.service.test(notifying.user, channel.id)
    assert (await notifying.stored(channel)).sequence == channel.sequence


async def test_secrets_follow_a_change_of_the_key(notifying: Notifying) -> None:
    channel, secret = await notifying.webhook()
    _, newer = await notifying.service.rotate(notifying.identity, channel.id)
    key = bytes(range(32))
    assert await reseal_channels(notifying.database, AesVault(key, [bytes(32)])) == 1
    notifying.vault = AesVault(key)
    await notifying.alert("one")
    await notifying.deliverer().deliver_due()
    (request,) = notifying.receiver.requests
    assert is_signed(request, secret)
    assert is_signed(request, newer)
    notifying.vault = AesVault(bytes([7] * 32))
    await notifying.alert("two")
    await notifying.deliverer().deliver_due()
    assert "sealed under a key" in str((await notifying.stored(channel)).last_error)


async def test_an_erased_user_gets_nothing_more(notifying: Notifying, pool: Pool) -> None:
    await notifying.webhook()
    await notifying.alert("one")
    async with notifying.database.transaction() as transaction:
        await transaction.personal_data.erase(notifying.user.id, notifying.clock.now())
    assert await notifying.deliverer().deliver_due() == 0
    assert await pool.fetchval("SELECT count(*) FROM channel_deliveries") == 0


async def test_the_channels_of_a_disabled_user_rest_and_lose_nothing(notifying: Notifying, pool: Pool) -> None:
    await notifying.webhook()
    await notifying.alert("one")
    await pool.execute("UPDATE users SET disabled_at = now() WHERE id = $1", notifying.user.id)
    assert await notifying.deliverer().deliver_due() == 0
    await pool.execute("UPDATE users SET disabled_at = NULL WHERE id = $1", notifying.user.id)
    await notifying.deliverer().deliver_due()
    assert [request.json["message"] for request in notifying.receiver.requests] == ["one"]


async def test_an_eleventh_channel_is_refused(notifying: Notifying) -> None:
    for _ in range(10):
        await notifying.webhook()
    with pytest.raises(InputError, match="10 notification channels"):
        await notifying.webhook()


async def test_a_burst_of_many_events_arrives_whole_while_turns_are_short(notifying: Notifying) -> None:
    notifying.options = replace(notifying.options, turn_seconds=0.0)
    await notifying.webhook()
    await notifying.alert(*(str(number) for number in range(30)))
    deliverer = notifying.deliverer()
    while await deliverer.deliver_due():
        pass
    assert notifying.receiver.sequences == [str(number) for number in range(2, 32)]


async def test_who_acts_by_an_old_sign_in_redirects_no_events(notifying: Notifying) -> None:
    channel, _ = await notifying.webhook()
    notifying.clock.move(RECENT.total_seconds() + 1)
    elsewhere = ChannelChanges(url=notifying.receiver.url)
    for attempt in (
        notifying.webhook(),
        notifying.service.rotate(notifying.identity, channel.id),
        notifying.service.update(notifying.identity, channel.id, elsewhere),
    ):
        with pytest.raises(InputError) as error:
            await attempt
        assert error.value.code is ErrorCode.CONFIRMATION_REQUIRED
    await notifying.service.update(notifying.identity, channel.id, ChannelChanges(name="renamed"))


async def test_an_event_that_cannot_be_read_delays_the_channel_and_ends_in_its_giving_up(
    notifying: Notifying, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    notifying.options = replace(notifying.options, give_up_after=timedelta(minutes=5))
    channel, _ = await notifying.webhook()
    await notifying.alert("one", "two")
    await pool.execute("UPDATE user_events SET kind = 'OF_A_NEWER_VERSION' WHERE message = 'two'")
    assert await notifying.deliverer().deliver_due() == 1
    stored = await notifying.stored(channel)
    assert (stored.status, stored.attempts, stored.last_error) == (ChannelStatus.ACTIVE, 1, FAULT)
    assert await notifying.deliverer().deliver_due() == 0, "it waits as for a receiver that is away"
    assert all(record.exc_info is None for record in caplog.records)
    assert "OF_A_NEWER_VERSION" in caplog.text
    notifying.clock.move(HOUR)
    assert await notifying.deliverer("node:2").deliver_due() == 1, "no claim holds it back"
    assert (await notifying.stored(channel)).status is ChannelStatus.FAILING


async def test_an_event_that_cannot_be_written_down_is_logged_as_refused_and_nothing_comes_twice(
    notifying: Notifying, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(
        channel: NotificationChannel, event: UserEvent, encode_id: EncodeId, report_url: ReportUrl
    ) -> ChannelMessage:
        if event.message == "two":
            raise KeyError("two")
        return event_message(channel, event, encode_id, report_url)

    channel, _ = await notifying.webhook()
    await notifying.alert("one", "two")
    with monkeypatch.context() as patched:
        patched.setattr(messages, "event_message", fails)
        await notifying.deliverer().deliver_due()
    row = await pool.fetchrow("SELECT status, error FROM channel_deliveries WHERE sequence = 3")
    assert row is not None
    assert (row["status"], row["error"]) == ("RETRYING", FAULT)
    assert (await notifying.stored(channel)).last_error == FAULT
    notifying.clock.move(5)
    await notifying.deliverer().deliver_due()
    assert [request.json["message"] for request in notifying.receiver.requests] == ["one", "two"]


async def test_a_fault_after_some_messages_of_a_turn_repeats_none_of_them(
    notifying: Notifying, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = await notifying.telegram(max_per_hour=9)
    await notifying.alert("one", "two")
    deliverer = notifying.deliverer()
    pause = deliverer._pause

    async def fails(reached: NotificationChannel, user: User) -> datetime | None:
        if reached.sequence > channel.sequence:
            raise KeyError("a fault")
        return await pause(reached, user)

    monkeypatch.setattr(deliverer, "_pause", fails)
    await deliverer.deliver_due()
    assert (await notifying.stored(channel)).last_error == FAULT
    notifying.clock.move(5)
    await notifying.deliverer().deliver_due()
    assert len(notifying.receiver.requests) == 2


async def test_a_summary_that_grows_between_its_attempts_is_one_entry_of_the_log(
    notifying: Notifying, pool: Pool
) -> None:
    await notifying.telegram(quiet_hours=QuietHours(time(11), time(13)))  # it is noon
    await notifying.alert("one", "two")
    await notifying.deliverer().deliver_due()
    notifying.clock.move(HOUR)
    notifying.receiver.refuse(500)
    await notifying.deliverer().deliver_due()
    await notifying.alert("three")
    notifying.clock.move(5)
    notifying.receiver.refuse(200)
    await notifying.deliverer().deliver_due()
    (row,) = await pool.fetch("SELECT * FROM channel_deliveries")
    assert (row["status"], row["attempts"], row["first_sequence"], row["sequence"]) == ("DELIVERED", 2, 2, 4)


async def test_a_message_that_was_refused_before_a_summary_took_it_in_is_no_entry_that_stays(
    notifying: Notifying, pool: Pool
) -> None:
    await notifying.telegram(quiet_hours=QuietHours(time(12, 0, 2), time(13)))  # it is noon
    await notifying.alert("one")
    notifying.receiver.refuse(500)
    await notifying.deliverer().deliver_due()
    await notifying.alert("two")
    notifying.clock.move(5)
    notifying.receiver.refuse(200)
    await notifying.deliverer().deliver_due()
    notifying.clock.move(HOUR)
    await notifying.deliverer().deliver_due()
    (row,) = await pool.fetch("SELECT * FROM channel_deliveries")
    assert (row["status"], row["event_kind"], row["first_sequence"], row["sequence"]) == ("DELIVERED", None, 2, 3)


async def test_a_channel_of_a_kind_that_this_version_does_not_know_holds_up_no_other(
    notifying: Notifying, pool: Pool
) -> None:
    chat, _ = await notifying.telegram(), await notifying.webhook()
    await pool.execute("UPDATE notification_channels SET kind = 'OF_A_NEWER_VERSION' WHERE id = $1", chat.id)
    await notifying.alert("one")
    assert await notifying.deliverer().deliver_due() == 1
    assert [request.json["message"] for request in notifying.receiver.requests] == ["one"]
