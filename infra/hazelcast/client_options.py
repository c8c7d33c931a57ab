"""Translates our options into those of Hazelcast's client."""

from typing import Any

from hazelcast.config import TopicOverloadPolicy
from hazelcast.security import BasicTokenProvider

from infra.hazelcast.frames import SHARDS
from infra.hazelcast.options import HazelcastCredentials, HazelcastOptions, HazelcastRouting, HazelcastTls

_CONNECTION_SECONDS = 2.0
_SHARD_OPTIONS = {"overload_policy": TopicOverloadPolicy.DISCARD_OLDEST, "read_batch_size": 100}


def client_options(options: HazelcastOptions) -> dict[str, Any]:
    """Return the keyword arguments of a `HazelcastClient`."""
    return {
        "cluster_name": options.cluster_name,
        "cluster_members": list(options.members),
        "cluster_connect_timeout": -1,
        "smart_routing": options.routing is HazelcastRouting.ALL,
        "retry_initial_backoff": options.retry_seconds,
        "retry_max_backoff": options.retry_seconds,
        "connection_timeout": _CONNECTION_SECONDS,
        "heartbeat_interval": options.heartbeat_timeout_seconds / 4,
        "heartbeat_timeout": options.heartbeat_timeout_seconds,
        "invocation_timeout": options.timeout_seconds,
        "invocation_retry_pause": 0.1,
        # A ring buffer that is full drops its oldest message; by default the writer would wait.
        "reliable_topics": {shard: dict(_SHARD_OPTIONS) for shard in SHARDS},
        **(_tls(options.tls) if options.tls is not None else {}),
        **_credentials(options.credentials),
    }


def _tls(tls: HazelcastTls) -> dict[str, Any]:
    # The client speaks exactly one version of TLS, 1.2 unless told otherwise, which every server has.
    files = {"ssl_cafile": tls.ca_file, "ssl_certfile": tls.certificate_file, "ssl_keyfile": tls.key_file}
    named = {name: str(file) for name, file in files.items() if file is not None}
    return {"ssl_enabled": True, "ssl_check_hostname": tls.verifies_names, **named}


def _credentials(credentials: HazelcastCredentials) -> dict[str, Any]:
    if credentials.token is not None:
        return {"token_provider": BasicTokenProvider(credentials.token)}
    if credentials.user is not None:
        return {"creds_username": credentials.user, "creds_password": credentials.password}
    return {}
