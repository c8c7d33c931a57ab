"""The dependencies of trading on a node: the parts of the engine that it works with, and its waiting times."""

from dataclasses import dataclass, field

from domain.core.clock import Clock, IdGenerator
from domain.events.leases import LEASE_SECONDS
from domain.events.work_balance import WorkBalance
from domain.execution.account_context import ExecutionDependencies
from domain.execution.notifications import OrderNotifier
from domain.execution.order_timings import OrderTimings
from domain.ports.accounts import Vault
from domain.ports.bus import MessageBus
from domain.ports.market_data import MarketDataProvider
from domain.ports.unit_of_work import Database
from domain.ports.venues import VenueDirectory


@dataclass(frozen=True, slots=True)
class TradingTimings:
    """How often trading polls and how long it waits, all in seconds, and how much it does at once.

    `scan_interval` is the time between searches for accounts that no node trades; `poll_interval` that between
    reads of an account's trading sessions, of the state of one, and of positions that are being closed.
    `rest_interval` is the time between reads of an account that has no trading session, or whose positions aren't
    being closed: it is woken when that changes. An account without sessions, positions and orders isn't read at
    all: one poll of the node in each `rest_interval` finds those that have got some. `keeper_wait` is the time
    between looks whether the account has reconciled, `price_wait` how long a new trading session waits for the
    prices that its start equity needs, `close_wait` how long the end of an account's trading waits for the venue's
    connections to close, and `stable_after` how long an executor must have run for its back-off to start over. An
    account is traded for `lease_seconds` after its lease was renewed last.
    At most `starts_at_once` accounts of a venue start at once, until they have reconciled or for `start_wait`.
    `venue_exit_wait` is how long an order that rests at the venue has to close a position whose stop or target the
    market has reached, before the engine does it. Such an order is replaced at most every `resting_pause` because
    more is to be protected, and every `trailing_pause` to follow the price. `execution` are the times of the
    executors themselves.
    """

    scan_interval: float = 2.0
    poll_interval: float = 1.0
    rest_interval: float = 10.0
    keeper_wait: float = 0.1
    price_wait: float = 5.0
    close_wait: float = 3.0
    venue_exit_wait: float = 2.0
    resting_pause: float = 2.0
    trailing_pause: float = 5.0
    stable_after: float = 60.0
    starts_at_once: int = 16
    start_wait: float = 5.0
    lease_seconds: float = LEASE_SECONDS
    execution: OrderTimings = field(default_factory=OrderTimings)


@dataclass(frozen=True, slots=True)
class TradingDependencies:
    """What the trader of a node and everything below it work with.

    `holder` is the node's name in leases. With `cancel_foreign`, open orders at the venue that the engine didn't make
    are cancelled. `lease_database` has connections of its own, so that the leases are renewed however many transactions
    wait for those of `database`. Without `balance` the node takes every account that is free.
    """

    database: Database
    venues: VenueDirectory
    vault: Vault
    feed: MarketDataProvider
    bus: MessageBus
    clock: Clock
    ids: IdGenerator
    notifier: OrderNotifier
    holder: str
    lease_database: Database
    cancel_foreign: bool = False
    balance: WorkBalance | None = None
    timings: TradingTimings = TradingTimings()

    @property
    def execution(self) -> ExecutionDependencies:
        """The part of these that the executors of the node's accounts need."""
        return ExecutionDependencies(
            self.database, self.feed, self.clock, self.ids, self.notifier, self.timings.execution
        )
