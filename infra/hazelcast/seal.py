"""Proof that what lies in Hazelcast was put there by a node: whoever merely reaches its port can't make it.

Community Hazelcast has no users. Identities are kept there, and books and candles that sessions trade on come that way.
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
    """Marks values with an HMAC under a key that is derived (HKDF, RFC 5869) from the engine's secret key.

    `place` is where a value lies or goes, so that it is good nowhere else. Values of nodes that still have an earlier
    key are known too.
    """

    def __init__(self, secret_key: bytes, earlier_keys: Sequence[bytes] = ()) -> None:
        self._keys = [HKDF(SHA256(), 32, None, _PURPOSE).derive(key) for key in (secret_key, *earlier_keys)]

    def seal(self, value: bytes, place: str) -> bytes:
        """Return the mark and the value."""
        return _mac(self._keys[0], value, place) + value

    def open(self, sealed: bytes, place: str) -> bytes | None:
        """Return the value, or None where no node put it there."""
        mac, value = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        return value if any(hmac.compare_digest(mac, _mac(key, value, place)) for key in self._keys) else None


def _mac(key: bytes, value: bytes, place: str) -> bytes:
    name = place.encode()
    return hmac.digest(key, len(name).to_bytes(4) + name + value, "sha256")[:_MAC_BYTES]
