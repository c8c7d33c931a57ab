"""The enums of users."""

from domain.model.users import ApiScope, UserRole
from schema.common.enums import describe_enum

describe_enum(
    UserRole,
    "The role of a user on this engine.",
    {
        "USER": "The user manages their own objects.",
        "OPERATOR": (
            "The user can also halt and resume other users and the engine. The first user is an operator. `r3edge "
            "user promote` makes other users operators."
        ),
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
