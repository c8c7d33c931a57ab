"""The engine as a client of a real OpenID provider on loopback, which answers as it should, or as the test says."""

import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from joserfc.util import urlsafe_b64encode

from domain.core.errors import Unavailable
from domain.model.oidc import ExternalIdentity
from infra.oidc.client import AiohttpOidcClient
from infra.oidc.discovery import KEYS_SECONDS, NEW_KEYS_SECONDS
from tests.support.http_client import http_client
from tests.support.oidc_provider import CLIENT_ID, IGNORED_WARNING, LoopbackProvider
from tests.support.oidc_visitor import ADA, Ada

WELL_KNOWN, JWKS, TOKEN = "/.well-known/openid-configuration", "/jwks", "/oauth2/token"

pytestmark = pytest.mark.filterwarnings(IGNORED_WARNING)


async def test_who_signs_in_is_known_by_issuer_and_subject(ada: Ada, provider: LoopbackProvider) -> None:
    found = await ada.sign_in(email_verified=True, name="Ada")
    assert found == ExternalIdentity("loop", provider.issuer, "ada", ADA, email_verified=True, name="Ada")
    assert await ada.sign_in(email_verified="false", name="a\0b") == ExternalIdentity(
        "loop", provider.issuer, "ada", ADA
    )


async def test_a_client_without_a_secret_proves_itself_by_pkce_alone(ada: Ada, provider: LoopbackProvider) -> None:
    public = provider.settings.model_copy(update={"client_secret": None})
    ada.client = AiohttpOidcClient((public,), "https://engine.example.com", ada.clock)
    provider.authenticates = "none"
    assert (await ada.sign_in()).subject == "ada"


async def test_a_provider_may_take_the_secret_in_the_body_alone(ada: Ada, provider: LoopbackProvider) -> None:
    async with http_client() as client:
        metadata = (await client.get(provider.issuer + WELL_KNOWN)).json()
    metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    provider.answers[WELL_KNOWN] = 200, json.dumps(metadata)
    provider.authenticates = "client_secret_post"
    assert (await ada.sign_in()).subject == "ada"


async def test_an_email_may_stand_in_the_userinfo_alone_and_is_believed_of_the_same_subject(
    ada: Ada, provider: LoopbackProvider
) -> None:
    def without_email(claims: dict[str, Any], key: RSAKey) -> str:
        return signed_token({name: one for name, one in claims.items() if not name.startswith("email")}, key)

    provider.change_token = without_email
    assert (await ada.sign_in(email_verified=True)).email == ADA
    provider.answers["/userinfo"] = 200, json.dumps({"sub": "somebody else", "email": "root@example.com"})
    await ada.rejected()


def signed_token(claims: dict[str, Any], key: Any) -> str:
    return jwt.encode({"alg": "RS256"} | ({"kid": key.kid} if key.kid else {}), claims, key)


def changed(**changes: object) -> Callable[[dict[str, Any], RSAKey], str]:
    def change(claims: dict[str, Any], key: RSAKey) -> str:
        claims |= changes
        return signed_token({name: one for name, one in claims.items() if one is not None}, key)

    return change


def unsigned(claims: dict[str, Any], _key: RSAKey) -> str:
    parts = (json.dumps({"alg": "none"}), json.dumps(claims))
    return ".".join([*(urlsafe_b64encode(part.encode()).decode() for part in parts), ""])


def signed_by_the_public_key(claims: dict[str, Any], key: RSAKey) -> str:
    """Return a token that passes if the provider's public key is taken for a secret that both sides share."""
    head, pem = {"alg": "HS256", "kid": key.kid}, key.as_pem(private=False)
    body = ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode() for part in (head, claims))
    return f"{body}.{urlsafe_b64encode(hmac.digest(pem, body.encode(), 'sha256')).decode()}"


def signed_by_somebody_else(claims: dict[str, Any], key: RSAKey) -> str:
    other = RSAKey.generate_key(2048, {"kid": key.kid} if key.kid else None)
    return signed_token(claims, other)


