"""Where the Hazelcast cluster is, how it is reached, and how long it is waited for. Loads nothing of the client."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class HazelcastRouting(StrEnum):
    """Which members a node connects to."""

    ALL = "all"
    """Every member, at the address that it has told the cluster: an operation goes straight to whom it concerns."""

    SINGLE = "single"
    """One of those that are named, which forwards to the others: for proxies whose addresses no member knows."""


@dataclass(frozen=True)
class HazelcastTls:
    """How connections are encrypted: by which authorities members are known, and what shows them who we are.

    Without `ca_file` the authorities are the system's. `key_file` may be left out if the certificate's file has both.
    """

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    verifies_names: bool = True


@dataclass(frozen=True)
class HazelcastCredentials:
    """Who we are to members that ask: a user with a password, or a token."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class HazelcastOptions:
    """Where the cluster is and how long to wait for it.

    `members` are `host:port`. An operation takes at most `timeout_seconds`; after one has failed, none is tried for
    `breaker_seconds`. A member that is silent for `heartbeat_timeout_seconds` counts as lost. An attempt to connect
    takes at most `start_timeout_seconds`; `retry_seconds` lie between two attempts, to connect or to listen.
    """

    members: Sequence[str]
    cluster_name: str = "r3edge"
    timeout_seconds: float = 1.0
    breaker_seconds: float = 1.0
    heartbeat_timeout_seconds: float = 4.0
    start_timeout_seconds: float = 5.0
    retry_seconds: float = 0.5
    routing: HazelcastRouting = HazelcastRouting.ALL
    tls: HazelcastTls | None = None
    credentials: HazelcastCredentials = HazelcastCredentials()
