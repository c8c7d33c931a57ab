"""Halts the trading of a trading session, an account, a user or the whole engine, until it is resumed.

A halt is a row, and a level: each decision about an order reads the rows. The risk checks deny what a halt forbids, and
the executor cancels what a halt stops, each time it looks (`domain.execution.halted_orders`). What a halt allows (the
trading state of its subject) is derived from the rows, and stored nowhere else.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, Forbidden, InputError
from domain.execution.commands import cancel_halted_orders
from domain.model.events import NewEvent, UserEventKind
from domain.model.trading import Account, TradingSession
from domain.model.trading_state import ENGINE_ID, Halt, HaltAuthor, HaltLevel, TradingState
from domain.model.users import ActivityAuthor, Identity, User, UserRole
from domain.ports.bus import MessageBus, commands_topic
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.trading.close_requests import close_halted_positions
from domain.users.activity import record_activity
from domain.users.operators import Administrator, record_administration, require_operator


@dataclass(frozen=True, slots=True)
class HaltRequest:
    """Options of a halt; with `reduce_only` positions can still be closed, with `close_positions` the engine does."""

    cancel_orders: bool = True
    reduce_only: bool = False
    close_positions: bool = False
    reason: str | None = None

    @property
    def state(self) -> TradingState:
        """The trading state that the halt sets."""
        return TradingState.REDUCING if self.reduce_only else TradingState.HALTED


@dataclass(frozen=True, slots=True)
class HaltSubject:
    """What is halted: its level and id, with the user whose it is, None for the engine, and the account, if it is one.

    `account_id` is that of the account or of the trading session.
    """

    level: HaltLevel
    id: UUID
    user_id: UUID | None = None
    account_id: UUID | None = None

    @property
    def activity(self) -> tuple[str, str]:
        """The type and the key by which the activity log names the subject."""
        names = {HaltLevel.USER: "User", HaltLevel.ACCOUNT: "Account", HaltLevel.TRADING_SESSION: "TradingSession"}
        return (names[self.level], str(self.id)) if self.level in names else ("Engine", "engine")


ENGINE = HaltSubject(HaltLevel.ENGINE, ENGINE_ID)


class HaltService:
    """Halts and resumes. Each method halts, or resumes if the request is None.

    Every user whose trading a halt stops, or its end frees, gets an event. A halt that an operator made is ended by
    operators alone; the user's own halt of the same subject stands beside it.
    """

    def __init__(self, database: Database, bus: MessageBus, clock: Clock, ids: IdGenerator) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def set_halt_of_trading_session(
        self, user_id: UUID, session_id: UUID, request: HaltRequest | None
    ) -> TradingSession:
        """Halt or resume a trading session; raises NOT_FOUND, and CONFLICT for an operator's halt."""
        async with self._database.transaction() as transaction:
            session = await transaction.trading_sessions.get(user_id, session_id)
            if session is None:
                raise InputError(ErrorCode.NOT_FOUND, "You have no such trading session.", ("id",))
            subject = HaltSubject(HaltLevel.TRADING_SESSION, session_id, user_id, session.account_id)
            woken = await self._set_by_user(transaction, subject, user_id, request)
            halted = await transaction.trading_sessions.get(user_id, session_id)
        await self.wake_executors(woken)
        assert halted is not None
        return halted

    async def set_halt_of_account(self, user_id: UUID, account_id: UUID, request: HaltRequest | None) -> Account:
        """Halt or resume an account; raises NOT_FOUND, and CONFLICT for an operator's halt."""
        async with self._database.transaction() as transaction:
            if await transaction.accounts.get(user_id, account_id) is None:
                raise InputError(ErrorCode.NOT_FOUND, "You have no such account.", ("id",))
            subject = HaltSubject(HaltLevel.ACCOUNT, account_id, user_id, account_id)
            woken = await self._set_by_user(transaction, subject, user_id, request)
            halted = await transaction.accounts.get(user_id, account_id)
        await self.wake_executors(woken)
        assert halted is not None
        return halted

    async def set_halt_of_user(self, identity: Identity, user_id: UUID, request: HaltRequest | None) -> User:
        """Halt or resume all trading of a user: oneself, or anybody if an operator asks.

        Raises NOT_FOUND, and CONFLICT for an operator's halt of oneself.
        """
        is_self = user_id == identity.user.id
        if not is_self and identity.user.role is not UserRole.OPERATOR:
            raise InputError(ErrorCode.NOT_FOUND, "There is no such user.", ("id",))
        async with self._database.transaction() as transaction:
            if await transaction.users.get(user_id) is None:
                raise InputError(ErrorCode.NOT_FOUND, "There is no such user.", ("id",))
            subject = HaltSubject(HaltLevel.USER, user_id, user_id)
            if is_self:
                woken = await self._set_by_user(transaction, subject, user_id, request)
            else:
                await require_operator(transaction, identity)
                if request is None:
                    await _require_enabled(transaction, user_id)
                woken = await self._set(transaction, subject, HaltAuthor.OPERATOR, request)
                administrator = Administrator(identity, request.reason if request else None)
                await record_administration(
                    transaction, self._ids, self._clock.now(), administrator, user_id, _action(request)
                )
            halted = await transaction.users.get(user_id)
        await self.wake_executors(woken)
        assert halted is not None
        return halted

    async def set_halt_of_engine(self, identity: Identity, request: HaltRequest | None) -> None:
        """Halt or resume all trading; raises `Forbidden` unless an operator asks."""
        if identity.user.role is not UserRole.OPERATOR:
            raise Forbidden("Only an operator can halt or resume the engine.")
        async with self._database.transaction() as transaction:
            await require_operator(transaction, identity)
            woken = await self._set(transaction, ENGINE, HaltAuthor.OPERATOR, request)
            await self._record(transaction, ENGINE, identity.user.id, request)
        await self.wake_executors(woken)

    async def set_halt_by_machine(self, subject: HaltSubject, request: HaltRequest | None) -> None:
        """Halt or resume anything for the operator of the machine, who needs no user.

        The nodes that trade find the halt, since no bus reaches them from here.
        """
        async with self._database.transaction() as transaction:
            if request is None and subject.level is HaltLevel.USER:
                await _require_enabled(transaction, subject.id)
            await self._set(transaction, subject, HaltAuthor.OPERATOR, request, at_once=False)
            if subject.user_id is not None:
                reason = request.reason if request else None
                await record_activity(
                    transaction, self._ids, self._clock.now(), subject.user_id, _action(request), subject.activity,
                    author=ActivityAuthor.COMMAND_LINE, reason=reason,
                )  # fmt: skip

    async def add_halt_of_user(
        self, transaction: UnitOfWork, user_id: UUID, request: HaltRequest, at: datetime, *, is_disabled: bool
    ) -> set[UUID]:
        """Halt the user from that time on, for an operator; return the accounts to wake after the commit.

        An operator's halt that holds already forbids then what either forbids. If the user is disabled it keeps its
        time and reason, so that it outlasts disabling; else it is made again, so that it isn't the one that enabling
        ends.
        """
        subject = HaltSubject(HaltLevel.USER, user_id, user_id)
        halts = await transaction.halts.get_many([(subject.level, subject.id)])
        held = next((halt for halt in halts if halt.by is HaltAuthor.OPERATOR), None)
        if held is None:
            return await self._set(transaction, subject, HaltAuthor.OPERATOR, request, since=at)
        both = HaltRequest(
            cancel_orders=held.cancel_orders or request.cancel_orders,
            reduce_only=held.state is TradingState.REDUCING and request.reduce_only,
            close_positions=held.close_positions or request.close_positions,
            reason=held.reason if is_disabled else request.reason or held.reason,
        )
        since = held.since if is_disabled else at
        return await self._set(transaction, subject, HaltAuthor.OPERATOR, both, since=since)

    async def resume_enabled_user(self, transaction: UnitOfWork, user_id: UUID, disabled_at: datetime) -> None:
        """End the halt that was made when the user was disabled, unless an operator has made another one since."""
        subject = HaltSubject(HaltLevel.USER, user_id, user_id)
        halts = await transaction.halts.get_many([(subject.level, subject.id)])
        if any(halt.by is HaltAuthor.OPERATOR and halt.since == disabled_at for halt in halts):
            now = self._clock.now()
            ended = await transaction.halts.remove(subject.level, subject.id, HaltAuthor.OPERATOR)
            transaction.events.append(_events({user_id}, [replace(halt, ended_at=now) for halt in ended], now))

    async def wake_executors(self, account_ids: Iterable[UUID]) -> None:
        """Have the executors of these accounts look at once."""
        for account_id in account_ids:
            await self._bus.publish(commands_topic(account_id), b"")

    async def _set_by_user(
        self, transaction: UnitOfWork, subject: HaltSubject, user_id: UUID, request: HaltRequest | None
    ) -> set[UUID]:
        woken = await self._set(transaction, subject, HaltAuthor.SELF, request)
        await self._record(transaction, subject, user_id, request)
        return woken

    async def _set(
        self,
        transaction: UnitOfWork,
        subject: HaltSubject,
        author: HaltAuthor,
        request: HaltRequest | None,
        *,
        at_once: bool = True,
        since: datetime | None = None,
    ) -> set[UUID]:
        """Store or delete halts of the subject, with an event for each user concerned; return the accounts to wake."""
        now = self._clock.now()
        if request is None:
            changed = await _resume(transaction, subject, author, now)
            woken: set[UUID] = set()
        else:
            halt = Halt(
                level=subject.level,
                subject_id=subject.id,
                state=request.state,
                since=since or now,
                by=author,
                reason=request.reason,
                cancel_orders=request.cancel_orders,
                close_positions=request.close_positions,
            )
            await transaction.halts.put(halt)
            changed = [halt]
            woken = await self._carry_out(transaction, subject, halt, now) if at_once else set()
        users = {subject.user_id} if subject.user_id is not None else await _users_who_trade(transaction)
        transaction.events.append(_events(users, changed, now))
        await _append_event_of_subject(transaction, subject, now)
        return woken

    async def _carry_out(self, transaction: UnitOfWork, subject: HaltSubject, halt: Halt, now: datetime) -> set[UUID]:
        """Request the halt's cancels and closes at once; executors and keepers find what comes at the same time."""
        accounts: list[UUID] | None = None
        if subject.account_id is not None:
            accounts = [subject.account_id]
        elif subject.user_id is not None:
            tradable = await transaction.accounts.list_tradable()
            accounts = [account.id for account in tradable if account.user_id == subject.user_id]
        woken: set[UUID] = set()
        if halt.cancel_orders:
            woken |= {order.account_id for order in await cancel_halted_orders(transaction, accounts, now)}
        if halt.close_positions:
            closed = await close_halted_positions(transaction, accounts, self._ids, now)
            woken |= {position.account_id for position in closed}
        return woken

    async def _record(
        self, transaction: UnitOfWork, subject: HaltSubject, user_id: UUID, request: HaltRequest | None
    ) -> None:
        detail = request.reason if request else None
        now = self._clock.now()
        await record_activity(transaction, self._ids, now, user_id, _action(request), subject.activity, detail)


