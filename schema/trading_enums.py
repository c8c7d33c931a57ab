"""The closed sets of orders, accounts, sessions, users and errors, described before any type mentions them."""

from domain.core.errors import ErrorCode
from domain.model.events import UserEventKind
from domain.model.order_side import OrderSide
from domain.model.orders import OrderEventKind, OrderRole, OrderStatus, OrderType, RejectCode, RiskCode, TimeInForce
from domain.model.reports import JobStatus, PositionSide
from domain.model.trading import AccountKind, SignalAction, TradingSessionStatus, TradingSessionStatusCode
from domain.model.trading_state import TradingState
from domain.model.users import ApiScope, UserRole
from schema.described import describe_enum

describe_enum(
    ErrorCode,
    (
        "The code of an error in the input of a mutation, in the `errors` of its payload.\n\nErrors of the request "
        "itself are top-level errors instead, with one of these codes in `extensions.code`: UNAUTHENTICATED (the "
        "caller isn't signed in), FORBIDDEN (the API key lacks a scope, or the user a role), RATE_LIMITED (there were "
        "too many operations), UNAVAILABLE (a part of the engine can't be reached now; the same request may succeed "
        "later), CURSOR_TOO_OLD (the events after the cursor no longer exist), SLOW_READER (the stream ended because "
        "the client read too slowly), OPERATION_TOO_COMPLEX (the document exceeds a limit), "
        "PERSISTED_QUERY_NOT_SUPPORTED (send the whole document) and INTERNAL (the engine failed; its log has the "
        "details under `errorId`). INVALID and NOT_FOUND are also codes of top-level errors: for a document, an "
        "argument of a query or a subscription, or a cursor that is not valid."
    ),
    {
        "INVALID": "A value is not valid. The message says which values are.",
        "NOT_FOUND": "There is no object with this id, it belongs to another user, or there is no such market.",
        "CONFLICT": (
            "The current state doesn't allow it: the idempotency key was used with another input, somebody changed "
            "the object in between, or the object has reached a final status."
        ),
        "LIMIT_REACHED": "A limit of the plan or of the engine is reached, such as the number of trading sessions.",
        "UNSUPPORTED": "The input is valid, but the engine or the venue doesn't support it, or doesn't support it yet.",
        "EMAIL_TAKEN": "Another user has this email address.",
        "PASSWORD_TOO_WEAK": "The password is too short, or it is one of the most common passwords.",
        "CREDENTIALS_REJECTED": "The email address or the password is wrong, or the venue rejects the credentials.",
        "STRATEGY_INVALID": "The strategy definition has an error. The error is a `StrategyDefinitionError`, with its "
        "position.",
        "ORDER_DENIED": (
            "The order failed risk checks and was not sent. It is stored with status DENIED, and its `denials` list "
            "all failed checks."
        ),
        "ORDER_REJECTED": "The venue rejected the order. It has status REJECTED, with `rejectCode` and `rejectReason`.",
    },
)
describe_enum(
    TradingState,
    "What halts allow. The strictest halt of the engine, the user, the account and the trading session decides.",
    {
        "ACTIVE": "Orders are sent.",
        "REDUCING": "Positions can be reduced and closed, but not opened or enlarged.",
        "HALTED": "No new order is sent.",
    },
)
describe_enum(
    UserRole,
    "The role of a user on this engine.",
    {
        "USER": "The user manages their own objects.",
        "OPERATOR": (
            "The user can also halt and resume other users and the engine. The first user is an operator. `r3edge "
            "user promote` makes further ones."
        ),
    },
)
describe_enum(
    ApiScope,
    "What an API key is allowed to do. Each scope includes the scopes before it.",
    {
        "READ": "Read everything that belongs to the user.",
        "TRADE": "Also place and cancel orders, change strategies, control trading sessions, halt and resume.",
        "ADMIN": "Also manage accounts, credentials, API keys and the profile. For an operator, also the engine.",
    },
)
describe_enum(
    AccountKind,
    "Whether an account trades with real money.",
    {
        "PAPER": "The account trades with play money, at a venue that isn't live.",
        "LIVE": "The account trades with real money, through the user's credentials at the venue.",
    },
)
describe_enum(
    OrderSide,
    "The side of an order. For a trade it is the side of the taker.",
    {"BUY": "Buys the base currency.", "SELL": "Sells the base currency."},
)
describe_enum(
    PositionSide,
    "The direction of a position.",
    {"LONG": "The position was opened by buying.", "SHORT": "The position was opened by selling."},
)
describe_enum(
    OrderType,
    "How an order is executed.",
    {
        "MARKET": "Executes at once, at the best prices in the order book.",
        "LIMIT": "Executes at `price` or better. The part that can't be executed at once rests in the order book.",
        "STOP": "Becomes a MARKET order when the market price reaches `stopPrice`: rising for BUY, falling for SELL.",
        "STOP_LIMIT": "Becomes a LIMIT order when the market price reaches `stopPrice`: rising for BUY, falling for "
        "SELL.",
        "TAKE_PROFIT": "Becomes a MARKET order when the market price reaches `stopPrice`: falling for BUY, rising for "
        "SELL.",
        "TAKE_PROFIT_LIMIT": "Becomes a LIMIT order when the market price reaches `stopPrice`: falling for BUY, "
        "rising for SELL.",
        "TRAILING_STOP": (
            "Becomes a MARKET order when the market price has moved back from its best value by a given distance. Not "
            "supported yet: `orderPlace` returns UNSUPPORTED."
        ),
    },
)
describe_enum(
    OrderRole,
    "Why an order exists.",
    {
        "ENTRY": "A strategy opens a position with the order.",
        "EXIT": "A strategy closes a position with the order, because of an exit rule.",
        "STOP_LOSS": "The order closes a position whose loss reached the strategy's stop-loss.",
        "TAKE_PROFIT": "The order closes a position whose profit reached the strategy's take-profit.",
        "TRAILING_STOP": "The order closes a position whose price fell back from its best value. No order has this "
        "role yet.",
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
        "UNKNOWN": "Another reason. `rejectReason` has it in the venue's words.",
    },
)
describe_enum(
    RiskCode,
    "The risk check that an order failed.",
    {
        "TRADING_HALTED": "Trading is halted for the session, the account, the user or the engine.",
        "REDUCE_ONLY": (
            "The order would open or enlarge a position, but a halt or `reduceOnly` forbids it. The limit is in base "
            "currency."
        ),
        "STALE_MARKET_DATA": "The engine has no current order book of the market.",
        "MARKET_INACTIVE": "The venue doesn't trade the market now.",
        "NOT_RECONCILED": "The account has not been compared with the venue since the engine started or reconnected.",
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
        "PLAN_LIMIT": "A limit of the user's plan is reached. Not checked yet: no order is denied with it.",
        "UNSUPPORTED_ORDER": "The engine or the venue doesn't support this kind of order.",
    },
)
describe_enum(
    SignalAction,
    "The action that a strategy signals.",
    {
        "ENTER_LONG": "Buy to open a position.",
        "EXIT_LONG": "Sell what was bought.",
        "ENTER_SHORT": "Sell to open a position. Not supported yet: a strategy that signals it can't be started.",
        "EXIT_SHORT": "Buy back what was sold. Not supported yet: a strategy that signals it can't be started.",
    },
)
describe_enum(
    TradingSessionStatus,
    "The status of a trading session in its life. STOPPED and FAILED are final.",
    {
        "STARTING": "The session is loading the candles that it needs.",
        "RUNNING": "The session acts on every candle that closes.",
        "PAUSED": "The session opens no new position. Exits and protection continue.",
        "STOPPING": "The session's orders are being cancelled and, if requested, its position is being closed.",
        "STOPPED": "The session has ended because it was stopped.",
        "FAILED": "The session has ended because it could not continue. `statusCode` has the reason.",
    },
)
describe_enum(
    TradingSessionStatusCode,
    "Why a trading session has its status.",
    {
        "WAITING_FOR_CANDLES": "The session waits for candles that it needs. Its status is STARTING or RUNNING.",
        "PAUSED_BY_USER": "The user paused the session.",
        "STOPPED_BY_USER": "The user stopped the session.",
        "STRATEGY_INVALID": "The engine can't run the strategy version. `statusReason` has its errors.",
        "INTERNAL": "The engine failed.",
    },
)
describe_enum(
    JobStatus,
    "The status of a job in its life. SUCCEEDED, FAILED and CANCELED are final.",
    {
        "QUEUED": "The job waits for a worker.",
        "RUNNING": "A worker computes the job.",
        "SUCCEEDED": "The result is available.",
        "FAILED": "The job has no result. `message` has the reason.",
        "CANCELED": "The job was cancelled. Jobs can't be cancelled yet, so no job has this status.",
    },
)
describe_enum(
    UserEventKind,
    "What an event of the event log is about.",
    {
        "ORDER": "An order changed.",
        "FILL": "An order, or a part of it, was filled.",
        "POSITION": "A position was opened, changed or closed.",
        "SIGNAL": "A strategy gave a signal.",
        "TRADING_SESSION": "A trading session changed.",
        "ACCOUNT": "An account changed.",
        "JOB": "The status of a job changed.",
        "REPORT": "A report is complete.",
        "ALERT": "Something needs the user's attention. `message` describes it.",
        "ACTIVITY": "The user did something.",
    },
)
