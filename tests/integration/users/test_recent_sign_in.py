"""What the thief of a login token mustn't do asks for a recent proof of who acts."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest

from domain.core.errors import ErrorCode, Forbidden, InputError
from domain.core.pagination import KeysetPage
from domain.model.users import ApiScope, Identity, UserRole
from domain.personal_data.exports import DataExportService
from domain.trading.signal_webhooks import SignalWebhookService
from domain.users.password_hashing import NO_PASSWORD
from domain.users.profile import ProfileChanges
from domain.users.recent_sign_in import RECENT
from infra.security import HmacLinks, RandomTokens
from tests.support.sign_in import IDS, SignInNode

ADA, PASSWORD, HERE = "ada@example.com", "correct horse battery", "192.0.2.1"

Attempt = Callable[[SignInNode, Identity], Awaitable[object]]


def _webhooks(node: SignInNode) -> SignalWebhookService:
    return SignalWebhookService(node.database, RandomTokens(), node.clock, IDS)


def _exports(node: SignInNode) -> DataExportService:
    return DataExportService(node.database, HmacLinks(bytes(32), "exports"), node.bus, node.clock, IDS)


GUARDED: dict[str, Attempt] = {
    "apiKeyCreate": lambda node, ada: node.keys.create(ada, "bot", frozenset({ApiScope.READ}), None),
    "userDataExport": lambda node, ada: _exports(node).request(ada),
    "signalWebhookCreate": lambda node, ada: _webhooks(node).create(ada, uuid4(), "hook"),
    "signalWebhookRotate": lambda node, ada: _webhooks(node).rotate(ada, uuid4()),
    "twoFactorDisable": lambda node, ada: node.two_factor.disable(ada, "000000"),
    "recoveryCodesReplace": lambda node, ada: node.two_factor.replace_recovery_codes(ada, "000000"),
    "userInvite": lambda node, ada: node.invitations.invite(ada, "eve@example.com", UserRole.OPERATOR, None),
}


async def code_of(attempt: Awaitable[object]) -> ErrorCode | None:
    try:
        await attempt
    except InputError as error:
        return error.code
    return None


@pytest.fixture
async def ada(node: SignInNode) -> Identity:
    signed = await node.users.register(ADA, PASSWORD, None, HERE)
    identity = await node.authenticator.identify(signed.token)
    assert identity is not None
    return identity


@pytest.mark.parametrize("name", GUARDED)
async def test_an_old_sign_in_has_to_be_confirmed_first(node: SignInNode, ada: Identity, name: str) -> None:
    attempt = GUARDED[name]
    node.clock.move(RECENT.total_seconds() + 1)
    assert await code_of(attempt(node, ada)) is ErrorCode.CONFIRMATION_REQUIRED
    assert await code_of(node.confirmations.confirm(ada, "wrong password", None)) is ErrorCode.CREDENTIALS_REJECTED
    assert await code_of(attempt(node, ada)) is ErrorCode.CONFIRMATION_REQUIRED
    await node.confirmations.confirm(ada, PASSWORD, None)
    assert await code_of(attempt(node, ada)) is not ErrorCode.CONFIRMATION_REQUIRED


async def test_a_confirmation_is_one_login_sessions_alone_and_in_the_activity(node: SignInNode, ada: Identity) -> None:
    other = await node.authenticator.identify((await node.users.login(ADA, PASSWORD, HERE)).token)
    assert other is not None
    node.clock.move(RECENT.total_seconds() + 1)
    await node.confirmations.confirm(ada, PASSWORD, None)
    attempt = GUARDED["apiKeyCreate"]
    assert await code_of(attempt(node, ada)) is None
    assert await code_of(attempt(node, other)) is ErrorCode.CONFIRMATION_REQUIRED
    async with node.database.read_only() as reading:
        actions = [entry.action for entry in await reading.users.activity(ada.user.id, KeysetPage(10))]
    assert "loginSessionConfirm" in actions


async def test_a_confirmation_takes_the_second_factor_too(node: SignInNode, ada: Identity) -> None:
    import pyotp  # noqa: PLC0415  # only here

    app = pyotp.TOTP((await node.two_factor.set_up(ada, PASSWORD)).secret)
    await node.two_factor.enable(ada, app.at(node.clock.now()))
    node.clock.move(RECENT.total_seconds() + 1)
    assert await code_of(node.confirmations.confirm(ada, PASSWORD, None)) is ErrorCode.TWO_FACTOR_REQUIRED
    assert await code_of(node.confirmations.confirm(ada, PASSWORD, "000000")) is ErrorCode.CREDENTIALS_REJECTED
    assert await code_of(GUARDED["apiKeyCreate"](node, ada)) is ErrorCode.CONFIRMATION_REQUIRED
    await node.confirmations.confirm(ada, PASSWORD, app.at(node.clock.now()))
    assert await code_of(GUARDED["apiKeyCreate"](node, ada)) is None


async def test_an_api_key_neither_confirms_nor_changes_what_its_user_is_notified_of(
    node: SignInNode, ada: Identity
) -> None:
    _, secret = await node.keys.create(ada, "bot", frozenset({ApiScope.ADMIN}), None)
    key = await node.authenticator.identify(secret)
    assert key is not None
    with pytest.raises(Forbidden):
        await node.confirmations.confirm(key, PASSWORD, None)
    for quiet in (False, True):
        with pytest.raises(Forbidden):
            await node.users.update(key, profile=ProfileChanges(notify_sign_in=quiet))
    assert (await node.users.update(key, "Ada", profile=ProfileChanges(locale="de"))).locale == "de"
    assert not (await node.users.update(ada, profile=ProfileChanges(notify_sign_in=False))).notify_sign_in


async def test_a_session_of_who_has_no_password_does_not_confirm_itself(node: SignInNode, ada: Identity) -> None:
    import pyotp  # noqa: PLC0415  # only here

    async with node.database.transaction() as transaction:
        await transaction.users.set_password(ada.user.id, NO_PASSWORD)
    node.clock.move(RECENT.total_seconds() / 2)
    for password in (None, "", PASSWORD):
        assert await code_of(node.confirmations.confirm(ada, password, None)) is ErrorCode.CONFIRMATION_REQUIRED
    app = pyotp.TOTP((await node.two_factor.set_up(ada, None)).secret)
    await node.two_factor.enable(ada, app.at(node.clock.now()))
    node.clock.move(30)
    await node.confirmations.confirm(ada, None, app.at(node.clock.now()))
    node.clock.move(RECENT.total_seconds())
    assert await code_of(GUARDED["apiKeyCreate"](node, ada)) is None, "by the second factor"
    node.clock.move(1)
    assert await code_of(node.confirmations.confirm(ada, None, app.at(node.clock.now()))) is (
        ErrorCode.CONFIRMATION_REQUIRED
    )
