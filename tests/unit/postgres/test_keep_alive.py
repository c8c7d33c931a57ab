"""An embedded server that is being started again is not left half started."""

import asyncio
from pathlib import Path

from domain.core.background import cancel_and_wait
from infra.postgres.server.embedded import EmbeddedPostgres


class StartingServer(EmbeddedPostgres):
    """Is away, and started again when the test lets it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.begun, self.may_start = asyncio.Event(), asyncio.Event()
        self.has_started = False

    def _is_running(self) -> bool:
        return False

    async def start(self, timeout_seconds: float = 30.0) -> None:
        self.begun.set()
        await self.may_start.wait()
        self.has_started = True


async def test_a_start_under_way_is_waited_for_however_often_that_is_cancelled(tmp_path: Path) -> None:
    server = StartingServer(tmp_path)
    keeping = asyncio.create_task(server.keep_alive())
    await server.begun.wait()
    stopping = asyncio.create_task(cancel_and_wait(keeping, again_after_seconds=0.01))
    await asyncio.sleep(0.05)
    assert not stopping.done()
    server.may_start.set()
    await stopping
    assert (keeping.cancelled(), server.has_started) == (True, True)