@pytest.mark.parametrize(
    "change",
    [
        changed(iss="https://other.example.com"), changed(iss=None),
        changed(aud="another client"), changed(aud=None), changed(aud=[CLIENT_ID, "another client"]),
        changed(azp="another client"),
        changed(exp=1), changed(exp=None), changed(exp="soon"), changed(iat=4_000_000_000), changed(iat=None),
        changed(nbf=4_000_000_000),
        changed(nonce="another"), changed(nonce=None), changed(nonce=["a"]),
        changed(sub=None), changed(sub=""), changed(sub=7), changed(sub="x" * 256), changed(sub="a\0b"),
        unsigned, signed_by_the_public_key, signed_by_somebody_else,
        lambda _claims, _key: "nonsense", lambda _claims, _key: "a.b.c", lambda _claims, _key: "",
        lambda _claims, _key: 7,
    ],
)  # fmt: skip
async def test_an_id_token_that_is_not_the_providers_for_this_sign_in_is_rejected(
    ada: Ada, provider: LoopbackProvider, change: Callable[[dict[str, Any], RSAKey], str]
) -> None:
    provider.change_token = change
    await ada.rejected()


async def test_an_id_token_for_several_clients_is_good_if_it_was_made_for_this_one(
    ada: Ada, provider: LoopbackProvider
) -> None:
    provider.change_token = changed(aud=[CLIENT_ID, "another client"], azp=CLIENT_ID)
    assert (await ada.sign_in()).email == ADA


async def test_new_keys_of_the_provider_are_fetched_when_a_token_has_one(ada: Ada, provider: LoopbackProvider) -> None:
    await ada.sign_in()
    await ada.sign_in()
    assert provider.requests.count(JWKS) == 1, "keys are kept"
    provider.rotate_keys()
    ada.clock.move(NEW_KEYS_SECONDS + 1)
    await ada.sign_in()
    assert provider.requests.count(JWKS) == 2


async def test_forged_tokens_cause_few_requests_for_keys(ada: Ada, provider: LoopbackProvider) -> None:
    await ada.sign_in()
    provider.change_token = signed_by_somebody_else
    for _ in range(3):
        await ada.rejected()
    assert provider.requests.count(JWKS) == 1


async def test_a_key_that_the_provider_has_taken_back_is_not_believed_for_long(
    ada: Ada, provider: LoopbackProvider
) -> None:
    await ada.sign_in()
    old = RSAKey.import_key(provider.storage().jwk.as_dict(is_private=True))
    provider.rotate_keys()
    ada.clock.move(KEYS_SECONDS + 1)
    provider.change_token = lambda claims, _key: signed_token(
        {**claims, "iat": int(ada.clock.now().timestamp()), "exp": int(ada.clock.now().timestamp()) + 60}, old
    )
    await ada.rejected()


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, ""), (200, "nonsense"), (200, "[]"), (200, "[" * 100_000), (302, ""), (200, "x" * 600_000)],
)
async def test_a_provider_that_answers_nonsense_is_unavailable(
    ada: Ada, provider: LoopbackProvider, status: int, body: str
) -> None:
    provider.answers[WELL_KNOWN] = status, body
    with pytest.raises(Unavailable):
        await ada.start()
    del provider.answers[WELL_KNOWN]
    for path in (TOKEN, JWKS):
        attempt, code = await ada.bring()
        provider.answers[path] = status, body
        with pytest.raises(Unavailable):
            await ada.client.redeem(attempt, code)
        del provider.answers[path]


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://other.example.com"}, {"issuer": None}, {"token_endpoint": "http://192.0.2.1/token"},
        {"jwks_uri": None}, {"authorization_endpoint": "javascript:alert(1)"}, {"userinfo_endpoint": "file:///etc"},
    ],
)  # fmt: skip
async def test_metadata_that_sends_users_or_codes_elsewhere_is_not_believed(
    ada: Ada, provider: LoopbackProvider, change: dict[str, Any]
) -> None:
    good = {
        "issuer": provider.issuer, "authorization_endpoint": f"{provider.issuer}/oauth2/authorize",
        "token_endpoint": f"{provider.issuer}/oauth2/token", "jwks_uri": f"{provider.issuer}/jwks",
    }  # fmt: skip
    provider.answers[WELL_KNOWN] = 200, json.dumps(good | change)
    with pytest.raises(Unavailable):
        await ada.start()
    provider.answers[WELL_KNOWN] = 200, json.dumps(good)
    assert await ada.start()
