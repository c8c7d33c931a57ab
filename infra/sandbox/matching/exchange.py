"""The exchange itself: accounts, orders and markets in one place; every change is durable before it is published."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from infra.sandbox.candles import MINUTE_MS
from infra.sandbox.clock import SandboxClock
from infra.sandbox.errors import (
    ExchangeError,
    MarketClosedError,
    OrderRejectedError,
    bad_symbol,
    insufficient_balance,
    unknown_order,
)
from infra.sandbox.matching.filters import check_filters, required_lock
from infra.sandbox.matching.ledger import FIRST_UID, Ledger
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.matching.market_specs import MarketSpec
from infra.sandbox.matching.matcher import Execution, Matcher
from infra.sandbox.matching.synthetic_history import EmptyHistory, SyntheticHistory
from infra.sandbox.orders import STOP_TYPES, Fill, Order, OrderType, SelfTrade, Side, Status, TimeInForce
from infra.sandbox.state.store import Account, Store

MAX_DEPOSIT = 10**17
"""A thousand million coins."""
MAX_BALANCE = 50 * MAX_DEPOSIT
"""What deposits may add up to: what is earned on top of it stays within SQLite's 64-bit integers."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A client's new order; amounts in units of 1e-8, 0 if not given."""

    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    client_id: str
    price: int = 0
    quantity: int = 0
    quote_quantity: int = 0
    stop_price: int = 0
    self_trade: SelfTrade = SelfTrade.EXPIRE_MAKER


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """The answer to a new order: a copy of the order, and its fills so far."""

    order: Order
    fills: list[Fill]


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """An event for an account: an execution with a copy of the order, new balances, or a deposit."""

    uid: int
    execution: Execution | None = None
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
        self.matcher = Matcher(self.ledger, store, clock.now_ms, self._on_execution)
        self._accounts = {account.api_key: account for account in store.accounts()}
        self._open: dict[int, Order] = {}
        self._next_order_id = store.last_order_id() + 1
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
            spec, self.store, EmptyHistory(), last, self.clock.now_ms()
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
        market = self.markets[spec.symbol] = SimulatedMarket(spec, self.store, history, last, now)
        return market

    def restore_orders(self) -> None:
        """Restore the open orders of the last run: on the book, or waiting for their trigger."""
        for order in self.store.open_orders():
            self._open[order.id] = order
            if order.waiting:
                self.matcher.waiting.setdefault(order.symbol, []).append(order)
            else:
                self.markets[order.symbol].book.add(order)

    def market(self, symbol: str) -> SimulatedMarket:
        """Return a listed market; raise -1121 otherwise."""
        market = self.markets.get(symbol)
        if market is None:
            raise bad_symbol()
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
        order = self.validate(account, request)
        order.id = self._next_order_id
        self._next_order_id += 1
        self._open[order.id] = order
        if order.type in STOP_TYPES or order.has_price:
            self.ledger.lock(order.uid, required_lock(market.spec, order)[0], required_lock(market.spec, order)[1])
            order.locked = required_lock(market.spec, order)[1]
        else:
            self.matcher.reserve_funds(market, order)
        fills = self._start(market, order)
        placed = PlacedOrder(replace(order), fills)
        self.flush()
        return placed

    def validate(self, account: Account, request: NewOrder) -> Order:
        """Check `request` completely and return the order that it would become; nothing changes."""
        market, now = self.market(request.symbol), self.clock.now_ms()
        if market.closed_because is not None:
            raise MarketClosedError(market.closed_because)
        order = Order(0, account.uid, request.symbol, request.client_id, request.side, request.type,
                      request.time_in_force, request.price, request.quantity, request.quote_quantity,
                      request.stop_price, request.self_trade, now, now)  # fmt: skip
        mine = self.open_orders(account.uid, request.symbol)
        check_filters(market.spec, order, market.average_price(), mine)
        if any(other.client_id == order.client_id for other in mine):
            raise OrderRejectedError("Duplicate order sent.")
        self._check_price(market, order)
        self._check_funds(market, order)
        return order

    def cancel(self, account: Account, symbol: str, order: Order | None, cancel_id: str) -> Order:
        """Cancel an open order and return it as it ended; raises -2011 unless it is open."""
        market = self.market(symbol)
        if order is None or not order.is_open or order.uid != account.uid:
            raise unknown_order()
        order.cancel_id = cancel_id
        self.matcher.close(market, order, Status.CANCELED, "CANCELED")
        cancelled = replace(order)
        self.flush()
        return cancelled

    def open_orders(self, uid: int, symbol: str | None = None) -> list[Order]:
        """Return an account's open orders, of one market or of all, oldest first."""
        return [order for order in self._open.values() if order.uid == uid and symbol in {None, order.symbol}]

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
        """Trigger stops, commit, then publish the events of the accounts concerned."""
        for symbol in [symbol for symbol, waiting in self.matcher.waiting.items() if waiting]:
            if self.markets[symbol].closed_because is None:
                self.matcher.trigger_stops(self.markets[symbol])
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
            market.save()
            self.store.set_meta(f"{symbol}.last_price", str(market.last_price))

    def _start(self, market: SimulatedMarket, order: Order) -> list[Fill]:
        self.store.save_order(order)
        self._on_execution(Execution(order, "NEW"))
        if order.type in STOP_TYPES:
            order.waiting = True
            self.matcher.waiting.setdefault(order.symbol, []).append(order)
            self.store.save_order(order)
            return []
        order.working_ms = order.created_ms
        return self.matcher.execute(market, order)

    def _on_execution(self, execution: Execution) -> None:
        order = execution.order
        if not order.is_open:
            self._open.pop(order.id, None)
        self._pending.append(AccountEvent(order.uid, replace(execution, order=replace(order))))

    def _check_price(self, market: SimulatedMarket, order: Order) -> None:
        if order.type is OrderType.LIMIT_MAKER and market.book.crosses(order.side, order.price):
            raise OrderRejectedError("Order would immediately match and take.")
        if order.type in STOP_TYPES and order.triggers_at(market.last_price):
            raise OrderRejectedError("Stop price would trigger immediately.")

    def _check_funds(self, market: SimulatedMarket, order: Order) -> None:
        resting = order.has_price or order.type in STOP_TYPES
        asset, cost = required_lock(market.spec, order) if resting else self.matcher.cost_at_market(market, order)
        if self.ledger.balance(order.uid, asset).free < max(cost, 1):
            raise insufficient_balance()

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

    def _load_or_save(self, key: str, value: int) -> int:
        """Return the number saved under `key`; save `value` if there is none."""
        kept = self.store.meta(key)
        if not kept:
            self.store.set_meta(key, str(value))
        return int(kept or value)
