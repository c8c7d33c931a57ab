"""The inputs of what operators do to users."""

from typing import Final

import strawberry

from domain.model.users import UserRole

REASON: Final = "Why it is done, at most 500 characters. The user and the operator see it in their activity."


@strawberry.input
class ReasonInput:
    """What all inputs of operators have in common."""

    reason: str | None = strawberry.field(default=None, description=REASON)


@strawberry.input(description="How to disable a user.")
class UserDisableInput(ReasonInput):
    cancel_orders: bool = strawberry.field(
        default=True,
        description="True to cancel the open orders but those that are reduce-only or close a position.",
    )
    close_positions: bool = strawberry.field(
        default=False,
        description="True to close all positions at the market. With false, they stay open and protected.",
    )


@strawberry.input(description="How to stop a user's trading.")
class UserTradingStopInput(ReasonInput):
    close_positions: bool = strawberry.field(
        default=False,
        description="True to close all positions at the market. With false, they stay open and protected.",
    )


@strawberry.input(description="How to enable a user.")
class UserEnableInput(ReasonInput):
    resume_trading: bool = strawberry.field(
        default=True,
        description="True to end the halt that came with disabling the user. With false, it lasts until "
        "`tradingResume`. A halt that an operator made apart from that stays in any case.",
    )


@strawberry.input(description="The new role of a user.")
class UserRoleChangeInput:
    role: UserRole = strawberry.field(description="The new role.")
    reason: str | None = strawberry.field(default=None, description=REASON)


@strawberry.input(description="Why a user's password is reset.")
class UserPasswordResetInput(ReasonInput): ...


@strawberry.input(description="Why a user's two-factor authentication is turned off.")
class UserTwoFactorResetInput(ReasonInput): ...


@strawberry.input(description="How to sign a user out.")
class UserSignOutInput(ReasonInput):
    revoke_api_keys: bool = strawberry.field(
        default=False,
        description="True to also revoke all API keys and all webhooks of trading sessions, for good, to unlink all "
        "identities at OpenID providers, and to disable all notification channels. A user without a password then "
        "needs a reset of it to sign in.",
    )
