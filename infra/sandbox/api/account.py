"""The signed requests of the account itself: balances, fees, assets."""

from infra.sandbox.api.binance_json import Json
from infra.sandbox.api.routing import RequestContext
from infra.sandbox.clock import monotonic_seconds
from infra.sandbox.fixed_point import format_units


def account(context: RequestContext) -> Json:
    """Return the account with its balances."""
    held = context.exchange.ledger.balances_of(context.caller.uid)
    hide = context.params.get("omitZeroBalances") == "true"
    balances = [
        {"asset": asset, "free": format_units(balance.free), "locked": format_units(balance.locked)}
        for asset, balance in sorted(held.items())
        if not hide or balance.free or balance.locked
    ]
    rates = dict.fromkeys(("buyer", "seller"), "0.00000000") | dict.fromkeys(("maker", "taker"), "0.00100000")
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": rates,
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": context.exchange.clock.now_ms(),
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": context.caller.uid,
    }


def commission(context: RequestContext) -> Json:
    """Return the fees of a market."""
    symbol = context.listed_symbol
    spec = context.exchange.markets[symbol].spec
    fees = {"maker": format_units(spec.maker_fee), "taker": format_units(spec.taker_fee)}
    rates = fees | dict.fromkeys(("buyer", "seller"), "0.00000000")
    free = dict.fromkeys(rates, "0.00000000")
    discount = {"enabledForAccount": False, "enabledForSymbol": False, "discountAsset": "BNB", "discount": "0.75"}
    return {
        "symbol": symbol,
        "standardCommission": rates,
        "specialCommission": free,
        "taxCommission": free,
        "discount": discount,
    }


def order_counts(context: RequestContext) -> list[Json]:
    """Return how many orders the account has placed in each interval of the limits."""
    return context.limits.order_counts(context.caller.uid, monotonic_seconds())


def currencies(context: RequestContext) -> list[Json]:
    """Return the assets; none can be withdrawn."""
    return [{"coin": asset, "name": asset, "trading": True, "networkList": []} for asset in context.exchange.assets]


def no_margin_markets(_context: RequestContext) -> list[Json]:
    """Return no margin markets."""
    return []
