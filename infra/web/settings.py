"""How the web server behaves; the composition root fills it from the engine's settings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The limits of what clients may ask, and the switches; sizes in bytes, durations in seconds."""

    introspection: bool = True
    suggestions: bool = True
    graphiql: bool = True
    allowed_origins: tuple[str, ...] = ()
    """Origins such as `https://app.example` whose pages may call from a browser; `*` lets all in."""

    allowed_hosts: tuple[str, ...] = ()
    """Names that `Host` may have beside addresses, localhost and this machine's; `*.example.com` or `*` for any."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies whose `X-Forwarded-For` is believed."""

    max_connections: int = 10_000
    max_connections_per_address: int = 2_000
    max_url_bytes: int = 16 * 1024
    max_header_lines: int = 100
    max_head_bytes: int = 32 * 1024
    """URL and header lines together."""

    max_raw_body_bytes: int = 12 * 1024 * 1024
    """What may come after the head; what is above `max_body_bytes` is dropped, and told in the shape of GraphQL."""

    head_timeout_seconds: float = 10.0
    body_timeout_seconds: float = 30.0
    write_timeout_seconds: float = 30.0
    """How long a peer may take nothing at all of what it is sent."""

    gzip_min_bytes: int = 2_048
    """Answers of queries from this size on are compressed for clients that take it; 0 compresses none."""

    max_tokens: int = 1_000
    max_depth: int = 10
    max_aliases: int = 15
    max_directives: int = 10
    max_cost: int = 5_000
    max_body_bytes: int = 128 * 1024
    max_message_bytes: int = 64 * 1024
    max_operations_per_connection: int = 100
    max_rooms: int = 10_000
    max_rooms_per_stranger: int = 50
    max_rooms_per_user: int = 200
    """How many different live queries one client may have opened."""

    max_subscriptions_per_stranger: int = 2_000
    max_subscriptions_per_user: int = 5_000
    heavy_cost: int = 500
    """Queries above it run a few at a time."""

    heavy_queries_at_once: int = 2
    queries_at_once_per_client: int = 20
    mutations_at_once_per_client: int = 100
    waiting_operations_per_client: int = 500
    mailbox_events: int = 8
    """How many events a slow reader of a shared stream may lag behind before its source decides what it gets."""

    init_timeout_seconds: float = 5.0
    operation_timeout_seconds: float = 10.0
    ping_interval_seconds: float = 15.0
    send_timeout_seconds: float = 10.0
    """How long a private stream waits for its reader to take one frame."""
