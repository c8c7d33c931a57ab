"""Halts: no new orders at once, for a session, an account, a user or the whole engine, until resumed."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError
from domain.model.events import NewEvent, UserEventKind
from domain.model.trading import Account, TradingSession
from domain.model.trading_state import ENGINE_ID, Halt, HaltAuthor, HaltLevel, TradingState
from domain.model.users import Identity, User, UserRole
from domain.ports.bus import MessageBus, commands_topic
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity


@dataclass(frozen=True, slots=True)
class HaltRequest:
    """How a halt is to be; `reduce_only` still lets positions be closed."""

    cancel_orders: bool = True
    reduce_only: bool = False
    reason: str | None = None

    @property
    def state(self) -> TradingState:
        """What the subject becomes."""
        return TradingState.REDUCING if self.reduce_only else TradingState.HALTED


class HaltService:
    """Halts and resumes; the state is a row that every order's own transaction reads."""

    def __init__(self, database: Database, bus: MessageBus, clock: Clock, ids: IdGenerator) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def session(self, user_id: UUID, session_id: UUID, request: HaltRequest | None) -> TradingSession:
        """Halt one trading session, or resume it where `request` is None; raises NOT_FOUND."""
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
                await transaction.orders.request_cancels(user_id, session.account_id, None, session_id, now)
            await self._record(transaction, user_id, ("TradingSession", str(session_id)), request)
        await self._bus.publish(commands_topic(session.account_id), b"")
        return session

    async def account(self, user_id: UUID, account_id: UUID, request: HaltRequest | None) -> Account:
        """Halt one account, or resume it; raises NOT_FOUND."""
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
                await transaction.orders.request_cancels(user_id, account_id, None, None, now)
            await self._record(transaction, user_id, ("Account", str(account_id)), request)
        await self._bus.publish(commands_topic(account_id), b"")
        return account

    async def user(self, identity: Identity, user_id: UUID, request: HaltRequest | None) -> User:
        """Halt all of a user: oneself, or anybody for an operator; raises NOT_FOUND."""
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
        await self._wake(cancelled)
        return halted

    async def engine(self, identity: Identity, request: HaltRequest | None) -> None:
        """Halt or resume everything; raises `Forbidden` unless an operator asks."""
        if identity.user.role is not UserRole.OPERATOR:
            raise Forbidden("Only an operator can halt or resume the engine.")
        cancelled: list[UUID] = []
        async with self._database.transaction() as transaction:
            await transaction.accounts.set_engine_state(_state(request))
            if request is not None and request.cancel_orders:
                cancelled = await self._cancel_all(transaction, None)
            await self._record(transaction, identity.user.id, ("Engine", "engine"), request)
        await self._wake(cancelled)

    async def _cancel_all(self, transaction: UnitOfWork, user_id: UUID | None) -> list[UUID]:
        """Ask for the cancel of all orders, of one user or of everybody; return the accounts that have some."""
        now, orders = self._clock.now(), transaction.orders
        accounts = [each for each in await transaction.accounts.list_tradable() if user_id in {None, each.user_id}]
        asked = {each.id: await orders.request_cancels(each.user_id, each.id, None, None, now) for each in accounts}
        return [account_id for account_id, cancelled in asked.items() if cancelled]

    async def _wake(self, account_ids: list[UUID]) -> None:
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
    """Return the halt that was asked for, or what is resumed."""
    type_name, key = subject
    level = _LEVELS[type_name]
    subject_id = ENGINE_ID if level is HaltLevel.ENGINE else UUID(key)
    if request is None:
        return level, subject_id
    by_another = level is HaltLevel.ENGINE or (level is HaltLevel.USER and subject_id != actor_id)
    author = HaltAuthor.OPERATOR if by_another else HaltAuthor.SELF
    return Halt(level, subject_id, request.state, now, author, request.reason)
