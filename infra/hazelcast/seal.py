"""Authenticates data in Hazelcast, so that only nodes of the engine can write what the engine reads.

Community Hazelcast has no users: anybody who reaches its port can write to it. It holds identities, and carries the
books and candles that trading sessions trade on.
"""

import hmac
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_PURPOSE: Final = b"r3edge hazelcast 1"
_MAC_BYTES: Final = 16
"""Half of HMAC-SHA256, which may be cut to that (RFC 2104, 5): a forgery succeeds once in 2**128 tries."""


class Seal:
    """Adds an HMAC to values, under a key that is derived (HKDF, RFC 5869) from the engine's secret key.

    `context` names the place of a value (a map's entry, a topic); the value is valid only there. Values of nodes that
    still use an earlier key are valid too.
    """

    def __init__(self, secret_key: bytes, earlier_keys: Sequence[bytes] = ()) -> None:
        self._keys = [HKDF(SHA256(), 32, None, _PURPOSE).derive(key) for key in (secret_key, *earlier_keys)]

    def seal(self, value: bytes, context: str) -> bytes:
        """Return the HMAC followed by the value."""
        return _mac(self._keys[0], value, context) + value

    def open(self, sealed: bytes, context: str) -> bytes | None:
        """Return the value, or None if no node has sealed it for this context."""
        mac, value = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        return value if any(hmac.compare_digest(mac, _mac(key, value, context)) for key in self._keys) else None


def _mac(key: bytes, value: bytes, context: str) -> bytes:
    name = context.encode()
    return hmac.digest(key, len(name).to_bytes(4) + name + value, "sha256")[:_MAC_BYTES]
