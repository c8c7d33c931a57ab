"""Writes parts of a streamed response at once."""

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class ChunkWriter:
    """Writes chunks (RFC 9112, 7.1) of one response of uvicorn's; implements `DirectWriter`."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    def try_write(self, start: bytes, rest: bytes) -> bool:
        """Write a chunk, unless writing is paused, or the response isn't one of chunks that is under way."""
        cycle = self._cycle
        if cycle.flow.write_paused or not cycle.chunked_encoding or cycle.response_complete or cycle.disconnected:
            return False
        if cycle.transport.is_closing():
            return False
        cycle.transport.write(b"".join((b"%x\r\n" % (len(start) + len(rest)), start, rest, b"\r\n")))
        return True
