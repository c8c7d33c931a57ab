"""Verifies ID tokens (OpenID Connect Core 1.0, 3.1.3.7)."""

import hmac
from typing import Any, Final

from joserfc import errors, jwt
from joserfc.jwk import KeySet

from domain.core.clock import Clock
from domain.core.validation import is_encodable
from domain.ports.oidc import OidcRejected
from infra.oidc.discovery import UNREADABLE, Discovery
from infra.oidc.settings import OidcProvider

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by the provider's private key alone: nobody else can make one, the engine neither."""

LEEWAY_SECONDS: Final = 60
"""How far the clocks of provider and engine may be apart."""

MAX_SUBJECT_CHARACTERS: Final = 255
_NO_KEY: Final = (errors.InvalidKeyIdError, errors.MissingKeyError, errors.BadSignatureError)


class IdTokenVerifier:
    """Verifies the ID tokens of one provider."""

    def __init__(self, provider: OidcProvider, discovery: Discovery, clock: Clock) -> None:
        self._provider = provider
        self._discovery = discovery
        self._clock = clock

    async def verify(self, token: str, nonce: str) -> dict[str, Any]:
        """Return the claims of a token that the provider made for this client and this nonce.

        Raises `OidcRejected`, and `Unavailable` if the provider's keys can't be had.
        """
        claims = await self._signed_claims(token)
        registry = jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"value": self._provider.issuer, "essential": True},
            aud={"value": self._provider.client_id, "essential": True},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            registry.validate(claims)
        except errors.JoseError as error:
            raise OidcRejected(f"the ID token has no valid claim: {error}") from None
        given, audience = claims.get("nonce"), claims["aud"]
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(errors="replace"), nonce.encode()):
            raise OidcRejected("the ID token was made for another sign-in")
        party = claims.get("azp")
        is_for_others = isinstance(audience, list) and len(audience) > 1
        if (party is not None or is_for_others) and party != self._provider.client_id:
            raise OidcRejected("the ID token was made for another client")
        subject = claims["sub"]
        if len(subject) > MAX_SUBJECT_CHARACTERS or "\0" in subject or not is_encodable(subject):
            raise OidcRejected("the ID token's subject can't be used")
        return claims

    async def _signed_claims(self, token: str) -> dict[str, Any]:
        try:
            try:
                return _decode(token, await self._discovery.keys())
            except _NO_KEY:
                # The provider may have changed its keys since they were read.
                return _decode(token, await self._discovery.keys(newer=True))
        except _NO_KEY as error:
            raise OidcRejected(f"the ID token isn't signed by the provider: {error}") from None
        except UNREADABLE as error:
            raise OidcRejected(f"the ID token can't be read: {error!r}") from None


def _decode(token: str, keys: KeySet) -> dict[str, Any]:
    if not keys.keys:
        raise errors.MissingKeyError("the provider has no key")
    return jwt.decode(token, keys, algorithms=ALGORITHMS).claims
