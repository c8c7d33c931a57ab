"""A link between two programs: what a cut holds back comes in the end, in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support.link import Link, linked

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_MOMENT_SECONDS = 0.2


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(b"<" + data)
    writer.close()


@asynccontextmanager
async def _through_a_link() -> AsyncIterator[tuple[Link, Streams]]:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server, linked(server.sockets[0].getsockname()[1]) as link:
        streams = await asyncio.open_connection("127.0.0.1", link.port)
        yield link, streams
        streams[1].close()


async def _answer(streams: Streams, sent: bytes) -> bytes:
    streams[1].write(sent)
    return await asyncio.wait_for(streams[0].readexactly(len(sent) + 1), 30)


async def _is_silent(reader: asyncio.StreamReader) -> bool:
    done, _ = await asyncio.wait([reading := asyncio.create_task(reader.read(100))], timeout=_MOMENT_SECONDS)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    return not done


async def test_what_a_cut_holds_back_arrives_when_the_line_is_whole() -> None:
    async with _through_a_link() as (link, streams):
        assert await _answer(streams, b"one") == b"<one"
        link.cut()
        streams[1].write(b"two")
        assert await _is_silent(streams[0])
        link.heal()
        assert await streams[0].readexactly(4) == b"<two"


async def test_where_answers_alone_are_cut_the_target_gets_what_is_sent(tmp_path: Path) -> None:
    received = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        received.set()
        writer.write(b"yes")
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "socket")
    async with server, linked(tmp_path / "socket") as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        link.cut_answers()
        writer.write(b"sent")
        await received.wait()
        assert await _is_silent(reader)
        link.heal()
        assert await reader.readexactly(3) == b"yes"
        writer.close()


async def test_who_connects_over_a_cut_line_waits_for_its_healing() -> None:
    async with _through_a_link() as (link, _):
        link.cut()
        streams = await asyncio.open_connection("127.0.0.1", link.port)
        streams[1].write(b"late")
        assert await _is_silent(streams[0])
        link.heal()
        assert await streams[0].readexactly(5) == b"<late"
        streams[1].close()


async def test_a_target_that_has_gone_ends_the_connection() -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with linked(port) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
