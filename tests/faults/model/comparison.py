"""Holds an account against its venue, its answers and its event log, and returns sentences about what differs."""

from collections import Counter
from decimal import Decimal
from typing import Any

from tests.faults.model.exits import unjustified_exits
from tests.faults.model.remaining import Violations, name_of, remaining
from tests.faults.model.trader import EVENTS, USDT, Trader
from tests.faults.model.venue import MARKET, Venue
from tests.support.trader_client import HEAD

BALANCE_SECONDS = 90
_NEVER_SENT = frozenset({"DENIED"})
_LOSSES = frozenset({"MAX_DAILY_LOSS", "MAX_DRAWDOWN"})


async def compare(venue: Venue, traders: list[Trader]) -> Violations:
    """Hold each account against its venue, its answers and its event log."""
    found: Violations = []
    for trader in traders:
        orders = await trader.orders()
        at_venue = await trader.venue.get("/api/v3/allOrders", symbol=MARKET, limit=1000)
        trades = await trader.venue.get("/api/v3/myTrades", symbol=MARKET, limit=1000)
        found += trader.contradictions
        found += _acknowledged_orders_exist(trader, orders)
        found += orders_agree(trader.by_hand, orders, at_venue, trades)
        found += await _balances_agree(trader)
        found += await _deposits_agree(trader, trades)
        found += losses_are_real(orders)
        found += await _log_agrees(trader, orders)
        found += unjustified_exits(venue.traded_prices, trader.protected, trader.profit_percent, orders)
    return found


def _acknowledged_orders_exist(trader: Trader, orders: list[dict[str, Any]]) -> Violations:
    known = {order["id"] for order in orders}
    return [f"acknowledged and lost: {key} {id_}" for key, id_ in trader.acknowledged.items() if id_ not in known]


def orders_agree(
    by_hand: set[str], orders: list[dict[str, Any]], at_venue: list[dict[str, Any]], trades: list[dict[str, Any]]
) -> Violations:
    found = [f"{count} times at the venue: {name}" for name, count in _names(at_venue).items() if count > 1]
    of_venue = {order["clientOrderId"]: order for order in at_venue}
    of_engine = {order["clientOrderId"]: order for order in orders}
    unknown = of_venue.keys() - of_engine.keys() - by_hand
    found += [f"at the venue and unknown: {of_venue[name]}" for name in unknown]
    for name, order in of_engine.items():
        twin = of_venue.get(name)
        executed = Decimal(twin["executedQty"]) if twin else Decimal(0)
        if Decimal(order["filledQuantity"]) != executed:
            found.append(f"filled {order['filledQuantity']} here and {executed} at the venue: {name_of(order)}")
        if twin is not None and order["status"] in _NEVER_SENT:
            found.append(f"denied, and at the venue: {name_of(order)}")
        made = {str(trade["id"]) for trade in trades if twin and trade["orderId"] == twin["orderId"]}
        counted = [fill["venueTradeId"] for fill in order["fills"]["nodes"]]
        if sorted(counted) != sorted(made):
            found.append(f"trades {sorted(made)} at the venue, {sorted(counted)} counted: {name_of(order)}")
    return found


def _names(at_venue: list[dict[str, Any]]) -> Counter[str]:
    return Counter(order["clientOrderId"] for order in at_venue)


async def _balances_agree(trader: Trader) -> Violations:
    async def differences() -> list[Any]:
        here = {name: (Decimal(total), Decimal(free)) for name, (total, free) in (await trader.balances()).items()}
        rows = (await trader.venue.get("/api/v3/account"))["balances"]
        there = {
            row["asset"]: (Decimal(row["free"]) + Decimal(row["locked"]), Decimal(row["free"]))
            for row in rows
            if Decimal(row["free"]) + Decimal(row["locked"])
        }
        return [] if here == there else [here, there]

    left = await remaining(differences, BALANCE_SECONDS)
    return [f"balances here {left[0]}, at the venue {left[1]}"] if left else []


async def _log_agrees(trader: Trader, orders: list[dict[str, Any]]) -> Violations:
    """The log has no gap, and its last state of each order is the order."""
    head = (await trader.read(HEAD))["eventCursor"]
    async with trader.client.client.subscribed(EVENTS, after=trader.start_cursor) as events:
        while not events.seen or events.seen[-1]["cursor"] != head:
            await events.next()
    numbers = [int(event["sequence"]) for event in events.seen]
    found = [] if numbers == list(range(numbers[0], numbers[0] + len(numbers))) else [f"a gap in the log: {numbers}"]
    states = [event["state"] for event in events.seen if (event["state"] or {}).get("__typename") == "OrderState"]
    last = {state["id"]: state for state in states}
    for order in orders:
        state = last.get(order["id"])
        if state is None or any(state[name] != order[name] for name in ("status", "filledQuantity", "revision")):
            found.append(f"the log ends with {state}, the order is {name_of(order)} {order['revision']}")
    return found


async def _deposits_agree(trader: Trader, trades: list[dict[str, Any]]) -> Violations:
    """Each deposit was paid once and recorded once: the venue's cash is the opening, the deposits and the trades."""
    recorded = [Decimal(row["amount"]) for row in await trader.transfers() if row["kind"] == "DEPOSIT"]
    found = []
    if sorted(recorded) != sorted(trader.deposits):
        found.append(f"deposits {sorted(trader.deposits)}, recorded {sorted(recorded)}")
    rows = (await trader.venue.get("/api/v3/account"))["balances"]
    cash = sum(Decimal(row["free"]) + Decimal(row["locked"]) for row in rows if row["asset"] == "USDT")
    expected = Decimal(USDT) + sum(trader.deposits) + sum(map(_cash_of, trades))
    return found if cash == expected else [*found, f"USDT {cash} at the venue, deposits and trades make {expected}"]


def _cash_of(trade: dict[str, Any]) -> Decimal:
    quote = Decimal(trade["quoteQty"])
    fee = Decimal(trade["commission"]) if trade["commissionAsset"] == "USDT" else Decimal(0)
    return (-quote if trade["isBuyer"] else quote) - fee


def losses_are_real(orders: list[dict[str, Any]]) -> Violations:
    """No account loses its limit in a run; what isn't known may deny an order, and names no amount."""
    return [
        f"a loss that nobody had: {denial} {name_of(order)}"
        for order in orders
        for denial in order["denials"]
        if denial["code"] in _LOSSES and denial["actual"] is not None
    ]
