"""Sign-in at a real OpenID provider on loopback, which answers as it should, or as the test says."""

import asyncio
import secrets
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from domain.core.errors import ErrorCode, Forbidden, InputError, RateLimited, Unavailable
from domain.core.pagination import KeysetPage
from domain.model.users import ApiScope, Device, Identity, UserRole
from domain.users.oidc_attempts import (
    ATTEMPT_LIFE,
    ATTEMPTS_PER_ADDRESS_AND_HOUR,
    RESULT_LIFE,
    SignInFailed,
    challenge_of,
)
from domain.users.recent_sign_in import RECENT
from domain.users.registration import Registration
from domain.users.sign_in import SignedIn
from infra.postgres.pool import Pool
from tests.support.mailing import MailNode
from tests.support.oidc_provider import CLIENT_ID, IGNORED_WARNING, LoopbackProvider
from tests.support.sign_in import SignInNode

ADA, ROOT, PASSWORD, HERE = "ada@example.com", "root@example.com", "correct horse battery", "192.0.2.1"

pytestmark = pytest.mark.filterwarnings(IGNORED_WARNING)


@pytest.fixture
async def oidc(node: SignInNode, provider: LoopbackProvider) -> SignInNode:
    """A node with the provider, and an operator who is registered already."""
    node = replace(node, oidc_providers=(provider.settings,))
    await node.users.register(ROOT, PASSWORD, None, HERE)
    return node


@dataclass
class Client:
    """A program that signs its user in at the provider."""

    node: SignInNode
    provider: LoopbackProvider
    subject: str

    def __post_init__(self) -> None:
        self.verifier = secrets.token_urlsafe(32)

    async def start(self) -> str:
        return (await self.node.attempts.start("loop", challenge_of(self.verifier), HERE)).url

    async def bring(self, **claims: object) -> dict[str, str]:
        """Return what the browser brings back from the provider."""
        return await self.provider.sign_in(await self.start(), self.subject, **claims)

    async def code(self, **claims: object) -> str:
        """Return the code with which the client finishes the sign-in."""
        return await finish(self.node, await self.bring(**claims))

    async def sign_in(self, **claims: object) -> SignedIn:
        return await self.node.oidc.sign_in(await self.code(**claims), self.verifier, HERE)


async def finish(node: SignInNode, brought: dict[str, str]) -> str:
    return await node.attempts.finish("loop", brought["state"], brought.get("code"), brought.get("iss"))


def hours_later(node: SignInNode, provider: LoopbackProvider) -> None:
    """Move the clock so far that a sign-in isn't recent, and let the provider date its tokens by it."""
    node.clock.move(RECENT.total_seconds() + 1)
    now = int(node.clock.now().timestamp())

    def dated(claims: dict[str, Any], key: RSAKey) -> str:
        return jwt.encode({"alg": "RS256"}, {**claims, "iat": now, "exp": now + 60}, key)

    provider.change_token = dated


async def failed(attempt: object) -> str:
    with pytest.raises(SignInFailed) as error:
        await attempt  # type: ignore[misc]
    return error.value.reason


async def refused(attempt: object) -> ErrorCode:
    with pytest.raises(InputError) as error:
        await attempt  # type: ignore[misc]
    return error.value.code


async def identity_of(node: SignInNode, signed: SignedIn) -> Identity:
    identity = await node.authenticator.identify(signed.token)
    assert identity is not None
    return identity


@pytest.fixture
def ada(oidc: SignInNode, provider: LoopbackProvider) -> Client:
    return Client(oidc, provider, f"ada-{secrets.token_hex(4)}")


# ---- signing in


