"""What the trading domain needs of the outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from domain.core.keyset import KeysetPage
from domain.model.markets import MarketSymbol
from domain.model.trading import (
    Account,
    AccountTransfer,
    Balance,
    Position,
    Signal,
    TradingSession,
    TradingSessionStatus,
    VenueCredentials,
)
from domain.model.trading_state import Halt, HaltLevel, TradingState


class AccountRepository(Protocol):
    """Accounts, their sealed credentials and balances, and the engine's own trading state."""

    async def add(self, account: Account, sealed_credentials: bytes) -> None:
        """Store a new account."""
        ...

    async def get(self, user_id: UUID, account_id: UUID) -> Account | None:
        """Return an account of the user."""
        ...

    async def by_id(self, account_id: UUID) -> Account | None:
        """Return any account."""
        ...

    async def get_for_update(self, account_id: UUID) -> Account | None:
        """Return any account and lock its row until the transaction ends."""
        ...

    async def update(self, account: Account) -> None:
        """Store name, risk limits, trading state, archiving and reconciliation."""
        ...

    async def credentials(self, account_id: UUID) -> bytes | None:
        """Return the sealed credentials."""
        ...

    async def all_credentials(self) -> dict[UUID, bytes]:
        """Return the sealed credentials of all accounts."""
        ...

    async def replace_credentials(self, account_id: UUID, old: bytes, new: bytes) -> bool:
        """Replace sealed credentials, unless they have become others meanwhile; tell whether that was done."""
        ...

    async def set_credentials(self, account_id: UUID, sealed_credentials: bytes) -> None:
        """Replace the sealed credentials."""
        ...

    async def list_page(self, user_id: UUID, window: KeysetPage) -> list[Account]:
        """Return the user's accounts, archived ones too."""
        ...

    async def get_many(self, ids: Sequence[UUID]) -> list[Account]:
        """Return the accounts that exist, in any order (for batches)."""
        ...

    async def list_tradable(self) -> list[Account]:
        """Return every account that is not archived, or has active orders, oldest first."""
        ...

    async def replace_balances(self, account_id: UUID, balances: Sequence[Balance]) -> None:
        """Store all the balances of the account: currencies that are not among them are deleted."""
        ...

    async def upsert_balances(self, account_id: UUID, balances: Sequence[Balance]) -> None:
        """Store these balances and leave those of other currencies as they are."""
        ...

    async def balances(self, account_ids: Sequence[UUID]) -> dict[UUID, list[Balance]]:
        """Return the balances by account, in the order of their currencies (for batches)."""
        ...

    async def record_alert(self, account_id: UUID, key: str, at: datetime) -> bool:
        """Note when an alert of the account was last raised; False where it was raised before, by whichever node."""
        ...

    async def delete_expired_alerts(self, kept: timedelta, now: datetime, most: int) -> int:
        """Delete, at most so many, alerts that can't be raised again by what raised them; return how many.

        Those whose account has been reconciled, or is archived, for `kept` since they were last raised.
        """
        ...

    async def delete_alert(self, account_id: UUID, key: str) -> None:
        """Let an alert be raised again, since what it told of has ended."""
        ...

    async def engine_state(self) -> TradingState:
        """Return whether the engine as a whole may trade."""
        ...

    async def set_engine_state(self, state: TradingState) -> None:
        """Halt or resume the whole engine."""
        ...


