import asyncio
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from infra.runtime import sandbox_process as sandbox_child
from infra.runtime.sandbox_process import SandboxChild, SandboxDidNotStart, sandbox_program
from infra.sandbox.state.state_folder import TOKEN_FILE, StateFolder
from infra.settings_loading import load_settings
from tests.support.waiting import PATIENCE_SECONDS, eventually

ENGINE = """
import asyncio, sys
from pathlib import Path
from infra.runtime.sandbox_process import SandboxChild, sandbox_program
from infra.settings_loading import load_settings

async def main():
    child = SandboxChild(Path(sys.argv[1]), sandbox_program(load_settings(seed=1)))
    address = await child.start()
    print(address.url, child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[dict[str, object]]]:
    with capture_logs() as logs:
        yield logs


@asynccontextmanager
async def running(child: SandboxChild) -> AsyncIterator[str]:
    try:
        yield (await child.start()).url
    finally:
        await child.stop()


def serves(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/api/v3/ping", timeout=PATIENCE_SECONDS) as answer:
            return answer.status == 200
    except OSError:
        return False


def lives(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


async def test_it_serves_until_it_is_stopped(tmp_path: Path) -> None:
    child = SandboxChild(tmp_path / "sandbox", sandbox_program(load_settings(seed=1)))
    async with running(child) as url:
        assert await asyncio.to_thread(serves, url)
        pid = child.pid
    assert not lives(pid)
    assert not await asyncio.to_thread(serves, url)


async def test_a_killed_exchange_is_started_again_on_the_same_port(
    tmp_path: Path, logs: list[dict[str, object]]
) -> None:
    child = SandboxChild(tmp_path, sandbox_program(load_settings(seed=1)))
    async with running(child) as url:
        first = child.pid
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: any(log["event"] == "sandbox_restarted" for log in logs), "restarted")
        assert child.pid != first
        assert await asyncio.to_thread(serves, url)
    assert [log["event"] for log in logs] == ["sandbox_ended", "sandbox_restarted"]


async def test_an_exchange_that_ends_soon_each_time_is_started_again_ever_more_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logs: list[dict[str, object]]
) -> None:
    tried: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        if seconds >= sandbox_child.RESTART_SECONDS:
            tried.append(seconds)
            seconds = 0
        await sleep(seconds)

    monkeypatch.setattr(sandbox_child.asyncio, "sleep", note)
    monkeypatch.setattr(sandbox_child, "STEADY_SECONDS", 600.0)
    (tmp_path / TOKEN_FILE).write_text("token")
    child = SandboxChild(tmp_path, ["-c", """print('{"port": 1, "url": "http://127.0.0.1:1"}')"""])
    async with running(child):
        await eventually(lambda: len(tried) > 6, "it is started again and again", 60)
    assert tried[:7] == [0.5, 1, 2, 4, 8, 10, 10]


async def test_it_ends_when_its_engine_is_killed_and_the_next_engine_waits_for_that(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("R3EDGE_")}
    engine = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ENGINE, tmp_path), stdout=asyncio.subprocess.PIPE, env=environment
    )
    url, pid = (await asyncio.wait_for(engine.stdout.readline(), PATIENCE_SECONDS)).decode().split()
    assert await asyncio.to_thread(serves, url)

    engine.kill()
    await engine.wait()
    # Its child may still be saving its state, and holds the folder until it has.
    async with running(SandboxChild(tmp_path, sandbox_program(load_settings(seed=1)))) as next_url:
        # It lets go of the folder before it has ended.
        await eventually(lambda: not lives(int(pid)), "the child of the killed engine is gone")
        assert await asyncio.to_thread(serves, next_url)


async def test_a_folder_that_another_exchange_keeps_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sandbox_child, "PREVIOUS_SECONDS", 0.1)
    child = SandboxChild(tmp_path, sandbox_program(load_settings(seed=1)))
    with StateFolder(tmp_path), pytest.raises(SandboxDidNotStart):
        await child.start()
    await child.stop()
    assert "in use by another sandbox exchange" in capfd.readouterr().err


def test_it_plays_all_recordings_that_the_settings_name(tmp_path: Path) -> None:
    recordings = [tmp_path / name for name in ("a.gz", "b.gz")]
    for recording in recordings:
        recording.touch()
    program = sandbox_program(load_settings(replay=tuple(recordings)))
    assert program[program.index("--replay") + 1 :] == [str(recording) for recording in recordings]
