"""The exchange itself: accounts, orders and markets in one place; every change is durable before it is published."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from infra.sandbox.candles import MINUTE_MS
from infra.sandbox.clock import SandboxClock
from infra.sandbox.errors import (
    ExchangeError,
    MarketClosedError,
    UnlistedMarketError,
    bad_symbol,
    unknown_order,
)
from infra.sandbox.matching.admission import check_client_id, check_funds, check_price
from infra.sandbox.matching.filters import check_filters
from infra.sandbox.matching.ledger import FIRST_UID, Ledger
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.matching.market_filters import filters_json, with_filters
from infra.sandbox.matching.market_specs import MarketSpec
from infra.sandbox.matching.matcher import Execution, Matcher
from infra.sandbox.matching.open_lists import OpenLists
from infra.sandbox.matching.order_entry import OrderEntry
from infra.sandbox.matching.synthetic_history import EmptyHistory, SyntheticHistory
from infra.sandbox.order_lists import CancelReport, ListReport
from infra.sandbox.orders import NewOrder, Order, PlacedOrder, Status
from infra.sandbox.state.store import Account, Store

MAX_DEPOSIT = 10**17
"""A thousand million coins."""
MAX_BALANCE = 50 * MAX_DEPOSIT
"""What deposits may add up to: what is earned on top of it stays within SQLite's 64-bit integers."""


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """An event for an account: an execution with a copy of the order, a changed list, new balances, or a deposit."""

    uid: int
    execution: Execution | None = None
    order_list: ListReport | None = None
    balances: tuple[tuple[str, int, int], ...] = ()
    deposit: tuple[str, int] | None = None


