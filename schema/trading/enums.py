"""The enums of trading sessions and signals."""

from domain.model.drift import DriftCause
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
        "STOPPED_BY_OPERATOR": "An operator stopped all trading sessions of the user.",
        "STRATEGY_INVALID": "The engine can't run the strategy version. `statusReason` has its errors.",
        "INTERNAL": "The engine failed.",
    },
)


describe_enum(
    DriftCause,
    "Why a trading session and a backtest over the same candles differ.",
    {
        "SIGNAL_MISSING": "The backtest entered on a signal that the session doesn't have.",
        "SIGNAL_MISSED": (
            "The session has the signal and didn't act on it, because the engine was down or the session was paused."
        ),
        "NOT_FILLED": "The session acted on its signal and bought nothing: no order was made, or none was filled.",
        "SIGNAL_EXTRA": "The session entered on a signal that the backtest doesn't have, or couldn't act on.",
        "SUBMITTED": "The session entered on a signal from outside, of which a backtest has none.",
        "PRICE": "Both did the same, at prices that lie 5 basis points or more apart.",
        "EXIT": "Both entered, and left on different candles or for different reasons.",
        "CANDLES_MISSING": "The backtest lacks candles there.",
    },
)
