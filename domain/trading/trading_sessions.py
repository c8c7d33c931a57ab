"""Starts, pauses, resumes and stops trading sessions for users.

Each of these changes the session's row; the node that trades the account reads the row and acts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.events.idempotency import reserve
from domain.model.definitions import Sizing, StrategyDefinition
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.model.orders import OrderRole
from domain.model.plans import Entitlement
from domain.model.trading import (
    Account,
    ParameterValue,
    RiskLimits,
    TradingSession,
    TradingSessionStatus,
    TradingSessionStatusCode,
)
from domain.model.users import User
from domain.model.venue_abilities import VenueAbilities
from domain.ports.bus import MessageBus, commands_topic
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.ports.venues import AbilitiesOf
from domain.risk.limit_validation import validate_limits
from domain.rules.market_choice import market_choice_errors
from domain.rules.resting_protection import venue_errors
from domain.strategies.definition_parser import parse_rules
from domain.strategies.parameter_values import parameter_value_errors
from domain.strategies.validation import sizing_errors, unsupported_errors
from domain.trading.session_intents import withdraw_close
from domain.trading.session_transactions import cancel_session_orders
from domain.users.activity import record_activity
from domain.users.entitlements import require_room
from domain.users.identity_lock import lock_user

"""How many markets one trading session may trade."""

MarketLookup = Callable[[MarketSymbol], Market | None]


@dataclass(frozen=True, slots=True)
class TradingSessionRequest:
    """The strategy version to run, and the account, markets and timeframe to run it on."""

    strategy_version_id: UUID
    account_id: UUID
    market: MarketSymbol
    timeframe: Timeframe
    parameters: tuple[ParameterValue, ...] = ()
    sizing: Sizing | None = None
    risk: RiskLimits | None = None
    other_markets: tuple[MarketSymbol, ...] = ()
    max_open_positions: int | None = None

    @property
    def markets(self) -> tuple[MarketSymbol, ...]:
        """All markets, in the order in which they were given."""
        return (self.market, *self.other_markets)


class TradingSessionService:
    """Starts, pauses, resumes and stops trading sessions."""

    def __init__(
        self,
        database: Database,
        market_lookup: MarketLookup,
        bus: MessageBus,
        clock: Clock,
        ids: IdGenerator,
        abilities: AbilitiesOf,
    ) -> None:
        self._database = database
        self._market_lookup = market_lookup
        self._bus = bus
        self._clock = clock
        self._ids = ids
        self._abilities = abilities

    async def start(self, user: User, request: TradingSessionRequest, idempotency_key: str | None) -> TradingSession:
        """Start a trading session; it is STARTING until the trading node has its candles.

        Raises `InputErrors` (NOT_FOUND, INVALID, UNSUPPORTED), LIMIT_REACHED of the plan, CONFLICT of the key.
        """
        session = TradingSession(
            id=self._ids.next_id(),
            user_id=user.id,
            strategy_version_id=request.strategy_version_id,
            account_id=request.account_id,
            market=request.market,
            timeframe=request.timeframe,
            parameters=request.parameters,
            started_at=self._clock.now(),
            sizing=request.sizing,
            risk=request.risk,
            other_markets=request.other_markets,
            max_open_positions=request.max_open_positions,
        )
        async with self._database.transaction() as transaction:
            if idempotency_key is not None:
                operation = "tradingSessionStart"
                existing = await reserve(
                    transaction, self._clock, user.id, operation, idempotency_key, request, session.id
                )
                if existing is not None:
                    return await self._get_owned(transaction, user.id, existing)
            await self._validate(transaction, user, request)
            await transaction.trading_sessions.add(session)
            await self._publish_change(transaction, session, "tradingSessionStart")
        await self._wake_worker(session)
        return session

    async def pause(self, user_id: UUID, session_id: UUID) -> TradingSession:
        """Pause a trading session: cancel its resting entries and make no more; exits and protection continue."""
        async with self._database.transaction() as transaction:
            session = await self._get_owned(transaction, user_id, session_id)
            if session.status is TradingSessionStatus.PAUSED:
                return session
            _expect(session, TradingSessionStatus.RUNNING, TradingSessionStatus.STARTING, action="paused")
            session = replace(session, status=TradingSessionStatus.PAUSED, status_reason=None)
            session = replace(session, status_code=TradingSessionStatusCode.PAUSED_BY_USER)
            await self._save(transaction, session, "tradingSessionPause")
            await cancel_session_orders(transaction, session, self._clock.now(), OrderRole.ENTRY)
        await self._wake_worker(session)
        return session

    async def resume(self, user_id: UUID, session_id: UUID) -> TradingSession:
        """Resume a paused trading session: entries are possible again from the next closed candle on.

        Raises LIMIT_REACHED if the user's plan has shrunk below what the user has.
        """
        async with self._database.transaction() as transaction:
            await lock_user(transaction, user_id)  # before any row of the user's, as when a session starts
            session = await self._get_owned(transaction, user_id, session_id)
            if session.status in {TradingSessionStatus.RUNNING, TradingSessionStatus.STARTING}:
                return session
            _expect(session, TradingSessionStatus.PAUSED, action="resumed")
            # Within a plan that has shrunk nothing that trades is ended, and nothing that rests begins to trade again.
            await require_room(transaction, user_id, Entitlement.TRADING_SESSIONS, 0, ("id",))
            await require_room(transaction, user_id, Entitlement.MARKETS, 0, ("id",))
            has_run = session.last_candle_at is not None
            status = TradingSessionStatus.RUNNING if has_run else TradingSessionStatus.STARTING
            session = replace(session, status=status, status_reason=None, status_code=None)
            await self._save(transaction, session, "tradingSessionResume")
        await self._wake_worker(session)
        return session

    async def stop(self, user_id: UUID, session_id: UUID, *, close_position: bool) -> TradingSession:
        """Cancel the trading session's entries and, if asked, close its position; it is STOPPED once that has happened.

        The last call counts: to keep a position that can't be closed, stop again without closing it. A position that is
        kept stays protected.
        """
        async with self._database.transaction() as transaction:
            session = await self._get_owned(transaction, user_id, session_id)
            if session.status.is_final:
                return session
            now, code = self._clock.now(), TradingSessionStatusCode.STOPPED_BY_USER
            session = await request_stop(transaction, session, now, code, close_position=close_position)
            subject = ("TradingSession", str(session.id))
            await record_activity(transaction, self._ids, now, user_id, "tradingSessionStop", subject)
        await self._wake_worker(session)
        return session

    async def _validate(self, transaction: UnitOfWork, user: User, request: TradingSessionRequest) -> None:
        await lock_user(transaction, user.id)  # The limit of the plan counts the sessions on all accounts.
        version = await transaction.strategies.get_version(user.id, request.strategy_version_id)
        account = await transaction.accounts.get_for_update(request.account_id)  # It can't be archived meanwhile.
        if account is not None and account.user_id != user.id:
            account = None
        errors = [*_account_errors(account), *market_choice_errors(request.markets, request.max_open_positions)]
        for index, symbol in enumerate(request.markets):
            path = ("input", "markets", str(index)) if request.other_markets else ("input", "market")
            errors += _market_errors(symbol, account, self._market_lookup(symbol), path)
        if version is None:
            errors.append(_not_found("strategy version", "strategyVersion"))
        else:
            errors += _definition_errors(version.definition, request)
            errors += _venue_errors(version.definition, request, await self._abilities(request.market.venue))
            errors += self._other_market_errors(version.definition, request)
        errors += validate_limits(request.risk, ("input", "risk")) if request.risk else []
        if errors:
            raise InputErrors(errors)
        await require_room(transaction, user.id, Entitlement.TRADING_SESSIONS)
        added = set(request.markets).difference(await transaction.trading_sessions.markets_of_user(user.id))
        path = ("input", "markets" if request.other_markets else "market")
        await require_room(transaction, user.id, Entitlement.MARKETS, len(added), path)

    def _other_market_errors(self, definition: StrategyDefinition, request: TradingSessionRequest) -> list[InputError]:
        """Return an error for each market that the rules name and the venue doesn't list."""
        defaults = {parameter.name: parameter.default for parameter in definition.parameters}
        named = {key.market for key in parse_rules(definition, defaults).sources if key.market is not None}
        symbols = [MarketSymbol(request.market.venue, market) for market in sorted(named)]
        return [
            InputError(
                ErrorCode.NOT_FOUND, f"The rules name {symbol}, which isn't listed.", ("input", "strategyVersion")
            )
            for symbol in symbols
            if self._market_lookup(symbol) is None
        ]

    async def _get_owned(self, transaction: UnitOfWork, user_id: UUID, session_id: UUID) -> TradingSession:
        session = await transaction.trading_sessions.get_for_update(session_id)
        if session is None or session.user_id != user_id:
            raise InputError(ErrorCode.NOT_FOUND, "You have no such trading session.", ("id",))
        return session

    async def _save(self, transaction: UnitOfWork, session: TradingSession, action: str) -> None:
        await transaction.trading_sessions.save(session)
        await self._publish_change(transaction, session, action)

    async def _publish_change(self, transaction: UnitOfWork, session: TradingSession, action: str) -> None:
        now = self._clock.now()
        message = session.status.value
        event = NewEvent(session.user_id, now, UserEventKind.TRADING_SESSION, session, message)
        transaction.events.append([event])
        subject = ("TradingSession", str(session.id))
        await record_activity(transaction, self._ids, now, session.user_id, action, subject)

    async def _wake_worker(self, session: TradingSession) -> None:
        await self._bus.publish(commands_topic(session.account_id), b"")


