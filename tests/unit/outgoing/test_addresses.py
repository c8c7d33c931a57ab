"""No way of writing an address leads into the own network."""

import asyncio
import socket
import threading
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

import pytest
from yarl import URL

from domain.core.background import cancel_and_wait
from domain.ports.notifications import NotDelivered
from infra.outgoing.addresses import RESOLVERS, RESOLVERS_PER_OWNER, AddressGuard, AddressNotAllowed, is_public
from infra.outgoing.http import OutgoingHttp
from tests.support.receiver import Receiver, open_receiver
from tests.support.waiting import eventually

INSIDE = (
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2001::1",
    "2001:0:7f00:1::", "2001:db8::1", "2002:7f00:1::", "3fff::1", "100::1", "5f00::1", "4000::1",
)  # fmt: skip
OUTSIDE = ("1.1.1.1", "8.8.8.8", "93.184.215.14", "::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450:4001::1")
WRITTEN = (
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0", "0x0",
    "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::127.0.0.1]",
    "localhost", "LOCALHOST", "localhost.", "127.0.0.1.", "①②⑦.⓪.⓪.①", "127。0。0。1", "169.254.169.254", "2852039166",
    "0xA9FEA9FE", "[::ffff:169.254.169.254]", "[fe80::1%25lo]", "[fd00:ec2::254]", "10.1",
)  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_of_a_private_network_or_of_a_special_purpose_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", WRITTEN)
async def test_no_way_of_writing_an_address_leads_inside(host: str) -> None:
    guard = AddressGuard()
    try:
        with pytest.raises((AddressNotAllowed, OSError)):
            await guard.resolve(guard.parse(f"https://{host}/hook"))
    finally:
        guard.close()


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("", "address of a web server"),
        ("example.com/hook", "address of a web server"),
        ("ftp://example.com", "address of a web server"),
        ("file:///etc/passwd", "address of a web server"),
        ("gopher://127.0.0.1:25", "address of a web server"),
        ("https://", "address of a web server"),
        ("https://example.com:99999/", "address of a web server"),
        ("https://example.com:0/", "address of a web server"),
        ("http://example.com/hook", "https://"),
        ("https://user:password@example.com", "user or a password"),
        ("https://example.com#@127.0.0.1", "fragment"),
        ("https://exam ple.com", "blank"),
        ("https://example.com\r\nX-Header: 1", "blank"),
        ("https://example.com\\@127.0.0.1/", "blank"),
        (f"https://example.com/{'a' * 2_000}", "characters"),
    ],
)
def test_what_is_no_address_of_a_web_server_is_named(address: str, word: str) -> None:
    error = AddressGuard().error(address)
    assert error is not None
    assert word in error


def test_an_ordinary_address_is_taken() -> None:
    assert AddressGuard().error("https://example.com:8443/hook?key=1") is None


async def test_a_name_with_one_inner_address_among_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = AddressGuard()
    _resolve_to(monkeypatch, ["8.8.8.8", "127.0.0.1"])
    with pytest.raises(AddressNotAllowed):
        await guard.resolve(URL("https://example.com/"))


async def test_plain_http_goes_to_allowed_networks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = AddressGuard(["10.0.0.0/8"])
    _resolve_to(monkeypatch, ["10.1.2.3"])
    assert await guard.resolve(guard.parse("http://hooks.internal/")) == [ip_address("10.1.2.3")]
    _resolve_to(monkeypatch, ["8.8.8.8"])
    with pytest.raises(AddressNotAllowed, match="https"):
        await guard.resolve(guard.parse("http://example.com/"))
    _resolve_to(monkeypatch, ["127.0.0.1"])
    with pytest.raises(AddressNotAllowed, match="internet"):
        await guard.resolve(guard.parse("https://localhost/"))


