"""A process that archives and kills itself after a step: `python -m tests.support.killed_archiver DSN FOLDER STEP`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from infra.archive_storage.folder import FolderStorage
from infra.postgres.archive.archiver import Step
from tests.support.archive import APRIL, archiver
from tests.support.postgres import patient_pool


async def _run(dsn: str, folder: str, last: Step) -> None:
    def die_at(step: Step) -> None:
        if step is last:
            os.kill(os.getpid(), signal.SIGKILL)

    pool = await patient_pool(dsn)
    await archiver(pool, FolderStorage(Path(folder)), on_step=die_at).run(APRIL)


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2], Step(sys.argv[3])))
