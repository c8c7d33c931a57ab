"""Halts the trading of a trading session, an account, a user or the whole engine, until it is resumed.

A halt sets the trading state of its object, which the risk check of every order reads. A row in `halts` says since
when, by whom and why.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError
from domain.execution.commands import cancel_orders
from domain.model.events import NewEvent, UserEventKind
from domain.model.orders import CancelCode
from domain.model.trading import Account, TradingSession
from domain.model.trading_state import ENGINE_ID, Halt, HaltAuthor, HaltLevel, TradingState
from domain.model.users import Identity, User, UserRole
from domain.ports.bus import MessageBus, commands_topic
from domain.ports.orders import OrderFilter
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity


@dataclass(frozen=True, slots=True)
class HaltRequest:
    """Options of a halt; with `reduce_only` positions can still be closed."""

    cancel_orders: bool = True
    reduce_only: bool = False
    reason: str | None = None

    @property
    def state(self) -> TradingState:
        """The trading state that the halt sets."""
        return TradingState.REDUCING if self.reduce_only else TradingState.HALTED


class HaltService:
    """Halts and resumes; the transaction that decides whether an order is sent reads the state that this stores.

    Each method halts, or resumes if the request is None. Halts of a trading session and an account make an event; those
    of a user and the engine make none for the users whom they stop.
    """

    def __init__(self, database: Database, bus: MessageBus, clock: Clock, ids: IdGenerator) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def set_halt_of_trading_session(
        self, user_id: UUID, session_id: UUID, request: HaltRequest | None
    ) -> TradingSession:
        """Halt or resume a trading session; raises NOT_FOUND."""
        async with self._database.transaction() as transaction:
            session = await transaction.trading_sessions.get_for_update(session_id)
            if session is None or session.user_id != user_id:
                raise InputError(ErrorCode.NOT_FOUND, "You have no such trading session.", ("id",))
            session = replace(session, trading_state=_state(request))
            await transaction.trading_sessions.save(session)
            now = self._clock.now()
            event = NewEvent(user_id, now, UserEventKind.TRADING_SESSION, session, session.trading_state.value)
            transaction.events.append([event])
            if request is not None and request.cancel_orders:
                await cancel_orders(
                    transaction, user_id, OrderFilter(session.account_id, session_id), CancelCode.HALT, now
                )
            await self._record(transaction, user_id, ("TradingSession", str(session_id)), request)
        await self._bus.publish(commands_topic(session.account_id), b"")
        return session

    async def set_halt_of_account(self, user_id: UUID, account_id: UUID, request: HaltRequest | None) -> Account:
        """Halt or resume an account; raises NOT_FOUND."""
        async with self._database.transaction() as transaction:
            account = await transaction.accounts.get_for_update(account_id)
            if account is None or account.user_id != user_id:
                raise InputError(ErrorCode.NOT_FOUND, "You have no such account.", ("id",))
            account = replace(account, trading_state=_state(request))
            await transaction.accounts.update(account)
            now = self._clock.now()
            event = NewEvent(user_id, now, UserEventKind.ACCOUNT, account, account.trading_state.value)
            transaction.events.append([event])
            if request is not None and request.cancel_orders:
                await cancel_orders(transaction, user_id, OrderFilter(account_id), CancelCode.HALT, now)
            await self._record(transaction, user_id, ("Account", str(account_id)), request)
        await self._bus.publish(commands_topic(account_id), b"")
        return account

    async def set_halt_of_user(self, identity: Identity, user_id: UUID, request: HaltRequest | None) -> User:
        """Halt or resume all trading of a user: oneself, or anybody if an operator asks; raises NOT_FOUND."""
        if user_id != identity.user.id and identity.user.role is not UserRole.OPERATOR:
            raise InputError(ErrorCode.NOT_FOUND, "There is no such user.", ("id",))
        cancelled: list[UUID] = []
        async with self._database.transaction() as transaction:
            if await transaction.users.get(user_id) is None:
                raise InputError(ErrorCode.NOT_FOUND, "There is no such user.", ("id",))
            await transaction.users.set_trading_state(user_id, _state(request))
            if request is not None and request.cancel_orders:
                cancelled = await self._cancel_all(transaction, user_id)
            await self._record(transaction, identity.user.id, ("User", str(user_id)), request)
            halted = await transaction.users.get(user_id)
        assert halted is not None
        await self._wake_executors(cancelled)
        return halted

    async def set_halt_of_engine(self, identity: Identity, request: HaltRequest | None) -> None:
        """Halt or resume all trading; raises `Forbidden` unless an operator asks."""
        if identity.user.role is not UserRole.OPERATOR:
            raise Forbidden("Only an operator can halt or resume the engine.")
        cancelled: list[UUID] = []
        async with self._database.transaction() as transaction:
            await transaction.accounts.set_engine_state(_state(request))
            if request is not None and request.cancel_orders:
                cancelled = await self._cancel_all(transaction, None)
            await self._record(transaction, identity.user.id, ("Engine", "engine"), request)
        await self._wake_executors(cancelled)

    async def _cancel_all(self, transaction: UnitOfWork, user_id: UUID | None) -> list[UUID]:
        """Request the cancel of all orders of a user (None: of everybody); return the accounts that had some."""
        cancelled = []
        for account in await transaction.accounts.list_tradable():
            if user_id in {None, account.user_id}:
                selected = OrderFilter(account.id)
                if await cancel_orders(transaction, account.user_id, selected, CancelCode.HALT, self._clock.now()):
                    cancelled.append(account.id)
        return cancelled

    async def _wake_executors(self, account_ids: list[UUID]) -> None:
        for account_id in account_ids:
            await self._bus.publish(commands_topic(account_id), b"")

    async def _record(
        self, transaction: UnitOfWork, user_id: UUID, subject: tuple[str, str], request: HaltRequest | None
    ) -> None:
        halt = _halt(user_id, subject, request, self._clock.now())
        if isinstance(halt, Halt):
            await transaction.halts.put(halt)
        else:
            await transaction.halts.remove(*halt)
        action = "tradingResume" if request is None else "tradingHalt"
        detail = request.reason if request else None
        await record_activity(transaction, self._ids, self._clock.now(), user_id, action, subject, detail)


def _state(request: HaltRequest | None) -> TradingState:
    return TradingState.ACTIVE if request is None else request.state


_LEVELS = {
    "Engine": HaltLevel.ENGINE,
    "User": HaltLevel.USER,
    "Account": HaltLevel.ACCOUNT,
    "TradingSession": HaltLevel.TRADING_SESSION,
}


def _halt(
    actor_id: UUID, subject: tuple[str, str], request: HaltRequest | None, now: datetime
) -> Halt | tuple[HaltLevel, UUID]:
    """Return the halt to store, or the level and subject of the halt to remove."""
    type_name, key = subject
    level = _LEVELS[type_name]
    subject_id = ENGINE_ID if level is HaltLevel.ENGINE else UUID(key)
    if request is None:
        return level, subject_id
    by_another = level is HaltLevel.ENGINE or (level is HaltLevel.USER and subject_id != actor_id)
    author = HaltAuthor.OPERATOR if by_another else HaltAuthor.SELF
    return Halt(level, subject_id, request.state, now, author, request.reason)
