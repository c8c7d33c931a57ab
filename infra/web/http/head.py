"""Checks the head of a request for what may be understood in two ways: its version, framing, headers and target.

What the parser lets through and a proxy before it may read otherwise is refused (RFC 9112, 11.2), not guessed at.
"""

import re
from typing import Final

from infra.web.connections.limits import Rejection

Headers = list[tuple[bytes, bytes]]
"""Lines of a head, with their names in lower case."""

SENT_ONCE: Final = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-type",
        b"host",
        b"origin",
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"transfer-encoding",
    }
)
"""Headers with one value, which says who asks, for what, or where the request ends (RFC 9110, 5.3)."""

_VERSIONS: Final = frozenset({"1.0", "1.1"})
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#@]+)(/[^?#]*)?(\?[^#]*)?", re.IGNORECASE)
_ORIGIN: Final = re.compile(rb"/[^#]*")
_CONTROL: Final = re.compile(rb"%(?:[01][0-9a-f]|7f)", re.IGNORECASE)
"""Escapes of control characters, which no path of the engine has; in a query they may be text."""


def find_fault(version: str, headers: Headers) -> Rejection | None:
    """Return why a request with this version, such as `1.1`, and these headers is refused; None if it isn't."""
    if version not in _VERSIONS:
        return Rejection.UNKNOWN_VERSION
    names = [name for name, _value in headers]
    if len(set(names)) < len(names) and any(names.count(name) > 1 for name in SENT_ONCE.intersection(names)):
        return Rejection.HEADER_TWICE
    if b"transfer-encoding" in names:
        return _find_fault_of_coding(version, headers)
    return None


def _find_fault_of_coding(version: str, headers: Headers) -> Rejection | None:
    """Return what is wrong with a request that has `Transfer-Encoding` (RFC 9112, 6.1)."""
    if version == "1.0" or any(name == b"content-length" for name, _value in headers):
        return Rejection.MALFORMED
    coding = next(value for name, value in headers if name == b"transfer-encoding")
    return None if coding.strip().lower() == b"chunked" else Rejection.UNKNOWN_CODING


def origin_form(target: bytes, headers: Headers) -> bytes | None:
    """Return a target as path and query; None if it has none, or control characters in its path.

    An absolute one names the host, whatever `Host` says (RFC 9112, 3.2.2): its authority becomes the value of `Host`.
    """
    if target.startswith(b"/"):
        is_valid = _ORIGIN.fullmatch(target) is not None
    elif (absolute := _ABSOLUTE.fullmatch(target)) is not None:
        authority, path, query = absolute.groups(b"")
        headers[:] = [*(header for header in headers if header[0] != b"host"), (b"host", authority)]
        target, is_valid = (path or b"/") + query, True
    else:
        is_valid = False
    return target if is_valid and not _CONTROL.search(target.partition(b"?")[0]) else None
