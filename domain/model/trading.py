"""Accounts, trading sessions, signals and positions."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter
from uuid import UUID

from domain.core.money import ZERO
from domain.model.definitions import Sizing
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.trading_state import TradingState


class AccountKind(StrEnum):
    """PAPER: a balance on a venue that isn't live; LIVE: sealed credentials of a real one."""

    PAPER = "PAPER"
    LIVE = "LIVE"


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """What an account or a trading session may do, None if unlimited; amounts are in the account's currency."""

    max_order_notional: Decimal | None = None
    max_position_notional: Decimal | None = None
    max_open_orders: int | None = None
    max_orders_per_minute: int | None = None
    max_daily_loss: Decimal | None = None
    max_drawdown_percent: Decimal | None = None
    price_collar_percent: Decimal | None = None
    cool_down_losses: int | None = None
    cool_down_minutes: int | None = None
    daily_reset_hour: int | None = None


NO_LIMITS = RiskLimits()


@dataclass(frozen=True, slots=True)
class Account:
    """A user's account at a venue; equity and limits are in its `currency`.

    `reconciled_until` is the venue's time up to which the account is known to agree with it, and `reconciled_at` when
    that was found, by the node's clock.
    """

    id: UUID
    user_id: UUID
    name: str
    kind: AccountKind
    venue: str
    currency: str
    created_at: datetime
    archived_at: datetime | None = None
    trading_state: TradingState = TradingState.ACTIVE
    risk: RiskLimits = NO_LIMITS
    reconciled_at: datetime | None = None
    reconciled_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's balance of a currency; `free` is the part that no open order has locked.

    `free` is None if the venue reports the total alone. `at` is the venue's time as of which it is known; None if that
    isn't known.
    """

    currency: str
    total: Decimal
    free: Decimal | None
    at: datetime | None = None


class TransferKind(StrEnum):
    """The kind of a transfer.

    OPENING: the balance that the account started with; DEPOSIT and WITHDRAWAL: known as such; ADJUSTMENT: a change of
    the balance that no fill and no known transfer explains, at the time at which it was noticed.
    """

    OPENING = "OPENING"
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    ADJUSTMENT = "ADJUSTMENT"


@dataclass(frozen=True, slots=True)
class AccountTransfer:
    """Money that came into an account or left it otherwise than by a fill.

    `amount` is negative if the money left the account. `reference` names the cause and is unique in the account, so
    that the same cause is recorded once. `note` is what the user wrote about it.
    """

    id: UUID
    user_id: UUID
    account_id: UUID
    kind: TransferKind
    currency: str
    amount: Decimal
    at: datetime
    reference: str
    note: str | None = None


@dataclass(frozen=True, slots=True)
class VenueCredentials:
    """The key and secret that sign requests to a venue; never printed, never readable through the API."""

    api_key: str
    secret: str
    passphrase: str | None = None

    def __repr__(self) -> str:
        return "VenueCredentials(…)"


class TradingSessionStatus(StrEnum):
    """The status of a trading session."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    FAILED = "FAILED"

    @property
    def is_final(self) -> bool:
        """Whether the trading session has ended, and so never changes again."""
        return self in {TradingSessionStatus.STOPPED, TradingSessionStatus.FAILED}


class TradingSessionStatusCode(StrEnum):
    """The reason of a trading session's status."""

    WAITING_FOR_CANDLES = "WAITING_FOR_CANDLES"
    WAITING_FOR_ACCOUNT = "WAITING_FOR_ACCOUNT"
    PAUSED_BY_USER = "PAUSED_BY_USER"
    STOPPED_BY_USER = "STOPPED_BY_USER"
    STOPPED_BY_OPERATOR = "STOPPED_BY_OPERATOR"
    STRATEGY_INVALID = "STRATEGY_INVALID"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class ParameterValue:
    """The value of a strategy's parameter in one trading session."""

    name: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class TradingSession:
    """One strategy version running on one account and timeframe, on one market or several.

    `sizing` and `risk` override the version's sizing and add to the account's limits. `max_open_positions` is how many
    of its markets may have a position or an entry order at a time. `last_candle_at` is the open time of the newest
    closed candle that was acted on, on any market; `start_equity` is in the account's currency.
    """

    id: UUID
    user_id: UUID
    strategy_version_id: UUID
    account_id: UUID
    market: MarketSymbol
    timeframe: Timeframe
    parameters: tuple[ParameterValue, ...]
    started_at: datetime
    status: TradingSessionStatus = TradingSessionStatus.STARTING
    sizing: Sizing | None = None
    risk: RiskLimits | None = None
    status_reason: str | None = None
    stopped_at: datetime | None = None
    trading_state: TradingState = TradingState.ACTIVE
    close_on_stop: bool = False
    last_candle_at: datetime | None = None
    start_equity: Decimal | None = None
    status_code: TradingSessionStatusCode | None = None
    other_markets: tuple[MarketSymbol, ...] = ()
    max_open_positions: int | None = None

    @property
    def markets(self) -> tuple[MarketSymbol, ...]:
        """All markets that it trades, in the order in which they were given."""
        return (self.market, *self.other_markets)


