"""The inputs of the mutations of users."""

from datetime import datetime

import strawberry

from domain.model import users as domain


@strawberry.input(description="The user to register.")
class UserRegisterInput:
    email: str = strawberry.field(
        description="The email address. It must be unique among users. Upper and lower case are the same."
    )
    password: str = strawberry.field(
        description="The password, of 10 to 256 characters. The most common passwords are not accepted."
    )
    display_name: str | None = strawberry.field(
        default=None, description="The name to display, of 1 to 100 printable characters."
    )
    invitation_code: str | None = strawberry.field(
        default=None,
        description="The code of an invitation of this email address. Required while registration is closed.",
    )


@strawberry.input(description="The credentials of a user.")
class UserLoginInput:
    email: str = strawberry.field(
        description="The email address with which the user registered. Upper and lower case are the same."
    )
    password: str = strawberry.field(description="The user's password.")
    two_factor_code: str | None = strawberry.field(
        default=None,
        description="The present code of the authenticator app, or a recovery code. Required if the user has "
        "two-factor authentication. Each code can be used once.",
    )


@strawberry.input(description="The notification settings of the user.")
class NotificationSettingsInput:
    sign_in: bool = strawberry.field(description="True for a mail at each sign-in from a device that is new.")

    def to_domain(self) -> bool:
        return self.sign_in


@strawberry.input(description="The changes of the user. A field that isn't given keeps its value.")
class UserUpdateInput:
    display_name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new name to display, of 1 to 100 printable characters. Null removes it.",
    )
    time_zone: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new time zone, by its name in the IANA database, such as `Europe/Vienna`. It can't be null.",
    )
    locale: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new language tag (BCP 47), such as `en` or `de-AT`. It can't be null.",
    )
    report_currency: str | None = strawberry.field(
        default=strawberry.UNSET, description="The new report currency, such as EUR. Null removes it."
    )
    notifications: NotificationSettingsInput | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new notification settings. They require a login session, and can't be null.",
    )
    password: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new password, of 10 to 256 characters. It requires `currentPassword`, and can't be null.",
    )
    current_password: str | None = strawberry.field(
        default=None,
        description="The present password. Required to change the password, if the user has one. Without one a recent "
        "sign-in is required: otherwise the error is CONFIRMATION_REQUIRED.",
    )
    revoke_api_keys: bool = strawberry.field(
        default=False,
        description="True to revoke all API keys, except the one with which this request is made, and to unlink all "
        "identities at OpenID providers. Those stay if the user has no password, or an API key asks without a new one. "
        "Notification channels stay.",
    )
    revoke_signal_webhooks: bool = strawberry.field(
        default=False, description="True to revoke all webhooks of trading sessions."
    )


@strawberry.input(description="The proof of who makes the request.")
class LoginSessionConfirmInput:
    password: str | None = strawberry.field(
        default=None,
        description="The user's password. A user without one signs in again in the place of this mutation; while the "
        "sign-in is recent a code of two-factor authentication confirms it too. Otherwise the error is "
        "CONFIRMATION_REQUIRED.",
    )
    two_factor_code: str | None = strawberry.field(
        default=None,
        description="The present code of the authenticator app, or a recovery code. Required if the user has "
        "two-factor authentication.",
    )


@strawberry.input(description="The proof that the user wants to be erased.")
class UserEraseInput:
    current_password: str | None = strawberry.field(
        default=None,
        description="The user's password. Required if the user has one. Without one a recent sign-in is required: "
        "otherwise the error is CONFIRMATION_REQUIRED.",
    )
    two_factor_code: str | None = strawberry.field(
        default=None,
        description="The present code of the authenticator app, or a recovery code. Required if the user has "
        "two-factor authentication.",
    )
    user: strawberry.ID | None = strawberry.field(
        default=None,
        description="For operators: the id of another user, who is erased instead, as a `ManagedUser` or a `User`. "
        "Password and code are the operator's own.",
    )
    reason: str | None = strawberry.field(
        default=None, description="For operators: why the other user is erased, at most 500 characters."
    )


@strawberry.input(description="The API key to create.")
class ApiKeyCreateInput:
    name: str = strawberry.field(description="The name of the key, of 1 to 100 printable characters.")
    scopes: list[domain.ApiScope] = strawberry.field(
        description="What the key is allowed to do. At least one scope is required."
    )
    expires_at: datetime | None = strawberry.field(
        default=None,
        description="The time at which the key expires. It must be in the future. By default the key never expires.",
    )
    requests_per_minute: int | None = strawberry.field(
        default=None,
        description="The greatest number of requests a minute with this key, at least 1. They count towards "
        "`Plan.requestsPerMinute` too, which is the only limit by default.",
    )