async def test_who_signs_in_at_a_provider_first_is_registered_and_is_the_same_user_later(
    oidc: SignInNode, ada: Client
) -> None:
    first = await ada.sign_in(email=ADA.upper(), email_verified=True, name="Ada")
    assert (first.user.email, first.user.display_name, first.user.role) == (ADA, "Ada", UserRole.USER)
    assert first.user.email_verified_at == oidc.clock.now()
    again = await ada.sign_in(email="ada@new.example.org")
    assert again.user.id == first.user.id, "the subject says who it is, whatever becomes of the email"
    async with oidc.database.read_only() as reading:
        sessions = await reading.users.login_sessions(first.user.id, oidc.clock.now())
        (linked,) = await reading.oidc.list_of_user(first.user.id)
        actions = [entry.action for entry in await reading.users.activity(first.user.id, KeysetPage(10))]
    assert {session.provider for session in sessions} == {"loop"}
    assert (linked.subject, linked.email, linked.last_used_at) == (ada.subject, "ada@new.example.org", oidc.clock.now())
    assert actions == ["oidcSignIn", "userRegister"]


async def test_the_request_to_the_provider_binds_the_answer_to_the_attempt(
    ada: Client, provider: LoopbackProvider
) -> None:
    asked = [parse_qs(urlsplit(await ada.start()).query) for _ in range(2)]
    assert asked[0]["redirect_uri"] == ["https://engine.example.com/sign-in/loop/callback"]
    assert (asked[0]["response_type"], asked[0]["code_challenge_method"]) == (["code"], ["S256"])
    assert asked[0]["client_id"] == [CLIENT_ID]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]


async def test_an_email_that_the_provider_has_not_verified_is_not_verified_here(
    mail: MailNode, provider: LoopbackProvider
) -> None:
    node = replace(mail.node, oidc_providers=(provider.settings,))
    signed = await Client(node, provider, "unverified").sign_in(email=ADA)
    assert signed.user.email_verified_at is None
    assert "Confirm that it is yours" in (await mail.texts(ADA))[0]


async def test_nobody_gets_into_an_account_by_its_email(oidc: SignInNode, ada: Client) -> None:
    await oidc.users.register(ADA, PASSWORD, None, HERE)
    await oidc.mark_verified(ADA)
    assert await refused(ada.sign_in(email=ADA, email_verified=True)) is ErrorCode.EMAIL_TAKEN
    async with oidc.database.read_only() as reading:
        assert await reading.oidc.find(ada.provider.issuer, ada.subject) is None


@pytest.mark.parametrize("claims", [{}, {"email": "nonsense"}, {"email": 7}, {"email": "a" * 300 + "@example.com"}])
async def test_without_an_email_nobody_is_registered(ada: Client, claims: dict[str, Any]) -> None:
    assert await refused(ada.sign_in(**claims)) is ErrorCode.INVALID


async def test_a_closed_server_lets_in_who_is_linked_or_invited_and_nobody_else(oidc: SignInNode, ada: Client) -> None:
    closed = ada.node = replace(oidc, registration=Registration.CLOSED)
    assert await refused(ada.sign_in(email=ADA, email_verified=True)) is ErrorCode.UNSUPPORTED
    invited = await closed.invitations.invite_by_machine(ADA, UserRole.OPERATOR, None)
    bob = Client(closed, ada.provider, "bob")
    code = await bob.code(email="bob@example.com")
    wrong = closed.oidc.sign_in(code, bob.verifier, HERE, invitation_code=invited.code)
    assert await refused(wrong) is ErrorCode.CREDENTIALS_REJECTED
    code = await ada.code(email=ADA, email_verified=True)
    signed = await closed.oidc.sign_in(code, ada.verifier, HERE, invitation_code=invited.code)
    assert signed.user.role is UserRole.OPERATOR
    assert (await ada.sign_in()).user.id == signed.user.id


