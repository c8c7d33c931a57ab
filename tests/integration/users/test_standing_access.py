"""What throws everybody out of an account leaves nobody a way back in, nor news of the account."""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import pytest

from domain.model.notifications import ChannelKind, ChannelStatus, NotificationChannel
from domain.model.oidc import LinkedIdentity
from domain.model.users import ApiScope, Identity
from domain.users.operators import Administrator
from domain.users.password_hashing import NO_PASSWORD
from tests.support.mailing import MailNode
from tests.support.sign_in import IDS, SignInNode

ROOT, ADA, HERE = "root@example.com", "ada@example.com", "192.0.2.1"
PASSWORD, NEW_PASSWORD = "correct horse battery", "another horse battery"


class Access(NamedTuple):
    """What somebody with the password, or a login session, has made for later."""

    identities: int
    channel: ChannelStatus
    earlier_secret_signs: bool
    keys: int


ALL = Access(1, ChannelStatus.ACTIVE, earlier_secret_signs=True, keys=1)
NONE = Access(0, ChannelStatus.DISABLED, earlier_secret_signs=False, keys=0)


async def identified(node: SignInNode, token: str) -> Identity:
    identity = await node.authenticator.identify(token)
    assert identity is not None
    return identity


async def registered(node: SignInNode, email: str) -> Identity:
    return await identified(node, (await node.users.register(email, PASSWORD, None, HERE)).token)


async def make_access(node: SignInNode, owner: Identity) -> str:
    """Make all that outlives a password; return the secret of the API key."""
    now, user_id = node.clock.now(), owner.user.id
    linked = LinkedIdentity(IDS.next_id(), user_id, "loop", "https://issuer.example.com", str(user_id), None, now)
    channel = NotificationChannel(
        IDS.next_id(), user_id, ChannelKind.WEBHOOK, "hook", "https://eve.example.com", b"sealed", (),
        ChannelStatus.ACTIVE, now, 0, now, previous_secret=b"earlier", previous_until=now + timedelta(days=1),
    )  # fmt: skip
    async with node.database.transaction() as transaction:
        assert await transaction.oidc.add(linked)
        await transaction.channels.add(channel)
    _, secret = await node.keys.create(owner, "bot", frozenset({ApiScope.ADMIN}), None)
    return secret


async def access(node: SignInNode, user_id: UUID) -> Access:
    async with node.database.read_only() as reading:
        identities = await reading.oidc.list_of_user(user_id)
        (channel,) = await reading.channels.list_of_user(user_id)
        keys = await reading.users.api_keys(user_id)
    return Access(len(identities), channel.status, channel.previous_secret is not None, len(keys))


@pytest.fixture
async def ada(node: SignInNode) -> Identity:
    """A user, with an operator who was there before."""
    await registered(node, ROOT)
    return await registered(node, ADA)


async def operator(node: SignInNode) -> Administrator:
    return Administrator(await identified(node, (await node.users.login(ROOT, PASSWORD, HERE)).token))


async def test_a_user_who_is_signed_out_with_all_keys_has_no_standing_access_left(
    node: SignInNode, ada: Identity
) -> None:
    await make_access(node, ada)
    by = await operator(node)
    await node.administration.sign_out(by, ada.user.id)
    assert await access(node, ada.user.id) == ALL
    await node.administration.sign_out(by, ada.user.id, revoke_api_keys=True)
    assert await access(node, ada.user.id) == NONE


async def test_a_new_password_with_all_keys_revoked_unlinks_identities(node: SignInNode, ada: Identity) -> None:
    await make_access(node, ada)
    await node.users.update(ada, password=NEW_PASSWORD, current_password=PASSWORD)
    assert await access(node, ada.user.id) == ALL
    await node.users.update(ada, password=PASSWORD, current_password=NEW_PASSWORD, revoke_api_keys=True)
    assert await access(node, ada.user.id) == ALL._replace(identities=0, keys=0)


async def test_revoking_all_keys_unlinks_identities_for_who_has_signed_in(node: SignInNode, ada: Identity) -> None:
    by_key = await identified(node, await make_access(node, ada))
    await node.users.update(by_key, revoke_api_keys=True)
    assert await access(node, ada.user.id) == ALL, "a key doesn't change how its user signs in"
    await node.users.update(ada, revoke_api_keys=True)
    assert (await access(node, ada.user.id)).identities == 0


async def test_who_has_no_password_keeps_the_identity_until_one_is_set(node: SignInNode, ada: Identity) -> None:
    await make_access(node, ada)
    async with node.database.transaction() as transaction:
        await transaction.users.set_password(ada.user.id, NO_PASSWORD)
    await node.users.update(ada, revoke_api_keys=True)
    assert await access(node, ada.user.id) == ALL._replace(keys=0)
    await node.users.update(ada, password=NEW_PASSWORD, revoke_api_keys=True)
    assert (await access(node, ada.user.id)).identities == 0


async def test_a_reset_by_an_operators_code_unlinks_identities_in_any_case(node: SignInNode, ada: Identity) -> None:
    await make_access(node, ada)
    reset = await node.administration.reset_password(await operator(node), ada.user.id)
    assert reset.code is not None
    await node.resets.reset(reset.code, NEW_PASSWORD, HERE, None)
    assert await access(node, ada.user.id) == ALL._replace(identities=0)


@pytest.mark.parametrize("is_verified", [False, True])
@pytest.mark.parametrize("revokes", [False, True])
async def test_a_reset_by_mail_ends_standing_access_if_asked_or_if_it_proves_the_email_first(
    mail: MailNode, *, is_verified: bool, revokes: bool
) -> None:
    ada = await registered(mail.node, ADA)
    if is_verified:
        await mail.node.mark_verified(ADA)
    await make_access(mail.node, ada)
    await mail.texts(ADA)
    await mail.node.resets.request(ADA, HERE)
    await mail.node.resets.reset(await mail.code(ADA), NEW_PASSWORD, HERE, None, revoke_api_keys=revokes)
    assert await access(mail.node, ada.user.id) == (NONE if revokes or not is_verified else ALL)
