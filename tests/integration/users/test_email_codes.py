import asyncio

import pyotp
import pytest

from domain.core.errors import ErrorCode, Forbidden, InputError, RateLimited, Unauthenticated
from domain.core.pagination import KeysetPage
from domain.model.users import ApiScope, Device, Identity, User
from domain.users.code_checks import (
    HOUR_SECONDS,
    MAILS_TO_ONE_EMAIL_PER_HOUR,
    MAILS_TO_ONE_NEW_EMAIL_PER_HOUR,
    RESET_SPACING_SECONDS,
    WRONG_CODES_PER_HOUR,
)
from domain.users.mail_composer import EMAIL_CODE_LIFE, RESET_CODE_LIFE
from domain.users.sign_in import SignedIn
from domain.users.user_mails import NOTICES_PER_HOUR
from infra.postgres.pool import Pool
from tests.support.mailing import MailNode
from tests.support.sign_in import AwayCache, SignInNode

ADA, EVE, NEW_EMAIL = "ada@example.com", "eve@example.com", "ada@new.example.org"
PASSWORD, NEW_PASSWORD = "correct horse battery", "staple horse battery"
HERE = "192.0.2.1"


async def refused(attempt: object) -> InputError:
    with pytest.raises(InputError) as error:
        await attempt  # type: ignore[misc]
    assert PASSWORD not in error.value.message
    return error.value


async def identity_of(mail: MailNode, token: str) -> Identity:
    identity = await mail.node.authenticator.identify(token)
    assert identity is not None
    return identity


async def user_of(mail: MailNode, signed: SignedIn) -> User:
    async with mail.node.database.read_only() as reading:
        user = await reading.users.get(signed.user.id)
    assert user is not None
    return user


async def actions_of(mail: MailNode, signed: SignedIn) -> set[str]:
    async with mail.node.database.read_only() as reading:
        return {activity.action for activity in await reading.users.activity(signed.user.id, KeysetPage(100))}


@pytest.fixture
async def ada(mail: MailNode) -> SignedIn:
    return await mail.node.users.register(ADA, PASSWORD, None, HERE)


# ---- verification


async def test_who_registers_verifies_the_email_by_the_code_in_the_mail(mail: MailNode, ada: SignedIn) -> None:
    assert (await user_of(mail, ada)).email_verified_at is None
    assert await mail.node.emails.verify(await mail.code(ADA), HERE, ada.user.id) == ADA
    assert (await user_of(mail, ada)).email_verified_at == mail.node.clock.now()
    assert "emailVerify" in await actions_of(mail, ada)
    identity = await identity_of(mail, ada.token)
    assert (await refused(mail.node.emails.send_verification(identity, HERE))).code is ErrorCode.CONFLICT