async def request_stop(
    transaction: UnitOfWork,
    session: TradingSession,
    now: datetime,
    code: TradingSessionStatusCode,
    *,
    close_position: bool,
) -> TradingSession:
    """Have a live trading session, whose row is locked, stop: its entries are cancelled at once; return it."""
    session = replace(
        session,
        status=TradingSessionStatus.STOPPING,
        close_on_stop=close_position,
        status_reason="It waits for the node that trades its account.",
        status_code=code,
    )
    await transaction.trading_sessions.save(session)
    event = NewEvent(session.user_id, now, UserEventKind.TRADING_SESSION, session, session.status.value)
    transaction.events.append([event])
    await cancel_session_orders(transaction, session, now, OrderRole.ENTRY)
    if not close_position:
        await withdraw_close(transaction, session, now)
    return session


def _account_errors(account: Account | None) -> list[InputError]:
    if account is None:
        return [_not_found("account", "account")]
    if account.archived_at is not None:
        return [InputError(ErrorCode.CONFLICT, "The account is archived; choose another.", ("input", "account"))]
    return []


def _market_errors(
    symbol: MarketSymbol, account: Account | None, market: Market | None, path: tuple[str, ...]
) -> list[InputError]:
    if market is None:
        return [InputError(ErrorCode.NOT_FOUND, f"There is no market {symbol} like that.", path)]
    if account is not None and account.venue != symbol.venue:
        message = f"The account is at {account.venue}; {symbol} isn't traded there."
        return [InputError(ErrorCode.INVALID, message, path)]
    if not market.active:
        return [InputError(ErrorCode.INVALID, f"{symbol} isn't traded at its venue now.", path)]
    return []


