import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.core.errors import ErrorCode, Forbidden, InputError, RateLimited
from domain.core.pagination import KeysetPage
from domain.model.invitations import Invitation, InvitationStatus
from domain.model.users import ApiScope, Identity, User, UserRole
from domain.users.code_checks import WRONG_CODES_PER_HOUR
from domain.users.invitations import INVITATION_LIFE, NewInvitation
from domain.users.registration import Registration
from domain.users.sign_in import SignedIn
from infra.postgres.pool import Pool
from tests.support.mailing import MailNode
from tests.support.postgres import somebody_waits_for_a_lock
from tests.support.sign_in import SignInNode

ROOT, ADA, EVE = "root@example.com", "ada@example.com", "eve@example.com"
PASSWORD, HERE = "correct horse battery", "192.0.2.1"


async def refused(attempt: object) -> InputError:
    with pytest.raises(InputError) as error:
        await attempt  # type: ignore[misc]
    return error.value


async def identity_of(node: SignInNode, token: str) -> Identity:
    identity = await node.authenticator.identify(token)
    assert identity is not None
    return identity


async def register(node: SignInNode, email: str, code: str | None, address: str = HERE) -> SignedIn:
    return await node.users.register(email, PASSWORD, None, address, invitation_code=code)


async def rejected(node: SignInNode, email: str, code: str) -> None:
    error = await refused(register(node, email, code))
    assert (error.code, error.path) == (ErrorCode.CREDENTIALS_REJECTED, ("input", "invitationCode"))


def code_of(invited: NewInvitation) -> str:
    assert invited.code is not None
    return invited.code


@pytest.fixture
def closed(node: SignInNode) -> SignInNode:
    """A node where nobody but the first user and the invited may register, and one registers an hour."""
    return replace(node, registration=Registration.CLOSED, registrations_per_hour=1)


@pytest.fixture
async def operator(closed: SignInNode) -> Identity:
    signed = await register(closed, ROOT, None)
    return await identity_of(closed, signed.token)


async def invite(node: SignInNode, operator: Identity, role: UserRole = UserRole.USER) -> NewInvitation:
    return await node.invitations.invite(operator, ADA, role, None)


async def stored(node: SignInNode, invitation: Invitation) -> Invitation:
    async with node.database.read_only() as reading:
        found = await reading.invitations.get(invitation.id)
    assert found is not None
    return found


async def test_the_invited_registers_by_the_code_while_registration_is_closed(
    closed: SignInNode, operator: Identity, pool: Pool
) -> None:
    made = await closed.invitations.invite(operator, " ADA@example.com", UserRole.OPERATOR, None)
    code = code_of(made)
    assert code.startswith("r3i_")
    assert code not in await pool.fetchval("SELECT string_agg(c::text, ' ') FROM invitation_codes c")
    assert made.invitation.expires_at == closed.clock.now() + INVITATION_LIFE

    signed = await register(closed, "Ada@Example.com", f" {code} ")
    assert (signed.user.role, signed.user.email_verified_at) == (UserRole.OPERATOR, None)
    assert (await closed.users.login(ADA, PASSWORD, HERE)).user.id == signed.user.id
    assert (await stored(closed, made.invitation)).status(closed.clock.now()) is InvitationStatus.ACCEPTED
    async with closed.database.read_only() as reading:
        actions = [entry.action for entry in await reading.users.activity(operator.user.id, KeysetPage(10))]
    assert actions == ["userInvite", "userRegister"]
    assert (await refused(register(closed, EVE, None, "192.0.2.7"))).code is ErrorCode.UNSUPPORTED