async def test_a_code_is_used_once_however_many_try_it_at_once(mail: MailNode, ada: SignedIn) -> None:
    code = await mail.code(ADA)
    outcomes = await asyncio.gather(
        *(mail.node.emails.verify(code, HERE, ada.user.id) for _ in range(4)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InputError"] * 3 + ["str"]
    assert (await refused(mail.node.emails.verify(code, HERE, ada.user.id))).code is ErrorCode.CREDENTIALS_REJECTED


async def test_a_code_ends_after_its_time(mail: MailNode, ada: SignedIn) -> None:
    code = await mail.code(ADA)
    mail.node.clock.move(EMAIL_CODE_LIFE.total_seconds())
    assert (await refused(mail.node.emails.verify(code, HERE, ada.user.id))).code is ErrorCode.CREDENTIALS_REJECTED
    identity = await identity_of(mail, ada.token)
    await mail.node.emails.send_verification(identity, HERE)
    assert await mail.node.emails.verify(await mail.code(ADA), HERE, ada.user.id) == ADA


async def test_a_code_is_worthless_to_somebody_else_who_is_signed_in(mail: MailNode, ada: SignedIn) -> None:
    eve = await mail.node.users.register(EVE, PASSWORD, None, HERE)
    code = await mail.code(ADA)
    error = await refused(mail.node.emails.verify(code, HERE, eve.user.id))
    assert (error.code, error.path) == (ErrorCode.CREDENTIALS_REJECTED, ("input", "code"))
    assert await mail.node.emails.verify(code, HERE, ada.user.id) == ADA


@pytest.mark.parametrize("code", ["", "r3m_", "r3m_" + "x" * 43, "r3s_\ud800", "\0", "x" * 100_000])
async def test_what_is_no_code_is_refused_like_one_that_was_used(mail: MailNode, ada: SignedIn, code: str) -> None:
    error = await refused(mail.node.emails.verify(code, HERE, ada.user.id))
    assert error.code is ErrorCode.CREDENTIALS_REJECTED
    assert (await refused(mail.node.resets.reset(code, NEW_PASSWORD, HERE, None))).message == error.message


async def test_a_code_of_one_purpose_serves_no_other(mail: MailNode, ada: SignedIn) -> None:
    verification = await mail.code(ADA)
    await refused(mail.node.resets.reset(verification, NEW_PASSWORD, HERE, None))
    await mail.node.resets.request(ADA, HERE)
    await refused(mail.node.emails.verify(await mail.code(ADA), HERE, ada.user.id))


async def test_codes_are_stored_as_hashes_alone(mail: MailNode, ada: SignedIn, pool: Pool) -> None:
    code = await mail.code(ADA)
    stored = await pool.fetchval(
        "SELECT string_agg(m::text, ' ') || (SELECT string_agg(c::text, ' ') FROM email_codes c) FROM mails m"
    )
    assert code not in stored
    assert code.removeprefix("r3m_") not in stored


async def test_wrong_codes_are_limited_by_the_address_that_tries_them(mail: MailNode, ada: SignedIn) -> None:
    for _ in range(WRONG_CODES_PER_HOUR):
        await refused(mail.node.emails.verify("r3m_wrong", HERE, ada.user.id))
    with pytest.raises(RateLimited):
        await mail.node.emails.verify("r3m_wrong", HERE, ada.user.id)
    assert await mail.node.emails.verify(await mail.code(ADA), HERE, ada.user.id) == ADA


# ---- change of the email


async def test_an_email_changes_when_the_code_at_the_new_one_comes_back(mail: MailNode, ada: SignedIn) -> None:
    identity = await identity_of(mail, ada.token)
    await mail.node.emails.request_change(identity, NEW_EMAIL.upper(), PASSWORD, HERE)
    code = await mail.code(NEW_EMAIL)
    assert (await user_of(mail, ada)).email == ADA
    assert await mail.node.emails.verify(code, HERE, ada.user.id) == NEW_EMAIL
    user = await user_of(mail, ada)
    assert (user.email, user.email_verified_at) == (NEW_EMAIL, mail.node.clock.now())
    assert "you sign in with another email address" in (await mail.texts(ADA))[-1]
    assert (await refused(mail.node.users.login(ADA, PASSWORD, HERE))).code is ErrorCode.CREDENTIALS_REJECTED
    assert (await mail.node.users.login(NEW_EMAIL, PASSWORD, HERE)).user.id == ada.user.id
    assert {"emailChange", "emailVerify"} <= await actions_of(mail, ada)


async def test_what_was_sent_to_the_old_email_opens_nothing_after_the_change(mail: MailNode, ada: SignedIn) -> None:
    verification = await mail.code(ADA)
    await mail.node.resets.request(ADA, HERE)
    reset = await mail.code(ADA)
    mail.node.clock.move(RESET_SPACING_SECONDS)
    await mail.node.resets.request(ADA, HERE)  # which waits to be sent
    identity = await identity_of(mail, ada.token)
    await mail.node.emails.request_change(identity, NEW_EMAIL, PASSWORD, HERE)
    mail.server.messages.clear()
    async with mail.node.database.transaction() as transaction:
        # The reset isn't sent before the change is confirmed.
        for waiting in await transaction.mails.claim_due(mail.node.clock.now(), mail.node.clock.now(), 10):
            if waiting.recipient == NEW_EMAIL:
                continue
            await transaction.mails.postpone(waiting.id, mail.node.clock.now() + EMAIL_CODE_LIFE, "later")
    await mail.node.emails.verify(await mail.code(NEW_EMAIL), HERE, ada.user.id)
    mail.node.clock.move(60)
    await refused(mail.node.emails.verify(verification, HERE, ada.user.id))
    await refused(mail.node.resets.reset(reset, NEW_PASSWORD, HERE, None))
    assert all("password" not in text for text in await mail.texts(ADA))


async def test_a_change_to_an_email_of_somebody_else_looks_the_same_and_sends_nothing(
    mail: MailNode, ada: SignedIn
) -> None:
    eve = await mail.node.users.register(EVE, PASSWORD, None, HERE)
    await mail.texts(ADA)
    before = len(mail.server.messages)
    await mail.node.emails.request_change(await identity_of(mail, eve.token), ADA, PASSWORD, HERE)
    await mail.texts(ADA)
    assert len(mail.server.messages) == before


async def test_of_two_users_who_change_to_one_email_the_second_is_refused(mail: MailNode, ada: SignedIn) -> None:
    eve = await mail.node.users.register(EVE, PASSWORD, None, HERE)
    codes = []
    for signed in (ada, eve):
        await mail.node.emails.request_change(await identity_of(mail, signed.token), NEW_EMAIL, PASSWORD, HERE)
        codes.append(await mail.code(NEW_EMAIL))
    await mail.node.emails.verify(codes[0], HERE, ada.user.id)
    assert (await refused(mail.node.emails.verify(codes[1], HERE, eve.user.id))).code is ErrorCode.EMAIL_TAKEN
    assert (await user_of(mail, eve)).email == EVE


async def test_the_last_change_that_was_asked_for_counts(mail: MailNode, ada: SignedIn) -> None:
    identity = await identity_of(mail, ada.token)
    await mail.node.emails.request_change(identity, "first@example.com", PASSWORD, HERE)
    first = await mail.code("first@example.com")
    await mail.node.emails.request_change(identity, NEW_EMAIL, PASSWORD, HERE)
    await refused(mail.node.emails.verify(first, HERE, ada.user.id))
    assert await mail.node.emails.verify(await mail.code(NEW_EMAIL), HERE, ada.user.id) == NEW_EMAIL


async def test_an_email_is_changed_by_who_knows_the_password_and_is_signed_in(mail: MailNode, ada: SignedIn) -> None:
    identity = await identity_of(mail, ada.token)
    error = await refused(mail.node.emails.request_change(identity, NEW_EMAIL, "wrong password", HERE))
    assert (error.code, error.path) == (ErrorCode.CREDENTIALS_REJECTED, ("input", "password"))
    error = await refused(mail.node.emails.request_change(identity, "nonsense", PASSWORD, HERE))
    assert (error.code, error.path) == (ErrorCode.INVALID, ("input", "email"))
    _, secret = await mail.node.keys.create(identity, "bot", frozenset({ApiScope.ADMIN}), None)
    with pytest.raises(Forbidden):
        await mail.node.emails.request_change(await identity_of(mail, secret), NEW_EMAIL, PASSWORD, HERE)


# ---- a forgotten password


async def test_a_reset_sets_the_password_and_ends_every_login_session(mail: MailNode, ada: SignedIn) -> None:
    await mail.node.emails.verify(await mail.code(ADA), HERE, ada.user.id)
    _, secret = await mail.node.keys.create(await identity_of(mail, ada.token), "bot", frozenset({ApiScope.READ}), None)
    await mail.node.resets.request(f" {ADA.upper()} ", HERE)
    await mail.node.resets.reset(await mail.code(ADA), NEW_PASSWORD, HERE, None)

    assert await mail.node.authenticator.identify(ada.token) is None
    assert (await refused(mail.node.users.login(ADA, PASSWORD, HERE))).code is ErrorCode.CREDENTIALS_REJECTED
    assert (await mail.node.users.login(ADA, NEW_PASSWORD, HERE)).user.id == ada.user.id
    await identity_of(mail, secret)  # programs go on trading
    assert "your password was changed" in (await mail.texts(ADA))[-1]
    assert {"passwordResetRequest", "passwordReset"} <= await actions_of(mail, ada)


async def test_a_reset_also_ends_keys_if_it_is_asked_to(mail: MailNode, ada: SignedIn) -> None:
    await mail.node.emails.verify(await mail.code(ADA), HERE, ada.user.id)
    _, secret = await mail.node.keys.create(await identity_of(mail, ada.token), "bot", frozenset({ApiScope.READ}), None)
    await mail.node.resets.request(ADA, HERE)
    await mail.node.resets.reset(await mail.code(ADA), NEW_PASSWORD, HERE, None, revoke_api_keys=True)
    assert await mail.node.authenticator.identify(secret) is None


async def test_who_proves_an_email_first_by_a_reset_ends_the_keys_of_who_registered_it(
    mail: MailNode, ada: SignedIn
) -> None:
    _, secret = await mail.node.keys.create(
        await identity_of(mail, ada.token), "bot", frozenset({ApiScope.ADMIN}), None
    )
    await mail.node.resets.request(ADA, HERE)
    await mail.node.resets.reset(await mail.code(ADA), NEW_PASSWORD, HERE, None)
    assert await mail.node.authenticator.identify(secret) is None
    assert (await user_of(mail, ada)).email_verified_at == mail.node.clock.now()


async def test_a_weak_password_uses_no_code_up(mail: MailNode, ada: SignedIn) -> None:
    await mail.node.resets.request(ADA, HERE)
    code = await mail.code(ADA)
    assert (await refused(mail.node.resets.reset(code, "short", HERE, None))).code is ErrorCode.PASSWORD_TOO_WEAK
    await mail.node.resets.reset(code, NEW_PASSWORD, HERE, None)


async def test_a_reset_code_ends_after_an_hour_after_its_use_and_with_a_new_password(
    mail: MailNode, ada: SignedIn
) -> None:
    async def fresh() -> str:
        mail.node.clock.move(RESET_SPACING_SECONDS)
        await mail.node.resets.request(ADA, HERE)
        return await mail.code(ADA)

    late = await fresh()
    mail.node.clock.move(RESET_CODE_LIFE.total_seconds())
    await refused(mail.node.resets.reset(late, NEW_PASSWORD, HERE, None))
    overtaken = await fresh()
    identity = await identity_of(mail, ada.token)
    await mail.node.users.update(identity, password=NEW_PASSWORD, current_password=PASSWORD)
    await refused(mail.node.resets.reset(overtaken, PASSWORD, HERE, None))
    first, second = await fresh(), await fresh()
    await mail.node.resets.reset(second, PASSWORD, HERE, None)
    for used in (first, second):
        await refused(mail.node.resets.reset(used, NEW_PASSWORD, HERE, None))


async def test_of_two_resets_by_one_code_at_once_one_sets_the_password(mail: MailNode, ada: SignedIn) -> None:
    await mail.node.resets.request(ADA, HERE)
    code = await mail.code(ADA)
    resets = [mail.node.resets.reset(code, f"{NEW_PASSWORD} {number}", HERE, None) for number in range(2)]
    outcomes = await asyncio.gather(*resets, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InputError", "NoneType"]


async def test_a_reset_for_nobody_runs_the_same_statements_and_sends_nothing(
    mail: MailNode, ada: SignedIn, pool: Pool
) -> None:
    """Neither the answer nor the work before it depends on whether somebody has the email."""
    await mail.texts(ADA)
    rows = []
    for email in (ADA, "nobody@example.com"):
        assert await mail.node.resets.request(email, HERE) is None  # type: ignore[func-returns-value]
        rows.append(
            await pool.fetchrow(
                "SELECT kind, user_id, attempts, sent_at FROM mails WHERE recipient = $1 AND sent_at IS NULL", email
            )
        )
    assert rows[0] == rows[1]
    await mail.texts(ADA)
    assert mail.server.texts("nobody@example.com") == []
    assert await pool.fetchval("SELECT count(*) FROM mails WHERE recipient = 'nobody@example.com'") == 0


async def test_mails_to_one_email_are_limited_for_each_address_whether_or_not_somebody_has_it(
    mail: MailNode, ada: SignedIn
) -> None:
    for email in (ADA, "nobody@example.com"):
        for _ in range(MAILS_TO_ONE_EMAIL_PER_HOUR):
            await mail.node.resets.request(email, HERE)
        with pytest.raises(RateLimited):
            await mail.node.resets.request(email, HERE)


async def test_strangers_neither_use_up_the_resets_of_an_owner_nor_flood_their_mail(
    mail: MailNode, ada: SignedIn
) -> None:
    await mail.code(ADA)
    for number in range(100):
        await mail.node.resets.request(ADA, f"198.51.100.{number}")
    await mail.node.resets.request(ADA, HERE)
    assert len(await mail.texts(ADA)) == 2, "the verification and one reset, which serves the owner too"
    await mail.node.resets.reset(await mail.code(ADA), NEW_PASSWORD, HERE, None)
    mail.node.clock.move(RESET_SPACING_SECONDS)
    await mail.node.resets.request(ADA, HERE)
    await mail.node.resets.reset(await mail.code(ADA), PASSWORD, HERE, None)
    assert (await mail.node.users.login(ADA, PASSWORD, HERE)).user.id == ada.user.id


async def test_resets_by_strangers_take_nothing_from_the_verification_and_the_change_of_an_owner(
    mail: MailNode, ada: SignedIn
) -> None:
    for number in range(MAILS_TO_ONE_EMAIL_PER_HOUR + 1):
        await mail.node.resets.request(ADA, f"198.51.100.{number}")
        await mail.node.resets.request(NEW_EMAIL, f"198.51.100.{number}")
    identity = await identity_of(mail, ada.token)
    await mail.node.emails.send_verification(identity, HERE)
    await mail.node.emails.request_change(identity, NEW_EMAIL, PASSWORD, HERE)
    assert await mail.node.emails.verify(await mail.code(NEW_EMAIL), HERE, ada.user.id) == NEW_EMAIL


async def test_many_users_cannot_flood_a_strangers_mail_with_changes(mail: MailNode, ada: SignedIn) -> None:
    for _ in range(MAILS_TO_ONE_NEW_EMAIL_PER_HOUR):
        await mail.node.cache.increment(f"mails:new-email:{NEW_EMAIL}", HOUR_SECONDS)
    with pytest.raises(RateLimited):
        await mail.node.emails.request_change(await identity_of(mail, ada.token), NEW_EMAIL, PASSWORD, HERE)


async def test_what_needs_mail_is_refused_by_a_server_without_and_registering_is_not(node: SignInNode) -> None:
    signed = await node.users.register(ADA, PASSWORD, None, HERE)
    identity = await node.authenticator.identify(signed.token)
    assert identity is not None
    for attempt in (
        node.resets.request(ADA, HERE),
        node.emails.send_verification(identity, HERE),
        node.emails.request_change(identity, NEW_EMAIL, PASSWORD, HERE),
    ):
        error = await refused(attempt)
        assert error.code is ErrorCode.UNSUPPORTED
        assert "sends no mail" in error.message


# ---- takeovers


async def test_a_change_of_email_that_waits_ends_with_a_new_password(mail: MailNode, ada: SignedIn) -> None:
    await mail.node.emails.verify(await mail.code(ADA), HERE, ada.user.id)
    identity = await identity_of(mail, ada.token)
    await mail.node.emails.request_change(identity, NEW_EMAIL, PASSWORD, HERE)
    sent = await mail.code(NEW_EMAIL)
    assert "asked for another email address" in (await mail.texts(ADA))[-1]
    await mail.node.users.update(identity, password=NEW_PASSWORD, current_password=PASSWORD)
    await refused(mail.node.emails.verify(sent, HERE, ada.user.id))

    await mail.node.emails.request_change(identity, "other@example.com", NEW_PASSWORD, HERE)  # which waits to be sent
    await mail.node.users.update(identity, password=PASSWORD, current_password=NEW_PASSWORD)
    assert await mail.texts("other@example.com") == []


async def test_who_takes_a_registered_email_over_by_a_reset_needs_no_second_factor_of_who_registered_it(
    mail: MailNode, ada: SignedIn
) -> None:
    identity = await identity_of(mail, ada.token)
    secret = await mail.node.two_factor.set_up(identity, PASSWORD)
    await mail.node.two_factor.enable(identity, pyotp.TOTP(secret.secret).at(mail.node.clock.now()))
    await mail.node.resets.request(ADA, HERE)
    await mail.node.resets.reset(await mail.code(ADA), NEW_PASSWORD, HERE, None)
    assert (await mail.node.users.login(ADA, NEW_PASSWORD, HERE)).user.id == ada.user.id


async def test_an_identity_whose_credential_ended_since_it_was_read_acts_no_more(mail: MailNode, ada: SignedIn) -> None:
    identity = await identity_of(mail, ada.token)
    await mail.node.users.logout(identity)
    for attempt in (
        mail.node.keys.create(identity, "bot", frozenset({ApiScope.ADMIN}), None),
        mail.node.users.update(identity, "Eve"),
        mail.node.emails.request_change(identity, NEW_EMAIL, PASSWORD, HERE),
        mail.node.emails.send_verification(identity, HERE),
        mail.node.two_factor.set_up(identity, PASSWORD),
        mail.node.two_factor.enable(identity, "123456"),
        mail.node.two_factor.disable(identity, "123456"),
    ):
        with pytest.raises(Unauthenticated):
            await attempt


async def test_a_key_that_is_made_while_a_reset_ends_all_keys_is_no_way_around_it(
    mail: MailNode, ada: SignedIn
) -> None:
    identity = await identity_of(mail, ada.token)
    await mail.node.resets.request(ADA, HERE)
    code = await mail.code(ADA)
    made, _ = await asyncio.gather(
        mail.node.keys.create(identity, "bot", frozenset({ApiScope.ADMIN}), None),
        mail.node.resets.reset(code, NEW_PASSWORD, HERE, None, revoke_api_keys=True),
        return_exceptions=True,
    )
    if isinstance(made, tuple):
        assert await mail.node.another_node().authenticator.identify(made[1]) is None
    else:
        assert isinstance(made, Unauthenticated)


async def test_an_erased_user_s_credentials_identify_nobody(mail: MailNode, ada: SignedIn, pool: Pool) -> None:
    identity = await identity_of(mail, ada.token)
    _, secret = await mail.node.keys.create(identity, "bot", frozenset({ApiScope.ADMIN}), None)
    await pool.execute("UPDATE users SET erased_at = now() WHERE id = $1", ada.user.id)
    fresh = SignInNode(mail.node.database, AwayCache(), mail.node.bus, mail.node.hasher, mail.node.clock)
    assert [await fresh.authenticator.identify(credential) for credential in (ada.token, secret)] == [None, None]
    with pytest.raises(Unauthenticated):
        await mail.node.keys.create(identity, "bot", frozenset({ApiScope.ADMIN}), None)


# ---- notices


async def test_notices_go_to_verified_emails_alone_and_ten_times_an_hour(mail: MailNode, ada: SignedIn) -> None:
    identity = await identity_of(mail, ada.token)
    code = await mail.code(ADA)
    await mail.node.users.update(identity, password=NEW_PASSWORD, current_password=PASSWORD)
    assert len(await mail.texts(ADA)) == 1
    await mail.node.emails.verify(code, HERE, ada.user.id)
    for number in range(NOTICES_PER_HOUR + 2):
        await mail.node.users.login(ADA, NEW_PASSWORD, HERE, device=Device(f"192.0.2.{number}"))
    assert len(await mail.texts(ADA)) == 1 + NOTICES_PER_HOUR


async def test_a_mail_with_a_code_is_sent_before_notices(mail: MailNode, ada: SignedIn) -> None:
    await mail.node.emails.verify(await mail.code(ADA), HERE, ada.user.id)
    await mail.node.users.login(ADA, PASSWORD, HERE, device=Device("192.0.2.7"))
    mail.node.clock.move(1)
    await mail.node.resets.request(ADA, HERE)
    assert await mail.sender().send_due() == 1
    assert "forgotten the password" in mail.server.texts(ADA)[-1]