class SignalAction(StrEnum):
    """What a strategy's rule asks for when it becomes true."""

    ENTER_LONG = "ENTER_LONG"
    EXIT_LONG = "EXIT_LONG"
    ENTER_SHORT = "ENTER_SHORT"
    EXIT_SHORT = "EXIT_SHORT"

    @property
    def enters(self) -> bool:
        """Whether the action opens a position."""
        return self in {SignalAction.ENTER_LONG, SignalAction.ENTER_SHORT}


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal of a strategy at the close of a candle or of a user, and its reason; `missed` if nothing followed it.

    `price`, in quote per base, is the close of its candle, or the market's price when a user's was acted on.
    `candle_at` is that candle's open time, None for a user's, which is `waiting` until it has been acted on or missed.
    `order_id` is set once the signal has caused an order. `add_number` is the number of the further entry into the
    position `position_id` that it is for, counted from 1 in the order of the definition; None for all others. `market`
    is None in events of an older version alone: it is then the trading session's only one.
    """

    id: UUID
    user_id: UUID
    trading_session_id: UUID
    at: datetime
    action: SignalAction
    price: Decimal
    reason: str
    candle_at: datetime | None = None
    missed: bool = False
    order_id: UUID | None = None
    waiting: bool = False
    position_id: UUID | None = None
    add_number: int | None = None
    market: MarketSymbol | None = None


@dataclass(frozen=True, slots=True)
class SignalWebhook:
    """An address at which others submit signals to a trading session; its secret was shown once, its hash is stored.

    `signal_count` counts the messages that became signals, the newest of them, at `last_used_at`, the one with
    `last_message_hash`; `last_sent_at` is the latest time that one of them named. `refused_count` counts those of which
    none was made, and `last_error` says why of the newest.
    """

    id: UUID
    user_id: UUID
    trading_session_id: UUID
    name: str
    created_at: datetime
    secret_hash: bytes = field(repr=False)
    rotated_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    signal_count: int = 0
    last_signal_id: UUID | None = None
    last_message_hash: bytes | None = None
    refused_count: int = 0
    last_error: str | None = None
    last_error_at: datetime | None = None
    last_sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """The sum of fills of an account, market and trading session, from the opening fill until it is flat.

    `quantity` is signed base, net of fees paid in base; `average_price`, `realized_profit` and `fees` are in quote,
    the profit after fees; `unpriced_fees` are the currencies of fees that both leave out, since no price was known.
    When it closed, `dust` was too little to be traded, and `missing` was no longer held by the account.
    """

    id: UUID
    user_id: UUID
    account_id: UUID
    market: MarketSymbol
    trading_session_id: UUID | None
    opened_at: datetime
    quantity: Decimal = ZERO
    dust: Decimal = ZERO
    average_price: Decimal | None = None
    realized_profit: Decimal = ZERO
    fees: Decimal = ZERO
    closed_at: datetime | None = None
    unpriced_fees: tuple[str, ...] = ()
    missing: Decimal = ZERO

    def changed(self, **changes: object) -> "Position":
        """Return a copy of the position with these fields changed."""
        # Reports apply a hundred thousand fills, and `replace` takes most of the time that this does.
        values = list(_position_values(self))
        try:
            for name, value in changes.items():
                values[_POSITION_FIELDS[name]] = value
        except KeyError as error:
            raise TypeError(f"a position has no {error}") from None
        return Position(*values)


_POSITION_FIELDS = {field.name: index for index, field in enumerate(fields(Position))}
_position_values = attrgetter(*_POSITION_FIELDS)
