"""Looks for events that are missing before a month is archived: each user's numbers must follow one another.

What is looked at is bounded by the events that are there, never by the numbers between them: a database that was
restored goes on a billion numbers later, which `domain.model.events.is_next_sequence` knows.
"""

from typing import Final
from uuid import UUID

from domain.model.events import SEQUENCES_SKIPPED, is_next_sequence
from infra.postgres.archive.events.archived_events import ArchivedEvents
from infra.postgres.archive.events.parts import EventParts
from infra.postgres.connection import Connection

_PAGE: Final = 10_000
# Of erased users, the events of orders alone are left. What a month of the clocks' other side has is looked up later.
_GAPS: Final = """
SELECT numbered.user_id, previous, sequence FROM (
    SELECT user_id, sequence, lag(sequence) OVER (PARTITION BY user_id ORDER BY sequence) AS previous FROM {}
) AS numbered JOIN users ON users.id = numbered.user_id AND erased_at IS NULL
WHERE sequence > 1 AND (previous IS NULL OR (sequence - previous - 1) % $1 <> 0)
AND NOT (previous IS NULL AND EXISTS (
    SELECT FROM user_events AS other WHERE other.user_id = numbered.user_id AND other.sequence = numbered.sequence - 1))
ORDER BY numbered.user_id, sequence"""
# An event that is known to be before another, as near to it as is known without reading files; else NULL.
_BEFORE: Final = """
SELECT greatest(
    (SELECT max(sequence) FROM user_events WHERE user_id = $1 AND sequence < $2),
    (SELECT max(CASE WHEN last_sequence < $2 THEN last_sequence ELSE first_sequence END)
     FROM archived_event_parts WHERE user_id = $1 AND first_sequence < $2))"""
_STORED_GAPS: Final = """
SELECT previous, sequence FROM (
    SELECT sequence, lag(sequence) OVER (ORDER BY sequence) AS previous FROM (
        SELECT sequence FROM user_events WHERE user_id = $1 AND sequence > $2 AND sequence < $3
        UNION ALL VALUES ($2::bigint), ($3::bigint)
    ) AS known
) AS numbered WHERE (sequence - previous - 1) % $4 <> 0 ORDER BY sequence"""
_LOST: Final = """
SELECT first_sequence, last_sequence FROM lost_event_parts WHERE user_id = $1 AND last_sequence > $2
ORDER BY first_sequence"""


class EventsMissing(Exception):
    """Events of a user, from `first` to `last`, are neither in the database nor in the archive."""

    def __init__(self, user_id: UUID, first: int, last: int) -> None:
        super().__init__(
            f"the events {first} to {last} of the user {user_id} are missing; nothing of this month is archived"
        )


async def require_no_gaps(connection: Connection, archive: ArchivedEvents, partition: str) -> None:
    """Raise `EventsMissing` if a user's events of a month don't follow one another, and those of the months before.

    At the turn of a month they are in two partitions in turns if clocks differ, so that those of others are looked at.
    A log may begin later than with its first event: older months may have been deleted by hand.
    """
    for user_id, previous, sequence in await connection.fetch(_GAPS.format(partition), SEQUENCES_SKIPPED):
        before = await connection.fetchval(_BEFORE, user_id, sequence) if previous is None else previous
        if before is None:
            continue
        for gap in await connection.fetch(_STORED_GAPS, user_id, before, sequence, SEQUENCES_SKIPPED):
            await _require_archived(connection, archive, user_id, gap["previous"], gap["sequence"])


async def _require_archived(
    connection: Connection, archive: ArchivedEvents, user_id: UUID, known: int, end: int
) -> None:
    """Raise `EventsMissing` unless the archive has, or had, all events between two with nothing stored between them."""
    while known < end:
        limit = min(end - known, _PAGE)
        parts = await EventParts(connection).of_user(user_id, known, None)
        page = [row.sequence for row in await archive.page(user_id, parts, known, limit)]
        found = [sequence for sequence in page if sequence < end]
        for sequence in found if len(found) == limit else [*found, end]:
            if not is_next_sequence(sequence, known) and not await _was_given_up(connection, user_id, known, sequence):
                raise EventsMissing(user_id, known + 1, sequence - 1)
            known = sequence


async def _was_given_up(connection: Connection, user_id: UUID, known: int, end: int) -> bool:
    """Return whether all that is missing between two events was in files that were given up as lost."""
    for first, last in await connection.fetch(_LOST, user_id, known):
        if first <= known + 1 or is_next_sequence(first, known):
            known = max(known, last)
    return known >= end or is_next_sequence(end, known)
