"""Members behind TLS, ended by a proxy as operators of community members do, and what is logged if it fails."""

import logging
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from domain.ports.cache import CacheSpace
from infra.doctor.findings import Finding, Status
from infra.doctor.services import check_cache
from infra.hazelcast.bus import HazelcastBus
from infra.hazelcast.cache import HazelcastCache
from infra.hazelcast.client import HazelcastConnection
from infra.hazelcast.options import HazelcastOptions
from infra.settings import Settings
from infra.settings_loading import load_settings
from tests.integration.cache_bus.conftest import UNHURRIED_SECONDS, RealClock
from tests.support.certificates import self_signed, server_context
from tests.support.hazelcast import PROXIED_NETWORK, SEAL, TEMPLATE, Member, start_all
from tests.support.ports import free_port
from tests.support.tls_proxy import TlsProxy, tls_proxy
from tests.support.waiting import eventually, read_until

KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
PROXIED = re.sub(r"  <network>.*</network>\n", lambda _: PROXIED_NETWORK, TEMPLATE, flags=re.DOTALL)

# Hazelcast's client makes its TLS context in the way of Python 3.6; what it makes is the same.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.*deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), name="good")


def settings_of(proxies: Sequence[TlsProxy], certificate: Path, **more: object) -> Settings:
    members = ",".join(proxy.address for proxy in proxies)
    usual = {"hazelcast_cluster": "r3edge-test", "hazelcast_tls": True, "hazelcast_ca": certificate, "secret_key": KEY}
    return load_settings(hazelcast_members=members, **usual | more)


def options_of(settings: Settings) -> HazelcastOptions:
    """The settings' options, that of a machine on which nothing hurries."""
    options = settings.hazelcast_options
    assert options is not None
    return replace(options, timeout_seconds=UNHURRIED_SECONDS, heartbeat_timeout_seconds=2 * UNHURRIED_SECONDS)


@asynccontextmanager
async def connected_to(settings: Settings) -> AsyncIterator[HazelcastConnection]:
    connection = HazelcastConnection(options_of(settings), RealClock())
    await connection.start()
    try:
        await eventually(lambda: connection.connected, "the client connects")
        yield connection
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[list[TlsProxy]]:
    """A cluster of two members that tell clients the addresses of these proxies, which end TLS and don't listen yet."""
    folder, ports = tmp_path_factory.mktemp("pair"), [free_port(), free_port()]
    proxies, members = [], []
    for number, port in enumerate(ports):
        proxy = TlsProxy(free_port(), server_context(certificate))
        (folder / str(number)).mkdir()
        more = {"client_port": proxy.target, "public_port": proxy.port}
        members.append(Member(folder / str(number), PROXIED, port=port, peers=ports, **more))
        proxies.append(proxy)
    start_all(members)
    yield proxies
    for member in members:
        member.kill()


@pytest.fixture
async def listening_pair(pair: list[TlsProxy]) -> AsyncIterator[list[TlsProxy]]:
    for proxy in pair:
        proxy.sent.clear()
        await proxy.start()
    yield pair
    for proxy in pair:
        await proxy.close()


async def use(connection: HazelcastConnection) -> None:
    """Write to and read from entries of all members, and send messages over all of them."""
    cache, bus = HazelcastCache(connection, RealClock(), SEAL), HazelcastBus(connection, SEAL, RealClock())
    for key in (uuid4().hex for _ in range(20)):
        await cache.put(CacheSpace.LOGIN_SESSIONS, key, b"user", 60)
        assert await cache.get(CacheSpace.LOGIN_SESSIONS, key) == b"user"
    await bus.publish("user/1", b"hello")
    await bus.close()


async def test_a_node_reaches_each_member_through_its_proxy(listening_pair: list[TlsProxy], certificate: Path) -> None:
    first, second = listening_pair
    settings = settings_of([first], certificate)
    async with connected_to(settings) as connection:
        session = await connection.session()
        await eventually(lambda: session.connected_members == 2, "both members are connected")
        await use(connection)
    assert b"r3edge-login-sessions" in first.sent
    assert b"r3edge-login-sessions" in second.sent
    (found,) = await check_cache(settings, UNHURRIED_SECONDS)
    assert (found.status, found.message.endswith("answers (Hazelcast 5.7.0), 2 members")) == (Status.OK, True)


async def test_behind_a_proxy_whose_address_no_member_knows_a_single_connection_serves(
    pair: list[TlsProxy], certificate: Path
) -> None:
    async with tls_proxy(pair[0].target, server_context(certificate)) as stranger:
        settings = settings_of([stranger], certificate, hazelcast_routing="single")
        async with connected_to(settings) as connection:
            await use(connection)
            assert (await connection.session()).connected_members == 1
        (found,) = await check_cache(settings, UNHURRIED_SECONDS)
        assert found.status is Status.OK
        (partly,) = await check_cache(settings_of([stranger], certificate), UNHURRIED_SECONDS)
    assert partly.status is Status.WARNING
    assert "only 1 of its 2 members can be reached" in partly.message
    assert "R3EDGE_HAZELCAST_ROUTING=single" in str(partly.advice)


