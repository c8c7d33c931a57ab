"""An S3 server (moto) as a process that can be killed, and a proxy before it that breaks requests as it is told."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from importlib.util import find_spec
from io import BytesIO

from aiohttp import ClientSession, web
from pydantic import SecretStr

from infra.archive_storage.s3 import S3Access, S3Patience, S3Storage
from infra.s3_address import S3Address
from tests.support.ports import free_port
from tests.support.require import require_or_skip
from tests.support.waiting import PATIENCE_SECONDS

BUCKET = "history"
ACCESS_KEY, SECRET_KEY = "AKIATESTTESTTESTTEST", "geheim/geheim+geheim"
ANSWER_NOTHING = "answer nothing"
CUT_UPLOAD = "cut the connection while the client sends"
CUT_ANSWER = "cut the connection before the answer of what was done"
CUT_DOWNLOAD = "cut the connection in the middle of the answer"
IMPATIENT = S3Patience(silence=timedelta(seconds=1), repeating=timedelta(seconds=1))
"""For servers that don't answer: a busy machine's may be found among them."""


def storage_at(port: int, address: str = f"s3://{BUCKET}/engine", patience: S3Patience | None = None) -> S3Storage:
    """Return the storage of a server at a port."""
    key, secret = SecretStr(ACCESS_KEY), SecretStr(SECRET_KEY)
    access = S3Access(S3Address.parse(address), f"http://127.0.0.1:{port}", "us-east-1", key, secret)
    return S3Storage(access, patience)


class S3Server:
    """A server that keeps all in memory: what it has acknowledged is there until it is stopped."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with an empty bucket."""
        require_or_skip(find_spec("moto") is not None, "moto isn't installed: uv sync")
        arguments = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port))
        self._process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._has_bucket():
            assert time.monotonic() < deadline, "the S3 server doesn't start"
            time.sleep(0.02)

    def freeze(self) -> None:
        """Stop it for a while, with all that it has."""
        self._running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._running.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill it; what it had is gone."""
        self._running.kill()
        self._running.wait()
        self._process = None

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None
        return self._process

    def _has_bucket(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("PUT", f"/{BUCKET}")
            return connection.getresponse().status == HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()


class BreakingS3:
    """Passes requests on to a server; those that `fault` returns something for are broken in that way.

    What it returns is one of the faults above, or the status and the code of an answer in the server's place. Listings
    have pages of `names_a_page`, as a server may decide.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.requests: list[web.Request] = []
        self.fault: Callable[[web.Request], str | tuple[int, str] | None] = lambda _request: None
        self.closing = asyncio.Event()
        self.names_a_page: int | None = None
        self._target = target

    def once(self, fault: str | tuple[int, str]) -> None:
        """Break the next request alone."""
        left = [fault]
        self.fault = lambda _request: left.pop() if left else None

    def always(self, fault: str | tuple[int, str]) -> None:
        """Break all requests."""
        self.fault = lambda _request: fault

    def never(self) -> None:
        """Break none any longer."""
        self.fault = lambda _request: None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request, or break it."""
        self.requests.append(request)
        fault = self.fault(request)
        if isinstance(fault, tuple):
            return _error(*fault)
        if fault == ANSWER_NOTHING:
            await self.closing.wait()
            return await self._cut(request)
        if fault == CUT_UPLOAD:
            return await self._cut(request)
        body = await request.read()
        url = request.url.with_scheme("http").with_host("127.0.0.1").with_port(self._target)
        if self.names_a_page is not None and "list-type" in request.query:
            url = url.update_query({"max-keys": self.names_a_page})
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        async with (
            ClientSession(auto_decompress=False) as client,
            client.request(request.method, url, data=BytesIO(body), headers=headers, allow_redirects=False) as answer,
        ):
            content = await answer.read()
            if fault == CUT_ANSWER:
                return await self._cut(request)
            kept = {name: value for name, value in answer.headers.items() if name.lower() in _KEPT}
            response = web.StreamResponse(status=answer.status, headers=kept | {"Content-Length": str(len(content))})
            await response.prepare(request)
            await response.write(content[: len(content) // 2] if fault == CUT_DOWNLOAD else content)
            return await self._cut(request) if fault == CUT_DOWNLOAD else response

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        raise asyncio.CancelledError


_KEPT = {"content-type", "etag", "last-modified", "content-range"}


def _error(status: int, code: str) -> web.Response:
    """Return an answer as S3 documents it, which quotes what the client sent."""
    text = (
        f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}, said at length</Message>"
        f"<AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId><StringToSign>{SECRET_KEY}</StringToSign></Error>"
    )
    return web.Response(status=status, text=text if code else "", content_type="application/xml")


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Run a server until the block ends."""
    server = S3Server()
    server.start()
    try:
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def breaking_s3(target: int) -> AsyncIterator[BreakingS3]:
    """Run the proxy before a server until the block ends."""
    proxy = BreakingS3(target)
    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    proxy.port = runner.addresses[0][1]
    try:
        yield proxy
    finally:
        proxy.closing.set()
        await runner.cleanup()
