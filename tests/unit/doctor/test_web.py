import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.doctor.findings import Finding, Status
from infra.doctor.web import check_descriptors, check_encryption, check_listening, readiness
from infra.runtime.data_dir import DataDir
from infra.settings_loading import load_settings
from tests.support.ports import free_port


@asynccontextmanager
async def listening(*answers: bytes | None) -> AsyncIterator[int]:
    """Listen, and answer the first request so, and so on; after that, and for None, not at all."""
    closing, left = asyncio.Event(), list(answers)

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        answer = left.pop(0) if left else None
        if answer is None:
            await closing.wait()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        closing.set()
        server.close()


def http(body: str, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


async def found(folder: Path, port: int, limit_seconds: float = 30) -> dict[str, Finding]:
    settings = load_settings(data_dir=folder, port=port)
    return {each.check: each for each in await check_listening(settings, limit_seconds)}


async def test_a_free_port_is_well_unless_an_engine_runs_that_should_listen_there(tmp_path: Path) -> None:
    port = free_port()
    assert {check: each.status for check, each in (await found(tmp_path, port)).items()} == {
        "web.port": Status.OK, "web.engine": Status.SKIPPED,
    }  # fmt: skip
    held = DataDir.hold(tmp_path)
    finding = (await found(tmp_path, port))["web.port"]
    held.release()
    assert finding.status is Status.WARNING
    assert finding.message.startswith("an engine runs on ")


@pytest.mark.parametrize("answer", [None, b"SSH-2.0-OpenSSH_9.2\r\n", http("[]"), http("<html>")])
async def test_something_else_at_the_port_is_an_error(tmp_path: Path, answer: bytes | None) -> None:
    async with listening(answer) as port:
        finding = (await found(tmp_path, port, 0.2 if answer is None else 30))["web.port"]
    assert finding.status is Status.ERROR
    assert "something listens there already" in finding.message


ALIVE = http('{"status": "ok"}')


async def test_an_engine_at_the_port_is_asked_whether_it_is_ready(tmp_path: Path) -> None:
    async with listening(ALIVE, http('{"status": "ready"}')) as port:
        assert [each.status for each in (await found(tmp_path, port)).values()] == [Status.OK, Status.OK]
    waiting = http('{"status": "not ready", "missing": ["the database"]}', "503 Service Unavailable")
    async with listening(ALIVE, waiting) as port:
        finding = (await found(tmp_path, port))["web.engine"]
    assert (finding.status, finding.message) == (Status.ERROR, "the engine isn't ready: it waits for the database")


async def test_an_engine_whose_database_hangs_lives_and_does_not_say_whether_it_is_ready(tmp_path: Path) -> None:
    async with listening(None) as port:
        finding = await readiness(load_settings(data_dir=tmp_path, port=port), 0.1)
    assert finding.status is Status.ERROR
    assert finding.message == "the engine lives, and doesn't say within 0.1 s whether it is ready"


def statuses(findings: Sequence[Finding]) -> dict[str, Status]:
    return {each.check: each.status for each in findings}


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({}, []),
        ({"host": "0.0.0.0"}, ["web.metrics", "tls.api"]),
        ({"host": "0.0.0.0", "metrics_token": "0123456789abcdef"}, ["tls.api"]),
        ({"host": "0.0.0.0", "trusted_proxies": "10.0.0.0/8"}, []),
        ({"sandbox_url": "http://sandbox:1", "sandbox_token": "x"}, ["tls.sandbox_url"]),
        ({"sandbox_url": "http://127.0.0.1:1", "sandbox_token": "x"}, []),
        ({"app_url": "http://app.example.com"}, ["tls.app_url"]),
        ({"smtp_host": "mail", "mail_sender": "a@example.com", "smtp_tls": "none"}, ["tls.mail"]),
        ({"smtp_host": "localhost", "mail_sender": "a@example.com", "smtp_tls": "none"}, []),
    ],
)
def test_what_crosses_a_network_in_clear_text_is_a_warning(settings: dict[str, Any], warned: list[str]) -> None:
    found = statuses(check_encryption(load_settings(**settings)))
    assert found == (dict.fromkeys(warned, Status.WARNING) or {"tls": Status.OK})


def test_too_few_open_files_for_the_connections_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _kind: (1_024, 4_096))
    assert statuses(check_descriptors(load_settings())) == {"web.descriptors": Status.WARNING}
    assert statuses(check_descriptors(load_settings(max_connections=3_968))) == {"web.descriptors": Status.OK}