async def test_a_second_factor_is_asked_for_and_the_code_of_the_sign_in_is_still_good_then(
    oidc: SignInNode, ada: Client
) -> None:
    import pyotp  # noqa: PLC0415  # only here

    signed = await ada.sign_in(email=ADA)
    identity = await identity_of(oidc, signed)
    made = await oidc.two_factor.set_up(identity, None)
    app = pyotp.TOTP(made.secret)
    await oidc.two_factor.enable(identity, app.at(oidc.clock.now()))
    oidc.clock.move(30)
    code = await ada.code()
    assert await refused(oidc.oidc.sign_in(code, ada.verifier, HERE)) is ErrorCode.TWO_FACTOR_REQUIRED
    wrong = oidc.oidc.sign_in(code, ada.verifier, HERE, "000000")
    assert await refused(wrong) is ErrorCode.CREDENTIALS_REJECTED
    right = await oidc.oidc.sign_in(code, ada.verifier, HERE, app.at(oidc.clock.now()))
    assert right.user.id == signed.user.id


async def test_a_disabled_user_is_not_signed_in_and_an_erased_one_is_a_stranger(
    oidc: SignInNode, ada: Client, pool: Pool
) -> None:
    first = await ada.sign_in(email=ADA)
    await pool.execute("UPDATE users SET disabled_at = now() WHERE id = $1", first.user.id)
    assert await refused(ada.sign_in()) is ErrorCode.USER_DISABLED
    async with oidc.database.transaction() as transaction:
        await transaction.personal_data.erase(first.user.id, oidc.clock.now())
    assert await pool.fetchval("SELECT count(*) FROM linked_identities") == 0
    assert (await ada.sign_in(email=ADA)).user.id != first.user.id


async def test_a_sign_in_on_a_new_device_is_reported(mail: MailNode, provider: LoopbackProvider) -> None:
    node = replace(mail.node, oidc_providers=(provider.settings,))
    ada = Client(node, provider, "ada-with-devices")
    await ada.sign_in(email=ADA, email_verified=True)
    code = await ada.code()
    await node.oidc.sign_in(code, ada.verifier, HERE, device=Device("198.51.100.7", "a browser"))
    assert "from 198.51.100.7" in (await mail.texts(ADA))[-1]


# ---- the code for the client


