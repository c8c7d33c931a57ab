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

    max_tokens: int = 1_000
    max_depth: int = 10
    max_aliases: int = 15
    max_directives: int = 10
    max_cost: int = 5_000
    max_body_bytes: int = 128 * 1024
    max_message_bytes: int = 64 * 1024
    max_operations_per_connection: int = 100
    max_rooms: int = 10_000
    mailbox_events: int = 8
    """How many events a slow reader of a shared stream may lag behind before its source decides what it gets."""

    init_timeout_seconds: float = 5.0
    operation_timeout_seconds: float = 10.0
    ping_interval_seconds: float = 15.0
    send_timeout_seconds: float = 10.0
    """How long a private stream waits for its reader to take one frame."""
