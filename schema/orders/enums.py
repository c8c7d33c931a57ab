"""The enums of orders."""

from domain.model.order_side import OrderSide
from domain.model.orders import (
    CancelCode,
    OrderEventKind,
    OrderRole,
    OrderStatus,
    OrderType,
    RejectCode,
    RiskCode,
    TimeInForce,
)
from domain.model.protection import ProtectAt
from schema.common.enums import describe_enum

describe_enum(
    OrderSide,
    "The side of an order. For a trade it is the side of the taker.",
    {"BUY": "Buys the base currency.", "SELL": "Sells the base currency."},
)


describe_enum(
    OrderType,
    "How an order is executed.",
    {
        "MARKET": "Executes at once, at the best prices in the order book.",
        "LIMIT": "Executes at `price` or better. The part that can't be executed at once rests in the order book.",
        "STOP": (
            "The order becomes a MARKET order when the market price reaches `stopPrice`: rising for BUY, falling for "
            "SELL."
        ),
        "STOP_LIMIT": (
            "The order becomes a LIMIT order when the market price reaches `stopPrice`: rising for BUY, falling for "
            "SELL."
        ),
        "TAKE_PROFIT": (
            "The order becomes a MARKET order when the market price reaches `stopPrice`: falling for BUY, rising for "
            "SELL."
        ),
        "TAKE_PROFIT_LIMIT": (
            "The order becomes a LIMIT order when the market price reaches `stopPrice`: falling for BUY, "
            "rising for SELL."
        ),
        "TRAILING_STOP": (
            "The order becomes a MARKET order when the market price has moved back from its best value by a given "
            "distance: fallen for SELL, risen for BUY. The engine holds it until then, at every venue."
        ),
    },
)


describe_enum(
    OrderRole,
    "Why an order exists.",
    {
        "ENTRY": "A strategy opens a position with the order.",
        "EXIT": (
            "The order closes a position because the strategy's rule or its longest holding time says so, or because "
            "the venue says that the market has passed its stop or its take-profit and it isn't known which."
        ),
        "STOP_LOSS": "The order closes a position whose loss reached the strategy's stop-loss.",
        "TAKE_PROFIT": "The order closes a position whose profit reached the strategy's take-profit.",
        "TRAILING_STOP": "The order closes a position whose price fell back from its best value.",
        "CLOSE": "The order closes a position because its trading session was stopped with `closePosition`.",
        "MANUAL": "A client placed the order with `orderPlace`.",
        "FOREIGN": "The order was found at the venue. The engine did not place it.",
    },
)


describe_enum(
    TimeInForce,
    "How long an order rests in the order book.",
    {
        "GTC": "Good till cancelled: until it is filled or cancelled.",
        "IOC": "Immediate or cancel: the part that can't be filled at once is cancelled.",
        "FOK": "Fill or kill: the order is filled completely at once, or not at all.",
        "GTD": "Good till date: until `expiresAt`, when the engine cancels the order.",
    },
)


describe_enum(
    OrderStatus,
    "The status of an order in its life. DENIED, FILLED, CANCELED, REJECTED and EXPIRED are final.",
    {
        "PENDING": "The order is stored but not sent yet.",
        "DENIED": "The order failed the risk checks and was never sent.",
        "SUBMITTED": "The order was sent, and the venue has not answered yet.",
        "IN_DOUBT": "The order was sent, but the answer was lost. The engine is asking the venue for the outcome.",
        "OPEN": "The order is open at the venue, and nothing of it is filled.",
        "PARTIALLY_FILLED": "The order is open at the venue, and a part of it is filled.",
        "FILLED": "The order is completely filled.",
        "PENDING_CANCEL": "The engine has asked the venue to cancel the order.",
        "CANCELED": "The order was cancelled. Fills before that count.",
        "REJECTED": "The venue rejected the order.",
        "EXPIRED": "The order expired, or the venue ended it.",
    },
)


describe_enum(
    OrderEventKind,
    "What happened to an order.",
    {
        "SNAPSHOT": "Nothing happened. The event shows an open order at the start of a subscription.",
        "PENDING": "The order was stored.",
        "DENIED": "The risk checks denied the order.",
        "SUBMITTED": "The order is being sent.",
        "IN_DOUBT": "The venue's answer to the order was lost.",
        "ACCEPTED": "The venue confirmed that it has the order.",
        "FILL": "The order, or a part of it, was filled.",
        "TRIGGERED": "The market price reached the order's `stopPrice`.",
        "PENDING_CANCEL": "The engine has asked the venue to cancel the order.",
        "CANCEL_REJECTED": "The venue did not cancel the order, and it is still open.",
        "CANCELED": "The order was cancelled.",
        "REJECTED": "The venue rejected the order.",
        "EXPIRED": "The order expired, or the venue ended it.",
        "RECONCILED": "A comparison with the venue showed a change of which no message had arrived.",
    },
)


describe_enum(
    ProtectAt,
    "Where the protection of a position is kept.",
    {
        "VENUE": "As orders at the venue, which work while the engine is down.",
        "ENGINE": "By the engine, which follows the market's trades and sells at the market.",
        "BEST": "At the venue if it can be, else by the engine.",
    },
)


