"""The settings: defaults that need nothing, then a TOML file, the environment (`R3EDGE_*`) and the command line."""

import os
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from domain.market_data.feed_limit import MAX_FEEDS_PER_VENUE
from infra.archive_settings import ArchiveSettings
from infra.hazelcast.settings import HazelcastSettings
from infra.mail_settings import MailSettings
from infra.oidc.settings import OidcProvider
from infra.secret_files import SecretFilesSource
from infra.setting_types import (
    HIGHEST_PORT,
    CommaList,
    DatabaseUrl,
    HostNames,
    Networks,
    OidcProviders,
    Origins,
    Recordings,
    SecretKey,
    SecretKeys,
    SigningSecrets,
    VenueId,
    VenueIds,
    decode_secret_key,
)

SANDBOX = "sandbox"


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
    """Who may register without an invitation."""

    OPEN = "open"
    CLOSED = "closed"


class Settings(ArchiveSettings, HazelcastSettings, MailSettings):
    """All settings; in the environment each is `R3EDGE_` and its name in capitals."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="R3EDGE_", extra="forbid", env_ignore_empty=True, frozen=True
    )

    host: str = Field("127.0.0.1", description="the address to listen on")
    port: int = Field(
        8000, ge=0, le=HIGHEST_PORT, description="the port to listen on, 0 to 65535; 0 takes any free one"
    )
    data_dir: Path = Field(Path("r3edge-data"), description="a folder for all that the embedded parts keep")
    roles: CommaList[Role] = Field(
        tuple(Role), description="what this node does: some of web, collector, trader, worker, with commas"
    )
    database_url: DatabaseUrl | None = Field(
        None, description="postgresql://user:password@host:port,host:port/database; without it PostgreSQL is embedded"
    )
    replica_database_url: DatabaseUrl | None = Field(
        None, description="where replicas are, which may answer reads of the past; it may be the same list of hosts"
    )
    replica_max_lag_seconds: float = Field(
        10.0, ge=1, le=3_600, description="how far a replica may be behind to be read, 1 to 3600"
    )
    database_pool_size: int = Field(20, ge=2, le=200, description="connections to PostgreSQL, 2 to 200")
    backups: str | None = Field(
        None,
        pattern=r"^[/~.]",
        description="a folder on another disk, such as /mnt/r3edge-backups, for r3edge backup and the log of the "
        "embedded PostgreSQL; without it there are no backups",
    )
    venues: VenueIds = Field((), description="ids of ccxt venues beside the sandbox, such as binance,kraken")
    sandbox_url: str | None = Field(
        None,
        pattern="^https?://",
        description="http://host:port of a shared sandbox exchange; without it one is started",
    )
    sandbox_token: SecretStr | None = Field(None, description="the shared sandbox's administrative token")
    mirror: VenueId | None = Field(
        None, description="a ccxt venue whose live prices a second sandbox shows, as the venue sandbox-NAME"
    )
    mirror_markets: CommaList[str] = Field(
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
    replay: Recordings = Field(
        (), description="recorded Binance streams that the embedded sandbox replays, with commas"
    )
    seed: int | None = Field(None, ge=0, description="the seed of the embedded sandbox's order flow, 0 or more")
    secret_key: SecretKey | None = Field(
        None, description="32 bytes in base64 that seal venue credentials; without it a key file is kept in data_dir"
    )
    previous_secret_keys: SecretKeys = Field(
        (),
        description="earlier secret keys, with commas; what they sealed is sealed again under the present one at the "
        "start",
    )
    registration: RegistrationMode = Field(
        RegistrationMode.OPEN, description="open, or closed: nobody may register but the first user and who is invited"
    )
    registrations_per_hour: int = Field(
        100, ge=0, le=1_000_000, description="how many users may be registered from one address in an hour"
    )
    allowed_origins: Origins = Field(
        (), description="origins of web pages that may call, such as https://app.example.com; its own always may"
    )
    allowed_hosts: HostNames = Field(
        (),
        description="names under which clients reach the engine, such as api.example.com or *.example.com; addresses, "
        "localhost and this machine's own name always work, * lets in all",
    )
    trusted_proxies: Networks = Field(
        (),
        description="addresses or networks of reverse proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8",
    )
    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="what /metrics asks for as bearer token, 16 characters or more; without it everybody may read it",
    )
    traces_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s@]+$",
        description="where traces are sent by OTLP over HTTP, such as http://collector:4318/v1/traces; needs the extra "
        "otel; without it none are made",
    )
    traces_share: float = Field(1.0, ge=0, le=1, description="which share of all traces is sent, 0 to 1")
    max_connections: int = Field(
        10_000, ge=16, le=1_000_000, description="connections of clients that are held at once, 16 to 1000000"
    )
    max_connections_per_address: int = Field(
        2_000, ge=1, le=1_000_000, description="as above, from one address that is no trusted proxy's"
    )
    requests_per_second_per_address: int = Field(
        500,
        ge=10,
        le=1_000_000,
        description="requests of any kind a second that are served of one address, with or without a token; as many "
        "more wait, the rest is refused",
    )
    requests_per_minute_per_address: int = Field(
        60_000,
        ge=1,
        le=2**31 - 1,
        description="requests a minute from one address without a token; those of users are limited by their plans",
    )
    messages_per_second_per_address: int = Field(
        2_000,
        ge=10,
        le=2**31 - 1,
        description="messages a second that are read from the WebSockets of one address, a large one counted by its "
        "KiB, and of its other connections 4 KiB in the place of a message; the rest is read later",
    )
    operation_timeout_seconds: float = Field(
        10.0, ge=1, le=600, description="how long one operation of a client may take, 1 to 600"
    )
    billing_secrets: SigningSecrets = Field(
        (),
        description="whsec_ and 24 to 64 bytes in base64, with commas: what the billing system signs its events with, "
        "the present secret and earlier ones; without them there is no /hooks/billing",
    )
    max_feeds_per_venue: int = Field(
        MAX_FEEDS_PER_VENUE,
        ge=4,
        le=100_000,
        description="how many markets of a venue a node follows because clients and their alert rules look at them, a "
        "quarter of them for strangers, 4 to 100000; what is traded comes on top",
    )
    worker_processes: int = Field(
        2,
        ge=1,
        le=1_000,
        description="how many backtests and the like a node with the role worker computes at a time, each in a process "
        "of its own that yields to the engine, 1 to 1000",
    )
    gzip_min_bytes: int = Field(
        2_048,
        ge=0,
        description="answers of queries of at least so many bytes are compressed for clients that take it; 0 none",
    )
    webhook_networks: Networks = Field(
        (),
        description="networks of one's own that users' notification webhooks may call, by http:// too, such as "
        "10.0.0.0/8; without it only the internet may be called",
    )
    telegram_url: str = Field(
        "https://api.telegram.org", pattern=r"^https?://[^\s#]+$", description="the server of Telegram's Bot API"
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s#?]+$",
        description="the address under which browsers reach the engine, such as https://trade.example.com",
    )
    oidc_providers: OidcProviders = Field(
        (),
        description="OpenID providers at which users sign in, as JSON: a list of objects with name, issuer, client_id "
        "and perhaps client_secret, label, scopes; R3EDGE_PUBLIC_URL must be set",
    )
    console: bool = Field(default=True, description="whether the web console is served at /: true or false")
    graphiql: bool = Field(default=True, description="whether GraphiQL is served: true or false")
    introspection: bool = Field(default=True, description="whether the schema may be asked for: true or false")
    compiled_selections: bool = Field(
        default=True,
        description="whether queries that are sent again are compiled, which makes their answers cheaper: true or "
        "false",
    )
    shared_answers_megabytes: int = Field(
        32,
        ge=0,
        le=4096,
        description="how much memory holds answers of public data for others who ask the same; 0 shares none",
    )
    known_documents_only: bool = Field(
        default=False,
        description="whether only documents run that r3edge documents add has stored, and no free queries: true or "
        "false",
    )
    field_suggestions: bool | None = Field(
        None, description="whether mistakes suggest names: true or false; without it as introspection"
    )
    cancel_foreign_orders: bool = Field(
        default=False,
        description="whether orders that the engine didn't make are cancelled at the venue: true or false",
    )
    balance_work: bool = Field(
        default=True,
        description="whether accounts and feeds move to nodes that have fewer of them: true or false",
    )
    log_format: LogFormat = Field(LogFormat.CONSOLE, description="console or json")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error")

    @property
    def mirror_venue(self) -> str | None:
        """The name of the sandbox venue that mirrors a live one."""
        return None if self.mirror is None else f"{SANDBOX}-{self.mirror}"

    @property
    def earlier_keys(self) -> tuple[bytes, ...]:
        """The previous secret keys as bytes."""
        return tuple(decode_secret_key(key.get_secret_value()) for key in self.previous_secret_keys)

    @model_validator(mode="after")
    def _check_combinations(self) -> "Settings":
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
        if self.replica_database_url and not self.database_url:
            raise ValueError(
                "R3EDGE_REPLICA_DATABASE_URL needs R3EDGE_DATABASE_URL: the embedded database has no replica"
            )
        if self.mirror is None and (self.mirror_markets or self.mirror_url or self.mirror_sandbox_url):
            raise ValueError("R3EDGE_MIRROR must name the venue that R3EDGE_MIRROR_MARKETS and its like are about")
        if (self.mirror_sandbox_url is None) != (self.mirror_sandbox_token is None):
            raise ValueError(
                "R3EDGE_MIRROR_SANDBOX_URL and R3EDGE_MIRROR_SANDBOX_TOKEN belong together; the token stands in the "
                "file admin-token of the mirror's folder"
            )
        if self.oidc_providers and self.public_url is None:
            raise ValueError("R3EDGE_OIDC_PROVIDERS needs R3EDGE_PUBLIC_URL, to which providers send browsers back")
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
        """Put the command line first, then the environment and its files, then the file that `R3EDGE_CONFIG` names."""
        del dotenv_settings, file_secret_settings
        file = os.environ.get("R3EDGE_CONFIG")
        toml = (TomlConfigSettingsSource(settings_cls, Path(file)),) if file else ()
        files = SecretFilesSource(settings_cls, filter(is_secret, settings_cls.model_fields))
        return (init_settings, env_settings, files, *toml)


def is_secret(name: str) -> bool:
    """Return whether a setting by that name holds what nobody else may know."""
    field = Settings.model_fields.get(name.lower())
    return field is not None and any(kind in str(field.annotation) for kind in ("SecretStr", OidcProvider.__name__))
