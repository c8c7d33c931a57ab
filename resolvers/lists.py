"""Lists of what belongs to something, a page at a time; those of many owners are read together."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from domain.core.errors import FaultCode, RequestFault
from domain.core.pagination import CursorScope, Key, KeysetPage, Page, build_page, dated_key, id_key, page_request
from domain.model.strategies import Strategy, StrategyVersion
from domain.model.trading import Account, Position, TradingSession
from domain.model.users import User
from domain.ports.lists import ListRepository, Lists, Owner, PositionFilter
from domain.ports.unit_of_work import Database
from resolvers.pagination import PageArguments


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


T = TypeVar("T", bound=_Identified)
V = TypeVar("V")
F = TypeVar("F")


class TimeOrder(StrEnum):
    """Which end of a list comes first; what was made at the same moment is in the order of its making."""

    NEWEST_FIRST = "NEWEST_FIRST"
    OLDEST_FIRST = "OLDEST_FIRST"


class PositionOrder(StrEnum):
    """By what positions are listed, and which end comes first."""

    OPENED_NEWEST_FIRST = "OPENED_NEWEST_FIRST"
    OPENED_OLDEST_FIRST = "OPENED_OLDEST_FIRST"
    CLOSED_NEWEST_FIRST = "CLOSED_NEWEST_FIRST"
    CLOSED_OLDEST_FIRST = "CLOSED_OLDEST_FIRST"

    @property
    def oldest_first(self) -> bool:
        """Whether the list begins with what is oldest."""
        return self in {PositionOrder.OPENED_OLDEST_FIRST, PositionOrder.CLOSED_OLDEST_FIRST}

    @property
    def by_closing(self) -> bool:
        """Whether the list goes by when positions closed, and so leaves open ones out."""
        return self in {PositionOrder.CLOSED_NEWEST_FIRST, PositionOrder.CLOSED_OLDEST_FIRST}


@dataclass(frozen=True, slots=True)
class OwnedList(Generic[F]):
    """A list that is asked for: whose, and which of its items."""

    owner: Owner
    owner_id: UUID
    filter: F


Parent = User | Account | TradingSession | Position | Strategy | StrategyVersion
"""What lists hang on; who has the object may see what belongs to it."""

_OWNERS: Mapping[type, Owner] = {
    User: Owner.USER,
    Account: Owner.ACCOUNT,
    TradingSession: Owner.TRADING_SESSION,
    Position: Owner.POSITION,
    Strategy: Owner.STRATEGY,
    StrategyVersion: Owner.STRATEGY_VERSION,
}


def owned_by(parent: Parent, filter: F) -> OwnedList[F]:
    """Return the list of the items that belong to an object."""
    return OwnedList(_OWNERS[type(parent)], parent.id, filter)


def user_of(parent: Parent) -> str:
    """Return whose an object is, as the owner of a cursor."""
    return str(parent.id if isinstance(parent, User) else parent.user_id)


class ListLoader(Generic[T, F]):
    """The pages and counts of one kind of list that one operation asks for, read together where they can be."""

    def __init__(self, database: Database, repository: Callable[[Lists], ListRepository[T, F]]) -> None:
        self._database = database
        self._repository = repository
        self.pages: DataLoader[tuple[OwnedList[F], KeysetPage], list[T]] = DataLoader(self._load_pages)
        self.counts: DataLoader[OwnedList[F], int | None] = DataLoader(self._load_counts)

    async def _load_pages(self, asked: list[tuple[OwnedList[F], KeysetPage]]) -> list[list[T]]:
        async with self._database.read_only() as reading:
            repository = self._repository(reading.lists)
            return await _together(
                asked,
                lambda one: (one[0].owner, one[0].filter, one[1]),
                lambda one: one[0].owner_id,
                lambda one, ids: repository.pages(one[0].owner, ids, one[1], one[0].filter),
            )

    async def _load_counts(self, asked: list[OwnedList[F]]) -> list[int | None]:
        async with self._database.read_only() as reading:
            repository = self._repository(reading.lists)
            return await _together(
                asked,
                lambda one: (one.owner, one.filter),
                lambda one: one.owner_id,
                lambda one, ids: repository.counts(one.owner, ids, one.filter),
            )


A = TypeVar("A")


async def _together(
    asked: Sequence[A],
    kind_of: Callable[[A], object],
    owner_of: Callable[[A], UUID],
    read: Callable[[A, list[UUID]], Awaitable[dict[UUID, V]]],
) -> list[V]:
    """Read what differs in its owner alone at once; return the answers in the order of the questions."""
    kinds = defaultdict[object, list[A]](list)
    for one in asked:
        kinds[kind_of(one)].append(one)
    found: dict[tuple[object, UUID], V] = {}
    for kind, members in kinds.items():
        answers = await read(members[0], [owner_of(one) for one in members])
        found |= {(kind, owner_id): answer for owner_id, answer in answers.items()}
    return [found[kind_of(one), owner_of(one)] for one in asked]


async def list_page(
    loader: ListLoader[T, F],
    scope: CursorScope,
    asked: OwnedList[F],
    arguments: PageArguments,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[T]:
    """Return a page of a list that is ordered by when its items were made; a cursor is good for one order alone.

    Raises `RequestFault` (INVALID) for arguments that name no page.
    """
    is_reversed = order is TimeOrder.OLDEST_FIRST
    return await _page(loader, _in_order(scope, order, TimeOrder.NEWEST_FIRST), asked, arguments, is_reversed)


async def position_page(
    loader: "ListLoader[Position, PositionFilter]",
    scope: CursorScope,
    asked: OwnedList[PositionFilter],
    arguments: PageArguments,
    order: PositionOrder,
) -> Page[Position]:
    """Return a page of positions in that order; a cursor is good for one order alone."""
    if order.by_closing:
        if asked.filter.is_open:
            raise RequestFault(
                FaultCode.INVALID, "An open position has no closing: leave out `open`, or order by opening."
            )
        asked = replace(asked, filter=replace(asked.filter, is_open=False))
    scope = _in_order(scope, order, PositionOrder.OPENED_NEWEST_FIRST)
    return await _page(loader, scope, asked, arguments, order.oldest_first, _closed_key if order.by_closing else None)


def _in_order(scope: CursorScope, order: StrEnum, usual: StrEnum) -> CursorScope:
    """Return the scope of the list in that order; in the usual one it is the list's own."""
    return scope if order is usual else replace(scope, kind=f"{scope.kind}:{order.value}")


