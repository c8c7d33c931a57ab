"""Writing to a connection's transport at once, without a task that waits for its turn.

ASGI has no way to do so: its `send` must be awaited. Our protocols offer themselves in the scope's `extensions`, as
ASGI provides for; where another server doesn't, everything goes by `send`.
"""

from collections.abc import Callable
from typing import Final, Protocol

from starlette.types import Scope

EXTENSION: Final = "r3edge.direct_writes"


class DirectWriter(Protocol):
    """Writes whole messages in the order of the calls, which is also their order among those of `send`."""

    def try_write(self, start: bytes, rest: bytes) -> bool:
        """Write a message in two parts, and return True; False if the peer reads too slowly or has left."""
        ...


class DirectWriterSource(Protocol):
    """A protocol of a connection."""

    def direct_writer(self) -> DirectWriter:
        """Return what writes to the present request or socket, and to no later one of the connection."""
        ...

    def presence(self) -> Callable[[], bool]:
        """Return what says whether the peer of the present request or socket has left."""
        ...


def find_direct_writer(scope: Scope) -> DirectWriter | None:
    """Return what the server offers for this request or socket; None if it offers nothing."""
    source: DirectWriterSource | None = (scope.get("extensions") or {}).get(EXTENSION)
    return None if source is None else source.direct_writer()


def find_presence(scope: Scope) -> Callable[[], bool]:
    """Return what says whether the peer of this request or socket has left, as far as the server can tell."""
    source: DirectWriterSource | None = (scope.get("extensions") or {}).get(EXTENSION)
    return _stays if source is None else source.presence()


def _stays() -> bool:
    return False