def _definition_errors(definition: StrategyDefinition, request: TradingSessionRequest) -> list[InputError]:
    errors = parameter_value_errors(definition, request.parameters, request.timeframe)
    messages = dict.fromkeys(error.message for error in unsupported_errors(definition))
    errors += [InputError(ErrorCode.UNSUPPORTED, message, ("input", "strategyVersion")) for message in messages]
    if request.sizing is not None:
        errors += [error.under(("input",)) for error in sizing_errors(request.sizing, definition)]
    return errors


def _venue_errors(
    definition: StrategyDefinition, request: TradingSessionRequest, abilities: VenueAbilities | None
) -> Iterator[InputError]:
    return venue_errors(
        definition.protect_at,
        request.market.venue,
        abilities,
        ("input", "strategyVersion"),
        stop=definition.stop_loss is not None or definition.trailing_stop is not None,
        profit=definition.take_profit is not None,
    )


def _expect(session: TradingSession, *allowed: TradingSessionStatus, action: str) -> None:
    if session.status not in allowed:
        message = f"A trading session that is {session.status.value} can't be {action}."
        raise InputError(ErrorCode.CONFLICT, message, ("id",))


def _not_found(what: str, field: str) -> InputError:
    return InputError(ErrorCode.NOT_FOUND, f"There is no {what} like that.", ("input", field))
