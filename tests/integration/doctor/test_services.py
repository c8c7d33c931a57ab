from typing import Any

from infra.doctor.findings import Finding, Status
from infra.doctor.services import check_cache, check_mail, check_sandboxes, check_traces
from infra.settings import Settings
from infra.settings_loading import load_settings
from tests.support.mail_server import open_mail_server
from tests.support.sandbox import SandboxProcess
from tests.support.silent_server import silent_server

PATIENCE_SECONDS = 30.0
KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def mail_settings(port: int, **more: Any) -> Settings:
    """Those of a mail server on loopback."""
    return load_settings(
        smtp_host="127.0.0.1", smtp_port=port, mail_sender="r3edge@example.com", **{"smtp_tls": "none"} | more
    )


async def sandbox(url: str, token: str, limit_seconds: float = PATIENCE_SECONDS) -> Finding:
    (found,) = await check_sandboxes(load_settings(sandbox_url=url, sandbox_token=token), limit_seconds)
    return found


async def test_a_mail_server_is_greeted_and_gets_no_mail() -> None:
    async with open_mail_server() as server:
        (well,) = await check_mail(mail_settings(server.port), PATIENCE_SECONDS)
        (refused,) = await check_mail(
            mail_settings(server.port, smtp_tls="starttls", smtp_user="ada", smtp_password="hunter2"), PATIENCE_SECONDS
        )
        assert server.messages == []
    (away,) = await check_mail(mail_settings(server.port), PATIENCE_SECONDS)
    async with silent_server() as port:
        (silent,) = await check_mail(mail_settings(port), 0.1)
    assert [each.status for each in (well, refused, away, silent)] == [Status.OK, *[Status.ERROR] * 3]
    assert "hunter2" not in refused.message
    assert (await check_mail(load_settings(), PATIENCE_SECONDS))[0].status is Status.SKIPPED


async def test_a_sandbox_takes_the_token_or_is_reported(shared_sandbox: SandboxProcess) -> None:
    well = await sandbox(shared_sandbox.url, shared_sandbox.admin_token)
    refused = await sandbox(shared_sandbox.url, "hunter2")
    async with silent_server() as port:
        silent = await sandbox(f"http://127.0.0.1:{port}", "hunter2", 0.1)
    away = await sandbox(f"http://127.0.0.1:{port}", "hunter2")
    assert [each.status for each in (well, refused, silent, away)] == [Status.OK, *[Status.ERROR] * 3]
    assert "refuses the token" in refused.message
    assert "R3EDGE_SANDBOX_TOKEN" in (refused.advice or "")
    assert silent.message.endswith("no answer within 0.1 s")


async def test_a_collector_of_traces_is_looked_for() -> None:
    async with silent_server() as port:
        (there,) = await check_traces(load_settings(traces_url=f"http://127.0.0.1:{port}/v1/traces"), PATIENCE_SECONDS)
    (away,) = await check_traces(load_settings(traces_url=f"http://127.0.0.1:{port}/v1/traces"), PATIENCE_SECONDS)
    (off,) = await check_traces(load_settings(), PATIENCE_SECONDS)
    assert [each.status for each in (there, away, off)] == [Status.OK, Status.WARNING, Status.SKIPPED]


async def test_a_cluster_that_does_not_answer_is_reported_in_time() -> None:
    async with silent_server() as port:
        settings = load_settings(hazelcast_members=f"127.0.0.1:{port}", secret_key=KEY)
        (silent,) = await check_cache(settings, 0.2)
    assert (silent.status, silent.message) == (
        Status.ERROR, f"no member of a Hazelcast cluster named r3edge lets us in at 127.0.0.1:{port}",
    )  # fmt: skip
    assert (await check_cache(load_settings(), 0.2))[0].status is Status.SKIPPED
