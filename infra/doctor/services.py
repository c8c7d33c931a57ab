"""Checks the services that the engine may use: the cache's members, the sandbox exchanges, the mail server."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from urllib.parse import urlsplit

from domain.core.errors import Unavailable
from domain.ports.mail import MailNotSent
from domain.ports.market_data import VenueUnreachable
from infra.clock import SystemClock
from infra.doctor.findings import Finding, error, ok, skipped, warning
from infra.hazelcast.options import HazelcastRouting
from infra.runtime.sandbox_process import SandboxAddress, find_running_sandbox
from infra.runtime.venues import SANDBOX, shared_mirror, shared_sandbox
from infra.settings import Settings
from infra.smtp import SmtpTransport
from infra.venues.sandbox_admin import SandboxAdmin

_LOOK_SECONDS = 1.0
"""How long a single connection waits to be told of the cluster's members."""


async def check_cache(settings: Settings, limit_seconds: float) -> Sequence[Finding]:
    """Return whether members of the cluster let this node in, and their version."""
    name, options = "cache", settings.hazelcast_options
    if options is None:
        return [skipped(name, "cache and bus live in the engine's own process")]
    from infra.hazelcast.client import HazelcastConnection  # noqa: PLC0415  # half a second to load

    connection = HazelcastConnection(options, SystemClock())
    await connection.start()
    try:
        async with asyncio.timeout(limit_seconds):
            session = await connection.session()
        wait_seconds = _LOOK_SECONDS if options.routing is HazelcastRouting.SINGLE else options.start_timeout_seconds
        reached, known = await session.settled_members(wait_seconds)
        return [_cluster(name, settings, session.member_version(), reached, known)]
    except TimeoutError:
        advice = (
            "start Hazelcast 5; compare R3EDGE_HAZELCAST_MEMBERS, R3EDGE_HAZELCAST_CLUSTER and the other settings "
            "R3EDGE_HAZELCAST_… with its configuration"
        )
        return [error(name, connection.absence(), advice)]
    finally:
        await connection.close()


def _cluster(name: str, settings: Settings, version: str | None, reached: int, known: int) -> Finding:
    members = ", ".join(settings.hazelcast_members)
    cluster = f"the cluster {settings.hazelcast_cluster} at {members} answers (Hazelcast {version})"
    if reached == known or settings.hazelcast_routing is HazelcastRouting.SINGLE:
        return ok(name, f"{cluster}, {known} {'member' if known == 1 else 'members'}")
    advice = (
        "nodes connect to the addresses that members tell each other: give each one that is reached from here "
        "(public-address), with a certificate for it, or set R3EDGE_HAZELCAST_ROUTING=single"
    )
    return warning(name, f"{cluster}, but only {reached} of its {known} members can be reached", advice)


async def check_sandboxes(settings: Settings, limit_seconds: float) -> Sequence[Finding]:
    """Return whether the sandbox exchanges answer, and take the administrator's token."""
    checks = [_sandbox(SANDBOX, "R3EDGE_SANDBOX", shared_sandbox(settings), settings, limit_seconds)]
    if settings.mirror_venue is not None:
        mirror = shared_mirror(settings)
        checks.append(_sandbox(settings.mirror_venue, "R3EDGE_MIRROR_SANDBOX", mirror, settings, limit_seconds))
    return await asyncio.gather(*checks)


async def _sandbox(
    venue: str, setting: str, shared: SandboxAddress | None, settings: Settings, limit_seconds: float
) -> Finding:
    name = f"venue.{venue}"
    folder = settings.data_dir.expanduser().absolute() / venue
    address = shared or (find_running_sandbox(folder) if folder.exists() else None)
    if address is None:
        return skipped(name, "the engine starts it with itself")
    admin = SandboxAdmin(address.url, address.token)
    try:
        async with asyncio.timeout(limit_seconds):
            await admin.currencies()
    except (VenueUnreachable, TimeoutError) as failure:
        reason = str(failure) or f"no answer within {limit_seconds:g} s"
        return error(name, f"{address.url}: {reason}", f"start it, or set {setting}_URL to where it listens")
    except Unavailable:
        message, advice = f"{address.url} refuses the token", f"set {setting}_TOKEN to what its admin-token says"
        return error(name, message, advice)
    finally:
        await admin.close()
    return ok(name, f"{address.url} answers and takes the token")


async def check_traces(settings: Settings, limit_seconds: float) -> Sequence[Finding]:
    """Return whether what makes traces is installed, and something listens where they are sent."""
    name, url = "traces", settings.traces_url
    if url is None:
        return [skipped(name, "no traces are made")]
    if find_spec("opentelemetry") is None:
        return [error(name, "R3EDGE_TRACES_URL needs the extra otel", "pip install 'r3edge-engine[otel]'")]
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(limit_seconds):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except OSError:
        advice = "start the collector, or correct R3EDGE_TRACES_URL; traces are dropped meanwhile"
        return [warning(name, f"nothing answers at {parts.hostname}:{port}", advice)]
    writer.close()
    return [ok(name, f"something listens at {parts.hostname}:{port}")]


async def check_mail(settings: Settings, limit_seconds: float) -> Sequence[Finding]:
    """Return whether the mail server lets the engine in; no mail is sent."""
    name, server = "mail", settings.smtp_server
    if server is None:
        return [skipped(name, "no mail server is set: no mail is sent, and what needs mail is refused")]
    where = f"{server.host}:{server.port}"
    try:
        await SmtpTransport(replace(server, timeout_seconds=limit_seconds)).reach()
    except MailNotSent as failure:
        advice = "compare R3EDGE_SMTP_HOST, _PORT, _TLS, _USER and _PASSWORD with what the server's operator says"
        return [error(name, f"{where} doesn't let the engine in: {failure}", advice)]
    return [ok(name, f"{where} lets the engine in ({server.tls.value})")]
