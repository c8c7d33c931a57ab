import asyncio
from dataclasses import replace

import pytest

from domain.core.errors import ErrorCode, InputError, RateLimited
from domain.core.pagination import KeysetPage
from domain.model.events import UserEvent, UserEventKind
from domain.model.users import Activity, User, UserRole
from domain.users.registration import Registration
from infra.postgres.pool import Pool
from tests.support.sign_in import SignInNode

PASSWORD = "correct horse battery"
HERE = "192.0.2.1"


async def refused(attempt: object) -> ErrorCode:
    with pytest.raises(InputError) as error:
        await attempt  # type: ignore[misc]
    assert PASSWORD not in error.value.message
    return error.value.code


async def log_of(node: SignInNode, user: User) -> tuple[list[Activity], list[UserEvent]]:
    async with node.database.read_only() as reading:
        return await reading.users.activity(user.id, KeysetPage(100)), await reading.events.read_after(
            user.id, 0, None, 100
        )


async def test_the_first_user_is_the_operator_and_the_others_are_not(node: SignInNode) -> None:
    first = await node.users.register("ada@example.com", PASSWORD, "Ada", HERE)
    second = await node.users.register("bob@example.com", PASSWORD, None, HERE)

    assert (first.user.role, second.user.role) == (UserRole.OPERATOR, UserRole.USER)
    assert (await node.authenticator.identify(first.token)).user == first.user


async def test_each_error_of_a_registration_has_its_own_code(node: SignInNode) -> None:
    await node.users.register("ada@example.com", PASSWORD, None, HERE)

    assert await refused(node.users.register("ADA@Example.com ", PASSWORD, None, HERE)) is ErrorCode.EMAIL_TAKEN
    assert await refused(node.users.register("ada@example", PASSWORD, None, HERE)) is ErrorCode.INVALID
    assert await refused(node.users.register("bob@example.com", "too short", None, HERE)) is ErrorCode.PASSWORD_TOO_WEAK
    assert await refused(node.users.register("bob@example.com", PASSWORD, "\0", HERE)) is ErrorCode.INVALID


async def test_of_many_who_register_the_same_email_at_once_one_gets_it(node: SignInNode) -> None:
    tries = (node.users.register("ada@example.com", PASSWORD, None, HERE) for _ in range(4))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)

    assert sum(isinstance(outcome, InputError) for outcome in outcomes) == 3
    assert {outcome.code for outcome in outcomes if isinstance(outcome, InputError)} == {ErrorCode.EMAIL_TAKEN}


async def test_a_closed_server_registers_its_first_user_and_reveals_nobody_who_is_registered(node: SignInNode) -> None:
    closed = SignInNode(node.database, node.cache, node.bus, node.hasher, node.clock, Registration.CLOSED)
    first = await closed.users.register("ada@example.com", PASSWORD, None, HERE)

    assert first.user.role is UserRole.OPERATOR
    assert await refused(closed.users.register("bob@example.com", PASSWORD, None, HERE)) is ErrorCode.UNSUPPORTED
    assert await refused(closed.users.register("ada@example.com", PASSWORD, None, HERE)) is ErrorCode.UNSUPPORTED
    assert await refused(closed.users.login("bob@example.com", PASSWORD, "")) is ErrorCode.CREDENTIALS_REJECTED
    assert (await closed.users.login("ada@example.com", PASSWORD, "")).user == first.user


async def test_what_users_do_is_in_their_activity_and_in_their_log(node: SignInNode) -> None:
    signed = await node.users.register("ada@example.com", PASSWORD, None, HERE)
    await node.users.login("ada@example.com", PASSWORD, "")
    identity = await node.authenticator.identify(signed.token)
    await node.users.update(identity, "Ada")
    await node.users.logout(identity)

    activity, events = await log_of(node, signed.user)
    assert [entry.action for entry in activity] == ["userLogout", "userUpdate", "userLogin", "userRegister"]
    assert [event.subject for event in events] == activity[::-1]
    assert {event.kind for event in events} == {UserEventKind.ACTIVITY}


async def test_a_registration_that_fails_leaves_no_trace(node: SignInNode, pool: Pool) -> None:
    await node.users.register("ada@example.com", PASSWORD, None, HERE)
    before = await pool.fetchrow("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM activities)")
    await refused(node.users.register("ada@example.com", PASSWORD, None, HERE))

    assert await pool.fetchrow("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM activities)") == before


async def test_neither_password_nor_token_nor_secret_is_stored_as_it_is(node: SignInNode, pool: Pool) -> None:
    signed = await node.users.register("ada@example.com", PASSWORD, None, HERE)
    identity = await node.authenticator.identify(signed.token)
    _, secret = await node.keys.create(identity, "bot", identity.scopes, None)

    tables = [row[0] for row in await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    stored = "".join([str(await pool.fetch(f"SELECT * FROM {table}")) for table in tables])
    assert "ada@example.com" in stored
    assert "$argon2id$" in stored
    for kept_by_the_client in (PASSWORD, signed.token, secret):
        assert kept_by_the_client not in stored


async def test_an_address_registers_so_many_users_an_hour_and_others_go_on(node: SignInNode) -> None:
    node = replace(node, registrations_per_hour=2)
    for number in range(2):
        await node.users.register(f"{number}@example.com", PASSWORD, None, HERE)
    with pytest.raises(RateLimited):
        await node.users.register("2@example.com", PASSWORD, None, HERE)
    await node.users.register("2@example.com", PASSWORD, None, "198.51.100.1")
    node.clock.move(3_601)
    await node.users.register("3@example.com", PASSWORD, None, HERE)