async def _page(
    loader: ListLoader[T, F],
    scope: CursorScope,
    asked: OwnedList[F],
    arguments: PageArguments,
    oldest_first: bool,  # private, and named by both callers
    dated_by: Callable[[T], Key] | None = None,
) -> Page[T]:
    request = page_request(
        scope, arguments.first, arguments.after, arguments.last, arguments.before, default=arguments.default
    )
    make_keyset_page = request.keyset_page if dated_by is None else request.dated_keyset_page
    items = await loader.pages.load((asked, make_keyset_page(oldest_first=oldest_first)))
    page = build_page(request, items, dated_by or (lambda item: id_key(item.id)))
    return replace(page, count=lambda: loader.counts.load(asked))


def _closed_key(position: Position) -> Key:
    assert position.closed_at is not None
    return dated_key(position.closed_at, position.id)


class ListLoaders:
    """The lists of one operation."""

    def __init__(self, database: Database) -> None:
        self.accounts = ListLoader(database, lambda lists: lists.accounts)
        self.strategies = ListLoader(database, lambda lists: lists.strategies)
        self.strategy_versions = ListLoader(database, lambda lists: lists.strategy_versions)
        self.trading_sessions = ListLoader(database, lambda lists: lists.trading_sessions)
        self.signals = ListLoader(database, lambda lists: lists.signals)
        self.orders = ListLoader(database, lambda lists: lists.orders)
        self.fills = ListLoader(database, lambda lists: lists.fills)
        self.positions = ListLoader(database, lambda lists: lists.positions)
        self.transfers = ListLoader(database, lambda lists: lists.transfers)
        self.jobs = ListLoader(database, lambda lists: lists.jobs)
        self.reports = ListLoader(database, lambda lists: lists.reports)
        self.activity = ListLoader(database, lambda lists: lists.activity)