class TransferRepository(Protocol):
    """The money that came into accounts and left them otherwise than by fills."""

    async def add(self, transfer: AccountTransfer) -> bool:
        """Store a transfer; False where the account has one of that reference already."""
        ...

    async def get(self, user_id: UUID, transfer_id: UUID) -> AccountTransfer | None:
        """Return a transfer of the user."""
        ...

    async def update(self, transfer: AccountTransfer) -> None:
        """Give a stored transfer another kind, amount or reference."""
        ...

    async def get_by_reference(self, account_id: UUID, reference: str) -> AccountTransfer | None:
        """Return the account's transfer of that reference."""
        ...

    async def list_page(self, account_id: UUID, window: KeysetPage) -> list[AccountTransfer]:
        """Return the account's transfers."""
        ...

    async def list_all(self, account_id: UUID) -> list[AccountTransfer]:
        """Return all transfers of the account, oldest first (for reports)."""
        ...

    async def unexplained(self, account_id: UUID) -> dict[str, Decimal]:
        """Return by currency what the stored balances are above what transfers and fills come to.

        Currencies in which they agree are left out. What transfers and fills come to is kept as they are stored, so
        this reads a row a currency, however many there are.
        """
        ...

    async def has_provisional_opening(self, account_id: UUID) -> bool:
        """Tell whether what the account opened with may still be corrected: it was there before transfers were."""
        ...

    async def correct_opening(self, account_id: UUID) -> dict[str, Decimal]:
        """Add what is unexplained to what the account opened with, and return it by currency.

        The caller holds the account's row.
        """
        ...

    async def confirm_opening(self, account_id: UUID) -> None:
        """Let the opening be corrected no more."""
        ...


class HaltRepository(Protocol):
    """The halts that hold, one for each thing that is halted."""

    async def put(self, halt: Halt) -> None:
        """Store a halt in the place of the one that its subject may have."""
        ...

    async def remove(self, level: HaltLevel, subject_id: UUID) -> None:
        """Forget the halt of a subject, if there is one."""
        ...

    async def get_many(self, subjects: Sequence[tuple[HaltLevel, UUID]]) -> list[Halt]:
        """Return the halts that these subjects have of their own, in any order (for batches)."""
        ...


class PositionRepository(Protocol):
    """Positions, one row from opening to flat."""

    async def get_open_for_update(
        self, account_id: UUID, market: MarketSymbol, trading_session_id: UUID | None
    ) -> Position | None:
        """Return the open position there and hold its row; None where flat."""
        ...

    async def save(self, position: Position) -> None:
        """Store a new or changed position."""
        ...

    async def get(self, user_id: UUID, position_id: UUID) -> Position | None:
        """Return a position of the user."""
        ...

    async def list_page(
        self,
        user_id: UUID,
        window: KeysetPage,
        account_id: UUID | None = None,
        market: MarketSymbol | None = None,
        *,
        is_open: bool | None = None,
    ) -> list[Position]:
        """Return the user's positions."""
        ...

    async def list_open(self, account_id: UUID) -> list[Position]:
        """Return the open positions of an account."""
        ...

    async def latest_by_session(self, trading_session_ids: Sequence[UUID]) -> list[Position]:
        """Return the newest position of each trading session, open or closed (for batches)."""
        ...


@dataclass(frozen=True, slots=True)
class TradingSessionFilter:
    """Which trading sessions of a user are wanted; None where it doesn't matter."""

    account_id: UUID | None = None
    market: MarketSymbol | None = None
    statuses: tuple[TradingSessionStatus, ...] | None = None
    strategy_id: UUID | None = None