describe_enum(
    CancelCode,
    "Why the engine cancelled an order.",
    {
        "REQUESTED": "A client asked for it, with `orderCancel` or `ordersCancel`.",
        "TRADING_SESSION": "The trading session cancelled it: it was paused or stopped, it failed, or its strategy "
        "exits.",
        "HALT": "A halt of trading cancelled it.",
        "EXPIRED": "Its `expiresAt` had passed.",
        "TOO_OLD": "It waited too long to be sent, so it was never sent: a MARKET order for 2 s, any other for 5 s. "
        "Orders that only reduce a position may wait for longer while the engine runs.",
        "NOT_SENT": "The node lost the right to trade the account just before the order was to be sent, so it was "
        "never sent.",
        "DENIED": "The engine held it, it was triggered, and then it failed the risk checks: `denials` has them.",
        "AMENDED": "`orderAmend` replaced it, or it kept a stop at the venue that has moved: `replacedBy` is the order "
        "that takes its place.",
        "NOT_REPLACED": "It came from `orderAmend`, and the order that it was to replace had ended, or could not be "
        "cancelled, so it was never sent.",
        "PROTECTION": "It kept a protection at the venue that has ended or changed.",
        "NO_POSITION": "It was reduce-only, and the position that it was to reduce has closed, or is too small for an "
        "order.",
        "EXIT": "It stood in the way of closing a position: it could have enlarged it, or locked what is to be sold.",
    },
)


describe_enum(
    RejectCode,
    "The kind of reason for which a venue rejected an order.",
    {
        "INSUFFICIENT_BALANCE": "The account has too little of the currency that the order needs.",
        "PRICE": "The price is outside the range that the venue accepts, or not a multiple of its price increment.",
        "QUANTITY": "The quantity is outside the range that the venue accepts, or not a multiple of its quantity "
        "increment.",
        "NOTIONAL": "The value of the order is outside the range that the venue accepts.",
        "STOP_PRICE": "The stop price is not valid, for example because the market has already reached it.",
        "WOULD_TAKE": "The order was post-only and would have taken liquidity.",
        "NOT_FILLABLE": "The order had to be filled at once and could not be.",
        "TOO_MANY_ORDERS": "The account has as many open orders as the venue allows.",
        "MARKET_CLOSED": "The venue doesn't trade this market now.",
        "UNSUPPORTED": "The venue doesn't support this kind of order.",
        "NOT_PERMITTED": "The account or its API key is not allowed to do this.",
        "CLOCK": "The venue rejected the time of the request.",
        "NOT_RECEIVED": "The request was lost on its way. The venue doesn't have the order.",
        "RATE_LIMITED": "The venue takes no more requests from this address for now, and did nothing.",
        "UNKNOWN": "Another reason. `rejectReason` has it in the venue's words.",
    },
)


describe_enum(
    RiskCode,
    "The risk check that an order failed.",
    {
        "TRADING_HALTED": "Trading is halted for the trading session, the account, the user or the engine.",
        "REDUCE_ONLY": (
            "The order would open or enlarge a position, but a halt or `reduceOnly` forbids it. The limit is in base "
            "currency."
        ),
        "STALE_MARKET_DATA": "The engine has no current order book of the market.",
        "MARKET_INACTIVE": "The venue doesn't trade the market now.",
        "NOT_RECONCILED": (
            "The account has not been compared with the venue since the engine started or reconnected, or the venue "
            "rejects its credentials."
        ),
        "PRICE_PRECISION": "A price is not a multiple of `Market.priceIncrement`.",
        "QUANTITY_PRECISION": "The quantity is not a multiple of `Market.quantityIncrement`.",
        "QUANTITY_TOO_SMALL": "The quantity is less than `Market.minimumQuantity`. The limit is in base currency.",
        "QUANTITY_TOO_LARGE": (
            "The quantity is more than `Market.maximumQuantity`, or `Market.maximumMarketQuantity` for a MARKET "
            "order. The limit is in base currency."
        ),
        "NOTIONAL_TOO_SMALL": "The value of the order is less than `Market.minimumNotional`. The limit is in quote "
        "currency.",
        "INSUFFICIENT_BALANCE": "The account has too little free balance. The limit is in the currency that the order "
        "spends.",
        "PRICE_COLLAR": (
            "The order could trade further from the market price than `priceCollarPercent` allows. The limit is in "
            "percent."
        ),
        "MAX_ORDER_NOTIONAL": "The value of the order is more than `maxOrderNotional`. The limit is in the account's "
        "currency.",
        "MAX_POSITION_NOTIONAL": (
            "The value of the position could become more than `maxPositionNotional`. The limit is in the account's "
            "currency."
        ),
        "MAX_OPEN_ORDERS": "There would be more open orders than `maxOpenOrders` allows.",
        "ORDER_RATE": "There would be more orders within a minute than `maxOrdersPerMinute` allows.",
        "MAX_DAILY_LOSS": "The loss since the last daily reset has reached `maxDailyLoss`. The limit is in the "
        "account's currency.",
        "MAX_DRAWDOWN": "The equity has fallen by `maxDrawdownPercent` or more below its highest value. The limit is "
        "in percent.",
        "COOL_DOWN": (
            "`coolDownLosses` round trips in a row ended with a loss, and `coolDownMinutes` have not passed since. "
            "The limit is a number of round trips."
        ),
        "PLAN_LIMIT": (
            "There would be more active orders on all accounts of the user together than `Plan.maxActiveOrders` allows."
        ),
        "UNSUPPORTED_ORDER": "The engine or the venue doesn't support this kind of order.",
        "INTERNAL": "The order could not be checked, by a fault of the engine, so it was not sent.",
    },
)
