import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from domain.core.pagination import KeysetPage
from domain.model.users import Activity, ApiKey, ApiScope, LoginSession, User, UserRole
from infra.postgres.database import PostgresDatabase
from tests.support.users import a_user, ids, stored_user

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_session(user: User, expires_at: datetime = NOW + HOUR) -> LoginSession:
    return LoginSession(ids.next_id(), user.id, NOW, NOW, expires_at)


def a_key(user: User) -> ApiKey:
    return ApiKey(ids.next_id(), user.id, "bot", frozenset({ApiScope.READ, ApiScope.TRADE}), NOW, None, None)


async def test_the_first_user_is_the_operator_and_the_second_is_not(database: PostgresDatabase) -> None:
    first, second = await stored_user(database), await stored_user(database)

    assert first.role is UserRole.OPERATOR
    assert second.role is UserRole.USER


async def test_of_many_who_register_at_once_exactly_one_is_the_operator(database: PostgresDatabase) -> None:
    users = await asyncio.gather(*(stored_user(database) for _ in range(8)))

    assert [user.role for user in users].count(UserRole.OPERATOR) == 1


async def test_a_user_is_found_as_stored(database: PostgresDatabase) -> None:
    await stored_user(database)
    user = a_user(display_name="Ana")
    async with database.transaction() as transaction:
        await transaction.users.add(user, "the hash")

    async with database.read_only() as reading:
        assert await reading.users.get(user.id) == user
        assert await reading.users.get_by_email(user.email) == (user, "the hash")
        assert await reading.users.password_hash(user.id) == "the hash"
        assert await reading.users.get(ids.next_id()) is None
        assert await reading.users.get_by_email("nobody@example.com") is None


async def test_a_taken_email_is_refused_and_the_transaction_goes_on(database: PostgresDatabase) -> None:
    user = await stored_user(database)
    async with database.transaction() as transaction:
        assert not await transaction.users.add(a_user(email=user.email), "other")
        await transaction.users.set_password(user.id, "changed")

    async with database.read_only() as reading:
        assert await reading.users.get_by_email(user.email) == (user, "changed")


async def test_an_email_that_is_not_lower_case_or_too_long_can_not_be_stored(database: PostgresDatabase) -> None:
    for email in ("Ana@example.com", "a" * 243 + "@example.com"):
        with pytest.raises(asyncpg.CheckViolationError):
            await stored_user(database, email=email)


async def test_changes_of_a_user_are_kept(database: PostgresDatabase) -> None:
    user = await stored_user(database)
    changed = replace(user, display_name="Ana", role=UserRole.USER)
    async with database.transaction() as transaction:
        await transaction.users.update(changed)
    async with database.transaction() as transaction:
        assert await transaction.users.get(user.id) == changed
        promoted = await transaction.users.set_role(user.email, UserRole.OPERATOR)

    assert promoted == replace(changed, role=UserRole.OPERATOR)


async def test_a_login_session_is_found_by_its_token_until_it_is_revoked(database: PostgresDatabase) -> None:
    user = await stored_user(database)
    session = a_session(user)
    async with database.transaction() as transaction:
        users = transaction.users
        await users.add_login_session(session, b"hash")
        await users.touch_login_session(session.id, NOW + HOUR / 2)
        seen = replace(session, last_seen_at=NOW + HOUR / 2)

        assert await users.login_session_by_token(b"hash") == (seen, user)
        assert await users.login_session_by_token(b"other") is None
        assert await users.revoke_login_session(ids.next_id(), session.id, NOW) is None
        assert await users.revoke_login_session(user.id, session.id, NOW) == seen
        assert await users.revoke_login_session(user.id, session.id, NOW) is None
        assert await users.login_session_by_token(b"hash") is None


async def test_live_login_sessions_are_listed_and_the_others_ended(database: PostgresDatabase) -> None:
    user, stranger = await stored_user(database), await stored_user(database)
    sessions = [a_session(user), a_session(user), a_session(user, NOW - HOUR), a_session(stranger)]
    async with database.transaction() as transaction:
        users = transaction.users
        for number, session in enumerate(sessions):
            await users.add_login_session(session, bytes([number]))

        assert await users.login_sessions(user.id, NOW) == [sessions[1], sessions[0]]
        assert sessions[1].id in await users.revoke_other_login_sessions(user.id, sessions[0].id, NOW)
        assert await users.login_sessions(user.id, NOW) == [sessions[0]]
        assert await users.login_sessions(stranger.id, NOW) == [sessions[3]]
        assert await users.revoke_other_login_sessions(user.id, None, NOW) == [sessions[0].id]


async def test_an_api_key_is_found_by_its_secret_until_it_is_revoked(database: PostgresDatabase) -> None:
    user = await stored_user(database)
    key = a_key(user)
    async with database.transaction() as transaction:
        users = transaction.users
        await users.add_api_key(key, b"hash")
        await users.touch_api_key(key.id, NOW)
        used = replace(key, last_used_at=NOW)

        assert await users.api_key_by_secret(b"hash") == (used, user)
        assert await users.api_keys(user.id) == [used]
        assert await users.revoke_api_key(ids.next_id(), key.id, NOW) is None
        assert await users.revoke_api_key(user.id, key.id, NOW) == used
        assert await users.revoke_api_key(user.id, key.id, NOW) is None
        assert await users.api_key_by_secret(b"hash") is None
        assert await users.api_keys(user.id) == []


async def test_activity_is_paged_both_ways_and_private(database: PostgresDatabase) -> None:
    user, stranger = await stored_user(database), await stored_user(database)
    done = [Activity(ids.next_id(), user.id, NOW, "userLogin", detail=str(number)) for number in range(5)]
    async with database.transaction() as transaction:
        users = transaction.users
        for activity in done:
            await users.add_activity(activity)
        newest_first = done[::-1]

        assert await users.activity(user.id, KeysetPage(2)) == newest_first[:2]
        assert await users.activity(user.id, KeysetPage(2, after=newest_first[1].id)) == newest_first[2:4]
        assert await users.activity(user.id, KeysetPage(2, backwards=True)) == newest_first[3:]
        assert (
            await users.activity(user.id, KeysetPage(2, before=newest_first[3].id, backwards=True)) == newest_first[1:3]
        )
        assert await users.activity(stranger.id, KeysetPage(2)) == []
        assert await users.get_activity(user.id, done[0].id) == done[0]
        assert await users.get_activity(stranger.id, done[0].id) is None
