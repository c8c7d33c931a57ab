"""The enums of halts."""

from domain.model import trading_state as domain
from domain.model.trading_state import TradingState
from schema.common.enums import describe_enum

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
    domain.HaltLevel,
    (
        "The level at which trading is halted. A halt also applies to everything below it: ENGINE is above USER, USER "
        "above ACCOUNT, and ACCOUNT above TRADING_SESSION."
    ),
    {
        "ENGINE": "The whole engine, with all users.",
        "USER": "One user, with all accounts.",
        "ACCOUNT": "One account, with all its trading sessions.",
        "TRADING_SESSION": "One trading session.",
    },
)


describe_enum(
    domain.HaltAuthor,
    "Who made a halt.",
    {
        "SELF": "The user whose trading is halted.",
        "OPERATOR": "An operator of the engine. Only operators can end such a halt.",
    },
)
