"""How quickly messages are read from WebSockets: a flood of one address leaves the event loop to all others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from infra.web.connections.message_rates import BYTES_PER_UNIT, AddressRate, MessageRates
from infra.web.settings import WebSettings
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.raw_http import HANDSHAKE, Peer, peer_of, status_of
from tests.support.serving import Served, serving
from tests.support.waiting import eventually

SLOW = WebSettings(messages_per_second_per_address=40)
INIT = b'{"type":"connection_init"}'
FLOODS = {
    "empty control frames": b"\x89\x80\0\0\0\0",
    "pings of the protocol": b"\x81\x8f\0\0\0\0" + b'{"type":"ping"}',
    "pongs of the protocol": b"\x81\x8f\0\0\0\0" + b'{"type":"pong"}',
    "ends of unknown operations": b"\x81\x9c\0\0\0\0" + b'{"type":"complete","id":"1"}',
}


@asynccontextmanager
async def socket_of(served: Served) -> AsyncIterator[Peer]:
    async with peer_of(served) as peer:
        await peer.send(HANDSHAKE + b"\r\n")
        assert status_of(await peer.reader.readuntil(b"\r\n\r\n")) == 101
        await peer.send(bytes((0x81, 0x80 | len(INIT))) + b"\0\0\0\0" + INIT)
        await peer.reader.readuntil(b'{"type":"connection_ack"}')
        yield peer


def waits(served: Served) -> float:
    return served.app.state.metrics.registry.get_sample_value("r3edge_connection_waits_total") or 0.0


@pytest.mark.parametrize("what", FLOODS)
async def test_a_flood_is_read_at_the_rate_of_its_address_while_others_are_answered(
    backend: DemoBackend, what: str
) -> None:
    app = demo_app(backend, SLOW)
    async with serving(app, SLOW) as served, socket_of(served) as flooding, served.client() as client:
        flooding.writer.write(FLOODS[what] * 20_000)
        await eventually(lambda: waits(served) >= 2, "the flood has to wait")
        assert (await client.post("/graphql", json={"query": "{ hello }"})).json()["data"] == {"hello": "hello you"}


async def test_what_has_waited_is_answered_completely_and_in_order(backend: DemoBackend) -> None:
    settings = WebSettings(messages_per_second_per_address=400)
    app = demo_app(backend, settings)
    async with serving(app, settings) as served, served.socket() as socket:
        await socket.init()
        for number in range(150):
            await socket.send(type="ping", payload={"number": number})
        pongs = [await socket.receive() for _ in range(150)]
        assert [pong["payload"]["number"] for pong in pongs] == list(range(150))
        assert waits(served) >= 1


async def test_sockets_of_an_address_that_has_sent_too_much_take_turns() -> None:
    now, read = 0.0, []
    rate = AddressRate(4, lambda: None, lambda: now)
    rate.spend(1, 0)

    def reader(name: str, times: int) -> None:
        def one() -> None:
            nonlocal now
            now += 1.0
            rate.spend(1, 0)
            read.append(name)
            reader(name, times - 1)

        if times:
            rate.wait(one)

    reader("flood", 3)
    reader("modest", 1)
    now = 1.0
    await eventually(lambda: len(read) == 4, "all are read")
    assert read == ["flood", "modest", "flood", "flood"]


async def test_each_address_has_a_rate_of_its_own_and_large_messages_count_by_their_size() -> None:
    rates = MessageRates(1_000, lambda: None, lambda: 0.0)
    rates.of("192.0.2.1").spend(1, 250 * BYTES_PER_UNIT)
    assert not rates.of("192.0.2.1").may_read()
    assert rates.of("192.0.2.2").may_read()


async def test_behind_a_trusted_proxy_the_clients_address_is_counted(backend: DemoBackend) -> None:
    settings = WebSettings(messages_per_second_per_address=40, trusted_proxies=("127.0.0.1",))
    async with serving(demo_app(backend, settings), settings) as served:
        limits = served.app.state.limits
        behind = limits.message_rate("127.0.0.1", ["192.0.2.7"])
        async with served.socket(additional_headers={"x-forwarded-for": "192.0.2.7"}) as socket:
            await socket.init()
            behind.spend(10, 0)  # more than the rest of a quarter of a second
            await asyncio.gather(*(socket.send(type="ping") for _ in range(3)))
            assert (await socket.receive())["type"] == "pong"
            assert waits(served) >= 1


async def test_connections_that_come_at_once_are_served_in_turn_and_all_of_them(backend: DemoBackend) -> None:
    app = demo_app(backend, SLOW)
    async with serving(app, SLOW) as served:

        async def ask() -> dict[str, object]:
            async with served.client() as client:
                answer: dict[str, object] = (await client.post("/graphql", json={"query": "{ hello }"})).json()["data"]
                return answer

        assert await asyncio.gather(*(ask() for _ in range(12))) == [{"hello": "hello you"}] * 12
        assert waits(served) >= 8


async def test_a_connection_that_closes_while_it_waits_is_counted_no_more(backend: DemoBackend) -> None:
    app = demo_app(backend, SLOW)
    async with serving(app, SLOW) as served:
        app.state.limits.connection_rate("127.0.0.1").spend(50, 0)
        async with peer_of(served) as peer:
            await peer.send(b"GET /healthz HTTP/1.1\r\n")
            await eventually(lambda: app.state.limits.open_connections == 1, "it is counted")
        await eventually(lambda: app.state.limits.open_connections == 0, "it has left")
        async with served.client() as client:
            assert (await client.get("/healthz")).status_code == 200
