"""Heads of requests that two servers may read in two ways are refused, each with the status that HTTP has for it."""

import re
from collections.abc import AsyncIterator

import pytest

from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.raw_http import HANDSHAKE, peer_of, status_of
from tests.support.serving import Served, serving

HELLO = b'{"query": "{ hello }"}'
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HELLO), HELLO)
LENGTH = b"Content-Length: %d" % len(HELLO)


@pytest.fixture
async def served(backend: DemoBackend) -> AsyncIterator[Served]:
    async with serving(demo_app(backend)) as served:
        yield served


async def answer_to(served: Served, data: bytes) -> bytes:
    """Return all that comes until the server closes, which is asked to."""
    async with peer_of(served) as peer:
        await peer.send(data.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        return await peer.everything()


def post(*headers: bytes, body: bytes = HELLO, line: bytes = b"POST /graphql HTTP/1.1") -> bytes:
    lines = (line, b"Host: 127.0.0.1", b"Content-Type: application/json", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def page(target: bytes, host: bytes = b"127.0.0.1") -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/html\r\n\r\n" % (target, host)


FRAMINGS = {
    "no framing but chunks": (post(b"Transfer-Encoding: Chunked", body=CHUNKED), 200),
    "a coding before chunked": (post(b"Transfer-Encoding: gzip, chunked", body=CHUNKED), 501),
    "another coding": (post(b"Transfer-Encoding: gzip", body=CHUNKED), 501),
    "the coding that is none": (post(b"Transfer-Encoding: identity", body=CHUNKED), 501),
    "chunked twice": (post(b"Transfer-Encoding: chunked, chunked", body=CHUNKED), 400),
    "two codings": (post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNKED), 400),
    "chunks of HTTP/1.0": (
        post(b"Transfer-Encoding: chunked", body=CHUNKED, line=b"POST /graphql HTTP/1.0"),
        400,
    ),
    "chunks, and a length": (post(b"Transfer-Encoding: chunked", LENGTH, body=CHUNKED), 400),
    "a length, and chunks": (post(LENGTH, b"Transfer-Encoding: chunked", body=CHUNKED), 400),
    "a length twice": (post(LENGTH, LENGTH), 400),
    "a list of lengths": (post(LENGTH + b", %d" % len(HELLO)), 400),
    "a length with a sign": (post(b"Content-Length: +%d" % len(HELLO)), 400),
    "a space before a colon": (post(b"Transfer-Encoding : chunked", body=CHUNKED), 400),
    "a line that goes on": (post(b"X-A: b\r\n c", LENGTH), 400),
    "a return in a value": (post(b"X-A: b\rc", LENGTH), 400),
    "ends of lines without a return": (post(LENGTH).replace(b"\r", b""), 400),
    "a size of a chunk with a sign": (post(b"Transfer-Encoding: chunked", body=b"+" + CHUNKED), 400),
    "ends of chunks without a return": (post(b"Transfer-Encoding: chunked", body=CHUNKED.replace(b"\r", b"")), 400),
}


@pytest.mark.parametrize("what", FRAMINGS)
async def test_a_body_whose_end_may_be_read_in_two_ways_is_refused(served: Served, what: str) -> None:
    data, status = FRAMINGS[what]
    assert status_of(await answer_to(served, data)) == status


@pytest.mark.parametrize(
    "twice",
    [b"Host: 127.0.0.1", b"Content-Type: text/plain", b"AUTHORIZATION: Bearer b", b"Origin: https://b.example"],
)
@pytest.mark.parametrize("probe", [False, True])
async def test_a_header_with_one_value_comes_once(served: Served, twice: bytes, probe: bool) -> None:
    line = b"GET /healthz HTTP/1.1" if probe else b"POST /graphql HTTP/1.1"
    one = (b"Authorization: Bearer a", b"Origin: https://a.example")
    answer = await answer_to(served, post(*one, twice, LENGTH, line=line))
    assert status_of(answer) == 400
    assert b"was sent twice" in answer


async def test_a_handshake_with_two_keys_is_refused(served: Served) -> None:
    async with peer_of(served) as peer:
        await peer.send(HANDSHAKE + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n\r\n")
        assert status_of(await peer.everything()) == 400


async def test_a_header_that_is_a_list_may_come_in_several_lines(served: Served) -> None:
    accepts = (b"Accept: text/html", b"Accept: application/graphql-response+json")
    for lines in (accepts, accepts[::-1]):
        answer = await answer_to(served, post(*lines, LENGTH))
        assert status_of(answer) == 200
        assert b"content-type: application/graphql-response+json" in answer


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"POST /graphql HTTP/2.0", 505),
        (b"POST /graphql HTTP/0.9", 505),
        (b"GET /healthz", 505),
        (b"POST /graphql HTTP/1.0", 200),
        (b"POST /graphql HTTP/1.2", 400),
        (b"POST /graphql HTTP/9.9", 400),
    ],
)
async def test_another_version_is_not_answered_as_if_it_were_spoken(served: Served, line: bytes, status: int) -> None:
    async with peer_of(served) as peer:
        await peer.send(post(b"Connection: close", LENGTH, line=line))
        assert status_of(await peer.everything()) == status


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        (b"http://127.0.0.1/graphql", b"127.0.0.1", 200),
        (b"HTTP://localhost:80/graphql", b"evil.example", 200),
        (b"https://evil.example/graphql", b"127.0.0.1", 421),
        (b"http://127.0.0.1:80.evil.example/graphql", b"127.0.0.1", 421),
        (b"http://127.0.0.1@evil.example/graphql", b"127.0.0.1", 400),
        (b"http:///graphql", b"127.0.0.1", 400),
        (b"ftp://127.0.0.1/graphql", b"127.0.0.1", 400),
        (b"127.0.0.1/graphql", b"127.0.0.1", 400),
    ],
)
async def test_the_host_of_an_absolute_target_is_the_one_that_is_checked(
    served: Served, target: bytes, host: bytes, status: int
) -> None:
    data = post(LENGTH, line=b"POST %s HTTP/1.1" % target).replace(b"Host: 127.0.0.1", b"Host: " + host, 1)
    assert status_of(await answer_to(served, data)) == status