async def test_the_certificate_of_the_node_is_shown(member: Member, certificate: Path, tmp_path: Path) -> None:
    own = self_signed(tmp_path, name="node")
    async with (
        tls_proxy(member.port, server_context(certificate, client_authority=own)) as proxy,
        connected_to(settings_of([proxy], certificate, hazelcast_certificate=own)) as connection,
    ):
        await use(connection)


@pytest.mark.parametrize(
    "credentials",
    [{"hazelcast_user": "ada", "hazelcast_password": "open-sesame"}, {"hazelcast_token": "open-sesame"}],
    ids=["a user with a password", "a token"],
)
async def test_credentials_reach_the_member_which_takes_none_in_its_community_edition(
    member: Member, certificate: Path, caplog: pytest.LogCaptureFixture, credentials: dict[str, str]
) -> None:
    async with tls_proxy(member.port, server_context(certificate)) as proxy:
        logged = await refused(settings_of([proxy], certificate, **credentials), caplog, "community members know none")
        assert b"open-sesame" in proxy.sent
        assert "open-sesame" not in logged


async def refused(settings: Settings, caplog: pytest.LogCaptureFixture, reason: str) -> str:
    """Return what is logged, once it holds the reason; the node's cache must go on without the members."""
    connection = HazelcastConnection(replace(options_of(settings), start_timeout_seconds=1.0), RealClock())
    with caplog.at_level(logging.DEBUG):
        await connection.start()
        cache = HazelcastCache(connection, RealClock(), SEAL)
        await eventually(lambda: reason in caplog.text, f"{reason!r} is logged")
        assert await cache.get(CacheSpace.LOGIN_SESSIONS, "token") is None
        assert [await cache.increment("key", 60) for _ in range(2)] == [1, 2]
        await connection.close()
    assert [record.message for record in caplog.records if record.exc_info] == []
    return caplog.text


async def test_a_certificate_of_another_authority_is_named_as_the_reason(
    member: Member, certificate: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with tls_proxy(member.port, server_context(self_signed(tmp_path))) as proxy:
        logged = await refused(
            settings_of([proxy], certificate), caplog, "its certificate can't be trusted: self-signed"
        )
        assert f"lets us in at {proxy.address} (its certificate" in logged


async def test_an_expired_certificate_is_named_as_the_reason_until_it_is_renewed(
    member: Member, certificate: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = self_signed(tmp_path, valid_days=(-3, -1))
    async with tls_proxy(member.port, server_context(old)) as proxy:
        await refused(settings_of([proxy], old), caplog, "can't be trusted: certificate has expired")
        assert proxy.tls is not None
        proxy.tls.load_cert_chain(certificate)
        async with connected_to(settings_of([proxy], certificate)) as connection:
            await use(connection)


async def test_a_certificate_of_another_name_is_named_as_the_reason_unless_names_are_not_verified(
    member: Member, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = self_signed(tmp_path, "192.0.2.1")
    async with tls_proxy(member.port, server_context(other)) as proxy:
        await refused(settings_of([proxy], other), caplog, "IP address mismatch, certificate is not valid for")
        async with connected_to(settings_of([proxy], other, hazelcast_verify_names=False)) as connection:
            await use(connection)


async def test_a_plain_member_is_named_as_one_and_by_the_doctor_too(
    member: Member, certificate: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with tls_proxy(member.port) as proxy:
        settings = settings_of([proxy], certificate)
        await refused(settings, caplog, "it ended the TLS handshake: it doesn't speak TLS")

        async def look() -> Finding:
            (found,) = await check_cache(settings, 2)
            return found

        found = await read_until(look, lambda found: "doesn't speak TLS" in found.message, "the doctor says why")
        assert found.status is Status.ERROR


async def test_a_member_that_expects_tls_or_a_certificate_is_named_as_one(
    member: Member, certificate: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with tls_proxy(member.port, server_context(certificate)) as proxy:
        plain = settings_of([proxy], certificate, hazelcast_tls=False, hazelcast_ca=None)
        await refused(plain, caplog, "does it expect TLS?")
    strict = server_context(certificate, client_authority=self_signed(tmp_path))
    async with tls_proxy(member.port, strict) as proxy:
        await refused(settings_of([proxy], certificate), caplog, "or wants a certificate of this node")


async def test_a_file_without_an_authority_is_named_as_the_reason(
    member: Member, certificate: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    async with tls_proxy(member.port, server_context(certificate)) as proxy:
        await refused(settings_of([proxy], empty), caplog, "TLS failed: no certificate or crl found")
