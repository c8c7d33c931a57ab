"""Keeps the known documents of this node as they are in the database."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from domain.core.background import cancel_and_wait
from domain.core.repeating import repeat
from domain.ports.unit_of_work import Database
from infra.web.documents.persisted import PersistedDocuments

CHECK_SECONDS: Final = 2.0
"""How often a node asks whether they have changed: the command line that changes them has no bus that reaches here."""


@asynccontextmanager
async def following_known_documents(
    database: Database, documents: PersistedDocuments, check_seconds: float = CHECK_SECONDS
) -> AsyncGenerator[None]:
    """Load the known documents, and follow what becomes of them while the block runs.

    Raises `Unavailable` if they can't be loaded at first; later those that were loaded stay known.
    """
    follower = _Follower(database, documents)
    await follower.load_changes()
    following = repeat(follower.load_changes, "known documents could not be looked up", check_seconds)
    task = asyncio.create_task(following, name="known documents")
    try:
        yield
    finally:
        await cancel_and_wait(task)


class _Follower:
    def __init__(self, database: Database, documents: PersistedDocuments) -> None:
        self._database = database
        self._documents = documents
        self._revision: int | None = None

    async def load_changes(self) -> None:
        async with self._database.read_only() as reading:
            revision = await reading.persisted_documents.revision()
            if revision == self._revision:
                return
            # What is added between the two reads is read once more, with the next revision.
            found = await reading.persisted_documents.all()
        self._documents.replace_known({document.id: document.text for document in found})
        self._revision = revision