def _action(request: HaltRequest | None) -> str:
    return "tradingResume" if request is None else "tradingHalt"


async def _require_enabled(transaction: UnitOfWork, user_id: UUID) -> None:
    """Raise CONFLICT for a disabled user, whose trading stays halted; the user isn't disabled meanwhile."""
    await transaction.users.lock(user_id)
    user = await transaction.users.get(user_id)
    if user is not None and user.disabled_at is not None:
        message = "The user is disabled, and nobody looks after the trading: userEnable ends the halt too."
        raise InputError(ErrorCode.CONFLICT, message, ("id",))


async def _resume(transaction: UnitOfWork, subject: HaltSubject, author: HaltAuthor, now: datetime) -> list[Halt]:
    """Delete the halts that this author may end, and return them as ended; raises CONFLICT if others keep it halted."""
    by = None if author is HaltAuthor.OPERATOR else author
    ended = await transaction.halts.remove(subject.level, subject.id, by)
    left = await transaction.halts.get_many([(subject.level, subject.id)])
    if left and not ended:
        raise InputError(ErrorCode.CONFLICT, "An operator has halted this; only operators can resume it.", ("id",))
    return [replace(halt, ended_at=now) for halt in ended]


async def _users_who_trade(transaction: UnitOfWork) -> set[UUID]:
    return {account.user_id for account in await transaction.accounts.list_tradable()}


def _events(user_ids: Iterable[UUID], halts: list[Halt], now: datetime) -> list[NewEvent]:
    return [
        NewEvent(user_id, now, UserEventKind.HALT, halt, TradingState.ACTIVE if halt.ended_at else halt.state)
        for user_id in sorted(user_ids)
        for halt in halts
    ]


async def _append_event_of_subject(transaction: UnitOfWork, subject: HaltSubject, now: datetime) -> None:
    """Append the event of the trading session or the account whose trading state the halt changes."""
    if subject.user_id is None:
        return
    if subject.level is HaltLevel.TRADING_SESSION:
        session = await transaction.trading_sessions.get(subject.user_id, subject.id)
        if session is not None:
            message = session.trading_state.value
            transaction.events.append([NewEvent(session.user_id, now, UserEventKind.TRADING_SESSION, session, message)])
    elif subject.level is HaltLevel.ACCOUNT:
        account = await transaction.accounts.get(subject.user_id, subject.id)
        if account is not None:
            message = account.trading_state.value
            transaction.events.append([NewEvent(account.user_id, now, UserEventKind.ACCOUNT, account, message)])
