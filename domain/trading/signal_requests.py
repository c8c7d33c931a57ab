"""Signals that users submit to trading sessions: rows, which the node that trades the account acts on."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors, Unavailable
from domain.core.pagination import TimeKeysetPage
from domain.core.polling import read_until
from domain.events.idempotency import reserve, validate_key
from domain.execution.feed_warmup import BOOK_WAIT_SECONDS
from domain.execution.service import ANSWER_WITHIN_SECONDS
from domain.model.markets import MarketSymbol
from domain.model.trading import Signal, SignalAction, TradingSession, TradingSessionStatus
from domain.ports.bus import MessageBus, commands_topic
from domain.ports.orders import MarketView
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.rules.signal_message import MAX_REASON_LENGTH

MAX_WAITING = 10
"""How many signals of one action may wait for a trading session: a flood of entries keeps no exit out."""
NO_REASON = "submitted"

_SUPPORTED = frozenset({SignalAction.ENTER_LONG, SignalAction.EXIT_LONG})


@dataclass(frozen=True, slots=True)
class SignalRequest:
    """The trading session that is to act, and on what; `reason` is the user's own.

    `market` may be None for a trading session that has only one.
    """

    trading_session_id: UUID
    action: SignalAction
    reason: str | None = None
    market: MarketSymbol | None = None


class SignalService:
    """Submits signals for users."""

    def __init__(
        self,
        database: Database,
        markets: MarketView,
        bus: MessageBus,
        clock: Clock,
        ids: IdGenerator,
        answer_within_seconds: float = ANSWER_WITHIN_SECONDS,
    ) -> None:
        self._database = database
        self._markets = markets
        self._bus = bus
        self._clock = clock
        self._ids = ids
        self._answer_within_seconds = answer_within_seconds

    async def submit(self, user_id: UUID, request: SignalRequest, idempotency_key: str) -> Signal:
        """Store a signal and return it once it has been acted on, or as it is after 2 s.

        The same key with the same input returns the same signal. Raises `InputErrors` (INVALID, UNSUPPORTED),
        NOT_FOUND, LIMIT_REACHED, and CONFLICT for a trading session that is being stopped or has ended.
        """
        validate_key(idempotency_key)
        errors = _request_errors(request)
        if errors:
            raise InputErrors(errors)
        known_session = await self._own_session(user_id, request.trading_session_id)
        market = _market(known_session, request.market)
        price = await self.price(known_session, market)
        signal_id = self._ids.next_id()
        async with self._database.transaction() as transaction:
            session = await transaction.trading_sessions.get_for_update(request.trading_session_id)
            assert session is not None
            known = await reserve(
                transaction, self._clock, user_id, "signalSubmit", idempotency_key, request, signal_id
            )
            if known is None:
                _check_runs(session)
                named = replace(request, market=market)
                signal = waiting_signal(session, named, signal_id, price, self._clock.now())
                await add_waiting(transaction, signal)
        if known is None:
            await self.wake_worker(session)
        return await self.wait(user_id, known or signal_id, self._answer_within_seconds)

    async def _own_session(self, user_id: UUID, session_id: UUID) -> TradingSession:
        async with self._database.read_only() as reading:
            session = await reading.trading_sessions.get(user_id, session_id)
        if session is None:
            message = "You have no such trading session."
            raise InputError(ErrorCode.NOT_FOUND, message, ("input", "tradingSession"))
        return session

    async def price(
        self, session: TradingSession, market: MarketSymbol, within_seconds: float = BOOK_WAIT_SECONDS
    ) -> Decimal:
        """Return the market's price, or the newest candle's close, until the signal is acted on at the price of then.

        Raises `Unavailable` if neither is known in time: the trading session has never run then.
        """
        price = self._markets.price_of(market)
        if price is not None:
            return price
        page = TimeKeysetPage(limit=1, backwards=True)
        async with self._database.read_only() as reading:
            newest = await reading.market_data.candles(market, session.timeframe, page)
        if newest:
            return newest[0].close
        await self._markets.depth(market, within_seconds)
        price = self._markets.price_of(market)
        if price is None:
            raise Unavailable(f"No price of {market} is known yet; submit the signal again in a moment.")
        return price

    async def wake_worker(self, session: TradingSession) -> None:
        """Wake the node that trades the account."""
        await self._bus.publish(commands_topic(session.account_id), b"")

    async def wait(self, user_id: UUID, signal_id: UUID, within_seconds: float) -> Signal:
        """Return the signal once it has been acted on or missed, or as it is when the time is over."""

        async def read() -> Signal:
            async with self._database.read_only() as reading:
                signal = await reading.trading_sessions.get_signal(user_id, signal_id)
            assert signal is not None
            return signal

        return await read_until(read, lambda signal: not signal.waiting, self._clock, within_seconds)


def _request_errors(request: SignalRequest) -> list[InputError]:
    errors = []
    if request.action not in _SUPPORTED:
        message = f"{request.action.value} isn't possible on a spot market; ENTER_LONG and EXIT_LONG are."
        errors.append(InputError(ErrorCode.UNSUPPORTED, message, ("input", "action")))
    reason = request.reason
    if reason is not None and (len(reason) > MAX_REASON_LENGTH or not reason.isprintable()):
        message = f"The reason must have at most {MAX_REASON_LENGTH} printable characters, and has {len(reason)}."
        errors.append(InputError(ErrorCode.INVALID, message, ("input", "reason")))
    return errors


def _market(session: TradingSession, named: MarketSymbol | None) -> MarketSymbol:
    """Return the market that a signal is for: the one that is named, or the only one of the trading session."""
    if named is not None and named in session.markets:
        return named
    if named is None and len(session.markets) == 1:
        return session.market
    shown = ", ".join(map(str, session.markets))
    message = f"The trading session trades {shown}; {'name one of them' if named is None else f'not {named}'}."
    raise InputError(ErrorCode.INVALID, message, ("input", "market"))


def waiting_signal(
    session: TradingSession, request: SignalRequest, signal_id: UUID, price: Decimal, at: datetime
) -> Signal:
    """Return a new signal that waits for the node that trades the account; the request names the market."""
    return Signal(
        id=signal_id,
        user_id=session.user_id,
        trading_session_id=session.id,
        at=at,
        action=request.action,
        price=price,
        reason=request.reason or NO_REASON,
        waiting=True,
        market=request.market,
    )


async def add_waiting(transaction: UnitOfWork, signal: Signal) -> None:
    """Store a waiting signal of a trading session whose row is locked; raises LIMIT_REACHED if too many wait for it."""
    waiting = await transaction.trading_sessions.list_waiting_signals(signal.trading_session_id)
    kind = (signal.action, signal.market)
    if sum((other.action, other.market) == kind for other in waiting) >= MAX_WAITING:
        message = (
            f"{MAX_WAITING} signals of {signal.action.value} wait for the trading session already; submit it later."
        )
        raise InputError(ErrorCode.LIMIT_REACHED, message, ("input", "tradingSession"))
    await transaction.trading_sessions.add_signal(signal)


def _check_runs(session: TradingSession) -> None:
    if not acts_on_signals(session):
        message = f"A trading session that is {session.status.value} acts on no signal."
        raise InputError(ErrorCode.CONFLICT, message, ("input", "tradingSession"))


def acts_on_signals(session: TradingSession) -> bool:
    """Return whether the trading session still takes signals: it has not ended and isn't to end."""
    return not (session.status.is_final or session.status is TradingSessionStatus.STOPPING)
