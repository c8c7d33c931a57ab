"""A user's lists, a page at a time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

from domain.keyset import Window
from domain.pagination import MAX_PAGE, CursorScope, Page, id_key, page_of, page_request
from domain.storage import Transaction
from resolvers.context import RequestContext


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


T = TypeVar("T", bound=_Identified)


@dataclass(frozen=True, slots=True)
class PageArguments:
    """The four arguments of every connection, as they came."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None


async def page_by_id(
    context: RequestContext,
    scope: CursorScope,
    arguments: PageArguments,
    fetch: Callable[[Transaction, Window], Awaitable[list[T]]],
    maximum: int = MAX_PAGE,
) -> Page[T]:
    """Return a page of a list that is ordered by id, fetched in one reading.

    Raises `RequestFault` (INVALID) for arguments that name no page.
    """
    request = page_request(scope, arguments.first, arguments.after, arguments.last, arguments.before, maximum)
    async with context.services.storage.reading() as reading:
        rows = await fetch(reading, request.window())
    return page_of(request, rows, lambda row: id_key(row.id))
