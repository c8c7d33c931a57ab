"""The port of realised profit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.profit import ProfitGrouping, ProfitRow


class ProfitRepository(Protocol):
    """What closed positions have earned."""

    async def rows(
        self,
        account_ids: Sequence[UUID],
        starts: Sequence[datetime],
        end: datetime,
        grouping: ProfitGrouping | None,
        limit: int,
    ) -> list[ProfitRow]:
        """Return the sums of the positions of the accounts that closed from the first of `starts` and before `end`.

        Each row is of one part (which begins at one of `starts`), group, venue, quote currency and day (UTC). There are
        at most `limit`.
        """
        ...

    async def tags(self, position_ids: Sequence[UUID]) -> dict[UUID, str]:
        """Return the tags of those of the positions that have one (for batches)."""
        ...

    async def set_tag(self, user_id: UUID, position_id: UUID, tag: str | None) -> bool:
        """Store or remove the tag of a position of the user; return False if there is no such position."""
        ...
