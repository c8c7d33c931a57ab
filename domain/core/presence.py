"""Whether the client of the operation that runs now still waits for its result."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from domain.core.errors import Unavailable

_HAS_LEFT: Final[ContextVar[Callable[[], bool] | None]] = ContextVar("has_left", default=None)


class ClientHasLeft(Unavailable):
    """Work that is costly and of no use without a client was left undone."""

    def __init__(self) -> None:
        super().__init__("The client has left before its turn.")


def set_client(has_left: Callable[[], bool]) -> None:
    """Say how the present task, and those that it starts, find out whether their client has left."""
    _HAS_LEFT.set(has_left)


def client_has_left() -> bool:
    """Return whether the operation is a client's who has left."""
    has_left = _HAS_LEFT.get()
    return has_left is not None and has_left()


def require_client() -> None:
    """Raise `ClientHasLeft` if the operation is a client's who has left."""
    if client_has_left():
        raise ClientHasLeft
