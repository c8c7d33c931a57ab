"""The enums of trading sessions and signals."""

from domain.model.trading import SignalAction, TradingSessionStatus, TradingSessionStatusCode
from schema.common.enums import describe_enum

describe_enum(
    SignalAction,
    "The action that a signal asks for.",
    {
        "ENTER_LONG": "Buy to open a position.",
        "EXIT_LONG": "Sell what was bought.",
        "ENTER_SHORT": (
            "Sell to open a position. Not supported yet: a strategy that signals it can't be started, and it can't be "
            "submitted."
        ),
        "EXIT_SHORT": (
            "Buy back what was sold. Not supported yet: a strategy that signals it can't be started, and it can't be "
            "submitted."
        ),
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
        "WAITING_FOR_ACCOUNT": (
            "The session waits until its account agrees with its venue, since what it holds isn't known before that."
        ),
        "PAUSED_BY_USER": "The user paused the session.",
        "STOPPED_BY_USER": "The user stopped the session.",
        "STRATEGY_INVALID": "The engine can't run the strategy version. `statusReason` has its errors.",
        "INTERNAL": "The engine failed.",
    },
)
