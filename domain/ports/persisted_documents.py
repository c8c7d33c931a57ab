"""The port of the known documents, which are the same on all nodes."""

from collections.abc import Collection, Sequence
from typing import Protocol

from domain.model.persisted_documents import PersistedDocument


class PersistedDocumentRepository(Protocol):
    """The known documents; who changes them waits for others who do, until the end of their transactions."""

    async def revision(self) -> int:
        """Return a number that grows with every change."""
        ...

    async def all(self) -> Sequence[PersistedDocument]:
        """Return all documents, by their identifiers."""
        ...

    async def add(self, documents: Sequence[PersistedDocument]) -> Sequence[str]:
        """Add documents, and return the identifiers of those that are new.

        What has an identifier stays as it is: clients that were shipped with it mean that text.
        """
        ...

    async def remove(self, ids: Collection[str]) -> int:
        """Remove documents, and return how many there were."""
        ...
