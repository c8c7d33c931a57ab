"""The OpenID providers that the settings name."""

from ipaddress import ip_address
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class OidcProvider(BaseModel):
    """A provider, and the engine as its client."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,39}$")
    issuer: str
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    label: str | None = Field(None, min_length=1, max_length=100)
    scopes: str = "openid email profile"

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, issuer: str) -> str:
        if not is_secure_url(issuer) or urlsplit(issuer).query:
            raise ValueError(f"{issuer!r} is not the https:// address of an issuer (http:// only on this machine)")
        return issuer

    @field_validator("scopes")
    @classmethod
    def _check_scopes(cls, scopes: str) -> str:
        if "openid" not in scopes.split():
            raise ValueError("scopes must have openid among them")
        return scopes


def is_secure_url(url: object) -> bool:
    """Return whether it is an address that nobody on the way can read: https, or http on this machine."""
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.fragment or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(host))


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
