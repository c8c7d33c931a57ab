"""The enums of users."""

from domain.model.users import ActivityAuthor, ApiScope, UserRole, UserStatus
from schema.common.enums import describe_enum

describe_enum(
    UserRole,
    "The role of a user on this engine.",
    {
        "USER": "The user manages their own objects.",
        "OPERATOR": (
            "The user can also administer other users, and halt and resume them and the engine. The first user is an "
            "operator. `userRoleChange` and `r3edge user promote` make other users operators."
        ),
    },
)


describe_enum(
    UserStatus,
    "Whether a user may use the engine.",
    {
        "ACTIVE": "The user may sign in.",
        "DISABLED": "An operator disabled the user: nobody can sign in, and API keys and webhooks rest.",
    },
)


describe_enum(
    ActivityAuthor,
    "Who did what an activity reports.",
    {
        "SELF": "The user whose activity it is.",
        "OPERATOR": "An operator, to the user.",
        "COMMAND_LINE": "Somebody at the engine's machine, to the user, by the command line.",
        "BILLING": "The billing system, to the user, by its webhook.",
    },
)


describe_enum(
    ApiScope,
    "What an API key is allowed to do. Each scope includes the scopes before it.",
    {
        "READ": "Read everything that belongs to the user. Request reports, backtests and optimizations. Cancel jobs.",
        "TRADE": "Also place and cancel orders, change strategies, control trading sessions, halt and resume.",
        "ADMIN": "Also manage accounts, credentials, API keys and the profile. For an operator, also the engine.",
    },
)
