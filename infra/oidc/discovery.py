"""What a provider says of itself (OpenID Connect Discovery 1.0) and its keys, both kept for a while."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import errors as jose_errors
from joserfc.jwk import KeySet

from domain.core.clock import Clock
from domain.core.errors import Unavailable
from infra.oidc.requests import fetch_json
from infra.oidc.settings import OidcProvider, is_secure_url

log = logging.getLogger(__name__)

WELL_KNOWN: Final = "/.well-known/openid-configuration"
METADATA_SECONDS: Final = 3_600.0
KEYS_SECONDS: Final = 600.0
"""For how long keys are believed: one that the provider has taken back is accepted no longer."""

NEW_KEYS_SECONDS: Final = 10.0
"""How old the keys must be for an unknown one to be looked for again, so that forged tokens cause few requests."""

UNREADABLE: Final = (
    jose_errors.JoseError,
    UnsupportedAlgorithm,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What joserfc raises for keys and tokens: it doesn't check all types of what strangers write into them."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """A provider's addresses, and how a client identifies itself to it."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    client_secret_in_body: bool


class Discovery:
    """One provider's metadata and keys."""

    def __init__(self, provider: OidcProvider, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock
        self._metadata: tuple[Metadata, float] | None = None
        self._keys: tuple[KeySet, float] | None = None
        self._lock = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """Return the metadata; raises `Unavailable`, also for what a provider mustn't say of itself."""
        async with self._lock:
            now = self._clock.monotonic()
            if self._metadata is None or now - self._metadata[1] > METADATA_SECONDS:
                self._metadata = await self._load_metadata(), now
            return self._metadata[0]

    async def keys(self, *, newer: bool = False) -> KeySet:
        """Return the keys; `newer` asks for those of now, since one of the provider's isn't among them."""
        metadata = await self.metadata()
        async with self._lock:
            now = self._clock.monotonic()
            age = KEYS_SECONDS + 1 if self._keys is None else now - self._keys[1]
            if self._keys is None or age > (NEW_KEYS_SECONDS if newer else KEYS_SECONDS):
                self._keys = self._key_set(await fetch_json("GET", metadata.jwks_uri)), now
            return self._keys[0]

    async def _load_metadata(self) -> Metadata:
        issuer = self._provider.issuer
        found = await fetch_json("GET", issuer.removesuffix("/") + WELL_KNOWN)
        if found.get("issuer") != issuer:
            # Discovery 1.0, 4.3: else one provider could speak for another.
            raise Unavailable(f"{self._provider.name} says that its issuer is {str(found.get('issuer'))[:200]!r}")
        userinfo = self._endpoint(found, "userinfo_endpoint") if "userinfo_endpoint" in found else None
        methods = found.get("token_endpoint_auth_methods_supported")
        in_body = isinstance(methods, list) and "client_secret_post" in methods and "client_secret_basic" not in methods
        return Metadata(
            self._endpoint(found, "authorization_endpoint"),
            self._endpoint(found, "token_endpoint"),
            self._endpoint(found, "jwks_uri"),
            userinfo,
            in_body,
        )

    def _endpoint(self, found: dict[str, Any], name: str) -> str:
        url = found.get(name)
        if not isinstance(url, str) or not is_secure_url(url):
            raise Unavailable(f"{self._provider.name} has no {name} that could be used")
        return url

    def _key_set(self, found: dict[str, Any]) -> KeySet:
        """Return the keys that are known here; a provider may have others (RFC 7517, 5)."""
        items, keys = found.get("keys"), []
        if not isinstance(items, list):
            raise Unavailable(f"{self._provider.name} has no keys that could be used")
        for item in items:
            try:
                keys.extend(KeySet.import_key_set({"keys": [item]}).keys)
            except UNREADABLE:
                log.debug("a key of the provider is of no kind that is known here")
        return KeySet(keys)
