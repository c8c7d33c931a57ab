"""Describes why an address can't be listened on, and what to do."""

import errno
import socket

_LOWEST_FREE_PORT = 1024
_REASONS = {
    errno.EADDRINUSE: "something listens there already; stop it, or choose another --port",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose another --host",
    errno.EACCES: f"this user may not; choose a --port of {_LOWEST_FREE_PORT} or above",
    errno.EPERM: f"this user may not; choose a --port of {_LOWEST_FREE_PORT} or above",
}


def listen_error(host: str, port: int, error: BaseException | None) -> str:
    """Return the error message for the operator who chose `host` and `port`."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"{host}:{port} can't be listened on: nobody knows the name {host!r}; choose another --host"
    number = error.errno if isinstance(error, OSError) else None
    reason = _REASONS.get(number or 0) or (str(error) if error else "it is refused")
    return f"{host}:{port} can't be listened on: {reason}"
