import asyncio

import pytest

from domain.core.errors import ErrorCode, InputError, Unauthenticated
from domain.model.users import ApiScope, UserRole
from domain.personal_data.erasure import Erasure, ErasureService
from domain.users.registration import Registration
from domain.users.two_factor import SecondFactor
from infra.postgres.pool import Pool
from tests.support.mailing import MailNode
from tests.support.sign_in import IDS, SignInNode

ADA, EVE, PASSWORD, HERE = "ada@example.com", "eve@example.com", "correct horse battery", "192.0.2.1"


def erasure_of(node: SignInNode) -> Erasure:
    return Erasure(node.database, node.authenticator, node.bus, node.clock, IDS)


async def test_of_two_operators_who_go_at_once_one_stays(node: SignInNode, pool: Pool) -> None:
    operators = [await node.users.register(email, PASSWORD, None, HERE) for email in (ADA, EVE)]
    await node.users.register("bob@example.com", PASSWORD, None, HERE)
    await pool.execute("UPDATE users SET role = 'OPERATOR' WHERE email IN ($1, $2)", ADA, EVE)
    outcomes = await asyncio.gather(
        *(erasure_of(node).erase(signed.user.id) for signed in operators), return_exceptions=True
    )
    (refused,) = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(refused, InputError)
    assert refused.code is ErrorCode.CONFLICT
    assert await pool.fetchval("SELECT count(*) FROM users WHERE role = 'OPERATOR'") == 1


async def test_who_registers_after_all_are_erased_is_no_operator(node: SignInNode) -> None:
    ada = await node.users.register(ADA, PASSWORD, None, HERE)
    assert ada.user.role is UserRole.OPERATOR
    await erasure_of(node).erase(ada.user.id)
    assert (await node.users.register(EVE, PASSWORD, None, HERE)).user.role is UserRole.USER
    closed = SignInNode(node.database, node.cache, node.bus, node.hasher, node.clock, Registration.CLOSED)
    with pytest.raises(InputError) as refused:
        await closed.users.register("bob@example.com", PASSWORD, None, HERE)
    assert refused.value.code is ErrorCode.UNSUPPORTED


async def test_an_erased_user_acts_no_more_with_an_identity_that_was_read_before(node: SignInNode) -> None:
    ada = await node.users.register(ADA, PASSWORD, None, HERE)
    identity = await node.authenticator.identify(ada.token)
    assert identity is not None
    await erasure_of(node).erase(ada.user.id)
    for attempt in (
        node.keys.create(identity, "bot", frozenset({ApiScope.ADMIN}), None),
        node.users.update(identity, "Eve"),
        erasure_of(node).erase(ada.user.id),
    ):
        with pytest.raises(Unauthenticated):
            await attempt


async def test_a_refused_erasure_uses_no_recovery_code_up(node: SignInNode, pool: Pool) -> None:
    ada = await node.users.register(ADA, PASSWORD, None, HERE)
    await node.users.register(EVE, PASSWORD, None, HERE)
    identity = await node.authenticator.identify(ada.token)
    assert identity is not None
    await pool.execute(
        "INSERT INTO two_factors (user_id, sealed_secret, created_at, enabled_at, failures) "
        "VALUES ($1, '', now(), now(), 0)",
        ada.user.id,
    )
    service = ErasureService(
        node.database, erasure_of(node), node.passwords, SecondFactor(node.vault, node.clock), node.clock
    )
    with pytest.raises(InputError) as refused:
        await service.erase(identity, PASSWORD, "A" * 16)
    assert refused.value.code is ErrorCode.CONFLICT
    assert await pool.fetchval("SELECT failures FROM two_factors") == 0, "the code wasn't looked at"


async def test_an_erasure_clears_the_own_mails_and_nobody_else_s(mail: MailNode, pool: Pool) -> None:
    node = mail.node
    ada = await node.users.register(ADA, PASSWORD, None, HERE)
    eve = await node.users.register(EVE, PASSWORD, None, HERE)
    await pool.execute("UPDATE users SET role = 'OPERATOR'")
    await node.resets.request(ADA, HERE)  # names no user
    await pool.execute("UPDATE users SET email = 'ada@new.example.org' WHERE id = $1", ada.user.id)
    await node.resets.request(EVE, HERE)
    identity = await node.authenticator.identify(eve.token)
    assert identity is not None
    await node.emails.request_change(identity, "ada@new.example.org", PASSWORD, HERE)
    await erasure_of(node).erase(ada.user.id)
    left = await pool.fetch("SELECT kind, recipient FROM mails ORDER BY kind")
    assert [tuple(row) for row in left] == [
        ("EMAIL_CHANGE", "ada@new.example.org"), ("EMAIL_VERIFICATION", EVE), ("PASSWORD_RESET", EVE),
    ]  # fmt: skip
