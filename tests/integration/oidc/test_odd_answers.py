"""What a provider writes is refused or passed over where it is of another type than the standard says."""

import json
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import RSAKey
from joserfc.util import urlsafe_b64encode

from domain.core.errors import Unavailable
from domain.model.oidc import ExternalIdentity
from domain.ports.oidc import OidcRejected
from infra.oidc.client import AiohttpOidcClient
from tests.support.http_client import http_client
from tests.support.oidc_provider import CLIENT_ID, IGNORED_WARNING, LoopbackProvider
from tests.support.oidc_visitor import ADA, Ada

WELL_KNOWN, JWKS, TOKEN = "/.well-known/openid-configuration", "/jwks", "/oauth2/token"
ODD: tuple[Any, ...] = (None, True, 7, -1.5, 10**400, "", "true", "\ud800", "a\0b", [], [[]], ["true"], {}, {"a": [1]})
"""JSON values, among which every claim and every member of an answer finds some that it can't be."""

pytestmark = pytest.mark.filterwarnings(IGNORED_WARNING)


@pytest.fixture
async def key(ada: Ada, provider: LoopbackProvider) -> RSAKey:
    """The key by which the provider signs; the client has read it."""
    await ada.sign_in()
    return RSAKey.import_key(provider.storage().jwk.as_dict(is_private=True))


async def outcome(attempt: Awaitable[object]) -> object:
    """Return what the client found, or None if it refused; anything else that is raised is a failure."""
    try:
        return await attempt
    except (OidcRejected, Unavailable):
        return None


async def redeemed(ada: Ada, **tokens: object) -> object:
    """Return what becomes of tokens in the place of the provider's own."""
    ada.provider.answers[TOKEN] = 200, json.dumps(tokens)
    return await outcome(ada.client.redeem((await ada.start())[0], "code"))


async def redeemed_claims(ada: Ada, key: RSAKey, changes: dict[str, object], **tokens: object) -> object:
    """Return what becomes of a token that the provider has signed."""
    attempt, _ = await ada.start()
    now = int(ada.clock.now().timestamp())
    claims = {
        "iss": ada.provider.issuer, "aud": CLIENT_ID, "sub": "ada", "exp": now + 60, "iat": now,
        "nonce": attempt.nonce, **changes,
    }  # fmt: skip
    ada.provider.answers[TOKEN] = 200, json.dumps({"id_token": signed(json.dumps(claims).encode(), key), **tokens})
    return await outcome(ada.client.redeem(attempt, "code"))


def signed(payload: bytes, key: RSAKey) -> str:
    return jws.serialize_compact({"alg": "RS256", "kid": key.kid}, payload, key, ["RS256"])


@pytest.mark.parametrize(
    "claim",
    ["iss", "aud", "azp", "sub", "exp", "iat", "nbf", "jti", "nonce", "email", "email_verified", "name", "picture"],
)
async def test_a_claim_of_any_type_is_refused_or_passed_over(ada: Ada, key: RSAKey, claim: str) -> None:
    for odd in ODD:
        found = await redeemed_claims(ada, key, {"email": ADA, claim: odd})
        if found is not None:
            assert isinstance(found, ExternalIdentity)
            assert "".join([found.subject, found.email or "", found.name or ""]).encode(), "it can be stored"
            assert found.email_verified is (claim == "email_verified" and (odd is True or odd == "true"))


async def test_claims_that_are_no_object_are_refused(ada: Ada, key: RSAKey) -> None:
    for payload in (b'{"sub":' + b"[" * 100_000, b"[]", b"7", b"", b"\xff"):
        assert await redeemed(ada, id_token=signed(payload, key)) is None


async def test_a_header_of_a_token_of_any_type_is_refused(ada: Ada, key: RSAKey) -> None:
    for member in ("alg", "kid", "typ", "crit", "b64", "jwk", "x5c", "zip"):
        for odd in ODD:
            parts = (json.dumps({"alg": "RS256", "kid": key.kid, member: odd}), "{}", "nonsense")
            token = ".".join(urlsafe_b64encode(part.encode()).decode() for part in parts)
            assert await redeemed(ada, id_token=token) is None


async def test_tokens_of_any_type_are_refused(ada: Ada) -> None:
    for odd in ODD:
        assert await redeemed(ada, id_token=odd, access_token=odd) is None


@pytest.mark.parametrize("odd", ["a\r\nx: y", "\u20ac", "", [], None])
async def test_an_access_token_that_fits_no_header_is_not_sent(
    ada: Ada, provider: LoopbackProvider, key: RSAKey, odd: object
) -> None:
    found = await redeemed_claims(ada, key, {}, access_token=odd)
    assert isinstance(found, ExternalIdentity)
    assert found.email is None
    assert "/userinfo" not in provider.requests


def afresh(ada: Ada) -> Ada:
    """Return her with a client that knows nothing yet of the provider."""
    client = AiohttpOidcClient((ada.provider.settings,), "https://engine.example.com", ada.clock)
    return replace(ada, client=client)


@pytest.mark.filterwarnings("ignore:Key size should be")
async def test_keys_of_any_form_are_passed_over(ada: Ada, provider: LoopbackProvider, key: RSAKey) -> None:
    public = key.as_dict(private=False)
    bases = (public, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, {"kty": "OKP", "crv": "Ed25519", "x": "AA"})
    members = ("kty", "kid", "n", "e", "use", "key_ops", "alg", "crv", "x", "y", "x5c")
    decoded = [odd for odd in ODD if odd != "\ud800"]  # with that one no JSON can be read
    changed = [{**base, member: odd} for base in bases for member in members for odd in decoded]
    provider.answers[JWKS] = 200, json.dumps({"keys": [*decoded, *changed, {**public, "kid": "the good one"}]})
    good = RSAKey.import_key({**key.as_dict(private=True), "kid": "the good one"})
    assert isinstance(await redeemed_claims(afresh(ada), good, {}), ExternalIdentity)


async def test_keys_that_are_no_list_are_no_answer(ada: Ada, provider: LoopbackProvider, key: RSAKey) -> None:
    fresh = afresh(ada)
    for odd in ODD:
        if not isinstance(odd, list):
            provider.answers[JWKS] = 200, json.dumps({"keys": odd})
            assert await redeemed_claims(fresh, key, {}) is None
    del provider.answers[JWKS]
    assert isinstance(await redeemed_claims(fresh, key, {}), ExternalIdentity), "nothing of it is kept"


@pytest.mark.parametrize(
    "name",
    [
        "issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint",
        "token_endpoint_auth_methods_supported",
    ],
)  # fmt: skip
async def test_metadata_of_any_type_is_no_answer_or_passed_over(
    ada: Ada, provider: LoopbackProvider, key: RSAKey, name: str
) -> None:
    async with http_client() as browser:
        good = (await browser.get(provider.issuer + WELL_KNOWN)).json()
    addresses = ("http://localhost:99999999/", "https://[::1", f"http://localhost/{'a' * 64}\u20ac")
    for odd in (*ODD, *addresses):
        provider.answers[WELL_KNOWN] = 200, json.dumps({**good, name: odd})
        fresh = afresh(ada)
        if await outcome(fresh.start()) is not None:
            await redeemed_claims(fresh, key, {}, access_token="x")
