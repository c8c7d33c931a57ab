import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import argon2
import pytest

from domain.core.changes import UNCHANGED
from domain.core.errors import ErrorCode, Forbidden, InputError, RateLimited
from domain.model.users import ApiScope, Identity
from domain.users.service import SIGN_IN_SECONDS
from domain.users.sign_in import LOGIN_SESSION_LIFE, MAXIMUM_LOGIN_SESSIONS, SignedIn
from infra.embedded.bus import EmbeddedBus
from infra.postgres.pool import Pool
from infra.runtime.retention import purge_expired
from infra.security import Argon2Hasher
from tests.support.postgres import somebody_waits_for_a_lock
from tests.support.sign_in import AwayCache, SignInNode

EMAIL, PASSWORD, NEW_PASSWORD = "ada@example.com", "correct horse battery", "another good password"
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.1"


@pytest.fixture
async def ada(node: SignInNode) -> SignedIn:
    return await node.users.register(EMAIL, PASSWORD, None, HERE)


async def identity_of(node: SignInNode, token: str) -> Identity:
    identity = await node.authenticator.identify(token)
    assert identity is not None
    return identity


async def refused(attempt: object) -> InputError:
    with pytest.raises(InputError) as error:
        await attempt  # type: ignore[misc]
    return error.value


async def test_an_email_signs_in_in_every_case(node: SignInNode, ada: SignedIn) -> None:
    assert (await node.users.login("ADA@EXAMPLE.COM", PASSWORD, "")).user == ada.user


async def test_an_unknown_email_and_a_wrong_password_have_the_same_error(node: SignInNode, ada: SignedIn) -> None:
    wrong = await refused(node.users.login(EMAIL, "not the password", ""))
    unknown = await refused(node.users.login("nobody@example.com", PASSWORD, ""))
    no_text = await refused(node.users.login(EMAIL, "\ud800" * 12, ""))

    assert wrong.code is ErrorCode.CREDENTIALS_REJECTED
    assert repr(wrong) == repr(unknown) == repr(no_text)
    assert (await refused(node.users.login("ada@example", PASSWORD, ""))).code is ErrorCode.INVALID


