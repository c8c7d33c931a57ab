"""Stored points of equity, and what the ledger of an account or the positions of a trading session come to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT
from domain.model.markets import MarketSymbol
from domain.model.trading import Account, TradingSession


@dataclass(frozen=True, slots=True)
class StoredEquity:
    """The equity of an account or a trading session (`subject_id`) at a time, in the account's currency.

    `deposited` is what was paid in until then less what was withdrawn, each amount at its worth when it moved: equity
    less that is what trading has earned. `peak` is the most that was ever earned.
    """

    subject_id: UUID
    account_id: UUID
    at: datetime
    equity: Decimal
    deposited: Decimal
    peak: Decimal

    @property
    def profit(self) -> Decimal:
        """What trading had earned."""
        return EXACT.subtract(self.equity, self.deposited)


@dataclass(frozen=True, slots=True)
class UnvaluedTransfer:
    """A transfer whose worth at its time isn't stored yet."""

    id: UUID
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class AccountLedger:
    """The sums of an account's transfers and fills by currency, and its stored points, as of one moment.

    `deposited` is the worth of those transfers whose worth is stored. `last` is the newest point, and `baseline` the
    newest one until the time that was asked for, or the first one ever if there is none.
    """

    account: Account
    totals: Mapping[str, Decimal]
    deposited: Decimal
    unvalued: tuple[UnvaluedTransfer, ...]
    last: StoredEquity | None
    baseline: StoredEquity | None


@dataclass(frozen=True, slots=True)
class MarketResult:
    """What all positions of a trading session on a market have realised, what is held, and what that has cost."""

    market: MarketSymbol
    realized_profit: Decimal
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class TradingSessionLedger:
    """The results of a trading session by market, and its stored points, as those of `AccountLedger`."""

    session: TradingSession
    results: tuple[MarketResult, ...]
    last: StoredEquity | None
    baseline: StoredEquity | None


@dataclass(frozen=True, slots=True)
class ClosedResult:
    """What a closed position has earned, in quote after fees, and when it closed."""

    realized_profit: Decimal
    closed_at: datetime
