"""A line to PostgreSQL that breaks when a commit has been done, before its answer has come back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_HEADER = 5
"""A message's type and length (PostgreSQL, "Message Formats")."""
_COMPLETE, _READY, _IDLE = b"C", b"Z", b"I"
_COMMITS = frozenset({"COMMIT", "INSERT", "UPDATE", "DELETE", "SELECT"})
"""What ends a transaction, or is one by itself; a SELECT may write too, in its WITH."""


class AnswerCutter:
    """Passes bytes to a server's socket; `cut_next` lets the next commit's answer be lost with its connection."""

    def __init__(self, server: Path) -> None:
        self.cuts = Counter[str]()
        """The commands whose answers were lost."""
        self._server = server
        self._armed = 0
        self._pipes: set[asyncio.Task[None]] = set()

    @property
    def is_armed(self) -> bool:
        return self._armed > 0

    def cut_next(self) -> None:
        """Lose the answer of the next statement that leaves no transaction open."""
        self._armed += 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass a connection on."""
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        for pipe in (_pass(reader, to_server), self._pass_answers(from_server, writer, to_server)):
            task = asyncio.create_task(pipe)
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    async def close(self) -> None:
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _pass_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_server: asyncio.StreamWriter
    ) -> None:
        rest, tag = b"", ""
        with suppress(ConnectionError, OSError):
            while part := await reader.read(65_536):
                messages, rest = _split(rest + part)
                for kind, body in messages:
                    if kind == _COMPLETE:
                        tag = body.rstrip(b"\0").decode().split(" ")[0]
                    elif kind == _READY and body == _IDLE and self._armed and tag in _COMMITS:
                        self._armed -= 1
                        self.cuts[tag] += 1
                        writer.transport.abort()
                        to_server.transport.abort()
                        return
                    if kind == _READY:
                        tag = ""
                writer.write(part)
        writer.close()


def _split(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the whole messages in the bytes, and what is left."""
    found, start = [], 0
    while start + _HEADER <= len(data):
        end = start + 1 + int.from_bytes(data[start + 1 : start + _HEADER], "big")
        if end > len(data):
            break
        found.append((data[start : start + 1], data[start + _HEADER : end]))
        start = end
    return found, data[start:]


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, OSError):
        while part := await reader.read(65_536):
            writer.write(part)
    writer.close()


@asynccontextmanager
async def answer_cutter(dsn: str) -> AsyncIterator[tuple[AnswerCutter, str]]:
    """Listen on a free port of loopback; give the cutter, and the DSN that goes through it."""
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    cutter = AnswerCutter(Path(query["host"][0]) / f".s.PGSQL.{query['port'][0]}")
    server = await asyncio.start_server(cutter.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = parts.netloc.rpartition("@")[0]
    async with server:
        yield cutter, parts._replace(netloc=f"{user}@127.0.0.1:{port}", query="sslmode=disable").geturl()
        await cutter.close()
