"""The Hazelcast members of a drill, from the shipped configuration, with links before them.

Each member is reached by the nodes over a link a node, and by the other members over one of `between`.
"""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from tests.support.hazelcast import Member, start_all
from tests.support.link import Link
from tests.support.ports import free_port

_SHIPPED = Path(__file__).parents[3] / "deploy" / "hazelcast.xml"
_NETWORK = """\
  <advanced-network enabled="true">
    <join>
      <auto-detection enabled="false"/>
      <multicast enabled="false"/>
      <tcp-ip enabled="true"><members>{members}</members></tcp-ip>
    </join>
    <member-server-socket-endpoint-config>
      <port auto-increment="false">{port}</port>
      <public-address>127.0.0.1:{reached_by_members}</public-address>
      <interfaces enabled="true"><interface>127.0.0.1</interface></interfaces>
    </member-server-socket-endpoint-config>
    <client-server-socket-endpoint-config>
      <port auto-increment="false">{client_port}</port>
      <public-address>127.0.0.1:{reached_by_nodes}</public-address>
      <interfaces enabled="true"><interface>127.0.0.1</interface></interfaces>
    </client-server-socket-endpoint-config>
  </advanced-network>
"""
_NAME = "r3edge"


class MemberCluster:
    """So many members; `of_nodes` holds the links of each node, one a member, in the order of both."""

    def __init__(self, folder: Path, size: int, nodes: int) -> None:
        ports = [free_port() for _ in range(size)]
        client_ports = [free_port() for _ in range(size)]
        self.between = [Link(port, free_port()) for port in ports]
        self.of_nodes = [[Link(port, free_port()) for port in client_ports] for _ in range(nodes)]
        peers = [link.port for link in self.between]
        self.members: list[Member] = []
        for number, (port, client_port) in enumerate(zip(ports, client_ports, strict=True)):
            place = folder / f"member{number}"
            place.mkdir()
            # Nodes that aren't connected to a member yet find it at the first node's link.
            reached = {"reached_by_members": peers[number], "reached_by_nodes": self.of_nodes[0][number].port}
            member = Member(place, _template(), _NAME, port=port, peers=peers, client_port=client_port, **reached)
            self.members.append(member)

    @property
    def name(self) -> str:
        """The name of the cluster."""
        return _NAME

    @property
    def links(self) -> list[Link]:
        """All lines to the members."""
        return [*self.between, *(link for links in self.of_nodes for link in links)]

    async def start(self) -> None:
        """Start all members, and what is before them."""
        for link in self.links:
            await link.start()
        await asyncio.to_thread(start_all, self.members)

    async def close(self) -> None:
        """End all."""
        for member in self.members:
            member.kill()
        for link in self.links:
            await link.close()

    def addresses(self, node: int) -> Sequence[str]:
        """Return where a node reaches the members."""
        return [f"127.0.0.1:{link.port}" for link in self.of_nodes[node]]

    async def restart(self) -> None:
        """Start members that don't run."""
        away = [member for member in self.members if not member.is_running]
        await asyncio.to_thread(start_all, away)


def _template() -> str:
    return re.sub(r"  <network>.*</network>\n", lambda _: _NETWORK, _SHIPPED.read_text(), flags=re.DOTALL)
