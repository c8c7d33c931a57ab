"""A client's script against the real program: plain, and on a recording with the engine killed."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.support.engine import Engine, running_engine
from tests.support.recorded_data import BINANCE, FOLDER, skip_without
from tests.support.waiting import PATIENCE_SECONDS

SCRIPT = FOLDER.parent / "acceptance" / "main_job.py"
RECORDING = BINANCE / "btcusdt_20240808.gz"


async def _main_job(engine: Engine, *arguments: str) -> None:
    """Run the script to its end; where it says RESTART, kill the engine and start it again."""
    script = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), "--url", engine.graphql_url, *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert script.stdout is not None
    output = []
    try:
        while line := (await script.stdout.readline()).decode():
            output.append(line)
            if line.strip() == "RESTART":
                engine.kill()
                await _asked_in_vain(engine.port)
                await engine.start()
        assert await script.wait() == 0, "".join(output)
    finally:
        if script.returncode is None:
            script.kill()
            await script.wait()
    assert output[-1].strip() == "all steps hold"


async def _asked_in_vain(port: int) -> None:
    """Return when the script, which waits until the engine is gone, has asked for it and got no answer."""
    asked = asyncio.Event()

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        asked.set()

    async with await asyncio.start_server(hang_up, "127.0.0.1", port), asyncio.timeout(PATIENCE_SECONDS):
        await asked.wait()


@pytest.mark.timeout(300)
async def test_the_main_job_holds(engine: Engine) -> None:
    skip_without(SCRIPT)
    await _main_job(engine)


@pytest.mark.timeout(300)
async def test_the_main_job_holds_on_a_recording_while_the_engine_is_killed(data_folder: Path) -> None:
    skip_without(SCRIPT, RECORDING)
    async with running_engine(data_folder / "data", "--replay", str(RECORDING)) as engine:
        await _main_job(engine, "--restart")
