"""Types of settings: each checks one value, and its error says what the value may be."""

import base64
import binascii
import difflib
import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from infra.mail_server import mail_address
from infra.oidc.settings import OidcProvider

SECRET_KEY_BYTES = 32
_LEAST_SIGNING_BYTES, _MOST_SIGNING_BYTES = 24, 64
"""As Standard Webhooks has it."""
HIGHEST_PORT = 65_535

_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@,\[\]]+)"
_HOSTS = rf"{_HOST}(:\d{{1,5}})?(,{_HOST}(:\d{{1,5}})?)*"
_DATABASE_URL = re.compile(rf"postgres(ql)?://([^\s/@]*@)?({_HOSTS}(/[^\s/?]*)?(\?\S*)?|/[^\s/?]*\?\S+)")
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:.]{2,45}")
_ORIGIN = re.compile(rf"https?://{_HOST}(:\d{{1,5}})?")

_T = TypeVar("_T")


def split_commas(text: str) -> tuple[str, ...]:
    """Return the parts of a list with commas, without blanks and empty parts."""
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)


def check_venue(venue: str) -> str:
    """Return the id of a venue of ccxt.pro; raises ValueError, with the nearest name, if there is none."""
    # Loading ccxt takes a second, which an engine on the sandbox alone need not wait for.
    from ccxt import pro  # noqa: PLC0415

    if venue not in pro.exchanges:
        near = difflib.get_close_matches(venue, pro.exchanges, 1)
        raise ValueError(f"{venue!r} is no venue of ccxt.pro" + (f"; did you mean {near[0]}?" if near else ""))
    return venue


def decode_secret_key(text: str) -> bytes:
    """Return the 32 bytes that `text` encodes in base64; raises ValueError saying what would be right."""
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("is not base64; make one with: openssl rand -base64 32") from None
    if len(key) != SECRET_KEY_BYTES:
        raise ValueError(f"has {len(key)} bytes and must have 32; make one with: openssl rand -base64 32")
    return key


def _split_text(value: object) -> object:
    return split_commas(value) if isinstance(value, str) else value


def _check_member(member: str) -> str:
    host, _, port = member.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= HIGHEST_PORT:
        raise ValueError(f"{member!r} is not host:port")
    return member


def _check_database_url(url: SecretStr) -> SecretStr:
    # The value isn't repeated in the error: it may hold a password.
    if not _DATABASE_URL.fullmatch(url.get_secret_value()):
        raise ValueError("is not the address of a PostgreSQL database")
    return url


def _check_origin(origin: str) -> str:
    if not _ORIGIN.fullmatch(origin):
        raise ValueError(f"{origin!r} is not an origin: scheme, host and perhaps port, without a path")
    return origin


def _check_host(host: str) -> str:
    if host != "*" and not _HOST_NAME.fullmatch(host.removeprefix("*.")):
        raise ValueError(f"{host!r} is not the name of a host: without scheme, port and path")
    return host


def _check_network(network: str) -> str:
    try:
        ip_network(network, strict=False)
    except ValueError:
        raise ValueError(f"{network!r} is neither an address nor a network such as 10.0.0.0/8") from None
    return network


def _check_file(file: Path) -> Path:
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    return file


def _check_secret_key(key: SecretStr) -> SecretStr:
    decode_secret_key(key.get_secret_value())
    return key


def _check_signing_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        size = len(base64.b64decode(text.removeprefix("whsec_"), validate=True))
    except binascii.Error:
        size = 0
    if not text.startswith("whsec_") or not _LEAST_SIGNING_BYTES <= size <= _MOST_SIGNING_BYTES:
        raise ValueError("must be whsec_ and 24 to 64 bytes in base64; make one with: openssl rand -base64 32")
    return secret


def _check_mail_sender(sender: str) -> str:
    mail_address(sender)
    return sender


def _decode_providers(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError):
        # Neither the value nor the place in it is repeated: it holds secrets.
        raise ValueError("is not JSON") from None


def _check_providers(providers: tuple[OidcProvider, ...]) -> tuple[OidcProvider, ...]:
    names = [provider.name for provider in providers]
    if len(set(names)) < len(names):
        raise ValueError("two providers have the same name")
    return providers


def _each(check: Callable[[_T], _T]) -> AfterValidator:
    """Return a validator of a whole list, so that an error has the place of the setting, not that of an item."""

    def check_all(items: tuple[_T, ...]) -> tuple[_T, ...]:
        return tuple(check(item) for item in items)

    return AfterValidator(check_all)


CommaList: TypeAlias = Annotated[tuple[_T, ...], NoDecode, BeforeValidator(_split_text)]
"""A tuple that is written with commas in the environment."""

DatabaseUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_check_database_url)]
SecretKey: TypeAlias = Annotated[SecretStr, AfterValidator(_check_secret_key)]
SecretKeys: TypeAlias = Annotated[CommaList[SecretStr], _each(_check_secret_key)]
SigningSecrets: TypeAlias = Annotated[CommaList[SecretStr], _each(_check_signing_secret)]
VenueId: TypeAlias = Annotated[str, AfterValidator(check_venue)]
VenueIds: TypeAlias = Annotated[CommaList[str], _each(check_venue)]
Members: TypeAlias = Annotated[CommaList[str], _each(_check_member)]
Origins: TypeAlias = Annotated[CommaList[str], _each(_check_origin)]
OidcProviders: TypeAlias = Annotated[
    tuple[OidcProvider, ...], NoDecode, BeforeValidator(_decode_providers), AfterValidator(_check_providers)
]
"""Written as a list in JSON in the environment, as tables in a file."""

MailSender: TypeAlias = Annotated[str, AfterValidator(_check_mail_sender)]
HostNames: TypeAlias = Annotated[CommaList[str], _each(_check_host)]
Networks: TypeAlias = Annotated[CommaList[str], _each(_check_network)]
Recordings: TypeAlias = Annotated[CommaList[Path], _each(_check_file)]
ExistingFile: TypeAlias = Annotated[Path, AfterValidator(_check_file)]
