from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.core.errors import InputErrors
from domain.model.users import Device, Identity
from domain.users.profile import ProfileChanges
from domain.users.sign_in import SignedIn
from tests.support.mailing import MailNode
from tests.support.sign_in import SignInNode

EMAIL, PASSWORD, HERE = "ada@example.com", "correct horse battery", "192.0.2.1"
LAPTOP, PHONE = Device(HERE, "Firefox/140.0"), Device("2001:db8::7", "r3edge-app/1")


async def identity_of(node: SignInNode, signed: SignedIn) -> Identity:
    identity = await node.authenticator.identify(signed.token)
    assert identity is not None
    return identity


async def test_a_profile_is_kept_in_its_normal_form(node: SignInNode) -> None:
    signed = await node.users.register(EMAIL, PASSWORD, "Ada", HERE)
    identity = await identity_of(node, signed)
    user = await node.users.update(identity, profile=ProfileChanges("Europe/Vienna", "DE-latn-at", " eur ", False))
    assert (user.time_zone, user.locale, user.report_currency) == ("Europe/Vienna", "de-Latn-AT", "EUR")
    assert user.display_name == "Ada"
    async with node.database.read_only() as reading:
        assert await reading.users.get(user.id) == user
    assert (await node.users.update(identity, profile=ProfileChanges(report_currency=None))).report_currency is None


async def test_all_that_is_wrong_with_a_profile_is_reported_at_once(node: SignInNode) -> None:
    identity = await identity_of(node, await node.users.register(EMAIL, PASSWORD, None, HERE))
    for zone, locale, currency in (
        ("Vienna", "german", "€"),
        ("../../etc/passwd", "d", ""),
        ("localtime", "de_AT", "a" * 99),
    ):
        with pytest.raises(InputErrors) as error:
            await node.users.update(identity, profile=ProfileChanges(zone, locale, currency))
        assert [each.path for each in error.value.errors] == [
            ("input", "timeZone"), ("input", "locale"), ("input", "reportCurrency"),
        ]  # fmt: skip
    with pytest.raises(InputErrors):
        await node.users.update(identity, profile=ProfileChanges(None, None))


async def test_login_sessions_have_their_device_and_all_others_end_together(node: SignInNode) -> None:
    signed = await node.users.register(EMAIL, PASSWORD, None, HERE, LAPTOP)
    phone = await node.users.login(EMAIL, PASSWORD, HERE, None, PHONE)
    await node.users.login(EMAIL, PASSWORD, HERE)
    identity = await identity_of(node, signed)
    async with node.database.read_only() as reading:
        found = await reading.users.login_sessions(signed.user.id, node.clock.now())
    assert [(each.address, each.user_agent) for each in found] == [
        (None, None), ("2001:db8::7", "r3edge-app/1"), (HERE, "Firefox/140.0"),
    ]  # fmt: skip
    assert await node.users.revoke_other_login_sessions(identity) == 2
    assert await node.authenticator.identify(phone.token) is None
    assert await node.authenticator.identify(signed.token) is not None


async def test_a_sign_in_from_a_new_device_causes_a_mail_in_the_users_time_unless_it_is_off(
    mail: MailNode,
) -> None:
    node = mail.node
    signed = await node.users.register(EMAIL, PASSWORD, None, HERE, LAPTOP)
    await mail.texts(EMAIL)
    await node.mark_verified(EMAIL)
    identity = await identity_of(node, signed)
    await node.users.update(identity, profile=ProfileChanges(time_zone="Asia/Kathmandu"))
    await mail.texts(EMAIL)
    before = len(mail.server.messages)
    await node.users.login(EMAIL, PASSWORD, HERE, None, LAPTOP)
    assert len(await mail.texts(EMAIL)) == before, "it is known"
    await node.users.login(EMAIL, PASSWORD, HERE, None, PHONE)
    text = (await mail.texts(EMAIL))[-1]
    assert "from 2001:db8::7" in text
    assert "r3edge-app" not in text, "nothing that a client chose stands in a mail"
    shown = node.clock.now().astimezone(ZoneInfo("Asia/Kathmandu"))
    assert f"{shown:%Y-%m-%d %H:%M} (Asia/Kathmandu)" in text
    await node.users.update(identity, profile=ProfileChanges(notify_sign_in=False))
    node.clock.move(timedelta(days=1).total_seconds())
    await node.users.login(EMAIL, PASSWORD, HERE, None, Device("203.0.113.5"))
    assert len(await mail.texts(EMAIL)) == before + 1