async def test_an_unknown_email_costs_the_same_hash_as_a_wrong_password(
    node: SignInNode, ada: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs: list[str] = []
    verify = argon2.PasswordHasher.verify

    def record_cost(self: argon2.PasswordHasher, password_hash: str, password: str | bytes) -> bool:
        costs.append(password_hash.rsplit("$", 2)[0])
        return verify(self, password_hash, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", record_cost)
    for email in (EMAIL, "nobody@example.com"):
        await refused(node.users.login(email, "not the password", ""))

    assert costs[0].startswith("$argon2id$")
    assert costs == [costs[0]] * 2


async def test_after_ten_wrong_passwords_the_right_one_waits_and_gets_in(node: SignInNode, ada: SignedIn) -> None:
    for number in range(10):
        await refused(node.users.login(EMAIL, f"wrong password {number}", "192.0.2.7"))
    assert node.waits == []

    assert (await node.users.login(EMAIL, PASSWORD, "198.51.100.1")).user == ada.user
    assert len(node.waits) == 1


async def test_a_stolen_token_is_no_way_around_the_throttle(node: SignInNode, ada: SignedIn) -> None:
    identity = await identity_of(node, ada.token)
    for number in range(11):
        error = await refused(node.users.update(identity, UNCHANGED, NEW_PASSWORD, f"wrong password {number}"))
        assert (error.code, error.path) == (ErrorCode.CREDENTIALS_REJECTED, ("input", "currentPassword"))
    assert len(node.waits) == 1


async def test_wrong_present_passwords_of_one_user_slow_nobody_else_down(node: SignInNode, ada: SignedIn) -> None:
    identity = await identity_of(node, ada.token)
    for number in range(10):
        await refused(node.users.update(identity, UNCHANGED, NEW_PASSWORD, f"wrong password {number}"))
    bob = await node.users.register("bob@example.com", PASSWORD, None, HERE)
    await node.users.update(await identity_of(node, bob.token), UNCHANGED, NEW_PASSWORD, PASSWORD)
    await node.users.login(EMAIL, PASSWORD, ELSEWHERE)
    assert node.waits == []


async def test_a_client_that_has_signed_in_before_is_not_kept_out_by_what_others_try(
    node: SignInNode, ada: SignedIn
) -> None:
    for number in range(12):
        await refused(node.users.login(EMAIL, "wrong password", f"203.0.113.{number}"))
    waits = len(node.waits)
    await node.users.login(EMAIL, PASSWORD, HERE)
    assert len(node.waits) == waits
    await node.users.login(EMAIL, PASSWORD, ELSEWHERE)
    assert len(node.waits) == waits + 1


async def test_a_flood_of_wrong_passwords_is_refused_at_once_and_right_ones_of_others_get_in(
    node: SignInNode, ada: SignedIn
) -> None:
    node = replace(node, hasher=Argon2Hasher())  # which takes its time, so that all come while the first are checked
    flood = [
        asyncio.create_task(node.users.login("victim@example.com", "wrong password", f"203.0.113.{number}"))
        for number in range(150)
    ]
    await asyncio.sleep(0)
    assert (await node.users.login(EMAIL, PASSWORD, ELSEWHERE)).user == ada.user
    outcomes = await asyncio.gather(*flood, return_exceptions=True)
    limited = [outcome for outcome in outcomes if isinstance(outcome, RateLimited)]
    assert len(limited) >= 140
    assert all(fault.extensions["retryAfterSeconds"] >= 1 for fault in limited)


async def test_a_sign_in_that_nobody_waits_for_any_more_makes_no_session(
    node: SignInNode, ada: SignedIn, pool: Pool
) -> None:
    for number in range(10):
        await refused(node.users.login(EMAIL, "wrong password", f"203.0.113.{number}"))

    node.on_wait = lambda _seconds: node.clock.move(SIGN_IN_SECONDS + 0.1)
    with pytest.raises(RateLimited):
        await node.users.login(EMAIL, PASSWORD, ELSEWHERE)
    assert await pool.fetchval("SELECT count(*) FROM login_sessions") == 1


async def test_who_signs_in_ever_again_ends_the_oldest_sessions(node: SignInNode, ada: SignedIn, pool: Pool) -> None:
    node = replace(node, maximum_login_sessions=3)
    later = [await node.users.login(EMAIL, PASSWORD, HERE) for _ in range(3)]
    assert await node.authenticator.identify(ada.token) is None
    assert all([await node.authenticator.identify(signed.token) for signed in later])
    assert MAXIMUM_LOGIN_SESSIONS == 100


async def test_a_password_hashed_with_other_parameters_is_hashed_again_at_the_next_sign_in(
    node: SignInNode, ada: SignedIn, pool: Pool
) -> None:
    weak = await pool.fetchval("SELECT password_hash FROM users")
    assert "m=64,t=1" in weak
    node = replace(node, hasher=Argon2Hasher())
    await refused(node.users.login(EMAIL, "wrong password", HERE))
    assert await pool.fetchval("SELECT password_hash FROM users") == weak
    await node.users.login(EMAIL, PASSWORD, HERE)
    fresh = await pool.fetchval("SELECT password_hash FROM users")
    assert "m=65536,t=3" in fresh
    await node.users.login(EMAIL, PASSWORD, HERE)
    assert await pool.fetchval("SELECT password_hash FROM users") == fresh


@dataclass
class Case:
    """Two nodes of one engine: what is revoked on the one must be worthless on the other."""

    here: SignInNode
    there: SignInNode


@pytest.fixture(params=["a cache that works", "a cache that is away", "a bus that loses everything"])
async def case(request: pytest.FixtureRequest, node: SignInNode) -> Case:
    if request.param == "a cache that is away":
        node = replace(node, cache=AwayCache())
    there = node.another_node()
    if request.param == "a bus that loses everything":
        there = replace(there, bus=EmbeddedBus())
    await there.listen()
    return Case(node, there)


async def test_a_token_is_worthless_everywhere_at_once_when_its_bearer_logs_out(case: Case) -> None:
    signed = await case.here.users.register(EMAIL, PASSWORD, None, HERE)
    other = await case.here.users.login(EMAIL, PASSWORD, "")
    identity = await identity_of(case.there, signed.token)
    await identity_of(case.here, signed.token)

    await case.here.users.logout(identity)

    assert await case.here.authenticator.identify(signed.token) is None
    assert await case.there.authenticator.identify(signed.token) is None
    assert await case.there.authenticator.identify(other.token) is not None


async def test_a_key_is_worthless_everywhere_at_once_when_it_is_revoked(case: Case) -> None:
    signed = await case.here.users.register(EMAIL, PASSWORD, None, HERE)
    owner = await identity_of(case.here, signed.token)
    key, secret = await case.here.keys.create(owner, "bot", frozenset({ApiScope.READ}), None)
    assert (await identity_of(case.there, secret)).scopes == {ApiScope.READ}

    assert await case.here.keys.revoke(owner, key.id) == replace(key, last_used_at=case.here.clock.now())

    assert await case.there.authenticator.identify(secret) is None
    assert await case.here.authenticator.identify(secret) is None
    assert (await refused(case.here.keys.revoke(owner, key.id))).code is ErrorCode.NOT_FOUND


async def test_tokens_and_keys_end_by_themselves(case: Case) -> None:
    signed = await case.here.users.register(EMAIL, PASSWORD, None, HERE)
    owner = await identity_of(case.here, signed.token)
    soon = case.here.clock.now() + timedelta(seconds=2)
    _, secret = await case.here.keys.create(owner, "bot", frozenset({ApiScope.READ}), soon)
    await identity_of(case.there, secret)

    case.here.clock.move(2)
    assert await case.there.authenticator.identify(secret) is None

    case.here.clock.move(LOGIN_SESSION_LIFE.total_seconds() - 2.001)
    await identity_of(case.there, signed.token)
    case.here.clock.move(0.001)
    assert await case.there.authenticator.identify(signed.token) is None


async def test_a_new_password_signs_all_other_clients_out_everywhere(case: Case) -> None:
    signed = await case.here.users.register(EMAIL, PASSWORD, None, HERE)
    other = await case.here.users.login(EMAIL, PASSWORD, "")
    identity = await identity_of(case.here, signed.token)
    await identity_of(case.there, other.token)

    await case.here.users.update(identity, UNCHANGED, NEW_PASSWORD, PASSWORD)

    assert await case.there.authenticator.identify(other.token) is None
    assert await case.there.authenticator.identify(signed.token) is not None
    assert (await refused(case.here.users.login(EMAIL, PASSWORD, ""))).code is ErrorCode.CREDENTIALS_REJECTED
    assert (await case.here.users.login(EMAIL, NEW_PASSWORD, "")).user == signed.user


@pytest.mark.parametrize("credential", ["", "r3s_", "r3k_" + "x" * 43, "Basic abc", "r3s_é", "r3s_\ud800", "r3s_" * 99])
async def test_what_is_no_credential_is_nobody(node: SignInNode, ada: SignedIn, credential: str) -> None:
    assert await node.authenticator.identify(credential) is None


async def test_a_password_changed_while_a_log_in_is_under_way_ends_that_one_too(
    node: SignInNode, ada: SignedIn, pool: Pool
) -> None:
    async with node.database.transaction() as transaction:
        await transaction.users.password_hash(ada.user.id, lock=True)
        late = asyncio.create_task(node.users.login(EMAIL, PASSWORD, ""))
        await somebody_waits_for_a_lock(pool)
        await transaction.users.set_password(ada.user.id, "$argon2id$another")

    assert (await refused(late)).code is ErrorCode.CREDENTIALS_REJECTED


async def test_of_two_new_passwords_at_once_one_is_refused(node: SignInNode, ada: SignedIn) -> None:
    identity = await identity_of(node, ada.token)
    changes = [node.users.update(identity, UNCHANGED, f"{NEW_PASSWORD} {number}", PASSWORD) for number in range(2)]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InputError", "User"]


async def test_null_takes_a_name_away_and_nothing_given_leaves_it(node: SignInNode, ada: SignedIn) -> None:
    identity = await identity_of(node, ada.token)
    assert (await node.users.update(identity, " Ada ")).display_name == "Ada"
    assert (await node.users.update(identity)).display_name == "Ada"
    assert (await node.users.update(identity, None)).display_name is None


async def test_a_key_may_what_its_scope_includes_and_no_more(node: SignInNode, ada: SignedIn) -> None:
    owner = await identity_of(node, ada.token)
    _, secret = await node.keys.create(owner, "bot", frozenset({ApiScope.TRADE}), None)
    bot = await identity_of(node, secret)

    assert (bot.may(ApiScope.READ), bot.may(ApiScope.TRADE), bot.may(ApiScope.ADMIN)) == (True, True, False)


async def test_an_invalid_api_key_is_refused_with_the_reason(node: SignInNode, ada: SignedIn) -> None:
    owner, scopes = await identity_of(node, ada.token), frozenset({ApiScope.READ})
    now = node.clock.now()

    assert (await refused(node.keys.create(owner, " ", scopes, None))).path == ("input", "name")
    assert (await refused(node.keys.create(owner, "bot", frozenset(), None))).path == ("input", "scopes")
    for wrong in (now, datetime.max.replace(tzinfo=UTC)):
        assert (await refused(node.keys.create(owner, "bot", scopes, wrong))).path == ("input", "expiresAt")


async def test_a_user_has_at_most_a_hundred_keys_however_fast_they_ask(node: SignInNode, ada: SignedIn) -> None:
    owner, scopes = await identity_of(node, ada.token), frozenset({ApiScope.READ})
    outcomes: list[object] = []
    for start in range(0, 104, 8):  # more at once than there are connections would wait for one, and may give up
        asked = [node.keys.create(owner, f"bot {number}", scopes, None) for number in range(start, start + 8)]
        outcomes += await asyncio.gather(*asked, return_exceptions=True)

    refusals = [outcome for outcome in outcomes if isinstance(outcome, InputError)]
    assert [error.code for error in refusals] == [ErrorCode.LIMIT_REACHED] * 4


async def test_nobody_ends_a_session_or_a_key_of_somebody_else(node: SignInNode, ada: SignedIn) -> None:
    eve = await node.users.register("eve@example.com", PASSWORD, None, HERE)
    owner, thief = await identity_of(node, ada.token), await identity_of(node, eve.token)
    key, secret = await node.keys.create(owner, "bot", frozenset({ApiScope.READ}), None)

    assert (await refused(node.keys.revoke(thief, key.id))).code is ErrorCode.NOT_FOUND
    attempt = node.users.revoke_login_session(thief.user.id, owner.credential_id)
    assert (await refused(attempt)).code is ErrorCode.NOT_FOUND
    await identity_of(node, secret)
    await identity_of(node, ada.token)


async def test_logging_out_twice_is_no_mistake_and_a_key_cannot(node: SignInNode, ada: SignedIn) -> None:
    identity = await identity_of(node, ada.token)
    _, secret = await node.keys.create(identity, "bot", identity.scopes, None)
    await node.users.logout(identity)
    await node.users.logout(identity)

    assert (await refused(node.users.logout(await identity_of(node, secret)))).code is ErrorCode.UNSUPPORTED


async def test_a_session_has_the_minute_when_it_was_last_seen(node: SignInNode, ada: SignedIn) -> None:
    await identity_of(node, ada.token)
    node.clock.move(61)
    await identity_of(node, ada.token)

    async with node.database.read_only() as reading:
        (session,) = await reading.users.login_sessions(ada.user.id, node.clock.now())
    assert session.last_seen_at == node.clock.now()


async def test_the_hasher_salts_and_distinguishes_right_from_wrong() -> None:
    hasher = Argon2Hasher()
    first, second = await hasher.hash(PASSWORD), await hasher.hash(PASSWORD)

    assert first != second
    assert first.startswith("$argon2id$")
    assert await hasher.verify(first, PASSWORD)
    assert not await hasher.verify(first, PASSWORD + " ")
    assert not await hasher.verify("no hash at all", PASSWORD)
    assert not await hasher.verify(None, PASSWORD)
    hasher.close()


async def test_a_new_password_leaves_api_keys_alive_unless_they_are_to_end_too(case: Case) -> None:
    signed = await case.here.users.register(EMAIL, PASSWORD, None, HERE)
    identity = await identity_of(case.here, signed.token)
    made = [await case.here.keys.create(identity, str(n), frozenset({ApiScope.ADMIN}), None) for n in range(2)]
    secrets = [secret for _, secret in made]
    for secret in secrets:
        await identity_of(case.there, secret)
    await case.here.users.update(identity, UNCHANGED, NEW_PASSWORD, PASSWORD)
    await identity_of(case.here, secrets[0])

    by_key = await identity_of(case.here, secrets[0])
    await case.here.users.update(by_key, revoke_api_keys=True)
    await identity_of(case.here, secrets[0])
    assert await case.here.authenticator.identify(secrets[1]) is None


async def test_a_key_makes_no_key_of_any_scope(node: SignInNode, ada: SignedIn) -> None:
    identity = await identity_of(node, ada.token)
    _, secret = await node.keys.create(identity, "admin", frozenset({ApiScope.ADMIN}), None)
    by_key = await identity_of(node, secret)
    for scope in ApiScope:
        with pytest.raises(Forbidden, match="sign in"):
            await node.keys.create(by_key, "another", frozenset({scope}), None)


async def test_credentials_are_deleted_a_month_after_their_end_and_idempotency_keys_after_their_use(
    node: SignInNode, ada: SignedIn, pool: Pool
) -> None:
    identity = await identity_of(node, ada.token)
    ended = await node.users.login(EMAIL, PASSWORD, HERE)
    await node.users.logout(await identity_of(node, ended.token))
    key, _ = await node.keys.create(identity, "key", frozenset({ApiScope.READ}), None)
    await node.keys.create(identity, "live", frozenset({ApiScope.READ}), None)
    await node.keys.revoke(identity, key.id)
    async with node.database.transaction() as transaction:
        reservation = (identity.user.id, "orderPlace", "k", b"hash")
        assert await transaction.idempotency.reserve(*reservation, key.id, node.clock.now()) is None
    assert not any(await purge_expired(node.database, node.clock))
    node.clock.move(30 * 86_400 - 60)
    assert not any(await purge_expired(node.database, node.clock))
    node.clock.move(120)
    purged = await purge_expired(node.database, node.clock)
    assert (purged.credentials, purged.idempotency_keys, sum(purged)) == (2, 1, 3)
    assert await pool.fetchval("SELECT count(*) FROM login_sessions") == 1
    assert await pool.fetchval("SELECT count(*) FROM api_keys") == 1
    async with node.database.transaction() as transaction:
        assert await transaction.idempotency.reserve(*reservation, ada.user.id, node.clock.now()) is None
