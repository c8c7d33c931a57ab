"""An exchange in memory, without a process, whose book a test sets level by level."""

from decimal import Decimal
from typing import Any

from infra.sandbox.api.endpoints import ROUTES
from infra.sandbox.api.params import Params
from infra.sandbox.api.rate_limits import RateLimits
from infra.sandbox.api.routing import RequestContext
from infra.sandbox.api.user_events import account_position, execution_report, list_status
from infra.sandbox.clock import SandboxClock
from infra.sandbox.fixed_point import parse_units
from infra.sandbox.matching.exchange import AccountEvent, Exchange
from infra.sandbox.matching.ledger import FEES_UID, LIQUIDITY_UID
from infra.sandbox.matching.market_specs import ASSETS, MARKETS
from infra.sandbox.orders import NewOrder, Order, OrderType, PlacedOrder, SelfTrade, Side, TimeInForce
from infra.sandbox.state.store import Account, Store

BTC = "BTCUSDT"
PRICE = 60_000


def units(amount: float | str | Decimal) -> int:
    """Return an amount in units of 1e-8."""
    return parse_units(f"{Decimal(str(amount)):f}")


class InMemoryExchange:
    """One market, BTC/USDT at 60,000, and as many accounts as a test asks for."""

    def __init__(self, store: Store | None = None) -> None:
        self.exchange = Exchange(store or Store(None), SandboxClock())
        self.market = self.exchange.open_market(MARKETS[BTC], seed=1, first_price=units(PRICE))
        self._limits = RateLimits(unlimited=True)
        self.events: list[dict[str, Any]] = []
        self.exchange.listeners.append(self._note)
        self.deposited = dict.fromkeys(ASSETS, 0)
        self._clients = 0

    def account(self, name: str, **balances: float | str) -> Account:
        """Make an account with `balances` of whole coins by asset."""
        paid = {asset: units(amount) for asset, amount in balances.items()}
        for asset, amount in paid.items():
            self.deposited[asset] += amount
        return self.exchange.create_account(name, paid)

    def set_liquidity(self, side: Side, price: float | str, quantity: float | str) -> None:
        """Set the external liquidity of a level."""
        self.market.book.set_liquidity(side, units(price), units(quantity))

    def take_liquidity(self, side: Side, quantity: float | str, limit: float | str) -> None:
        """Let an anonymous taker trade."""
        self.exchange.matcher.take_liquidity(self.market, side, units(quantity), units(limit))
        self.exchange.flush()

    def place(
        self,
        account: Account,
        side: Side,
        quantity: float | str = 0,
        price: float | str = 0,
        kind: OrderType = OrderType.LIMIT,
        *,
        time_in_force: TimeInForce = TimeInForce.GTC,
        stop: float | str = 0,
        cost: float | str = 0,
        client_id: str = "",
        self_trade: SelfTrade = SelfTrade.EXPIRE_MAKER,
        iceberg: float | str = 0,
        trailing: int = 0,
    ) -> PlacedOrder:
        """Place an order of whole coins; a client id of its own unless one is given."""
        self._clients += 1
        request = NewOrder(
            BTC, side, kind, time_in_force, client_id or f"c{self._clients}", units(price), units(quantity),
            units(cost), units(stop), self_trade, trailing, units(iceberg),
        )  # fmt: skip
        return self.exchange.place(account, request)

    def ask(self, account: Account, method: str, path: str, **params: object) -> Any:
        """Call the handler of `/api/v3/<path>` for an account in BTC/USDT; raises `ExchangeError`."""
        values = {name: str(value) for name, value in ({"symbol": BTC} | params).items() if value is not None}
        return ROUTES[method, f"/api/v3/{path}"].handler(
            RequestContext(self.exchange, Params(values), self._limits, account)
        )

    def drain_events(self) -> list[dict[str, Any]]:
        """Return the events of the user data streams since the last call."""
        events, self.events = self.events, []
        return events

    def _note(self, event: AccountEvent) -> None:
        if event.execution:
            self.events.append(execution_report(event.execution, 0))
        if event.order_list:
            self.events.append(list_status(event.order_list, 0))
        if event.balances:
            self.events.append(account_position(event.balances, 0))

    def state(self, account: Account, placed: PlacedOrder) -> Order:
        """Return an order as it now stands."""
        found = self.exchange.find_order(account.uid, BTC, placed.order.id, None)
        assert found is not None
        return found

    def check_invariants(self, accounts: list[Account]) -> None:
        """Assert what must hold after every step: conservation, no debt, matching locks, an uncrossed book."""
        ledger, book = self.exchange.ledger, self.market.book
        for asset in ASSETS:
            assert ledger.total(asset) == self.deposited[asset], f"{asset} isn't conserved"
        assert all(balance.free >= 0 for balance in ledger.balances_of(FEES_UID).values())
        assert all(balance.locked == 0 for balance in ledger.balances_of(LIQUIDITY_UID).values())
        for account in accounts:
            mine = self.exchange.open_orders(account.uid)
            for asset, balance in ledger.balances_of(account.uid).items():
                held = sum(o.locked for o in mine if (MARKETS[BTC].quote if o.side is Side.BUY else "BTC") == asset)
                assert balance.free >= 0
                assert balance.locked == held, f"{asset} locked {balance.locked}, orders hold {held}"
        bid, ask = book.bids.best(), book.asks.best()
        assert bid is None or ask is None or bid < ask, f"crossed: {bid} {ask}"