async def test_a_handshake_is_for_the_host_of_its_absolute_target(served: Served) -> None:
    for target, status in ((b"http://evil.example/graphql", 421), (b"http://127.0.0.1/graphql", 101)):
        async with peer_of(served) as peer:
            await peer.send(HANDSHAKE.replace(b"/graphql", target, 1) + b"\r\n")
            assert status_of(await peer.reader.readuntil(b"\r\n\r\n")) == status


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/markets", 200),
        (b"/markets/x%20y/", 200),
        (b"/markets?next=%00%0a//", 200),
        (b"//graphql/", 404),
        (b"//evil.example", 404),
        (b"/markets//x", 404),
        (b"/markets/../graphql", 404),
        (b"/markets/%2e%2e/graphql", 404),
        (b"/.", 404),
        (b"/\\evil.example", 404),
        (b"/markets/%5c", 404),
        (b"/markets/%00", 400),
        (b"/assets/%00", 400),
        (b"/hooks/%0d%0a", 400),
        (b"/markets/%7F", 400),
        (b"/markets#x", 400),
    ],
)
async def test_the_page_of_the_console_is_at_paths_that_can_be_read_in_one_way_only(
    served: Served, target: bytes, status: int
) -> None:
    assert status_of(await answer_to(served, page(target))) == status


@pytest.mark.parametrize("rejected", [b"NONSENSE\r\n\r\n", post(LENGTH, line=b"POST /graphql HTTP/2.0")])
async def test_a_rejection_is_never_the_answer_to_the_request_before_it(backend: DemoBackend, rejected: bytes) -> None:
    """A proxy that sends the requests of two clients on one connection would hand it to the wrong one."""
    slow = b'{"query": "mutation { orderSlowly(price: 1) }"}'
    async with serving(demo_app(backend)) as served, peer_of(served) as peer:
        await peer.send(post(b"Content-Length: %d" % len(slow), body=slow) + rejected)
        async with served.client() as client:  # which is answered after all that came before it was read
            assert (await client.get("/healthz")).status_code == 200
        backend.gate.set()
        answers = await peer.everything()
    first, second = re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", answers)
    assert (int(first), int(second)) == (200, 505 if b"2.0" in rejected else 400)
    assert b"orderSlowly" in answers.split(b"HTTP/1.1 ")[1]
