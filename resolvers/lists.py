"""Pages of lists of an owner; the same list of many owners is read by one query."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from domain.core.errors import FaultCode, RequestFault
from domain.core.pagination import CursorScope, Key, KeysetPage, Page, build_page, dated_key, id_key, page_request
from domain.model.administration import ManagedUser
from domain.model.notifications import NotificationChannel
from domain.model.strategies import Strategy, StrategyVersion
from domain.model.trading import Account, Position, TradingSession
from domain.model.users import User
from domain.ports.lists import ListRepository, Lists, Owner, PositionFilter
from resolvers.pagination import PageArguments
from resolvers.reads import OperationReads


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


T = TypeVar("T", bound=_Identified)
V = TypeVar("V")
F = TypeVar("F")


class TimeOrder(StrEnum):
    """The order of a list by time of creation."""

    NEWEST_FIRST = "NEWEST_FIRST"
    OLDEST_FIRST = "OLDEST_FIRST"


class PositionOrder(StrEnum):
    """The order of a list of positions."""

    OPENED_NEWEST_FIRST = "OPENED_NEWEST_FIRST"
    OPENED_OLDEST_FIRST = "OPENED_OLDEST_FIRST"
    CLOSED_NEWEST_FIRST = "CLOSED_NEWEST_FIRST"
    CLOSED_OLDEST_FIRST = "CLOSED_OLDEST_FIRST"

    @property
    def oldest_first(self) -> bool:
        """Whether the oldest position comes first."""
        return self in {PositionOrder.OPENED_OLDEST_FIRST, PositionOrder.CLOSED_OLDEST_FIRST}

    @property
    def by_closing(self) -> bool:
        """Whether positions are ordered by when they closed; open ones are left out then."""
        return self in {PositionOrder.CLOSED_NEWEST_FIRST, PositionOrder.CLOSED_OLDEST_FIRST}


@dataclass(frozen=True, slots=True)
class OwnedList(Generic[F]):
    """A list: its owner, and the filter of its items."""

    owner: Owner
    owner_id: UUID
    filter: F


Parent = User | ManagedUser | Account | TradingSession | Position | Strategy | StrategyVersion | NotificationChannel
"""The owners of lists; a user who may see the object may see its lists."""

_OWNERS: Mapping[type, Owner] = {
    User: Owner.USER,
    ManagedUser: Owner.USER,
    Account: Owner.ACCOUNT,
    TradingSession: Owner.TRADING_SESSION,
    Position: Owner.POSITION,
    Strategy: Owner.STRATEGY,
    StrategyVersion: Owner.STRATEGY_VERSION,
    NotificationChannel: Owner.NOTIFICATION_CHANNEL,
}


def owned_by(parent: Parent, filter: F) -> OwnedList[F]:
    """Return the list of the items that belong to an object."""
    return OwnedList(_OWNERS[type(parent)], parent.id, filter)


def cursor_owner(parent: Parent) -> str:
    """Return the user whose the object is, as the owner of a cursor."""
    return str(parent.id if isinstance(parent, User | ManagedUser) else parent.user_id)


class ListLoader(Generic[T, F]):
    """Loads the pages and counts of one kind of list for one operation, by as few queries as possible."""

    def __init__(self, reads: OperationReads, repository: Callable[[Lists], ListRepository[T, F]]) -> None:
        self._reads = reads
        self._repository = repository

    @cached_property
    def pages(self) -> DataLoader[tuple[OwnedList[F], KeysetPage], list[T]]:
        """Pages of the lists."""
        return DataLoader(self._load_pages)

    @cached_property
    def counts(self) -> DataLoader[OwnedList[F], int | None]:
        """How many items the lists have."""
        return DataLoader(self._load_counts)

    async def _load_pages(self, requests: list[tuple[OwnedList[F], KeysetPage]]) -> list[list[T]]:
        async with self._reads.read_only() as reading:
            repository = self._repository(reading.lists)
            return await _load_grouped(
                requests,
                lambda request: (request[0].owner, request[0].filter, request[1]),
                lambda request: request[0].owner_id,
                lambda request, ids: repository.pages(request[0].owner, ids, request[1], request[0].filter),
            )

    async def _load_counts(self, requests: list[OwnedList[F]]) -> list[int | None]:
        async with self._reads.read_only() as reading:
            repository = self._repository(reading.lists)
            return await _load_grouped(
                requests,
                lambda request: (request.owner, request.filter),
                lambda request: request.owner_id,
                lambda request, ids: repository.counts(request.owner, ids, request.filter),
            )


R = TypeVar("R")


async def _load_grouped(
    requests: Sequence[R],
    group_of: Callable[[R], object],
    owner_of: Callable[[R], UUID],
    read: Callable[[R, list[UUID]], Awaitable[dict[UUID, V]]],
) -> list[V]:
    """Answer requests that differ only in their owner by one `read`; return the answers in the order of requests."""
    groups = defaultdict[object, list[R]](list)
    for request in requests:
        groups[group_of(request)].append(request)
    found: dict[tuple[object, UUID], V] = {}
    for group, members in groups.items():
        answers = await read(members[0], [owner_of(request) for request in members])
        found |= {(group, owner_id): answer for owner_id, answer in answers.items()}
    return [found[group_of(request), owner_of(request)] for request in requests]


async def list_page(
    loader: ListLoader[T, F],
    scope: CursorScope,
    owned_list: OwnedList[F],
    arguments: PageArguments,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[T]:
    """Return a page of a list that is ordered by time of creation; a cursor is valid for one order only.

    Raises `RequestFault` (INVALID) for invalid page arguments.
    """
    is_reversed = order is TimeOrder.OLDEST_FIRST
    return await _page(loader, _in_order(scope, order, TimeOrder.NEWEST_FIRST), owned_list, arguments, is_reversed)


async def position_page(
    loader: "ListLoader[Position, PositionFilter]",
    scope: CursorScope,
    owned_list: OwnedList[PositionFilter],
    arguments: PageArguments,
    order: PositionOrder,
) -> Page[Position]:
    """Return a page of positions in the given order; a cursor is valid for one order only."""
    if order.by_closing:
        if owned_list.filter.is_open:
            raise RequestFault(
                FaultCode.INVALID, "An open position has no closing: leave out `open`, or order by opening."
            )
        owned_list = replace(owned_list, filter=replace(owned_list.filter, is_open=False))
    scope = _in_order(scope, order, PositionOrder.OPENED_NEWEST_FIRST)
    return await _page(
        loader, scope, owned_list, arguments, order.oldest_first, _closed_key if order.by_closing else None
    )


def _in_order(scope: CursorScope, order: StrEnum, default: StrEnum) -> CursorScope:
    """Return the cursor scope of the list in the given order; of the default order it is the list's own."""
    return scope if order is default else replace(scope, kind=f"{scope.kind}:{order.value}")


