"""Checks where the engine listens: the port, the engine itself, file descriptors, and what goes unencrypted."""

import asyncio
import json
import resource
import socket
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from infra.doctor.database import is_local
from infra.doctor.findings import Finding, error, ok, skipped, warning
from infra.listening import listen_error
from infra.runtime.data_dir import ENGINE, holder
from infra.settings import Settings
from infra.web.connections.limits import RESERVED_DESCRIPTORS

_UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # read, not listened on
_MOST_BYTES = 65_536


async def check_listening(settings: Settings, limit_seconds: float) -> Sequence[Finding]:
    """Return whether the port is free, or this engine's own, and whether that engine is ready."""
    if settings.port == 0:
        return [ok("web.port", "any free port is taken")]
    folder = settings.data_dir.expanduser().absolute()
    failure = await asyncio.to_thread(_try_to_listen, settings.host, settings.port)
    here = holder(folder)
    address = f"{settings.host}:{settings.port}"
    if failure is None:
        if here is not None:
            advice = "wait if it has just been started; it may listen elsewhere, by another --port"
            who = "an engine" if here == ENGINE else here
            return [warning("web.port", f"{who} runs on {folder}, and nothing listens on {address}", advice)]
        return [ok("web.port", f"{address} is free"), skipped("web.engine", "no engine runs here")]
    return await _engine(settings, address, failure, limit_seconds)


def _try_to_listen(host: str, port: int) -> str | None:
    """Return why an address can't be listened on; None if it can."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(1)
    except (OSError, UnicodeError) as failure:
        return listen_error(host, port, failure)
    return None


async def _engine(settings: Settings, address: str, failure: str, limit_seconds: float) -> Sequence[Finding]:
    """Return what answers at the address: this engine, or something that is in its way."""
    try:
        async with asyncio.timeout(limit_seconds):
            health = await _answer(settings, "healthz")
    except (aiohttp.ClientError, OSError, ValueError):
        health = {}
    if health.get("status") != "ok":
        return [error("web.port", failure, "stop what listens there, or choose another R3EDGE_PORT")]
    return [ok("web.port", f"the engine listens on {address}"), await readiness(settings, limit_seconds)]


async def readiness(settings: Settings, limit_seconds: float) -> Finding:
    """Return whether the engine that lives at the settings' address is ready, and what it waits for."""
    name, advice = "web.engine", "wait if it has just been started; else see its log"
    try:
        async with asyncio.timeout(limit_seconds):
            missing = (await _answer(settings, "readyz")).get("missing", [])
    except (aiohttp.ClientError, OSError, ValueError):
        return error(name, f"the engine lives, and doesn't say within {limit_seconds:g} s whether it is ready", advice)
    if missing:
        return error(name, f"the engine isn't ready: it waits for {', '.join(map(str, missing))}", advice)
    return ok(name, "the engine is ready")


async def _answer(settings: Settings, path: str) -> dict[str, Any]:
    """Return what the engine at the settings' address answers; raises ValueError if it is none."""
    host = _UNSPECIFIED.get(settings.host, settings.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/{path}"
    async with aiohttp.ClientSession(trust_env=False) as http, http.get(url, allow_redirects=False) as response:
        body = json.loads(await response.content.read(_MOST_BYTES))
    if not isinstance(body, dict):
        raise ValueError("it isn't an engine")  # noqa: TRY004  # what is read has another form, as for JSON itself
    return body


def check_descriptors(settings: Settings) -> Sequence[Finding]:
    """Return whether the process may open as many files as it is to hold connections."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    name, needed = "web.descriptors", settings.max_connections + RESERVED_DESCRIPTORS
    if hard == resource.RLIM_INFINITY or hard >= needed:
        return [ok(name, f"{settings.max_connections:,} connections fit into the limit of open files")]
    message = f"{hard:,} files may be open, which is too few for {settings.max_connections:,} connections"
    return [warning(name, message, f"raise the limit (LimitNOFILE, ulimit -Hn) to {needed:,}, or lower the setting")]


def check_encryption(settings: Settings) -> Sequence[Finding]:
    """Return what the settings send over networks unencrypted."""
    found = list(_unencrypted(settings))
    return found or [ok("tls", "nothing leaves this machine unencrypted by these settings")]


def _unencrypted(settings: Settings) -> Iterator[Finding]:
    if not is_local(settings.host) and not settings.trusted_proxies:
        advice = "listen on 127.0.0.1 behind a proxy that speaks TLS, and name it in R3EDGE_TRUSTED_PROXIES"
        if settings.metrics_token is None:
            message = f"everybody who reaches {settings.host}:{settings.port} may read /metrics"
            yield warning("web.metrics", message, "set R3EDGE_METRICS_TOKEN")
        yield warning("tls.api", f"tokens and passwords reach {settings.host}:{settings.port} in clear text", advice)
    for name, url in (
        ("sandbox_url", settings.sandbox_url),
        ("mirror_sandbox_url", settings.mirror_sandbox_url),
        ("app_url", settings.app_url),
    ):
        parts = urlsplit(url or "")
        if parts.scheme == "http" and not is_local(parts.hostname or ""):
            advice = "use https, unless the network is your own"
            yield warning(f"tls.{name}", f"R3EDGE_{name.upper()} is reached in clear text", advice)
    if settings.smtp_host is not None and settings.smtp_tls.value == "none" and not is_local(settings.smtp_host):
        yield warning("tls.mail", "mails go out in clear text", "set R3EDGE_SMTP_TLS to starttls or tls")