class Exchange:
    """All state, and the operations on it. Single-threaded; an operation waits only for the disk."""

    def __init__(self, store: Store, clock: SandboxClock) -> None:
        self.store = store
        self.clock = clock
        self.ledger = Ledger(store.balances())
        self.markets: dict[str, SimulatedMarket] = {}
        self.has_limits = True
        """Whether answers show the rate limits and what was used of them; `RateLimits` enforces them."""
        self.listeners: list[Callable[[AccountEvent], None]] = []
        self.wake: Callable[[SimulatedMarket], None] = lambda _market: None
        """Gives order flow to a market that was asleep."""
        self.lists = OpenLists(store, clock.now_ms, self._on_list)
        self.matcher = Matcher(self.ledger, store, self.lists, clock.now_ms, self._on_execution)
        self.entry = OrderEntry(self.matcher, clock)
        self._accounts = {account.api_key: account for account in store.accounts()}
        self._pending: list[AccountEvent] = []

    @property
    def assets(self) -> tuple[str, ...]:
        """The currencies of the listed markets."""
        specs = [market.spec for market in self.markets.values()]
        return tuple(dict.fromkeys(asset for spec in specs for asset in (spec.base, spec.quote)))

    def open_mirrored_market(self, spec: MarketSpec) -> SimulatedMarket:
        """Open a market that shows a live venue's prices; it is closed until they are known."""
        last = int(self.store.meta(f"{spec.symbol}.last_price", "0"))
        market = self.markets[spec.symbol] = SimulatedMarket(
            self._with_kept_filters(spec), self.store, EmptyHistory(), last, self.clock.now_ms()
        )
        market.is_mirror, market.closed_because = True, "its prices aren't known yet"
        return market

    def open_market(self, spec: MarketSpec, seed: int, first_price: int) -> SimulatedMarket:
        """Open a market: at `first_price` the first time, at its last price later."""
        now = self.clock.now_ms()
        birth = self._load_or_save(f"{spec.symbol}.birth_ms", now - now % MINUTE_MS)
        first = self._load_or_save(f"{spec.symbol}.first_price", first_price)
        last = int(self.store.meta(f"{spec.symbol}.last_price", str(first)))
        history = SyntheticHistory(seed, spec, birth, first)
        market = self.markets[spec.symbol] = SimulatedMarket(
            self._with_kept_filters(spec), self.store, history, last, now
        )
        return market

    def change_filters(self, market: SimulatedMarket, filters: Sequence[Mapping[str, object]]) -> None:
        """Change filters of a market from now on, and for later starts; open orders stay. Raises `FilterError`."""
        market.spec = with_filters(market.spec, filters)
        kept = msgspec.json.encode(filters_json(market.spec)).decode()
        self.store.set_meta(f"{market.spec.symbol}.filters", kept)
        self.store.commit()

    def restore_orders(self) -> None:
        """Restore the open orders and lists of the last run: on the book, waiting for their trigger, or pending.

        Raises `UnlistedMarketError` for an order in a market that isn't open.
        """
        found = self.store.open_orders()
        for order in found:
            market = self.markets.get(order.symbol)
            if market is None:
                raise UnlistedMarketError(order.symbol)
            self.entry.restore(order)
            if order.waiting:
                self.matcher.wait(market, order)
            elif not order.is_pending:
                market.book.add(order)
        self.lists.restore({order.id: order for order in found})

    def market(self, symbol: str) -> SimulatedMarket:
        """Return a listed market; raise -1121 otherwise."""
        market = self.markets.get(symbol)
        if market is None:
            raise bad_symbol()
        market.is_looked_at = True
        if market.is_asleep:
            self.wake(market)
        return market

    def tradable_market(self, symbol: str) -> SimulatedMarket:
        """Return a listed market; raise -1121, or -2010 if it is closed."""
        market = self.market(symbol)
        if market.closed_because is not None:
            raise MarketClosedError(market.closed_because)
        return market

    def account_by_key(self, api_key: str) -> Account | None:
        """Return the account that an API key belongs to."""
        return self._accounts.get(api_key)

    def account_by_name(self, name: str) -> Account | None:
        """Return the account of that name."""
        return next((account for account in self._accounts.values() if account.name == name), None)

    def create_account(self, name: str, balances: dict[str, int]) -> Account:
        """Return the account called `name`, made with `balances` unless it exists."""
        if existing := self.account_by_name(name):
            return existing
        for asset, amount in balances.items():
            self._check_deposit(asset, amount)
        uid = FIRST_UID + len(self._accounts)
        account = Account(uid, name, secrets.token_urlsafe(48), secrets.token_urlsafe(48), self.clock.now_ms())
        self._accounts[account.api_key] = account
        self.store.add_account(account)
        for asset, amount in balances.items():
            self._credit(account, asset, amount, f"account:{uid}:{asset}")
        self.flush()
        return account

    def deposit(self, account: Account, asset: str, amount: int, key: str) -> bool:
        """Add to a balance; returns False if `key` was used before."""
        made = self._credit(account, asset, amount, f"deposit:{key}")
        self.flush()
        return made

    def place(self, account: Account, request: NewOrder) -> PlacedOrder:
        """Accept, match and store a new order; raises the error that Binance would answer with."""
        market = self.market(request.symbol)
        placed = self.entry.accept(market, self.validate(account, request))
        self.flush()
        return placed

    def validate(self, account: Account, request: NewOrder) -> Order:
        """Check `request` completely and return the order that it would become; nothing changes."""
        market = self.tradable_market(request.symbol)
        order = self.entry.draft(account.uid, request)
        mine = self.open_orders(account.uid, request.symbol)
        check_filters(market, self.ledger, order, mine)
        check_client_id(order, mine)
        check_price(market, order)
        check_funds(market, self.matcher, [order])
        return order

    def cancel(
        self, account: Account, symbol: str, order: Order | None, cancel_id: str, only: Status | None = None
    ) -> CancelReport:
        """Cancel an open order, with its list if it has one; raises -2011 unless it is open, and in status `only`."""
        report = self.close_order(account, symbol, order, cancel_id, only)
        self.flush()
        return report

    def close_order(
        self, account: Account, symbol: str, order: Order | None, cancel_id: str, only: Status | None = None
    ) -> CancelReport:
        """Cancel an order as `cancel` does, but leave it to the caller to `flush`."""
        market = self.market(symbol)
        if order is None or not order.is_open or order.uid != account.uid:
            raise unknown_order()
        if only not in {None, order.status}:
            raise ExchangeError(-2011, "Order was not canceled due to cancel restrictions.")
        opened = self.lists.of(order)
        order.cancel_id = cancel_id
        self.matcher.close(market, order, Status.CANCELED, "CANCELED")
        return CancelReport(order.copy(), None if opened is None else opened.report())

    def open_orders(self, uid: int, symbol: str | None = None) -> list[Order]:
        """Return an account's open orders, of one market or of all, oldest first."""
        return self.entry.open_orders(uid, symbol)

    def find_order(self, uid: int, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """Return an order by its number or by its client id (an open one first), or None."""
        for order in reversed(self.open_orders(uid, symbol)):
            if order.id == order_id or (order_id is None and order.client_id == client_id):
                return order
        if order_id is not None:
            return self.store.order_by_id(uid, symbol, order_id)
        sent_id = client_id or ""
        found = self.store.order_by_client_id(uid, symbol, sent_id)
        return found or self.store.order_by_cancel_id(uid, symbol, sent_id)

    def flush(self) -> None:
        """Trigger stops, start what filled orders of lists let start, commit, then publish the accounts' events."""
        self._trigger_stops()
        while self.lists.due:
            opened = self.lists.due.pop(0)
            self.entry.start_pending(self.markets[opened.info.symbol], opened)
            self._trigger_stops()
        changes = self.ledger.drain_changes()
        self.store.save_balances(changes)
        self.store.commit()
        events, self._pending = self._pending, []
        held: dict[int, list[tuple[str, int, int]]] = {}
        for uid, asset, free, locked in changes:
            held.setdefault(uid, []).append((asset, free, locked))
        events += [AccountEvent(uid, balances=tuple(rows)) for uid, rows in held.items() if uid >= FIRST_UID]
        for event in events:
            for listener in self.listeners:
                listener(event)

    def save_markets(self) -> None:
        """Write the forming candles and last prices, so that a restart continues them."""
        for symbol, market in self.markets.items():
            if not market.is_asleep:
                market.save()
                self.store.set_meta(f"{symbol}.last_price", str(market.last_price))

    def _trigger_stops(self) -> None:
        for symbol, market in list(self.matcher.with_stops.items()):
            if not market.stops.orders:
                del self.matcher.with_stops[symbol]
            elif market.closed_because is None:
                self.matcher.trigger_stops(market)

    def _on_execution(self, execution: Execution) -> None:
        order = execution.order
        if not order.is_open:
            self.entry.forget(order)
        self._pending.append(AccountEvent(order.uid, replace(execution, order=order.copy())))

    def _on_list(self, report: ListReport) -> None:
        self._pending.append(AccountEvent(report.info.uid, order_list=report))

    def listed_assets(self) -> list[str]:
        """Return the assets that an account can hold; raises an error while a mirrored venue's markets aren't known."""
        if not self.markets:
            raise ExchangeError(-1000, "The live venue's markets aren't known yet.", 503)
        return list(self.assets)

    def _check_deposit(self, asset: str, amount: int) -> None:
        self.listed_assets()
        if asset not in self.assets or not 0 <= amount <= MAX_DEPOSIT:
            raise ExchangeError(
                -1102, f"A deposit takes 0 to {MAX_DEPOSIT // 10**8} of one of {', '.join(self.assets)}."
            )

    def _credit(self, account: Account, asset: str, amount: int, key: str) -> bool:
        self._check_deposit(asset, amount)
        held = self.ledger.balance(account.uid, asset)
        if held.free + held.locked + amount > MAX_BALANCE:
            raise ExchangeError(-1102, f"An account holds at most {MAX_BALANCE // 10**8} {asset}.")
        if not self.store.add_deposit(key, account.uid, asset, amount):
            return False
        self.ledger.credit(account.uid, asset, amount)
        self._pending.append(AccountEvent(account.uid, deposit=(asset, amount)))
        return True

    def _with_kept_filters(self, spec: MarketSpec) -> MarketSpec:
        """Return a market with the filters that an administrator has given it."""
        kept = self.store.meta(f"{spec.symbol}.filters")
        return with_filters(spec, msgspec.json.decode(kept)) if kept else spec

    def _load_or_save(self, key: str, value: int) -> int:
        """Return the number saved under `key`; save `value` if there is none."""
        kept = self.store.meta(key)
        if not kept:
            self.store.set_meta(key, str(value))
        return int(kept or value)
