"""GraphQL documents that the operator added, so that clients ask for them by an identifier."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PersistedDocument:
    """A document with its identifier: `sha256:` and the hash of its text, or one that a client's build tool made up."""

    id: str
    text: str
    name: str
    """The names of its operations, for people."""

    added_at: datetime
