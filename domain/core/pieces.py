"""Reads what is stored in pieces."""

from collections.abc import AsyncIterator, Awaitable, Callable


async def all_pieces(read: Callable[[int], Awaitable[bytes | None]]) -> AsyncIterator[bytes]:
    """Yield piece after piece, from number 0 to the first that isn't there."""
    number = 0
    while (piece := await read(number)) is not None:
        yield piece
        number += 1
