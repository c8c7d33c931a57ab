import asyncio
from collections.abc import Sequence

from infra.doctor.bounded import run_checks
from infra.doctor.findings import Finding, Status, ok


async def healthy() -> Sequence[Finding]:
    return [ok("healthy", "fine")]


async def hanging() -> Sequence[Finding]:
    await asyncio.Event().wait()
    return []


async def failing() -> Sequence[Finding]:
    raise RuntimeError("password=hunter2")


async def test_a_folder_of_another_user_is_named_with_what_to_do() -> None:
    async def forbidden() -> Sequence[Finding]:
        raise PermissionError(13, "Permission denied", "/data/secret-key")

    (found,) = await run_checks({"disk": forbidden}, 30)
    assert found.message == "this user may not look at /data/secret-key"
    assert found.advice == "run the doctor as the user that runs the engine"


async def test_a_check_that_hangs_or_fails_is_a_finding_and_hides_no_other() -> None:
    found = await run_checks({"hangs": hanging, "fails": failing, "healthy": healthy}, 0.05)
    assert [(each.check, each.status) for each in found] == [
        ("hangs", Status.ERROR), ("fails", Status.ERROR), ("healthy", Status.OK),
    ]  # fmt: skip
    assert found[0].message == "gave no answer within 0.05 s"
    assert "hunter2" not in found[1].message
    assert "RuntimeError" in found[1].message
