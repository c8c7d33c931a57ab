"""The web server's settings; the composition root fills them from the engine's."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The switches, the limits of requests and connections, and the time-outs; sizes are in bytes."""

    introspection: bool = True
    suggestions: bool = True
    graphiql: bool = True
    console: bool = True
    compiled_selections: bool = True
    """Whether queries are executed by plans that are compiled once for each document."""

    shared_answers_bytes: int = 32 * 1024 * 1024
    """Of all answers to queries of public data that are kept for others who ask the same; 0 shares none."""

    known_documents_only: bool = False
    """Whether only documents run that the operator has added."""

    automatic_documents_bytes: int = 4 * 1024 * 1024
    """Of all documents that clients have had kept by Apollo's protocol, together."""

    allowed_origins: tuple[str, ...] = ()
    """Origins such as `https://app.example` whose pages may call from a browser; `*` allows all."""

    allowed_hosts: tuple[str, ...] = ()
    """Names that `Host` may have besides addresses, localhost and this machine's; `*.example.com` or `*` for any."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies whose `X-Forwarded-For` is believed."""

    metrics_token: str | None = field(default=None, repr=False)
    """What `/metrics` asks for as a bearer token; None lets everybody read it."""

    max_connections: int = 10_000
    max_connections_per_address: int = 2_000
    max_url_bytes: int = 16 * 1024
    max_header_lines: int = 100
    max_head_bytes: int = 32 * 1024
    """URL and header lines together."""

    max_raw_body_bytes: int = 12 * 1024 * 1024
    """How much is read after the head; what exceeds `max_body_bytes` is discarded, and answered by a GraphQL error."""

    head_timeout_seconds: float = 10.0
    body_timeout_seconds: float = 30.0
    write_timeout_seconds: float = 30.0
    """How long a peer may read nothing at all of what it is sent."""

    closed_sweep_seconds: float = 10.0
    """How often connections are aborted that were closed before the last such sweep and still have unsent bytes."""

    linger_seconds: float = 1.0
    """How long a rejected request is still read, so that its client sees the answer and no reset."""

    shutdown_grace_seconds: int = 5
    """How long requests may still run when the server stops."""

    gzip_min_bytes: int = 2_048
    """Answers of queries are compressed from this size on if the client accepts it; 0 compresses none."""

    max_tokens: int = 1_000
    max_depth: int = 10
    max_aliases: int = 15
    max_directives: int = 10
    max_cost: int = 5_000
    max_body_bytes: int = 128 * 1024
    max_message_bytes: int = 64 * 1024
    messages_per_second_per_address: int = 2_000
    """Frames that are read from the WebSockets of one address; each KiB counts as one more. The rest is read later."""

    max_operations_per_connection: int = 100
    max_rooms: int = 10_000
    max_rooms_per_anonymous: int = 50
    max_rooms_per_user: int = 200
    """How many different live queries (rooms) one client may have opened."""

    max_subscriptions_per_anonymous: int = 2_000
    requests_per_second_per_address: int = 500
    """Requests and handshakes of any kind that are served of one address; as many more wait, the rest is refused."""

    requests_per_minute_per_address: int = 60_000
    """Of clients that aren't signed in; those of users are limited by their plans."""

    heavy_cost: int = 500
    """Queries that cost more run a few at a time."""

    heavy_queries_at_once: int = 2
    queries_at_once_per_client: int = 20
    mutations_at_once_per_client: int = 100
    waiting_operations_per_client: int = 500
    queued_events_per_subscriber: int = 8
    """How many events of a shared stream may be queued for a slow reader before its source conflates them."""

    init_timeout_seconds: float = 5.0
    operation_timeout_seconds: float = 10.0
    ping_interval_seconds: float = 15.0
    """Between two pings of a WebSocket, and between two events of an event stream before a comment is sent."""

    send_timeout_seconds: float = 10.0
    """How long a private stream waits for its reader to take one frame."""

    close_timeout_seconds: float = 2.0
    """How long a peer may take for the close of a connection, or the last errors of an operation."""