class TradingSessionRepository(Protocol):
    """Trading sessions and their signals."""

    async def add(self, session: TradingSession) -> None:
        """Store a new session."""
        ...

    async def get(self, user_id: UUID, session_id: UUID) -> TradingSession | None:
        """Return a session of the user."""
        ...

    async def get_for_update(self, session_id: UUID) -> TradingSession | None:
        """Return any session and hold its row until the transaction ends."""
        ...

    async def save(self, session: TradingSession) -> None:
        """Store a changed session."""
        ...

    async def list_live(self, account_id: UUID) -> list[TradingSession]:
        """Return the account's sessions that are not final, oldest first."""
        ...

    async def count_live(self, user_id: UUID) -> int:
        """Return how many of the user's sessions are not final."""
        ...

    async def markets_in_use(self) -> list[MarketSymbol]:
        """Return the markets of all sessions that are not final, and of open positions and active orders."""
        ...

    async def list_page(self, user_id: UUID, window: KeysetPage, wanted: TradingSessionFilter) -> list[TradingSession]:
        """Return the user's sessions."""
        ...

    async def get_many(self, ids: Sequence[UUID]) -> list[TradingSession]:
        """Return the sessions that exist, in any order (for batches)."""
        ...

    async def add_signal(self, signal: Signal) -> bool:
        """Store a signal; False where the session said the same on the same candle already."""
        ...

    async def set_signal_order(self, signal_id: UUID, order_id: UUID) -> None:
        """Store which order the signal caused."""
        ...

    async def get_signal(self, user_id: UUID, signal_id: UUID) -> Signal | None:
        """Return a signal of the user."""
        ...

    async def get_many_signals(self, ids: Sequence[UUID]) -> list[Signal]:
        """Return the signals that exist, in any order (for batches)."""
        ...

    async def list_signals(self, user_id: UUID, session_id: UUID, window: KeysetPage) -> list[Signal]:
        """Return the signals of a session."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one holder to act for one thing, until it lapses; a later holder has a higher epoch.

    `renewed_at` is this node's monotonic time just before the request that obtained or renewed it.
    """

    kind: str
    key: str
    holder: str
    epoch: int
    renewed_at: float


class StaleLease(Exception):
    """The lease that a transaction named is no longer held; the transaction must not commit."""


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """Who took a lease last, and until when it is good unless it is renewed."""

    name: str
    until: datetime


class LeaseRepository(Protocol):
    """Leases; expiry is by the database's clock."""

    async def acquire(self, kind: str, key: str, holder: str, seconds: float) -> Lease | None:
        """Take the lease where it is free or lapsed, with the next epoch; renew it where `holder` has it already."""
        ...

    async def renew(self, lease: Lease, seconds: float) -> Lease | None:
        """Prolong it; None where it is no longer held under that epoch."""
        ...

    async def release(self, lease: Lease) -> None:
        """Let go of it at once."""
        ...

    async def release_all(self) -> None:
        """Let go of every lease, whoever holds it: for a start that knows all earlier holders to be dead."""
        ...

    async def get_holder(self, kind: str, key: str) -> LeaseHolder | None:
        """Return who took the lease last; None where it is free."""
        ...

    async def check(self, lease: Lease) -> None:
        """Raise `StaleLease` unless it is held and not lapsed; it can't be taken before the transaction ends."""
        ...


class Vault(Protocol):
    """Seals venue credentials so that the database alone can't read them (AES-256-GCM)."""

    def seal(self, credentials: VenueCredentials, account_id: UUID) -> bytes:
        """Return the sealed form, bound to the account."""
        ...

    def unseal(self, sealed: bytes, account_id: UUID) -> VenueCredentials:
        """Return the credentials; raises ValueError where the key or the account isn't the one that sealed."""
        ...


class PaperRefused(Exception):
    """The sandbox's definite no to paper money: asked again, it says the same. The message is its own reason."""


class NoSuchPaperAccount(PaperRefused):
    """The sandbox has no such account."""


class PaperVenue(Protocol):
    """The administrative side of a sandbox exchange.

    Each call raises `VenueUnreachable` where there is no answer, `PaperRefused` for a definite no, and `Unavailable`
    where the engine's own token is refused, which only its operator can mend.
    """

    async def currencies(self) -> tuple[str, ...]:
        """Return the currencies that its accounts can hold."""
        ...

    async def open_account(self, name: str, balances: Sequence[Balance]) -> VenueCredentials:
        """Make an account with balances; asked twice by the same name, it answers the same and pays once."""
        ...

    async def deposit(self, name: str, currency: str, amount: Decimal, key: str) -> bool:
        """Pay into an account, once a key; False where that was done before. Raises `NoSuchPaperAccount` too."""
        ...
