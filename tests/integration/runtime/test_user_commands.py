"""`r3edge user`: what an operator does for users at the machine, without the API."""

from datetime import timedelta
from pathlib import Path

import pytest

from domain.core.errors import InputError
from domain.core.pagination import KeysetPage
from domain.model.users import TwoFactor, UserRole
from infra.cli.users import InvitedRole, erase_user, invite_user, make_reset_code, promote_user, remove_two_factor
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.settings import Settings, load_settings
from tests.support.clocks import ManualClock
from tests.support.users import stored_user

CLOCK = ManualClock()


@pytest.fixture
def settings(tmp_path: Path, database_dsn: str) -> Settings:
    return load_settings(data_dir=tmp_path, database_url=database_dsn)


async def test_an_operator_promotes_resets_and_erases_by_email_and_it_is_in_the_users_activity(
    pool: Pool, settings: Settings
) -> None:
    database = PostgresDatabase(pool, EmbeddedBus(), CLOCK)
    await stored_user(database)
    ada = await stored_user(database, email="ada@example.com")
    async with database.transaction() as transaction:
        await transaction.two_factors.save(TwoFactor(ada.id, b"sealed", CLOCK.now(), CLOCK.now()))

    assert await promote_user(settings, " ADA@example.com")
    code = await make_reset_code(settings, "ada@example.com")
    assert code is not None
    assert code not in await pool.fetchval("SELECT string_agg(c::text, ' ') FROM email_codes c")
    assert await remove_two_factor(settings, "ada@example.com")
    assert not await remove_two_factor(settings, "ada@example.com")
    async with database.read_only() as reading:
        user = await reading.users.get(ada.id)
        activities = await reading.users.activity(ada.id, KeysetPage(10))
    assert user is not None
    assert (user.role, user.two_factor_enabled_at) == (UserRole.OPERATOR, None)
    assert {(activity.action, activity.detail) for activity in activities} == {
        ("userPromote", "by an operator"), ("passwordResetRequest", "by an operator"),
        ("twoFactorDisable", "by an operator"),
    }  # fmt: skip

    assert await erase_user(settings, "ada@example.com")
    assert await pool.fetchval("SELECT count(*) FROM users WHERE email LIKE '%ada%'") == 0
    assert await pool.fetchval("SELECT detail FROM activities WHERE action = 'userErase'") == "by an operator"


async def test_the_operator_of_the_machine_invites_and_gets_the_code_if_no_mail_is_sent(
    pool: Pool, settings: Settings, tmp_path: Path, database_dsn: str
) -> None:
    made = await invite_user(settings, " ADA@example.com", InvitedRole.OPERATOR, timedelta(days=2))
    assert made.code is not None
    assert (made.invitation.email, made.invitation.role) == ("ada@example.com", UserRole.OPERATOR)
    assert timedelta(days=1) < made.invitation.expires_at - made.invitation.created_at <= timedelta(days=2)

    sends = load_settings(
        data_dir=tmp_path, database_url=database_dsn, smtp_host="127.0.0.1", mail_sender="r3edge <noreply@example.com>"
    )
    assert (await invite_user(sends, "ada@example.com", InvitedRole.USER, timedelta(days=2))).code is None
    mail = await pool.fetchrow("SELECT kind, recipient, user_id FROM mails")
    assert tuple(mail) == ("INVITATION", "ada@example.com", None)
    assert await pool.fetchval("SELECT count(*) FROM invitations WHERE withdrawn_at IS NULL") == 1


async def test_nobody_by_that_email_and_what_is_no_email_are_errors(pool: Pool, settings: Settings) -> None:
    for command in (promote_user, make_reset_code, remove_two_factor, erase_user):
        assert not await command(settings, "nobody@example.com")
        with pytest.raises(InputError, match="is not an email address"):
            await command(settings, "nonsense")
