"""Tags of positions: a word of the user's, such as the idea that a trade followed, by which profit is grouped."""

from typing import Final
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError
from domain.core.validation import is_encodable
from domain.model.trading import Position
from domain.ports.unit_of_work import Database
from domain.users.activity import record_activity

MAXIMUM_TAG_LENGTH: Final = 50


class PositionTagService:
    """Tags positions for users."""

    def __init__(self, database: Database, clock: Clock, ids: IdGenerator) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def tag(self, user_id: UUID, position_id: UUID, tag: str | None) -> Position:
        """Give a position of the user a tag, or take it away; raises INVALID and NOT_FOUND."""
        tag = None if tag is None else _normalise(tag)
        async with self._database.transaction() as transaction:
            position = await transaction.positions.get(user_id, position_id)
            if position is None or not await transaction.profit.set_tag(user_id, position_id, tag):
                raise InputError(ErrorCode.NOT_FOUND, "You have no such position.", ("id",))
            subject = ("Position", str(position_id))
            now = self._clock.now()
            await record_activity(transaction, self._ids, now, user_id, "positionTag", subject, tag)
        return position


def _normalise(tag: str) -> str:
    name = tag.strip()
    if not name or len(name) > MAXIMUM_TAG_LENGTH or not name.isprintable() or not is_encodable(name):
        message = f"tag must have 1 to {MAXIMUM_TAG_LENGTH} printable characters, and has {len(name)}."
        raise InputError(ErrorCode.INVALID, message, ("input", "tag"))
    return name
