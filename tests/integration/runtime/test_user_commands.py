"""`r3edge user`: what an operator does for users at the machine, without the API."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from click.testing import Result
from typer.testing import CliRunner

from domain.model.users import TwoFactor, UserRole
from infra.cli.main import app
from infra.cli.users import InvitedRole, invite_user
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.settings_loading import load_settings
from tests.support.clocks import ManualClock
from tests.support.postgres import patient_database, patient_pool
from tests.support.users import stored_user

CLOCK = ManualClock()
ADA, ROOT = "ada@example.com", "root@example.com"

T = TypeVar("T")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["user", *arguments])


def done(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(autouse=True)
def seeded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_dsn: str) -> None:
    """Give the commands an operator, and Ada, who has a second factor."""
    for name, value in {"DATA_DIR": str(tmp_path), "DATABASE_URL": database_dsn}.items():
        monkeypatch.setenv(f"R3EDGE_{name}", value)

    async def seed(database: PostgresDatabase) -> None:
        await stored_user(database, email=ROOT)
        ada = await stored_user(database, email=ADA, display_name="Ada")
        async with database.transaction() as transaction:
            await transaction.two_factors.save(TwoFactor(ada.id, b"sealed", CLOCK.now(), CLOCK.now()))

    with_database(database_dsn, seed)


def with_database(dsn: str, work: Callable[[PostgresDatabase], Awaitable[T]]) -> T:
    async def main() -> T:
        pool = await patient_pool(dsn, max_size=2)
        try:
            database = patient_database(pool, EmbeddedBus(), CLOCK)
            result = await work(database)
            await database.close()
            return result
        finally:
            await pool.close()

    return asyncio.run(main())


def test_an_operator_of_the_machine_finds_and_administers_a_user_by_email_and_the_user_sees_why() -> None:
    (found,) = json.loads(done("list", "--email", "ADA@", "--role", "user", "--json"))
    assert (found["email"], found["display_name"], found["disabled_at"]) == (ADA, "Ada", None)
    assert ADA in done("list")
    assert ROOT not in done("list", "--after", found["id"], "--status", "disabled")

    done("disable", " Ada@Example.com", "--reason", "asked by phone")
    shown = json.loads(done("show", found["id"], "--json"))
    assert (shown["trading_state"], shown["counts"]["active_orders"]) == ("REDUCING", 0)
    assert "DISABLED since" in done("show", ADA)
    done("enable", ADA)
    assert "0 trading sessions stop" in done("stop-trading", ADA, "--close-positions")
    done("promote", ADA)
    done("demote", ADA)
    (code,) = [line for line in done("reset-password", ADA).splitlines() if line.startswith("r3m_")]
    done("reset-two-factor", ADA)
    assert "0 login sessions ended, 0 API keys revoked" in done("sign-out", ADA, "--api-keys")

    activities = json.loads(done("activity", ADA, "--json"))
    assert [(one["action"], one["author"], one["reason"]) for one in activities] == [
        (action, "COMMAND_LINE", reason)
        for action, reason in (
            ("userSignOut", None), ("userTwoFactorReset", None), ("userPasswordReset", None),
            ("userRoleChange", None), ("userRoleChange", None), ("userTradingStop", None), ("userEnable", None),
            ("userDisable", "asked by phone"),
        )
    ]  # fmt: skip
    assert code not in json.dumps(activities)
    assert "asked by phone" in done("activity", ADA)

    done("erase", ADA, "--yes")
    assert json.loads(done("list", "--email", "ada", "--json")) == []


async def test_the_operator_of_the_machine_invites_and_gets_the_code_if_no_mail_is_sent(
    pool: Pool, tmp_path: Path, database_dsn: str
) -> None:
    settings = load_settings(data_dir=tmp_path, database_url=database_dsn)
    made = await invite_user(settings, " EVE@example.com", InvitedRole.OPERATOR, timedelta(days=2))
    assert made.code is not None
    assert (made.invitation.email, made.invitation.role) == ("eve@example.com", UserRole.OPERATOR)
    assert timedelta(days=1) < made.invitation.expires_at - made.invitation.created_at <= timedelta(days=2)

    sends = load_settings(
        data_dir=tmp_path, database_url=database_dsn, smtp_host="127.0.0.1", mail_sender="r3edge <noreply@example.com>"
    )
    assert (await invite_user(sends, "eve@example.com", InvitedRole.USER, timedelta(days=2))).code is None
    mail = await pool.fetchrow("SELECT kind, recipient, user_id FROM mails")
    assert tuple(mail) == ("INVITATION", "eve@example.com", None)
    assert await pool.fetchval("SELECT count(*) FROM invitations WHERE withdrawn_at IS NULL") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("show", "nobody@example.com"), 1, "nobody is registered as nobody@example.com"),
        (("show", "01a229f2-153f-737f-8958-cabe17fda452"), 1, "nobody is registered as 01a229f2"),
        (("disable", "nonsense"), 2, "is not an email address"),
        (("disable", ROOT), 2, "is the last operator"),
        (("demote", ROOT), 2, "is the last operator"),
        (("erase", ROOT, "--yes"), 2, "is the last operator"),
        (("enable", ADA), 2, "isn't disabled"),
        (("promote", ROOT), 2, "is an operator already"),
        (("reset-two-factor", ROOT), 2, "has no two-factor authentication"),
        (("disable", ADA, "--reason", "x" * 501), 2, "reason must be text of at most 500 characters"),
        (("list", "--first", "0"), 2, "--first"),
        (("list", "--role", "king"), 2, "king"),
    ],
)
def test_what_cannot_be_done_ends_with_one_line_and_changes_nothing(
    arguments: tuple[str, ...], code: int, message: str
) -> None:
    before = done("list", "--json")
    result = run(*arguments)
    assert (result.exit_code, message in result.stderr) == (code, True), result.output
    assert "Traceback" not in result.output
    assert done("list", "--json") == before
