"""The engine as a client of OpenID providers: the authorization code flow with PKCE (RFC 7636)."""

import base64
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeGuard
from urllib.parse import quote_plus, urlencode, urlsplit

from domain.core.clock import Clock
from domain.model.oidc import ExternalIdentity, OidcAttempt, SignInProvider
from domain.ports.oidc import OidcRejected
from domain.users.oidc_attempts import challenge_of
from infra.oidc.discovery import Discovery, Metadata
from infra.oidc.id_tokens import IdTokenVerifier
from infra.oidc.requests import fetch_json
from infra.oidc.settings import OidcProvider
from resolvers.oidc import callback_path

MAX_TEXT_CHARACTERS: Final = 254
MAX_CODE_CHARACTERS: Final = 4_096


class _Provider:
    def __init__(self, settings: OidcProvider, clock: Clock, public_url: str) -> None:
        self.settings = settings
        self.discovery = Discovery(settings, clock)
        self.verifier = IdTokenVerifier(settings, self.discovery, clock)
        self.redirect_uri = public_url.rstrip("/") + callback_path(settings.name)


class AiohttpOidcClient:
    """See `domain.ports.oidc.OidcClient`; `public_url` is where browsers reach the engine."""

    def __init__(self, providers: Sequence[OidcProvider], public_url: str, clock: Clock) -> None:
        self._known = {one.name: _Provider(one, clock, public_url) for one in providers}
        self.providers: Mapping[str, SignInProvider] = MappingProxyType(
            {one.name: SignInProvider(one.name, one.label or one.name, one.issuer) for one in providers}
        )

    async def authorization_url(self, attempt: OidcAttempt, state: str) -> str:
        provider = self._known[attempt.provider]
        endpoint = (await provider.discovery.metadata()).authorization_endpoint
        parameters = {
            "response_type": "code",
            "client_id": provider.settings.client_id,
            "redirect_uri": provider.redirect_uri,
            "scope": provider.settings.scopes,
            "state": state,
            "nonce": attempt.nonce,
            "code_challenge": challenge_of(attempt.verifier),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(parameters)}"

    async def redeem(self, attempt: OidcAttempt, code: str) -> ExternalIdentity:
        provider = self._known[attempt.provider]
        if len(code) > MAX_CODE_CHARACTERS:
            raise OidcRejected("the authorization code is too long")
        metadata = await provider.discovery.metadata()
        tokens = await self._tokens(provider, metadata, attempt, code)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str):
            raise OidcRejected("the provider gave no ID token")
        claims = await provider.verifier.verify(id_token, attempt.nonce)
        if "email" not in claims and metadata.userinfo_endpoint and _fits_a_header(access_token):
            claims = {**await self._userinfo(metadata.userinfo_endpoint, access_token, claims["sub"]), **claims}
        return ExternalIdentity(
            attempt.provider,
            provider.settings.issuer,
            claims["sub"],
            _text(claims.get("email")),
            email_verified=_is_true(claims.get("email_verified")),
            name=_text(claims.get("name")),
        )

    async def _tokens(self, provider: _Provider, metadata: Metadata, attempt: OidcAttempt, code: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": provider.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        settings, headers = provider.settings, dict[str, str]()
        secret = None if settings.client_secret is None else settings.client_secret.get_secret_value()
        if secret is None or metadata.client_secret_in_body:
            form |= {"client_id": settings.client_id} | ({} if secret is None else {"client_secret": secret})
        else:
            # RFC 6749, 2.3.1: both are written as in a form before they are put together.
            pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return await fetch_json("POST", metadata.token_endpoint, form=form, headers=headers)

    async def _userinfo(self, url: str, access_token: str, subject: str) -> dict[str, Any]:
        """Return the claims of the UserInfo endpoint (Core 1.0, 5.3), where some providers have the email alone."""
        found = await fetch_json("GET", url, headers={"authorization": f"Bearer {access_token}"})
        if found.get("sub") != subject:
            raise OidcRejected("the provider told about another user than the ID token's")
        return found


def _fits_a_header(token: object) -> TypeGuard[str]:
    """Return whether it is a token as RFC 6750 (2.1) has it; anything else might be another header."""
    return isinstance(token, str) and token != "" and token.isascii() and token.isprintable()


def _is_true(value: object) -> bool:
    """Return whether a claim is true; some providers write it as a text."""
    return value is True or value == "true"


def _text(value: object) -> str | None:
    """Return a claim that is a text of a sane length; None for anything else."""
    return value if isinstance(value, str) and 0 < len(value) <= MAX_TEXT_CHARACTERS and value.isprintable() else None
