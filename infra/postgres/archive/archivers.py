"""Archives all tables: users' events, and those of which rows belong to markets."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.core.errors import Unavailable
from domain.model.archive import Batch
from domain.ports.archive import ArchiveStorage
from infra.postgres.archive.archiver import GRACE, Archiver, RunResult
from infra.postgres.archive.events.event_archiver import EventArchiver
from infra.postgres.archive.lock import ArchiveBusy
from infra.postgres.archive.tables import USER_EVENTS
from infra.postgres.pool import Pool


class Archivers:
    """Runs the archivers of all tables, one after another."""

    def __init__(self, pool: Pool, storage: ArchiveStorage, *, grace: timedelta = GRACE) -> None:
        self._events = EventArchiver(pool, storage, grace=grace)
        self._others = Archiver(pool, storage, grace=grace)

    async def run(self, before: datetime | Mapping[str, datetime], month: datetime | None = None) -> RunResult:
        """Erase users from the archive, and archive what `Archiver.run` says; what is wrong with one stops no other.

        Raises `ArchiveBusy` and `Unavailable`.
        """
        end = before if isinstance(before, datetime) else before.get(USER_EVENTS)
        try:
            events = await self._events.run(end, month)
        except (ArchiveBusy, Unavailable):
            raise
        except Exception:
            await self._others.run(before, month)
            raise
        others = await self._others.run(before, month)
        return RunResult(
            (*events.written, *others.written), (*events.dropped, *others.dropped), (*events.failed, *others.failed)
        )

    async def batches(self) -> list[Batch]:
        """Return all batches of all tables."""
        return await self._others.batches()
