"""The enums of alert rules."""

from domain.model.alert_rules import AlertDirection, AlertRepeat, AlertRuleStatus
from domain.model.alerts import AlertCondition
from schema.common.enums import describe_enum

describe_enum(
    AlertCondition,
    "What an alert rule looks at.",
    {
        "PRICE": "The price of a market crosses a level.",
        "INDICATOR": "A condition of the rule language becomes true on a closed candle.",
        "EQUITY": "The equity of an account crosses a level.",
        "DRAWDOWN": "The drawdown of an account crosses a level, in percent.",
        "FEED": "The feed of a market is not live for some time.",
        "TRADING_SESSION_FAILED": "A trading session fails.",
        "ORDER_IN_DOUBT": "It is not known whether the venue has an order.",
        "EVENT": "An event of some kinds happens.",
    },
    name="AlertConditionKind",
)
describe_enum(
    AlertDirection,
    "To which side a number crosses its level.",
    {
        "ABOVE": "From below the level to the level or above it.",
        "BELOW": "From above the level to the level or below it.",
    },
)
describe_enum(
    AlertRepeat,
    "How often an alert rule alerts.",
    {
        "ONCE": "Once. The rule is FIRED after that, until it is enabled again.",
        "EACH_TIME": (
            "Each time that the condition becomes true, with at least `cooldownSeconds` between two alerts, and at "
            "least 10 seconds, or 1 second for events. Of all such rules a user gets 60 alerts a minute, and then one "
            "with the number of those that were held back."
        ),
    },
)
describe_enum(
    AlertRuleStatus,
    "Whether an alert rule is looked at.",
    {
        "ACTIVE": "The rule is looked at.",
        "DISABLED": "The user has disabled the rule.",
        "FIRED": "The rule was to alert once, and has.",
    },
)
