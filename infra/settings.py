"""The settings: defaults that need nothing, then a TOML file, the environment (`R3EDGE_*`) and the command line."""

import base64
import binascii
import difflib
import os
import re
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from domain.market_data.feed_limit import MAX_FEEDS_PER_VENUE

SECRET_KEY_BYTES = 32
SANDBOX = "sandbox"
HIGHEST_PORT = 65_535

_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@,\[\]]+)"
_HOSTS = rf"{_HOST}(:\d{{1,5}})?(,{_HOST}(:\d{{1,5}})?)*"
_DATABASE_URL = re.compile(rf"postgres(ql)?://([^\s/@]*@)?({_HOSTS}(/[^\s/?]*)?(\?\S*)?|/[^\s/?]*\?\S+)")
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:.]{2,45}")
_ORIGIN = re.compile(rf"https?://{_HOST}(:\d{{1,5}})?")


class Role(StrEnum):
    """What a node does."""

    WEB = "web"
    COLLECTOR = "collector"
    TRADER = "trader"
    WORKER = "worker"


class LogFormat(StrEnum):
    """How log lines look."""

    CONSOLE = "console"
    JSON = "json"


class RegistrationMode(StrEnum):
    """Who may register."""

    OPEN = "open"
    CLOSED = "closed"


class BadSettings(Exception):
    """One line for each setting that can't be used: its name, what is wrong, what it may be."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def split(text: str) -> tuple[str, ...]:
    """Return what is written with commas between, without blanks and empty parts."""
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)


class Settings(BaseSettings):
    """All that an operator can set; every field is `R3EDGE_` and its name in capitals in the environment."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="R3EDGE_", extra="forbid", env_ignore_empty=True, frozen=True
    )

    host: str = Field("127.0.0.1", description="the address to listen on")
    port: int = Field(8000, ge=0, le=65_535, description="the port to listen on, 0 to 65535; 0 takes any free one")
    data_dir: Path = Field(Path("r3edge-data"), description="a folder for all that the embedded parts keep")
    roles: Annotated[tuple[Role, ...], NoDecode] = Field(
        tuple(Role), description="what this node does: some of web, collector, trader, worker, with commas"
    )
    database_url: SecretStr | None = Field(
        None, description="postgresql://user:password@host:port,host:port/database; without it PostgreSQL is embedded"
    )
    database_pool_size: int = Field(20, ge=2, le=200, description="connections to PostgreSQL, 2 to 200")
    hazelcast_members: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="host:port,…; without it cache and bus live in this process"
    )
    hazelcast_cluster: str = Field("r3edge", description="the name of the Hazelcast cluster")
    venues: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="ids of ccxt venues beside the sandbox, such as binance,kraken"
    )
    sandbox_url: str | None = Field(
        None,
        pattern="^https?://",
        description="http://host:port of a shared sandbox exchange; without it one is started",
    )
    sandbox_token: SecretStr | None = Field(None, description="the shared sandbox's administrative token")
    mirror: str | None = Field(
        None, description="a ccxt venue whose live prices a second sandbox shows, as the venue sandbox-NAME"
    )
    mirror_markets: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="what is mirrored, such as BTC/USDT,ETH/EUR; without it the sandbox's usual markets"
    )
    mirror_url: str | None = Field(
        None, pattern="^https?://", description="another address of the mirrored venue, one of Binance's protocol"
    )
    mirror_sandbox_url: str | None = Field(
        None, pattern="^https?://", description="http://host:port of a shared mirror; without it one is started"
    )
    mirror_sandbox_token: SecretStr | None = Field(None, description="the shared mirror's administrative token")
    default_market: str = Field(
        "sandbox:BTC/USDT", pattern=r"^[^:\s]+:[^/\s]+/\S+$", description="the market that readiness waits for"
    )
    replay: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="recorded Binance streams that the embedded sandbox replays, with commas"
    )
    seed: int | None = Field(None, ge=0, description="the seed of the embedded sandbox's order flow, 0 or more")
    secret_key: SecretStr | None = Field(
        None, description="32 bytes in base64 that seal venue credentials; without it a key file is kept in data_dir"
    )
    previous_secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (),
        description="earlier secret keys, with commas; what they sealed is sealed again under the present one at the "
        "start",
    )
    registration: RegistrationMode = Field(
        RegistrationMode.OPEN, description="open, or closed: nobody may register but the first user"
    )
    registrations_per_hour: int = Field(
        100, ge=0, le=1_000_000, description="how many users may be registered from one address in an hour"
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="origins of web pages that may call, such as https://app.example.com; its own always may"
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="names under which clients reach the engine, such as api.example.com or *.example.com; addresses, "
        "localhost and this machine's own name always work, * lets in all",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="addresses or networks of reverse proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8",
    )
    max_connections: int = Field(
        10_000, ge=16, le=1_000_000, description="connections of clients that are held at once, 16 to 1000000"
    )
    max_connections_per_address: int = Field(
        2_000, ge=1, le=1_000_000, description="as above, from one address that is no trusted proxy's"
    )
    max_feeds_per_venue: int = Field(
        MAX_FEEDS_PER_VENUE,
        ge=4,
        le=100_000,
        description="how many markets of a venue a node follows because clients look at them, a quarter of them for "
        "strangers, 4 to 100000; what is traded comes on top",
    )
    gzip_min_bytes: int = Field(
        2_048,
        ge=0,
        description="answers of queries of at least so many bytes are compressed for clients that take it; 0 none",
    )
    graphiql: bool = Field(default=True, description="whether GraphiQL is served: true or false")
    introspection: bool = Field(default=True, description="whether the schema may be asked for: true or false")
    field_suggestions: bool | None = Field(
        None, description="whether mistakes suggest names: true or false; without it as introspection"
    )
    cancel_foreign_orders: bool = Field(
        default=False,
        description="whether orders that the engine didn't make are cancelled at the venue: true or false",
    )
    log_format: LogFormat = Field(LogFormat.CONSOLE, description="console or json")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error")

    @field_validator(
        "roles",
        "hazelcast_members",
        "venues",
        "allowed_origins",
        "allowed_hosts",
        "trusted_proxies",
        "previous_secret_keys",
        "replay",
        "mirror_markets",
        mode="before",
    )
    @classmethod
    def _from_commas(cls, value: object) -> object:
        return split(value) if isinstance(value, str) else value

    @field_validator("hazelcast_members")
    @classmethod
    def _members_have_ports(cls, members: tuple[str, ...]) -> tuple[str, ...]:
        for member in members:
            host, _, port = member.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) <= HIGHEST_PORT:
                raise ValueError(f"{member!r} is not host:port")
        return members

    @field_validator("database_url")
    @classmethod
    def _database_has_an_address(cls, url: SecretStr | None) -> SecretStr | None:
        # What was given isn't told: there is a password in it.
        if url is not None and not _DATABASE_URL.fullmatch(url.get_secret_value()):
            raise ValueError("is not the address of a PostgreSQL database")
        return url

    @field_validator("allowed_origins")
    @classmethod
    def _origins_have_no_path(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an origin: scheme, host and perhaps port, without a path")
        return origins

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_are_names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if host != "*" and not _HOST_NAME.fullmatch(host.removeprefix("*.")):
                raise ValueError(f"{host!r} is not the name of a host: without scheme, port and path")
        return hosts

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ip_network(proxy, strict=False)
            except ValueError:
                raise ValueError(f"{proxy!r} is neither an address nor a network such as 10.0.0.0/8") from None
        return proxies

    @property
    def mirror_venue(self) -> str | None:
        """The name of the sandbox venue that mirrors a live one."""
        return None if self.mirror is None else f"{SANDBOX}-{self.mirror}"

    @field_validator("venues")
    @classmethod
    def _venues_are_known(cls, venues: tuple[str, ...]) -> tuple[str, ...]:
        for venue in venues:
            check_venue(venue)
        return venues

    @field_validator("mirror")
    @classmethod
    def _mirror_is_known(cls, venue: str | None) -> str | None:
        if venue is not None:
            check_venue(venue)
        return venue

    @field_validator("replay")
    @classmethod
    def _recordings_are_there(cls, recordings: tuple[Path, ...]) -> tuple[Path, ...]:
        for recording in recordings:
            if not recording.is_file():
                raise ValueError(f"there is no file {recording}")
        return recordings

    @field_validator("secret_key")
    @classmethod
    def _key_has_the_length(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            decode_secret_key(key.get_secret_value())
        return key

    @field_validator("previous_secret_keys")
    @classmethod
    def _previous_keys_have_the_length(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for key in keys:
            decode_secret_key(key.get_secret_value())
        return keys

    @property
    def earlier_keys(self) -> tuple[bytes, ...]:
        """The previous secret keys as bytes."""
        return tuple(decode_secret_key(key.get_secret_value()) for key in self.previous_secret_keys)

    @model_validator(mode="after")
    def _parts_fit(self) -> "Settings":
        if self.sandbox_url and not self.sandbox_token:
            raise ValueError(
                "R3EDGE_SANDBOX_URL needs R3EDGE_SANDBOX_TOKEN, which stands in the file admin-token of its folder"
            )
        if not self.roles:
            raise ValueError("R3EDGE_ROLES must name at least one of web, collector, trader, worker")
        if set(self.roles) != set(Role) and not self.hazelcast_members:
            raise ValueError(
                "R3EDGE_ROLES can be split over several nodes only with R3EDGE_HAZELCAST_MEMBERS to talk through"
            )
        if self.hazelcast_members and not self.secret_key:
            raise ValueError(
                "R3EDGE_HAZELCAST_MEMBERS needs R3EDGE_SECRET_KEY: nodes that share accounts must share what seals them"
            )
        if self.mirror is None and (self.mirror_markets or self.mirror_url or self.mirror_sandbox_url):
            raise ValueError("R3EDGE_MIRROR must name the venue that R3EDGE_MIRROR_MARKETS and its like are about")
        if (self.mirror_sandbox_url is None) != (self.mirror_sandbox_token is None):
            raise ValueError(
                "R3EDGE_MIRROR_SANDBOX_URL and R3EDGE_MIRROR_SANDBOX_TOKEN belong together; the token stands in the "
                "file admin-token of the mirror's folder"
            )
        if self.default_market.partition(":")[0] not in {SANDBOX, *self.venues, self.mirror_venue}:
            raise ValueError("R3EDGE_DEFAULT_MARKET must be on the sandbox, the mirror, or one of R3EDGE_VENUES")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the command line first, then the environment, then the TOML file that `R3EDGE_CONFIG` names."""
        del dotenv_settings, file_secret_settings
        file = os.environ.get("R3EDGE_CONFIG")
        toml = (TomlConfigSettingsSource(settings_cls, Path(file)),) if file else ()
        return (init_settings, env_settings, *toml)


def check_venue(venue: str) -> None:
    """Raise ValueError, with the nearest name, where ccxt.pro has no venue of this id."""
    # Loading ccxt takes a second, which an engine on the sandbox alone need not wait for.
    from ccxt import pro  # noqa: PLC0415

    if venue not in pro.exchanges:
        near = difflib.get_close_matches(venue, pro.exchanges, 1)
        raise ValueError(f"{venue!r} is no venue of ccxt.pro" + (f"; did you mean {near[0]}?" if near else ""))


def decode_secret_key(text: str) -> bytes:
    """Return the 32 bytes that `text` writes in base64; raises ValueError saying what would be right."""
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("is not base64; make one with: openssl rand -base64 32") from None
    if len(key) != SECRET_KEY_BYTES:
        raise ValueError(f"has {len(key)} bytes and must have 32; make one with: openssl rand -base64 32")
    return key


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401  # the command line's options, checked by pydantic
    """Return the settings, those of `overrides` that are not None above all; raises `BadSettings`."""
    _check_environment()
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise BadSettings([_explain(problem) for problem in error.errors()]) from None
    except (SettingsError, OSError, ValueError) as error:
        raise BadSettings([f"R3EDGE_CONFIG: {error}"]) from None


def _check_environment() -> None:
    known = {f"R3EDGE_{name.upper()}" for name in Settings.model_fields} | {"R3EDGE_CONFIG", "R3EDGE_REQUIRE_ALL"}
    unknown = sorted(name for name in os.environ if name.startswith("R3EDGE_") and name not in known)
    if unknown:
        raise BadSettings([f"{name} is not a setting; there are {', '.join(sorted(known))}" for name in unknown])
    file = os.environ.get("R3EDGE_CONFIG")
    if file and not Path(file).is_file():
        raise BadSettings([f"R3EDGE_CONFIG: there is no file {file}"])


def _explain(problem: Any) -> str:  # noqa: ANN401  # pydantic's ErrorDetails
    name = str(problem["loc"][0]) if problem["loc"] else ""
    message = str(problem["msg"]).removeprefix("Value error, ")
    if name not in Settings.model_fields:
        return message if not name else f"{name} is not a setting; there are {', '.join(sorted(Settings.model_fields))}"
    return f"R3EDGE_{name.upper()}: {message}. It may be: {Settings.model_fields[name].description}"
