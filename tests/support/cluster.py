"""The settings by which nodes of one cluster find what they share."""

import base64
from collections.abc import Sequence

SECRET_KEY = base64.b64encode(bytes(range(32))).decode()
"""The key of all nodes of a test."""


def cluster_settings(
    database: str, members: Sequence[str], cluster_name: str, sandbox: str, sandbox_token: str
) -> dict[str, str]:
    """Return what every node of a cluster is started with.

    Without `members` it has no Hazelcast, and without a `database` its own, as the only node may.
    """
    shared = {
        "R3EDGE_SANDBOX_URL": sandbox,
        "R3EDGE_SANDBOX_TOKEN": sandbox_token,
        "R3EDGE_SECRET_KEY": SECRET_KEY,
    }
    hazelcast = {"R3EDGE_HAZELCAST_MEMBERS": ",".join(members), "R3EDGE_HAZELCAST_CLUSTER": cluster_name}
    return shared | (hazelcast if members else {}) | ({"R3EDGE_DATABASE_URL": database} if database else {})
