"""Accepts requests for exports, and gives out their archives by links that are good for a short time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError
from domain.core.pieces import all_pieces
from domain.jobs.queue import add_job, notify_workers
from domain.model.data_exports import DataExport
from domain.model.jobs import Job, JobKind
from domain.model.users import Identity, User
from domain.personal_data.export_handler import EXPORTS_KEPT
from domain.ports.bus import MessageBus
from domain.ports.personal_data import DownloadLinks
from domain.ports.unit_of_work import Database
from domain.users.activity import record_activity
from domain.users.recent_sign_in import lock_recent_sign_in

LINK_LIFE: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class FoundArchive:
    """The complete archive of an export, and whose it is."""

    export: DataExport
    size_bytes: int
    user: User


class DataExportService:
    """Has users' data exported."""

    def __init__(
        self, database: Database, links: DownloadLinks, bus: MessageBus, clock: Clock, ids: IdGenerator
    ) -> None:
        self._database = database
        self._links = links
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def request(self, identity: Identity) -> DataExport:
        """Store a new export and its job, which a worker will claim; the user's earlier export is deleted.

        Raises CONFLICT while the earlier one is being made, LIMIT_REACHED if the user has too many open jobs,
        CONFIRMATION_REQUIRED, and `Forbidden` if the request came with an API key.
        """
        if not identity.is_login_session:
            raise Forbidden("An API key can't export all data of its user; sign in to do so.")
        user_id, now = identity.user.id, self._clock.now()
        export_id, job_id = self._ids.next_id(), self._ids.next_id()
        export = DataExport(export_id, user_id, job_id, now, now + EXPORTS_KEPT)
        async with self._database.transaction() as transaction:
            await lock_recent_sign_in(transaction, identity, now)
            earlier = await transaction.data_exports.latest(user_id)
            job = await transaction.jobs.get(user_id, earlier.job_id) if earlier else None
            if job is not None and not job.status.is_final:
                raise InputError(ErrorCode.CONFLICT, "An export is being made already; wait for its job, or cancel it.")
            await add_job(
                transaction,
                Job(job_id, user_id, JobKind.DATA_EXPORT, now, result_type="DataExport", result_id=export_id),
            )
            await transaction.data_exports.add(export)
            subject = ("DataExport", str(export_id))
            await record_activity(transaction, self._ids, now, user_id, "userDataExport", subject)
        await notify_workers(self._bus)
        return export

    def link(self, export: DataExport) -> str:
        """Return a token that `find` takes for a short time."""
        return self._links.sign(export.id.bytes, min(self._clock.now() + LINK_LIFE, export.expires_at))

    async def find(self, token: str) -> FoundArchive | None:
        """Return the archive of a token.

        None if the token is forged or too old, or the export is gone or not complete, or its user is disabled.
        """
        now, signed = self._clock.now(), self._links.read(token)
        if signed is None or signed[1] <= now:
            return None
        async with self._database.read_only() as reading:
            export = await reading.data_exports.by_id(UUID(bytes=signed[0]))
            if export is None or export.size_bytes is None or export.expires_at <= now:
                return None
            user = await reading.users.get_active(export.user_id)
        return None if user is None else FoundArchive(export, export.size_bytes, user)

    def pieces(self, export: DataExport) -> AsyncIterator[bytes]:
        """Yield the archive piece by piece."""

        async def read(number: int) -> bytes | None:
            # No connection is held while a slow client takes a piece.
            async with self._database.read_only() as reading:
                return await reading.data_exports.piece(export, number)

        return all_pieces(read)
