"""Exports of all that is stored about a user."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DataExport:
    """An archive of a user's data, which `job_id` makes; it is deleted at `expires_at`.

    The archive is stored in pieces, by the run that made it: `run_id` and `size_bytes` are None until it is complete.
    """

    id: UUID
    user_id: UUID
    job_id: UUID
    created_at: datetime
    expires_at: datetime
    run_id: UUID | None = None
    size_bytes: int | None = None