async def test_the_code_is_used_once_in_time_and_by_the_client_that_started(oidc: SignInNode, ada: Client) -> None:
    code = await ada.code(email=ADA)
    eve = secrets.token_urlsafe(32)
    assert await refused(oidc.oidc.sign_in(code, eve, HERE)) is ErrorCode.CREDENTIALS_REJECTED
    outcomes = await asyncio.gather(
        *(oidc.oidc.sign_in(code, ada.verifier, HERE) for _ in range(3)), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InputError"] * 2 + ["SignedIn"]
    late = await ada.code()
    oidc.clock.move(RESULT_LIFE.total_seconds())
    assert await refused(oidc.oidc.sign_in(late, ada.verifier, HERE)) is ErrorCode.CREDENTIALS_REJECTED


async def test_neither_state_nor_code_is_stored_as_it_is(oidc: SignInNode, ada: Client, pool: Pool) -> None:
    brought = await ada.bring(email=ADA)
    stored = await pool.fetchval("SELECT string_agg(a::text, ' ') FROM oidc_attempts a")
    assert brought["state"] not in stored
    code = await finish(oidc, brought)
    assert code not in await pool.fetchval("SELECT string_agg(a::text, ' ') FROM oidc_attempts a")
    async with oidc.database.transaction() as transaction:
        assert await transaction.oidc.delete_expired(oidc.clock.now(), 10) == 0
        assert await transaction.oidc.delete_expired(oidc.clock.now() + RESULT_LIFE, 10) == 1


@pytest.mark.parametrize("challenge", ["", "x", "x" * 44, "=" * 43, "é" * 43])
async def test_what_is_no_challenge_and_no_provider_is_refused(oidc: SignInNode, challenge: str) -> None:
    assert await refused(oidc.attempts.start("loop", challenge, HERE)) is ErrorCode.INVALID
    assert await refused(oidc.attempts.start("nosuch", challenge_of("x"), HERE)) is ErrorCode.NOT_FOUND


async def test_sign_ins_that_are_started_are_limited_by_address(oidc: SignInNode, ada: Client) -> None:
    for _ in range(ATTEMPTS_PER_ADDRESS_AND_HOUR):
        await oidc.cache.increment(f"oidc:{HERE}", 3_600.0)
    with pytest.raises(RateLimited):
        await ada.start()
    await oidc.attempts.start("loop", challenge_of("x"), "198.51.100.1")


# ---- what the browser brings back


async def test_what_the_browser_brings_back_is_taken_once_and_in_time(oidc: SignInNode, ada: Client) -> None:
    brought = await ada.bring(email=ADA)
    await finish(oidc, brought)
    assert await failed(finish(oidc, brought)) == "expired"
    assert await failed(finish(oidc, {"state": "made up", "code": "x"})) == "expired"
    late = await ada.bring()
    oidc.clock.move(ATTEMPT_LIFE.total_seconds())
    assert await failed(finish(oidc, late)) == "expired"


async def test_who_cancels_at_the_provider_is_not_signed_in(oidc: SignInNode, ada: Client) -> None:
    brought = await ada.provider.deny(await ada.start())
    assert brought["error"] == "access_denied"
    assert await failed(finish(oidc, {"state": brought.get("state", "")})) in {"denied", "expired"}


async def test_an_authorization_code_of_another_attempt_is_worthless(oidc: SignInNode, ada: Client) -> None:
    mine, stolen = (
        await ada.bring(email=ADA),
        await Client(oidc, ada.provider, "victim").bring(email="victim@example.com"),
    )
    assert await failed(finish(oidc, {**mine, "code": stolen["code"]})) == "rejected", "by PKCE"
    mine, stolen = await ada.bring(), await Client(oidc, ada.provider, "victim").bring()
    ada.provider.challenges.clear()  # a provider without PKCE
    assert await failed(finish(oidc, {**mine, "code": stolen["code"]})) == "rejected", "by the nonce"


async def test_an_answer_of_another_provider_is_not_taken(oidc: SignInNode, ada: Client) -> None:
    brought = await ada.bring(email=ADA)
    other = oidc.attempts.finish("other", brought["state"], brought["code"], None)
    assert await failed(other) == "expired"
    brought = await ada.bring()
    assert await failed(finish(oidc, {**brought, "iss": "https://other.example.com"})) == "rejected"
    brought = await ada.bring()
    await finish(oidc, {**brought, "iss": ada.provider.issuer})


# ---- a provider in trouble


async def test_a_provider_that_cannot_be_believed_or_reached_signs_nobody_in(
    ada: Client, provider: LoopbackProvider
) -> None:
    provider.change_token = lambda _claims, _key: "nonsense"
    assert await failed(ada.code(email=ADA)) == "rejected"
    provider.change_token = None
    brought = await ada.bring(email=ADA)
    provider.answers["/oauth2/token"] = 500, ""
    assert await failed(finish(ada.node, brought)) == "unavailable"


async def test_a_provider_that_is_down_is_unavailable_and_harms_nobody_else(oidc: SignInNode) -> None:
    down = oidc.oidc_providers[0].model_copy(update={"issuer": "http://127.0.0.1:9"})
    node = replace(oidc, oidc_providers=(down,))
    with pytest.raises(Unavailable):
        await node.attempts.start("loop", challenge_of("x"), HERE)
    assert (await node.users.login(ROOT, PASSWORD, HERE)).user.email == ROOT


# ---- linking


async def test_a_signed_in_user_links_and_unlinks_an_identity_and_gets_mails_about_it(
    mail: MailNode, provider: LoopbackProvider
) -> None:
    node = replace(mail.node, oidc_providers=(provider.settings,))
    signed = await node.users.register(ADA, PASSWORD, None, HERE)
    await node.mark_verified(ADA)
    identity, client = await identity_of(node, signed), Client(node, provider, "ada-who-links")
    linked = await node.oidc.link(identity, await client.code(email="ada@elsewhere.example"), client.verifier, HERE)
    assert (await client.sign_in(email="ada@elsewhere.example")).user.id == signed.user.id
    await node.oidc.unlink(identity, linked.id)
    assert await refused(node.oidc.unlink(identity, linked.id)) is ErrorCode.NOT_FOUND
    stranger = await client.sign_in(email="ada@elsewhere.example")
    assert stranger.user.id != signed.user.id
    texts = "".join(await mail.texts(ADA))
    assert "was linked to your account" in texts
    assert "was unlinked from your account" in texts


async def test_an_identity_is_one_users_alone(oidc: SignInNode, ada: Client) -> None:
    await ada.sign_in(email=ADA)
    eve = await identity_of(oidc, await oidc.users.register("eve@example.com", PASSWORD, None, HERE))
    assert await refused(oidc.oidc.link(eve, await ada.code(), ada.verifier, HERE)) is ErrorCode.CONFLICT
    code = await ada.code()
    assert await refused(oidc.oidc.link(eve, code, "of eve", HERE)) is ErrorCode.CREDENTIALS_REJECTED


async def test_linking_needs_a_recent_sign_in_and_no_key_may(oidc: SignInNode, ada: Client) -> None:
    root = await identity_of(oidc, await oidc.users.login(ROOT, PASSWORD, HERE))
    _, secret = await oidc.keys.create(root, "bot", frozenset({ApiScope.ADMIN}), None)
    key = await oidc.authenticator.identify(secret)
    assert key is not None
    hours_later(oidc, ada.provider)
    code = await ada.code(email=ADA)
    for attempt in (oidc.oidc.link(key, code, ada.verifier, HERE), oidc.oidc.unlink(key, root.user.id)):
        with pytest.raises(Forbidden):
            await attempt
    assert await refused(oidc.oidc.link(root, code, ada.verifier, HERE)) is ErrorCode.CONFIRMATION_REQUIRED
    await oidc.confirmations.confirm(root, PASSWORD, None)
    linked = await oidc.oidc.link(root, code, ada.verifier, HERE)
    oidc.clock.move(RECENT.total_seconds() + 1)
    assert await refused(oidc.oidc.unlink(root, linked.id)) is ErrorCode.CONFIRMATION_REQUIRED


async def test_who_has_no_password_keeps_one_way_in_and_can_set_a_password(oidc: SignInNode, ada: Client) -> None:
    signed = await ada.sign_in(email=ADA)
    identity = await identity_of(oidc, signed)
    async with oidc.database.read_only() as reading:
        (linked,) = await reading.oidc.list_of_user(signed.user.id)
    assert await refused(oidc.users.login(ADA, "", HERE)) is ErrorCode.CREDENTIALS_REJECTED
    assert await refused(oidc.oidc.unlink(identity, linked.id)) is ErrorCode.CONFLICT
    hours_later(oidc, ada.provider)
    late = oidc.users.update(identity, password=PASSWORD)
    assert await refused(late) is ErrorCode.CONFIRMATION_REQUIRED
    assert await refused(oidc.confirmations.confirm(identity, PASSWORD, None)) is ErrorCode.CONFIRMATION_REQUIRED
    identity = await identity_of(oidc, await ada.sign_in())
    await oidc.users.update(identity, password=PASSWORD)
    await oidc.oidc.unlink(identity, linked.id)
    assert (await oidc.users.login(ADA, PASSWORD, HERE)).user.id == signed.user.id


async def test_who_proves_an_email_first_by_a_reset_ends_the_identities_of_who_registered_it(
    mail: MailNode, provider: LoopbackProvider
) -> None:
    node = replace(mail.node, oidc_providers=(provider.settings,))
    eve = Client(node, provider, "eve-who-squats")
    squatted = await eve.sign_in(email=ADA)
    await mail.texts(ADA)
    await node.resets.request(ADA, HERE)
    await node.resets.reset(await mail.code(ADA), PASSWORD, HERE, None)
    assert (await node.users.login(ADA, PASSWORD, HERE)).user.id == squatted.user.id
    assert await refused(eve.sign_in(email=ADA)) is ErrorCode.EMAIL_TAKEN