async def test_a_name_that_leads_elsewhere_a_moment_later_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the connection goes to the address that was checked, and the name is looked up once."""
    lookups: list[str] = []
    async with open_receiver() as receiver:
        http = OutgoingHttp(AddressGuard(["127.0.0.1/32"]))
        try:
            _resolve_to(monkeypatch, ["127.0.0.1"], lookups)
            answer = await http.post(f"http://rebinding.example:{receiver.port}/hook", b"{}", {})
            assert (answer.status, lookups) == (200, ["rebinding.example"])
            assert receiver.requests[0].headers["Host"] == f"rebinding.example:{receiver.port}"
            _resolve_to(monkeypatch, ["127.0.0.2"])
            with pytest.raises(NotDelivered, match="internet"):
                await http.post(f"http://rebinding.example:{receiver.port}/hook", b"{}", {})
        finally:
            await http.close()
    assert len(receiver.requests) == 1


async def test_slow_names_of_one_user_hold_up_no_name_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that nobody waits for any more still holds its thread, and so its user's share."""
    started: list[str] = []
    answered = threading.Event()

    def find(host: str, port: int, **_options: object) -> list[Any]:
        started.append(host)
        if host.startswith("slow"):
            answered.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port))]

    monkeypatch.setattr("infra.outgoing.addresses.socket.getaddrinfo", find)
    guard, slow, other = AddressGuard(), uuid4(), uuid4()
    try:
        for number in range(RESOLVERS + 8):
            abandoned = asyncio.create_task(guard.resolve(URL(f"https://slow{number}.example/"), slow))
            await asyncio.sleep(0)
            held = min(number + 1, RESOLVERS_PER_OWNER)
            await eventually(lambda held=held: len(started) >= held, "the look-up has begun, or waits")  # type: ignore[misc]  # mypy infers no lambda with a default
            await cancel_and_wait(abandoned)
        assert await guard.resolve(URL("https://quick.example/"), other) == [ip_address("8.8.8.8")]
        assert [host for host in started if host.startswith("slow")] == ["slow0.example", "slow1.example"]
        answered.set()
        assert await guard.resolve(URL("https://late.example/"), slow) == [ip_address("8.8.8.8")]
    finally:
        answered.set()
        guard.close()


async def test_a_redirect_is_not_followed_and_its_cookie_is_not_kept() -> None:
    async with open_receiver() as receiver, open_receiver() as inner:
        http = OutgoingHttp(AddressGuard(["127.0.0.0/8"]))
        try:
            headers = {"Location": inner.url, "Set-Cookie": "session=1; Path=/"}
            receiver.refuse(307, headers=headers)
            assert (await http.post(receiver.url, b"{}", {})).status == 307
            receiver.answer = _ok
            await http.post(receiver.url, b"{}", {})
        finally:
            await http.close()
    assert inner.attempts == 0
    assert "Cookie" not in receiver.requests[0].headers


async def test_an_answer_is_read_no_further_than_its_bound() -> None:
    async with open_receiver() as receiver:
        http = OutgoingHttp(AddressGuard(["127.0.0.0/8"]))
        try:
            receiver.answer = lambda: _ok(body=b"a" * 5_000_000)
            answer = await http.post(receiver.url, b"{}", {})
        finally:
            await http.close()
    assert len(answer.body) <= 16 * 1_024


async def test_nothing_of_the_address_stands_in_what_is_said_of_a_failure() -> None:
    http = OutgoingHttp(AddressGuard(["127.0.0.0/8"]), total_seconds=30)
    receiver = Receiver()
    await receiver.start()
    await receiver.stop()
    try:
        with pytest.raises(NotDelivered) as error:
            await http.post(f"{receiver.base_url}/secret-path?key=secret", b"{}", {})
    finally:
        await http.close()
    assert str(error.value) == "The receiver can't be reached."


def _ok(**options: Any) -> Any:
    from aiohttp import web  # noqa: PLC0415

    return web.Response(**options)


def _resolve_to(monkeypatch: pytest.MonkeyPatch, addresses: list[str], lookups: list[str] | None = None) -> None:
    """Have every name lead to these addresses, as a name server of an attacker would."""

    def find(host: str, port: int, **_options: object) -> list[Any]:
        if lookups is not None:
            lookups.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr("infra.outgoing.addresses.socket.getaddrinfo", find)
