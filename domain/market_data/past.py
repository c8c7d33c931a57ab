"""Tells reads of the past, which a replica may answer, from those that reach the present."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

from domain.ports.unit_of_work import Database, UnitOfWork

STORED = timedelta(minutes=1)
"""Within which time after its end what happens in a market is stored, if nothing hinders it."""


def past_until(end: datetime, now: datetime, length: timedelta = timedelta()) -> datetime | None:
    """Return by when what begins before `end`, and lasts for `length`, had been stored; None if that isn't over."""
    lasting = length + STORED
    return end + lasting if end <= now - lasting else None  # the end may be that of all time


def read_by(database: Database, past: datetime | None) -> AbstractAsyncContextManager[UnitOfWork]:
    """Open a connection for reads of what was committed by then; None stands for all that has been committed."""
    return database.read_only() if past is None else database.read_past(past)
