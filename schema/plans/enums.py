"""The enums of plans."""

from domain.model.plans import Entitlement, PlanChangeSource, PlanChangeStatus
from schema.common.enums import describe_enum

describe_enum(
    Entitlement,
    "What a plan limits, and of which the use is counted.",
    {
        "TRADING_SESSIONS": "Trading sessions that are live, paused ones too: `Plan.maxTradingSessions`.",
        "MARKETS": "Different markets of live trading sessions: `Plan.maxMarkets`.",
        "ACTIVE_ORDERS": "Active orders on all accounts: `Plan.maxActiveOrders`.",
        "API_KEYS": "Valid API keys: `Plan.maxApiKeys`.",
        "ALERT_RULES": "Alert rules, also disabled ones and those that have fired: `Plan.maxAlertRules`.",
        "REPORT_SCHEDULES": "Schedules of reports, also disabled ones: `Plan.maxReportSchedules`.",
        "OPEN_JOBS": "Jobs that wait or run: `Plan.maxOpenJobs`.",
        "BACKTEST_CANDLES_PER_DAY": (
            "Candles of the backtests and optimizations that were requested on this day (UTC): "
            "`Plan.backtestCandlesPerDay`."
        ),
        "REQUESTS_PER_MINUTE": "Requests in this minute, as far as the node that answers knows: "
        "`Plan.requestsPerMinute`.",
    },
)

describe_enum(
    PlanChangeSource,
    "Who decided about the plan of a user.",
    {
        "OPERATOR": "An operator, by the API or the command line.",
        "BILLING": "The billing system, by its webhook.",
    },
)

describe_enum(
    PlanChangeStatus,
    "What has become of a decision about the plan of a user.",
    {
        "SCHEDULED": "It takes effect at a later time.",
        "IN_FORCE": "The user has this plan now.",
        "REPLACED": "A later decision has taken its place, or will before it takes effect.",
        "CANCELED": "An operator cancelled it before it took effect.",
    },
)
