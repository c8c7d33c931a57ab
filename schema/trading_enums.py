"""The closed sets of orders, accounts, sessions, users and errors, described before any type mentions them."""

from domain.core.errors import ErrorCode
from domain.model.events import UserEventKind
from domain.model.order_side import OrderSide
from domain.model.orders import OrderEventKind, OrderRole, OrderStatus, OrderType, RiskCode, TimeInForce
from domain.model.reject_codes import RejectCode
from domain.model.reports import JobStatus, PositionSide
from domain.model.trading import AccountKind, SignalAction, TradingSessionStatus, TradingSessionStatusCode
from domain.model.trading_state import TradingState
from domain.model.users import ApiScope, UserRole
from schema.described import describe_enum

describe_enum(
    ErrorCode,
    "What is wrong with the input of a mutation, in the `errors` of its payload.\n\nFaults of the request itself come "
    "as top-level errors instead, with one of these codes in `extensions.code`: UNAUTHENTICATED (nobody is signed in), "
    "FORBIDDEN (the API key lacks a scope, or the user a role), RATE_LIMITED (too many operations), UNAVAILABLE (a "
    "part can't be reached now; the same request may succeed later), CURSOR_TOO_OLD (the events after the cursor are "
    "gone), SLOW_READER (a stream ended, as its reader did not keep up), OPERATION_TOO_COMPLEX (the document passes a "
    "limit), PERSISTED_QUERY_NOT_SUPPORTED (send the whole document) and INTERNAL (a fault of the engine; `errorId` "
    "stands in its log). INVALID and NOT_FOUND come at the top level too: from a document, an argument of a query or a "
    "subscription, or a cursor that can't be used.",
    {
        "INVALID": "A value can't be what it is; the message says what would be right.",
        "NOT_FOUND": "Nothing of the viewer's has this id, or there is no such market.",
        "CONFLICT": "The state of things doesn't allow it: the idempotency key was used for another input, somebody "
        "has changed the object in between, or it is at its end.",
        "LIMIT_REACHED": "A limit of the plan or of the engine is reached, such as the number of trading sessions.",
        "UNSUPPORTED": "The input is understood and can't be carried out, here or yet.",
        "EMAIL_TAKEN": "Another user has this email.",
        "PASSWORD_TOO_WEAK": "The password is too short, or one of the most common.",
        "CREDENTIALS_REJECTED": "The email or the password is wrong, or the venue refuses the credentials.",
        "STRATEGY_INVALID": "The definition has a mistake; the error is a `StrategyDefinitionError` with its position.",
        "ORDER_DENIED": "The order failed risk checks and was not sent. It exists as DENIED, with all its `denials`.",
        "ORDER_REJECTED": "The venue refused the order. It exists as REJECTED, with `rejectCode` and `rejectReason`.",
    },
)
describe_enum(
    TradingState,
    "What a halt leaves of trading. The strictest of engine, user, account and trading session counts.",
    {
        "ACTIVE": "Orders are sent.",
        "REDUCING": "Positions may be closed but not opened.",
        "HALTED": "No new order is sent.",
    },
)
describe_enum(
    UserRole,
    "What a user may do beyond what is theirs.",
    {
        "USER": "The user manages what is theirs.",
        "OPERATOR": "The user may also halt other users and the engine. The first user is the operator; "
        "`r3edge user promote` makes others.",
    },
)
describe_enum(
    ApiScope,
    "What an API key may do. Each scope includes those before it.",
    {
        "READ": "Read all that is the user's.",
        "TRADE": "Also place and cancel orders, change strategies, run trading sessions, halt and resume.",
        "ADMIN": "Also manage accounts, credentials, keys and the profile and, for an operator, the engine.",
    },
)
describe_enum(
    AccountKind,
    "Whether an account moves real money.",
    {
        "PAPER": "A balance of play money on a venue that isn't live.",
        "LIVE": "Credentials of an account at a real venue.",
    },
)
describe_enum(
    OrderSide,
    "Which way an order goes, or a trade went for its taker.",
    {"BUY": "The base currency is bought.", "SELL": "The base currency is sold."},
)
describe_enum(
    PositionSide,
    "Which way a position went.",
    {"LONG": "It was opened by buying.", "SHORT": "It was opened by selling."},
)
describe_enum(
    OrderType,
    "How an order is executed.",
    {
        "MARKET": "At once, at the best prices that there are.",
        "LIMIT": "At `price` or better; what can't be filled at once rests in the book.",
        "STOP": "As MARKET, once the market has moved against the order to `stopPrice`: up for BUY, down for SELL.",
        "STOP_LIMIT": "As LIMIT, once the market has moved against the order to `stopPrice`.",
        "TAKE_PROFIT": "As MARKET, once the market has moved in the order's favour to `stopPrice`: down for BUY, up "
        "for SELL.",
        "TAKE_PROFIT_LIMIT": "As LIMIT, once the market has moved in the order's favour to `stopPrice`.",
        "TRAILING_STOP": "As MARKET, once the market has moved away from its best price. Not supported yet: "
        "`orderPlace` answers UNSUPPORTED.",
    },
)
describe_enum(
    OrderRole,
    "Why an order exists.",
    {
        "ENTRY": "A strategy opens a position with it.",
        "EXIT": "A strategy closes a position with it, by a rule.",
        "STOP_LOSS": "It closes a position that has lost as much as the strategy allows.",
        "TAKE_PROFIT": "It closes a position that has gained what the strategy aims at.",
        "TRAILING_STOP": "It closes a position that has fallen back from its best price. No order has this role yet.",
        "CLOSE": "It closes a position because a trading session was stopped so.",
        "MANUAL": "A client placed it with `orderPlace`.",
        "FOREIGN": "It was found at the venue, and the engine has not placed it.",
    },
)
describe_enum(
    TimeInForce,
    "How long an order rests in the book.",
    {
        "GTC": "Good till cancelled: until it is filled or cancelled.",
        "IOC": "Immediate or cancel: what can't be filled at once is cancelled.",
        "FOK": "Fill or kill: all of it at once, or nothing.",
        "GTD": "Good till date: until `expiresAt`, when the engine cancels it.",
    },
)
describe_enum(
    OrderStatus,
    "Where an order is in its life. DENIED, FILLED, CANCELED, REJECTED and EXPIRED are its ends.",
    {
        "PENDING": "It is stored and not sent yet.",
        "DENIED": "It failed the risk checks, and was never sent.",
        "SUBMITTED": "It was sent, and the venue has not answered yet.",
        "IN_DOUBT": "It was sent, and the answer was lost; the venue is being asked what became of it.",
        "OPEN": "It rests at the venue, and nothing of it is filled.",
        "PARTIALLY_FILLED": "It rests at the venue, and a part of it is filled.",
        "FILLED": "All of it is filled.",
        "PENDING_CANCEL": "The venue is being asked to cancel it.",
        "CANCELED": "It was cancelled; what was filled before counts.",
        "REJECTED": "The venue refused it.",
        "EXPIRED": "Its time ran out, or the venue ended it.",
    },
)
describe_enum(
    OrderEventKind,
    "What happened to an order.",
    {
        "SNAPSHOT": "Nothing happened: it is an open order as it is when a subscription begins.",
        "PENDING": "The order was stored.",
        "DENIED": "The risk checks denied it.",
        "SUBMITTED": "It is being sent.",
        "IN_DOUBT": "The venue's answer was lost.",
        "ACCEPTED": "The venue has confirmed that it has the order.",
        "FILL": "A part of it, or all, was filled.",
        "TRIGGERED": "The price that it waited for was reached.",
        "PENDING_CANCEL": "The venue is being asked to cancel it.",
        "CANCEL_REJECTED": "The venue would not cancel it, and has it still.",
        "CANCELED": "It was cancelled.",
        "REJECTED": "The venue refused it.",
        "EXPIRED": "Its time ran out, or the venue ended it.",
        "RECONCILED": "Asking the venue has brought something to light that no message had told.",
    },
)
describe_enum(
    RejectCode,
    "For what kind of reason a venue refused an order.",
    {
        "INSUFFICIENT_BALANCE": "The account has too little of the currency that the order needs.",
        "PRICE": "The price is outside of what the venue takes, or no multiple of its price increment.",
        "QUANTITY": "The quantity is outside of what the venue takes, or no multiple of its quantity increment.",
        "NOTIONAL": "The order is worth less or more than the venue takes.",
        "STOP_PRICE": "The price to wait for can't be used, such as one that is reached already.",
        "WOULD_TAKE": "The order was post-only and would have been filled at once.",
        "NOT_FILLABLE": "The order was to be filled at once and could not be.",
        "TOO_MANY_ORDERS": "The account has as many open orders as the venue allows.",
        "MARKET_CLOSED": "The venue doesn't trade this market now.",
        "UNSUPPORTED": "The venue doesn't take this kind of order.",
        "NOT_PERMITTED": "The account or its API key may not do this.",
        "CLOCK": "The venue refused the request's time.",
        "NOT_RECEIVED": "The request was lost on its way; the venue has no such order.",
        "UNKNOWN": "Another reason, which `rejectReason` tells in the venue's words.",
    },
)
describe_enum(
    RiskCode,
    "Which risk check an order failed.",
    {
        "TRADING_HALTED": "Trading is halted for the session, the account, the user or the engine.",
        "REDUCE_ONLY": "The order would open or enlarge a position, which a halt or `reduceOnly` forbids. In base "
        "currency.",
        "STALE_MARKET_DATA": "There is no fresh order book of the market.",
        "MARKET_INACTIVE": "The venue doesn't trade the market now.",
        "NOT_RECONCILED": "The account has not been compared with the venue yet.",
        "PRICE_PRECISION": "A price is no multiple of the market's `priceIncrement`.",
        "QUANTITY_PRECISION": "The quantity is no multiple of the market's `quantityIncrement`.",
        "QUANTITY_TOO_SMALL": "The quantity is below the market's `minimumQuantity`.",
        "QUANTITY_TOO_LARGE": "The quantity is above the market's `maximumQuantity`, or `maximumMarketQuantity` for a "
        "MARKET order.",
        "NOTIONAL_TOO_SMALL": "The order is worth less than the market's `minimumNotional`, in quote currency.",
        "INSUFFICIENT_BALANCE": "The account has too little that is free, in the currency that the order spends.",
        "PRICE_COLLAR": "The price is too far from the market's, in percent.",
        "MAX_ORDER_NOTIONAL": "The order is worth more than `maxOrderNotional`, in the account's currency.",
        "MAX_POSITION_NOTIONAL": "The position would be worth more than `maxPositionNotional`, in the account's "
        "currency.",
        "MAX_OPEN_ORDERS": "As many orders are open as `maxOpenOrders` allows.",
        "ORDER_RATE": "As many orders were sent in the last minute as `maxOrdersPerMinute` allows.",
        "MAX_DAILY_LOSS": "The day has lost `maxDailyLoss` or more, in the account's currency.",
        "MAX_DRAWDOWN": "Equity has fallen by `maxDrawdownPercent` or more, in percent.",
        "COOL_DOWN": "As many round trips in a row lost as `coolDownLosses` says, and `coolDownMinutes` are not over.",
        "PLAN_LIMIT": "A limit of the user's plan is reached. Not checked yet: no order is denied with it.",
        "UNSUPPORTED_ORDER": "The engine or the venue can't carry out this kind of order.",
    },
)
describe_enum(
    SignalAction,
    "What a strategy says to do.",
    {
        "ENTER_LONG": "Buy, to open a position.",
        "EXIT_LONG": "Sell what was bought.",
        "ENTER_SHORT": "Sell, to open a position. Not supported yet: no strategy that says it can be started.",
        "EXIT_SHORT": "Buy back what was sold. Not supported yet, as ENTER_SHORT.",
    },
)
describe_enum(
    TradingSessionStatus,
    "Where a trading session is in its life. STOPPED and FAILED are its ends.",
    {
        "STARTING": "Its candles are being loaded.",
        "RUNNING": "It acts on every candle that closes.",
        "PAUSED": "It opens no position; exits and protection go on.",
        "STOPPING": "Its orders are being cancelled, and its position is being closed where that was asked.",
        "STOPPED": "It has ended as asked.",
        "FAILED": "It has ended because it could not go on; `statusCode` says why.",
    },
)
describe_enum(
    TradingSessionStatusCode,
    "Why a trading session is where it is.",
    {
        "WAITING_FOR_CANDLES": "It waits for candles that it needs, while STARTING or RUNNING.",
        "PAUSED_BY_USER": "The user has paused it.",
        "STOPPED_BY_USER": "The user has stopped it.",
        "STRATEGY_INVALID": "The engine can't run the strategy version; `statusReason` tells its mistakes.",
        "INTERNAL": "The engine met an error of its own.",
    },
)
describe_enum(
    JobStatus,
    "Where a job is in its life. SUCCEEDED, FAILED and CANCELED are its ends.",
    {
        "QUEUED": "It waits for a worker.",
        "RUNNING": "A worker computes it.",
        "SUCCEEDED": "Its result is there.",
        "FAILED": "It has no result; `message` says why.",
        "CANCELED": "It was cancelled. No job can be cancelled yet.",
    },
)
describe_enum(
    UserEventKind,
    "What an event of the log is about.",
    {
        "ORDER": "A step in the life of an order.",
        "FILL": "An execution of an order.",
        "POSITION": "A position was opened, changed or closed.",
        "SIGNAL": "A strategy said to do something.",
        "TRADING_SESSION": "A trading session changed.",
        "ACCOUNT": "An account changed.",
        "JOB": "A job changed its status.",
        "REPORT": "A report is ready.",
        "ALERT": "Something that the user should look at; `message` says what.",
        "ACTIVITY": "Something that the user did.",
    },
)