async def _page(
    loader: ListLoader[T, F],
    scope: CursorScope,
    owned_list: OwnedList[F],
    arguments: PageArguments,
    oldest_first: bool,  # private, and named by both callers
    dated_by: Callable[[T], Key] | None = None,
) -> Page[T]:
    request = page_request(
        scope, arguments.first, arguments.after, arguments.last, arguments.before, default=arguments.default
    )
    make_keyset_page = request.keyset_page if dated_by is None else request.dated_keyset_page
    items = await loader.pages.load((owned_list, make_keyset_page(oldest_first=oldest_first)))
    key_of = dated_by or (lambda item: id_key(item.id))
    return build_page(request, items, key_of, lambda: loader.counts.load(owned_list))


def _closed_key(position: Position) -> Key:
    assert position.closed_at is not None
    return dated_key(position.closed_at, position.id)


class ListLoaders:
    """The lists of one operation."""

    def __init__(self, reads: OperationReads) -> None:
        self.accounts = ListLoader(reads, lambda lists: lists.accounts)
        self.strategies = ListLoader(reads, lambda lists: lists.strategies)
        self.strategy_versions = ListLoader(reads, lambda lists: lists.strategy_versions)
        self.trading_sessions = ListLoader(reads, lambda lists: lists.trading_sessions)
        self.signals = ListLoader(reads, lambda lists: lists.signals)
        self.orders = ListLoader(reads, lambda lists: lists.orders)
        self.fills = ListLoader(reads, lambda lists: lists.fills)
        self.positions = ListLoader(reads, lambda lists: lists.positions)
        self.transfers = ListLoader(reads, lambda lists: lists.transfers)
        self.jobs = ListLoader(reads, lambda lists: lists.jobs)
        self.backtests = ListLoader(reads, lambda lists: lists.backtests)
        self.optimizations = ListLoader(reads, lambda lists: lists.optimizations)
        self.reports = ListLoader(reads, lambda lists: lists.reports)
        self.alert_rules = ListLoader(reads, lambda lists: lists.alert_rules)
        self.report_schedules = ListLoader(reads, lambda lists: lists.report_schedules)
        self.channel_deliveries = ListLoader(reads, lambda lists: lists.channel_deliveries)
        self.activity = ListLoader(reads, lambda lists: lists.activity)
        self.users = ListLoader(reads, lambda lists: lists.users)
