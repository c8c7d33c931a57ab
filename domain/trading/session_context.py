"""What everything that works for one trading session shares: its plan, its dependencies and its transactions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

from domain.model.markets import Market, MarketSymbol
from domain.model.trading import Balance, TradingSessionStatus, TradingSessionStatusCode
from domain.portfolio.valuation import Equity, compute_equity
from domain.rules.session_plan import TradingSessionPlan
from domain.trading.dependencies import TradingDependencies
from domain.trading.executor_handle import ExecutorHandle
from domain.trading.session_reads import AccountSessions, TradingSessionReads
from domain.trading.session_transactions import GroupCommit, TradingSessionTransaction, Work

_STATUSES_OF_ACTIVE_RUNS = frozenset({TradingSessionStatus.STARTING, TradingSessionStatus.RUNNING})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AccountParts:
    """What the trading sessions of one account share. `wake_keeper` has an intent carried out soon."""

    reads: TradingSessionReads
    transactions: GroupCommit
    executor: ExecutorHandle
    wake_keeper: Callable[[], None]


class TradingSessionContext:
    """The trading session's plan, one of its markets, what it trades with, and its transactions."""

    def __init__(
        self, plan: TradingSessionPlan, symbol: MarketSymbol, dependencies: TradingDependencies, account: AccountParts
    ) -> None:
        self.plan = plan
        self.session = plan.session
        self.symbol = symbol
        self.database = dependencies.database
        self.feed = dependencies.feed
        self.bus = dependencies.bus
        self.clock = dependencies.clock
        self.ids = dependencies.ids
        self.timings = dependencies.timings
        self.executor = account.executor
        self.wake_keeper = account.wake_keeper
        self._reads = account.reads
        self._transactions = account.transactions

    def __repr__(self) -> str:
        return f"TradingSessionContext({self.session.id}, {self.symbol})"

    @property
    def market(self) -> Market | None:
        """The market as it is now; None if its venue doesn't list it any more."""
        return self.feed.catalogue.get(self.symbol)

    async def load(self) -> AccountSessions:
        """Return what is stored of the trading session now; raises `Unavailable`."""
        return await self._reads.load(self.session.id)

    async def transact(self, work: Work[T]) -> T:
        """Return what `work` returns, once the transaction in which it acted for the trading session is committed.

        Raises `StaleLease` if the account's lease is lost, `TradingSessionEnded`, and `Unavailable`.
        """
        return await self._transactions.run(self.session.id, self.symbol, work)

    def equity(self, balances: Sequence[Balance]) -> Equity:
        """Return the account's equity in its currency, and the currencies that can't be priced now."""
        return compute_equity(self.plan.currency, balances, self.convert)

    def convert(self, amount: Decimal, currency: str, into: str) -> Decimal | None:
        """Return an amount's worth in another currency at present prices of the trading session's venue."""
        return self.feed.convert(self.symbol.venue, amount, currency, into)

    def is_missing_prices(self, worth: Equity) -> bool:
        """Return whether the equity leaves out a currency that markets of the venue connect with the account's."""
        graph = self.feed.graph(self.symbol.venue)
        return any(graph.connects(currency, self.plan.currency) for currency in worth.unpriced)

    async def set_status_reason(
        self, reason: str | None, code: TradingSessionStatusCode = TradingSessionStatusCode.WAITING_FOR_CANDLES
    ) -> None:
        """Store in the trading session's row what it waits for; None once that is there."""

        async def save(transaction: TradingSessionTransaction) -> None:
            session = transaction.state.session
            changed = replace(session, status_reason=reason)
            if session.status in _STATUSES_OF_ACTIVE_RUNS:
                changed = replace(changed, status_code=None if reason is None else code)
            if changed != session and session.status is not TradingSessionStatus.STOPPING:
                transaction.save_session(changed)

        await self.transact(save)
