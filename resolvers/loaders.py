"""Data loaders: what one operation needs many of is read by one query."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import Protocol, TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from domain.model.administration import ManagedUser
from domain.model.backtests import Backtest, BacktestOutcome
from domain.model.events import UserEvent
from domain.model.jobs import Job
from domain.model.optimizations import FoldTrials, Optimization, TrialResult
from domain.model.orders import Fill, Order, OrderEvent
from domain.model.protection import PositionIntent, PositionProtection
from domain.model.reports import PerformanceMetrics, ReportFile, ReportResult
from domain.model.strategies import Strategy, StrategyVersion
from domain.model.trading import Account, Balance, Position, Signal, SignalWebhook, TradingSession
from domain.model.trading_state import Halt, HaltLevel
from domain.ports.unit_of_work import UnitOfWork
from domain.reports.session_metrics import MetricsRequest, session_metrics
from resolvers.reads import OperationReads


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


T = TypeVar("T", bound=_Identified)
V = TypeVar("V")


class Loaders:
    """The loaders of one operation. They don't check whose an object is: the fields that use them have done that."""

    def __init__(self, reads: OperationReads) -> None:
        self._reads = reads

    @cached_property
    def accounts(self) -> DataLoader[UUID, Account | None]:
        """Accounts by id."""
        return self._by_id(lambda reading, ids: reading.accounts.get_many(ids))

    @cached_property
    def managed_users(self) -> DataLoader[UUID, ManagedUser | None]:
        """Users by id, as operators see them."""
        return self._by_id(lambda reading, ids: reading.administration.users(ids))

    @cached_property
    def balances(self) -> DataLoader[UUID, list[Balance]]:
        """Balances by account."""

        async def load(ids: list[UUID]) -> list[list[Balance]]:
            async with self._reads.read_only() as reading:
                found = await reading.accounts.balances(ids)
            return [found.get(account_id, []) for account_id in ids]

        return DataLoader(load)

    @cached_property
    def position_tags(self) -> DataLoader[UUID, str | None]:
        """The tag of each position."""

        async def load(ids: list[UUID]) -> list[str | None]:
            async with self._reads.read_only() as reading:
                found = await reading.profit.tags(ids)
            return [found.get(position_id) for position_id in ids]

        return DataLoader(load)

    @cached_property
    def strategies(self) -> DataLoader[UUID, Strategy | None]:
        """Strategies by id."""
        return self._by_id(lambda reading, ids: reading.strategies.get_many(ids))

    @cached_property
    def strategy_versions(self) -> DataLoader[UUID, StrategyVersion | None]:
        """Strategy versions by id."""
        return self._by_id(lambda reading, ids: reading.strategies.get_many_versions(ids))

    @cached_property
    def latest_versions(self) -> DataLoader[UUID, StrategyVersion | None]:
        """The latest version of each strategy."""
        return self._by(
            lambda reading, ids: reading.strategies.get_latest_versions(ids), lambda version: version.strategy_id
        )

    @cached_property
    def trading_sessions(self) -> DataLoader[UUID, TradingSession | None]:
        """Trading sessions by id."""
        return self._by_id(lambda reading, ids: reading.trading_sessions.get_many(ids))

    @cached_property
    def latest_positions(self) -> DataLoader[UUID, Position | None]:
        """The latest position of each trading session."""
        return self._by(
            lambda reading, ids: reading.positions.latest_by_session(ids), lambda position: position.trading_session_id
        )

    @cached_property
    def signals(self) -> DataLoader[UUID, Signal | None]:
        """Signals by id."""
        return self._by_id(lambda reading, ids: reading.trading_sessions.get_many_signals(ids))

    @cached_property
    def signal_webhooks(self) -> DataLoader[UUID, list[SignalWebhook]]:
        """The webhooks of trading sessions that weren't revoked, newest first."""

        async def load(ids: list[UUID]) -> list[list[SignalWebhook]]:
            async with self._reads.read_only() as reading:
                found = await reading.signal_webhooks.list_of_trading_sessions(ids)
            return [[webhook for webhook in found if webhook.trading_session_id == key] for key in ids]

        return DataLoader(load)

    @cached_property
    def orders(self) -> DataLoader[UUID, Order | None]:
        """Orders by id."""
        return self._by_id(lambda reading, ids: reading.orders.get_many(ids))

    @cached_property
    def replacements(self) -> DataLoader[UUID, Order | None]:
        """The order that took the place of an order, or is about to: not an amendment that came to nothing."""

        async def taking_place(reading: UnitOfWork, ids: Sequence[UUID]) -> list[Order]:
            found = await reading.orders.list_replacements(ids)
            return [order for order in found if order.venue_order_id is not None or not order.status.is_final]

        return self._by(taking_place, lambda order: order.replaces_id)

    @cached_property
    def position_protections(self) -> DataLoader[UUID, list[PositionProtection]]:
        """What protects positions, or did, oldest first."""

        async def load(ids: list[UUID]) -> list[list[PositionProtection]]:
            async with self._reads.read_only() as reading:
                found = await reading.protection.list_of_positions(ids)
            found = [protection for protection in found if not protection.rules.is_empty]
            return [[protection for protection in found if protection.position_id == key] for key in ids]

        return DataLoader(load)

    @cached_property
    def entry_protections(self) -> DataLoader[UUID, PositionProtection | None]:
        """What protects the fills of an entry order."""
        return self._by(
            lambda reading, ids: reading.protection.list_of_entries(ids), lambda protection: protection.entry_order_id
        )

    @cached_property
    def position_intents(self) -> DataLoader[UUID, PositionIntent | None]:
        """The newest intent to close a position, or a part of it."""
        return self._by(
            lambda reading, ids: reading.protection.list_intents_of_positions(ids), lambda intent: intent.position_id
        )

    @cached_property
    def protections(self) -> DataLoader[UUID, list[Order]]:
        """The protective orders of an order."""

        async def load(ids: list[UUID]) -> list[list[Order]]:
            async with self._reads.read_only() as reading:
                found = await reading.orders.list_children(ids)
            return [[order for order in found if order.parent_id == parent] for parent in ids]

        return DataLoader(load)

    @cached_property
    def protection_orders(self) -> DataLoader[UUID, list[Order]]:
        """The newest orders that a protection has made at the venue, oldest first."""

        async def load(ids: list[UUID]) -> list[list[Order]]:
            async with self._reads.read_only() as reading:
                found = await reading.orders.list_latest_of_protections(ids)
            return [[order for order in found if order.protection_id == protection] for protection in ids]

        return DataLoader(load)

    @cached_property
    def order_groups(self) -> DataLoader[UUID, list[Order]]:
        """The orders of a group, oldest first."""

        async def load(ids: list[UUID]) -> list[list[Order]]:
            async with self._reads.read_only() as reading:
                found = await reading.orders.list_groups(ids)
            return [[order for order in found if order.group_id == group] for group in ids]

        return DataLoader(load)

    @cached_property
    def fills(self) -> DataLoader[UUID, list[Fill]]:
        """The fills of an order, newest first."""

        async def load(ids: list[UUID]) -> list[list[Fill]]:
            async with self._reads.read_only() as reading:
                found = await reading.orders.list_fills_of_orders(ids)
            by_order = defaultdict[UUID, list[Fill]](list)
            for fill in found:
                by_order[fill.order_id].append(fill)
            return [by_order[order_id] for order_id in ids]

        return DataLoader(load)

    @cached_property
    def order_events(self) -> DataLoader[Order, list[UserEvent]]:
        """The events of an order, oldest first; all orders must be of one user."""

        async def load(orders: list[Order]) -> list[list[UserEvent]]:
            since = min(order.created_at for order in orders)
            ids = [order.id for order in orders]
            found = await self._reads.event_history().list_for_orders(orders[0].user_id, ids, since)
            by_order = defaultdict[UUID, list[UserEvent]](list)
            for event in found:
                assert isinstance(event.subject, OrderEvent)
                by_order[event.subject.order.id].append(event)
            return [by_order[order.id] for order in orders]

        return DataLoader(load)

    @cached_property
    def session_metrics(self) -> DataLoader[MetricsRequest, PerformanceMetrics | None]:
        """The metrics of trading sessions so far, computed one after another on one connection."""

        async def load(requests: list[MetricsRequest]) -> list[PerformanceMetrics | None]:
            async with self._reads.read_only() as reading:
                return [await session_metrics(reading, request) for request in requests]

        return DataLoader(load)

    @cached_property
    def halts(self) -> DataLoader[tuple[HaltLevel, UUID], list[Halt]]:
        """The halts of the engine, users, accounts and trading sessions themselves, those by operators first."""

        async def load(subjects: list[tuple[HaltLevel, UUID]]) -> list[list[Halt]]:
            async with self._reads.read_only() as reading:
                found = await reading.halts.get_many(subjects)
            return [[halt for halt in found if (halt.level, halt.subject_id) == subject] for subject in subjects]

        return DataLoader(load)

    @cached_property
    def jobs(self) -> DataLoader[UUID, Job | None]:
        """Jobs by id."""
        return self._by_id(lambda reading, ids: reading.jobs.get_many(ids))

    @cached_property
    def backtests(self) -> DataLoader[UUID, Backtest | None]:
        """Backtests by id."""
        return self._by_id(lambda reading, ids: reading.backtests.get_many(ids))

    @cached_property
    def backtest_outcomes(self) -> DataLoader[UUID, BacktestOutcome | None]:
        """What backtests came to without round trips, by the backtest's id; several fields need the same one."""

        async def load(ids: list[UUID]) -> list[BacktestOutcome | None]:
            async with self._reads.read_only() as reading:
                found = await reading.backtests.outcomes_without_trips(ids)
            return [found.get(backtest_id) for backtest_id in ids]

        return DataLoader(load)

    @cached_property
    def optimizations(self) -> DataLoader[UUID, Optimization | None]:
        """Optimizations by id."""
        return self._by_id(lambda reading, ids: reading.optimizations.get_many(ids))

    @cached_property
    def fold_trials(self) -> DataLoader[UUID, dict[int, FoldTrials]]:
        """What the trials of an optimization have come to, by fold."""

        async def load(ids: list[UUID]) -> list[dict[int, FoldTrials]]:
            async with self._reads.read_only() as reading:
                found = await reading.optimizations.fold_trials(ids)
            return [found.get(optimization_id, {}) for optimization_id in ids]

        return DataLoader(load)

    @cached_property
    def trial_results(self) -> DataLoader[tuple[UUID, int], TrialResult | None]:
        """The results of trials by their optimization and number; None until a trial has ended."""

        async def load(keys: list[tuple[UUID, int]]) -> list[TrialResult | None]:
            async with self._reads.read_only() as reading:
                found = await reading.optimizations.results(keys)
            return [found.get(key) for key in keys]

        return DataLoader(load)

    @cached_property
    def report_results(self) -> DataLoader[UUID, ReportResult | None]:
        """Results of reports by the report's id; several fields need the same one."""

        async def load(ids: list[UUID]) -> list[ReportResult | None]:
            async with self._reads.read_only() as reading:
                return [await reading.reports.get_result(report_id) for report_id in ids]

        return DataLoader(load)

    @cached_property
    def report_files(self) -> DataLoader[UUID, list[ReportFile]]:
        """Complete files of reports by the report's id."""

        async def load(ids: list[UUID]) -> list[list[ReportFile]]:
            async with self._reads.read_only() as reading:
                files = await reading.report_files.of_reports(ids)
            return [[file for file in files if file.report_id == report_id] for report_id in ids]

        return DataLoader(load)

    def _by_id(
        self, get_many: Callable[[UnitOfWork, Sequence[UUID]], Awaitable[Sequence[T]]]
    ) -> DataLoader[UUID, T | None]:
        return self._by(get_many, lambda item: item.id)

    def _by(
        self,
        get_many: Callable[[UnitOfWork, Sequence[UUID]], Awaitable[Sequence[V]]],
        key_of: Callable[[V], UUID | None],
    ) -> DataLoader[UUID, V | None]:
        async def load(keys: list[UUID]) -> list[V | None]:
            async with self._reads.read_only() as reading:
                found = {key_of(item): item for item in await get_many(reading, keys)}
            return [found.get(key) for key in keys]

        return DataLoader(load)
