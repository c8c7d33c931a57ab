"""The TLS proxy of `deploy/Caddyfile` as a process, in front of programs on this machine."""

import asyncio
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.engine import ROOT
from tests.support.ports import free_port
from tests.support.require import require_or_skip
from tests.support.waiting import read_until

_STOP_SECONDS = 30.0
_AUTHORITY = "caddy/pki/authorities/local/root.crt"


@dataclass(frozen=True)
class Proxy:
    """Where it is reached, and the TLS context that trusts it."""

    url: str
    trust: ssl.SSLContext


@asynccontextmanager
async def tls_proxy(folder: Path, upstream_ports: Sequence[int]) -> AsyncIterator[Proxy]:
    """Run the proxy while the block runs; skip the test where Caddy isn't installed."""
    program = shutil.which("caddy")
    require_or_skip(program, "there is no Caddy (apt install caddy)")
    assert program is not None
    port = free_port()
    environment = {
        **os.environ,
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "R3EDGE_SITE": f"localhost:{port}",
        "R3EDGE_HTTP_PORT": str(free_port()),
        "R3EDGE_UPSTREAMS": " ".join(f"127.0.0.1:{upstream}" for upstream in upstream_ports),
    }
    configuration = ROOT / "deploy" / "Caddyfile"
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220  # it starts at once and is waited for in a thread
            [program, "run", "--config", str(configuration), "--adapter", "caddyfile"],
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield Proxy(f"https://localhost:{port}", await _trust(folder, port, process))
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, _STOP_SECONDS)


async def _trust(folder: Path, port: int, process: "subprocess.Popen[bytes]") -> ssl.SSLContext:
    """Wait until it speaks TLS; return what trusts its own authority."""

    async def speaks() -> ssl.SSLContext | None:
        assert process.poll() is None, (folder / "caddy.log").read_text()[-2000:]
        try:
            trust = ssl.create_default_context(cafile=str(folder / _AUTHORITY))
            _, writer = await asyncio.open_connection("localhost", port, ssl=trust)
        except OSError:
            return None
        writer.close()
        return trust

    found = await read_until(speaks, bool, "the proxy speaks TLS")
    assert found is not None
    return found
