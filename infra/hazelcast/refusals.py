"""Why no member lets this node in: the client tells nobody but its log, so its log is read."""

import logging
import ssl
from collections.abc import Sequence

from hazelcast.errors import (
    AuthenticationError,
    ClientNotAllowedInClusterError,
    HazelcastClientNotActiveError,
    TargetDisconnectedError,
)

_CLIENT_LOG = "hazelcast.internal.asyncio_connection"


class Refusals(logging.Filter):
    """Keeps the last error of each address that the client failed to connect to, and drops what the client logs."""

    def __init__(self) -> None:
        super().__init__()
        self._errors: dict[str, BaseException] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep what a failed attempt to connect ended with; log nothing."""
        error = record.exc_info[1] if record.exc_info else None
        # A client that is shut down in the middle of an attempt says nothing about the member.
        if (
            error is not None
            and not isinstance(error, HazelcastClientNotActiveError)
            and isinstance(record.args, tuple)
            and len(record.args) == 1
        ):
            target = record.args[0]
            address = getattr(target, "address", target)  # of a member, or an address
            self._errors[f"{getattr(address, 'host', address)}:{getattr(address, 'port', '')}"] = error
        return False

    def forget(self, members: Sequence[str]) -> None:
        """Forget the errors of these addresses, which are about to be tried."""
        for member in members:
            self._errors.pop(member, None)

    def reasons(self, members: Sequence[str], *, uses_tls: bool) -> frozenset[str]:
        """Return what is wrong at these addresses, as far as it is known."""
        known = (self._errors.get(member) for member in members)
        return frozenset(reason(error, uses_tls=uses_tls) for error in known if error is not None)

    def describe(self, members: Sequence[str], *, uses_tls: bool) -> str:
        """Return the addresses, each with what is wrong there as far as it is known."""
        return ", ".join(self._describe(member, uses_tls=uses_tls) for member in members)

    def _describe(self, member: str, *, uses_tls: bool) -> str:
        error = self._errors.get(member)
        return member if error is None else f"{member} ({reason(error, uses_tls=uses_tls)})"


REFUSALS = Refusals()
"""Those of all clients of this process: they share a log."""


def install() -> None:
    """Read the client's log from now on; installing it twice has no effect."""
    log = logging.getLogger(_CLIENT_LOG)
    log.setLevel(logging.WARNING)
    log.addFilter(REFUSALS)


def reason(error: BaseException, *, uses_tls: bool) -> str:
    """Return in one line why an attempt to connect failed."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate can't be trusted: {error.verify_message}"
        case AuthenticationError() | ClientNotAllowedInClusterError():
            return "it knows another cluster name, or other credentials; community members know none"
        case ssl.SSLError() if error.reason is not None:
            return f"TLS failed: {error.reason.lower().replace('_', ' ')}"
        case ssl.SSLError() | ConnectionResetError() if uses_tls:
            return "it ended the TLS handshake: it doesn't speak TLS, or wants a certificate of this node"
        case TargetDisconnectedError() | ConnectionResetError() if not uses_tls:
            return "it ended the connection; does it expect TLS?"
        case _:
            text = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return str(text).partition("\n")[0].lower()
