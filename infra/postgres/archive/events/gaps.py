"""Looks for events that are missing before a month is archived: each user's numbers must follow one another."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from infra.postgres.archive.events.archived_events import ArchivedEvents
from infra.postgres.archive.events.parts import EventParts
from infra.postgres.connection import Connection

_MOST: Final = 10_000
# Of erased users, the events of orders alone are left. What a month of the clocks' other side has is looked up later.
_GAPS: Final = """
SELECT numbered.user_id, previous, sequence FROM (
    SELECT user_id, sequence, lag(sequence) OVER (PARTITION BY user_id ORDER BY sequence) AS previous FROM {}
) AS numbered JOIN users ON users.id = numbered.user_id AND erased_at IS NULL
WHERE sequence > 1 AND previous IS DISTINCT FROM sequence - 1 AND NOT (previous IS NULL AND EXISTS (
    SELECT FROM user_events AS other WHERE other.user_id = numbered.user_id AND other.sequence = numbered.sequence - 1))
ORDER BY numbered.user_id, sequence"""
_STORED: Final = "SELECT sequence FROM user_events WHERE user_id = $1 AND sequence > $2 AND sequence < $3 LIMIT $4"
_HAS_OLDER: Final = """
SELECT EXISTS (SELECT FROM user_events WHERE user_id = $1 AND sequence < $2)
OR EXISTS (SELECT FROM archived_event_parts WHERE user_id = $1 AND first_sequence < $2)"""


class EventsMissing(Exception):
    """Events of a user are neither in the database nor in the archive."""

    def __init__(self, user_id: UUID, sequences: list[int]) -> None:
        super().__init__(
            f"the events {sequences[0]} to {sequences[-1]} of the user {user_id} are missing; nothing of this month is "
            "archived"
        )


async def require_no_gaps(connection: Connection, archive: ArchivedEvents, partition: str) -> None:
    """Raise `EventsMissing` if a user's events of a month don't follow one another, and those of the months before.

    At the turn of a month they are in two partitions in turns if clocks differ, so that those of others are looked at.
    A log may begin later than with its first event: older months may have been deleted by hand.
    """
    for user_id, previous, sequence in await connection.fetch(_GAPS.format(partition)):
        if previous is None and not await connection.fetchval(_HAS_OLDER, user_id, sequence):
            continue
        after = sequence - 2 if previous is None else previous
        expected = range(after + 1, sequence)
        stored = [row["sequence"] for row in await connection.fetch(_STORED, user_id, after, sequence, _MOST)]
        if missing := _without(expected, stored):
            parts = await EventParts(connection).of_user(user_id, after, None)
            archived = await archive.page(user_id, parts, after, min(len(expected), _MOST))
            if missing := _without(missing, (row.sequence for row in archived)):
                raise EventsMissing(user_id, missing)


def _without(expected: Iterable[int], found: Iterable[int]) -> list[int]:
    known = set(found)
    return [sequence for sequence in expected if sequence not in known]