async def test_an_invitation_is_accepted_once_however_many_try_it_at_once(
    closed: SignInNode, operator: Identity
) -> None:
    code = code_of(await invite(closed, operator))
    outcomes = await asyncio.gather(*(register(closed, ADA, code) for _ in range(4)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InputError"] * 3 + ["SignedIn"]
    await rejected(closed, ADA, code)
    await rejected(closed, EVE, code)


async def test_an_invitation_serves_no_other_email(closed: SignInNode, operator: Identity) -> None:
    code = code_of(await invite(closed, operator))
    await rejected(closed, EVE, code)
    assert (await register(closed, ADA, code)).user.email == ADA


async def test_an_invitation_ends_at_its_time(closed: SignInNode, operator: Identity) -> None:
    code = code_of(await invite(closed, operator))
    in_an_hour = closed.clock.now() + timedelta(hours=1)
    short = await closed.invitations.invite(operator, EVE, UserRole.USER, in_an_hour)
    closed.clock.move(3_600)
    await rejected(closed, EVE, code_of(short))
    assert (await stored(closed, short.invitation)).status(closed.clock.now()) is InvitationStatus.EXPIRED
    closed.clock.move(INVITATION_LIFE.total_seconds() - 3_600)
    await rejected(closed, ADA, code)


async def test_a_withdrawn_invitation_opens_nothing_and_is_withdrawn_once(
    closed: SignInNode, operator: Identity
) -> None:
    made = await invite(closed, operator)
    withdrawn = await closed.invitations.withdraw(operator, made.invitation.id)
    assert withdrawn.status(closed.clock.now()) is InvitationStatus.WITHDRAWN
    await rejected(closed, ADA, code_of(made))
    error = await refused(closed.invitations.withdraw(operator, made.invitation.id))
    assert (error.code, "WITHDRAWN" in error.message) == (ErrorCode.CONFLICT, True)
    error = await refused(closed.invitations.withdraw(operator, operator.user.id))
    assert error.code is ErrorCode.NOT_FOUND


async def test_the_newest_invitation_of_an_email_counts_also_when_two_operators_invite_at_once(
    closed: SignInNode, operator: Identity
) -> None:
    made = await asyncio.gather(*(invite(closed, operator) for _ in range(3)))
    open_ones = [one for one in made if (await stored(closed, one.invitation)).withdrawn_at is None]
    assert len(open_ones) == 1
    for one in made:
        if one not in open_ones:
            await rejected(closed, ADA, code_of(one))
    await register(closed, ADA, code_of(open_ones[0]))
    assert (await refused(invite(closed, operator))).code is ErrorCode.EMAIL_TAKEN


async def test_an_invitation_ends_when_its_inviter_is_no_operator_any_more(
    closed: SignInNode, operator: Identity
) -> None:
    made = await invite(closed, operator, UserRole.OPERATOR)
    async with closed.database.transaction() as transaction:
        await transaction.users.set_role(ROOT, UserRole.USER)
    await rejected(closed, ADA, code_of(made))
    with pytest.raises(Forbidden):
        await invite(closed, operator)
    with pytest.raises(Forbidden):
        await closed.invitations.withdraw(operator, made.invitation.id)


async def test_an_api_key_of_an_operator_invites_users_and_no_operators(closed: SignInNode, operator: Identity) -> None:
    _, secret = await closed.keys.create(operator, "bot", frozenset({ApiScope.ADMIN}), None)
    key = await identity_of(closed, secret)
    assert (await invite(closed, key)).code is not None
    with pytest.raises(Forbidden):
        await invite(closed, key, UserRole.OPERATOR)


async def test_what_is_no_email_or_no_time_is_refused(closed: SignInNode, operator: Identity) -> None:
    now, invitations = closed.clock.now(), closed.invitations
    error = await refused(invitations.invite(operator, "nonsense", UserRole.USER, None))
    assert (error.code, error.path) == (ErrorCode.INVALID, ("input", "email"))
    for expires_at in (now, now - timedelta(days=1), now + timedelta(days=91)):
        error = await refused(invitations.invite(operator, ADA, UserRole.USER, expires_at))
        assert (error.code, error.path) == (ErrorCode.INVALID, ("input", "expiresAt"))


async def test_there_is_a_limit_of_open_invitations(
    closed: SignInNode, operator: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.users.invitations.MAXIMUM_OPEN_INVITATIONS", 1)
    made = await invite(closed, operator)
    error = await refused(closed.invitations.invite(operator, EVE, UserRole.USER, None))
    assert error.code is ErrorCode.LIMIT_REACHED
    await closed.invitations.withdraw(operator, made.invitation.id)
    await closed.invitations.invite(operator, EVE, UserRole.USER, None)


async def test_codes_that_are_guessed_are_limited_by_address(closed: SignInNode, operator: Identity) -> None:
    code = code_of(await invite(closed, operator))
    for _ in range(WRONG_CODES_PER_HOUR):
        await rejected(closed, ADA, "r3i_wrong")
    with pytest.raises(RateLimited):
        await register(closed, ADA, "r3i_wrong")
    assert (await register(closed, ADA, code)).user.email == ADA


async def test_an_invitation_ends_when_its_inviter_is_disabled(
    closed: SignInNode, operator: Identity, pool: Pool
) -> None:
    made = await invite(closed, operator)
    await pool.execute("UPDATE users SET disabled_at = now() WHERE id = $1", operator.user.id)
    await rejected(closed, ADA, code_of(made))


DEMOTIONS = {
    "demoted": "UPDATE users SET role = 'USER' WHERE email = $1",
    "disabled": "UPDATE users SET disabled_at = now() WHERE email = $1",
}


@pytest.mark.parametrize("statement", DEMOTIONS.values(), ids=DEMOTIONS)
async def test_an_inviter_who_is_stopped_while_the_invited_registers_makes_no_operator(
    closed: SignInNode, operator: Identity, pool: Pool, statement: str
) -> None:
    code = code_of(await invite(closed, operator, UserRole.OPERATOR))
    admitted = await closed.registrar.admit(ADA, None, code, HERE)

    async def add() -> User:
        async with closed.database.transaction() as transaction:
            return await closed.registrar.add(transaction, admitted, "a hash")

    async with pool.acquire() as connection:
        stopping = connection.transaction()
        await stopping.start()
        await connection.execute(statement, ROOT)
        adding = asyncio.create_task(add())
        await somebody_waits_for_a_lock(pool)
        await stopping.commit()
    assert (await refused(adding)).code is ErrorCode.CREDENTIALS_REJECTED
    assert await pool.fetchval("SELECT count(*) FROM users") == 1


async def test_an_erased_user_stands_in_no_invitation_and_invites_nobody(
    closed: SignInNode, operator: Identity, pool: Pool
) -> None:
    signed = await register(closed, ADA, code_of(await invite(closed, operator, UserRole.OPERATOR)))
    ada = await identity_of(closed, signed.token)
    made = await closed.invitations.invite(ada, EVE, UserRole.USER, None)
    async with closed.database.transaction() as transaction:
        await transaction.personal_data.erase(ada.user.id, closed.clock.now())
    assert await pool.fetchval("SELECT count(*) FROM invitations WHERE email = $1", ADA) == 0
    assert (await stored(closed, made.invitation)).status(closed.clock.now()) is InvitationStatus.WITHDRAWN
    await rejected(closed, EVE, code_of(made))


async def test_ended_invitations_are_deleted_after_a_while(closed: SignInNode, operator: Identity) -> None:
    made = await invite(closed, operator)
    async with closed.database.transaction() as transaction:
        assert await transaction.invitations.delete_ended(made.invitation.expires_at, 10) == 0
        assert await transaction.invitations.delete_ended(made.invitation.expires_at + timedelta(days=1), 10) == 1


# ---- by mail


async def test_a_mail_has_the_link_and_its_code_proves_the_email(mail: MailNode) -> None:
    root = await identity_of(mail.node, (await register(mail.node, ROOT, None)).token)
    made = await mail.node.invitations.invite(root, ADA, UserRole.USER, None)
    assert made.code is None, "only the invited learns it"
    (text,) = await mail.texts(ADA)
    code = await mail.code(ADA)
    assert f"https://app.example.com/#user-register={code}" in text
    signed = await register(mail.node, ADA, code)
    assert signed.user.email_verified_at == mail.node.clock.now()
    assert len(await mail.texts(ADA)) == 1, "there is nothing left to verify"


async def test_what_was_withdrawn_or_invited_again_before_its_mail_was_sent_is_not_sent(mail: MailNode) -> None:
    root = await identity_of(mail.node, (await register(mail.node, ROOT, None)).token)
    first = await mail.node.invitations.invite(root, EVE, UserRole.USER, None)
    await mail.node.invitations.withdraw(root, first.invitation.id)
    await mail.node.invitations.invite(root, ADA, UserRole.USER, None)
    mail.node.clock.move(1)
    await mail.node.invitations.invite(root, ADA, UserRole.USER, None)
    assert len(await mail.texts(ADA)) == 1
    assert await mail.texts(EVE) == []
    await register(mail.node, ADA, await mail.code(ADA))


async def test_a_mail_that_is_sent_twice_leaves_both_its_codes_good(mail: MailNode, pool: Pool) -> None:
    root = await identity_of(mail.node, (await register(mail.node, ROOT, None)).token)
    await mail.node.invitations.invite(root, ADA, UserRole.USER, None)
    first = await mail.code(ADA)
    # As if the node hadn't survived its sending.
    await pool.execute("UPDATE mails SET sent_at = NULL, due_at = created_at WHERE recipient = $1", ADA)
    assert await mail.code(ADA) != first
    await register(mail.node, ADA, first)
