from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from domain.model.users import ApiScope
from domain.ports.bus import BusSubscription
from domain.users.operators import Administrator
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.runtime.credential_watcher import close_revoked_connections
from infra.web.connections.close_codes import CloseCode
from infra.web.connections.registry import ConnectionRegistry
from infra.web.metrics import WebMetrics
from tests.support.sign_in import SignInNode, hasher, node
from tests.support.waiting import eventually

__all__ = ["hasher", "node"]

PASSWORD = "correct horse battery"
HERE = "192.0.2.1"


class LossyBus(EmbeddedBus):
    """Loses every message, and reports the loss when asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.on_loss_callbacks: list[Callable[[], None]] = []

    async def publish(self, topic: str, message: bytes) -> None:
        return

    async def subscribe(
        self, topic: str, on_message: Callable[[bytes], None], on_loss: Callable[[], None] | None = None
    ) -> BusSubscription:
        if on_loss is not None:
            self.on_loss_callbacks.append(on_loss)
        return await super().subscribe(topic, on_message, on_loss)


class Socket:
    def __init__(self) -> None:
        self.closed_with: int | None = None
        self.error: Exception | None = None

    async def close(self, code: int, reason: str) -> None:
        if (error := self.error) is not None:
            self.error = None
            raise error
        self.closed_with = code


@pytest.mark.parametrize("bus", [EmbeddedBus(), LossyBus()], ids=["a working bus", "a bus that loses messages"])
async def test_a_revoked_credentials_sockets_close_and_others_stay(node: SignInNode, bus: EmbeddedBus) -> None:
    connections = ConnectionRegistry(WebMetrics(CollectorRegistry()))
    async with close_revoked_connections(node.database, bus, node.clock, node.authenticator, connections):
        sockets = {}
        for email in ("stays@example.com", "goes@example.com"):
            signed = await node.users.register(email, PASSWORD, None, HERE)
            identity = await node.authenticator.identify(signed.token)
            assert identity is not None
            sockets[email] = (Socket(), identity)
            connections.add(sockets[email][0])
            connections.set_credential(sockets[email][0], str(identity.credential_id))

        gone, identity = sockets["goes@example.com"]
        await node.users.revoke_login_session(identity.user.id, identity.credential_id)
        await bus.publish("credential-revoked", identity.credential_id.bytes)
        for report_loss in getattr(bus, "on_loss_callbacks", ()):
            report_loss()

        await eventually(lambda: gone.closed_with == CloseCode.FORBIDDEN, "the revoked session's socket closes")
        assert sockets["stays@example.com"][0].closed_with is None


async def test_a_credential_that_ended_without_a_message_closes_its_sockets_soon(node: SignInNode) -> None:
    connections, bus = ConnectionRegistry(WebMetrics(CollectorRegistry())), LossyBus()
    watching = close_revoked_connections(node.database, bus, node.clock, node.authenticator, connections, 0.01)
    async with watching:
        await node.users.register("root@example.com", PASSWORD, None, HERE)
        signed = await node.users.register("goes@example.com", PASSWORD, None, HERE)
        identity = await node.authenticator.identify(signed.token)
        assert identity is not None
        _, secret = await node.keys.create(identity, "bot", frozenset({ApiScope.READ}), None)
        key = await node.authenticator.identify(secret)
        assert key is not None
        sockets = [Socket(), Socket()]
        sockets[0].error = ValueError("a fault of one socket")
        for socket, of in zip(sockets, (identity, key), strict=True):
            connections.add(socket)
            connections.set_credential(socket, str(of.credential_id))

        machine = SignInNode(node.database, EmbeddedCache(node.clock), LossyBus(), node.hasher, node.clock)
        await machine.administration.disable(Administrator(), identity.user.id)

        closed = [CloseCode.FORBIDDEN] * 2
        await eventually(lambda: [socket.closed_with for socket in sockets] == closed, "both sockets close")
        assert await node.authenticator.identify(secret) is None
