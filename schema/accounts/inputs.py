"""The inputs of the mutations of accounts."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.accounts import admission
from domain.accounts.transfer_entries import TransferCorrection, TransferEntry
from domain.model import trading as domain
from schema.common.changes import change, given


@strawberry.input(
    description="The risk limits of an account or a trading session. A limit that isn't given is not set."
)
class RiskLimitsInput:
    max_order_notional: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description="The greatest value of one order, in the account's currency. It must be more than 0.",
    )
    max_position_notional: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The greatest value that the position in one market may grow to, in the account's currency. It must be "
            "more than 0."
        ),
    )
    max_open_orders: int | None = strawberry.field(
        default=strawberry.UNSET, description="The greatest number of open orders at one time. It must be more than 0."
    )
    max_orders_per_minute: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="The greatest number of orders sent within one minute. It must be more than 0.",
    )
    max_daily_loss: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description="The greatest loss since the last daily reset, in the account's currency. It must be more than 0.",
    )
    max_drawdown_percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The greatest fall of the equity below its highest value, in percent of that value. It must be more than "
            "0 and at most 100."
        ),
    )
    price_collar_percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "How far from the market price an order may trade to its own disadvantage, in percent of the market "
            "price. It must be more than 0 and at most 100."
        ),
    )
    cool_down_losses: int | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The number of losing round trips in a row after which new entries are paused. It must be more than 0, "
            "and takes effect together with `coolDownMinutes`."
        ),
    )
    cool_down_minutes: int | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "How long new entries are paused after `coolDownLosses` losing round trips, in minutes. It must be more "
            "than 0."
        ),
    )
    daily_reset_hour: int | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The hour of the day, in UTC, at which the daily loss is counted from 0 again, from 0 to 23. The default "
            "is 0."
        ),
    )

    def to_domain(self) -> domain.RiskLimits:
        return domain.RiskLimits(**given(self))  # type: ignore[arg-type]  # its fields are those of the limits


@strawberry.input(description="An amount of one currency.")
class BalanceInput:
    currency: str = strawberry.field(description="The currency's code at the venue, such as USDT.")
    amount: Decimal = strawberry.field(
        description="The amount: more than 0, at most 1,000,000,000, and with at most 8 decimals."
    )


@strawberry.input(
    description=(
        "The credentials with which requests to a venue are signed. They are stored encrypted and can't be read again."
    )
)
class VenueCredentialsInput:
    api_key: str = strawberry.field(description="The API key that the venue issued.")
    secret: str = strawberry.field(description="The secret of the API key.")
    passphrase: str | None = strawberry.field(
        default=None, description="The passphrase of the API key. Required only by venues that issue one."
    )

    def to_domain(self) -> domain.VenueCredentials:
        return domain.VenueCredentials(self.api_key, self.secret, self.passphrase)


@strawberry.input(
    description=(
        "The account to open. A PAPER account needs `balances` and a venue that isn't live. A LIVE account needs "
        "`credentials`."
    )
)
class AccountCreateInput:
    name: str = strawberry.field(description="The name of the account, of 1 to 100 printable characters.")
    kind: domain.AccountKind = strawberry.field(
        description="Whether the account trades with play money (PAPER) or with real money (LIVE)."
    )
    venue: str = strawberry.field(description="The name of the venue, such as sandbox.")
    balances: list[BalanceInput] | None = strawberry.field(
        default=None,
        description="The balances that a PAPER account starts with, at most 50, each in a different currency.",
    )
    credentials: VenueCredentialsInput | None = strawberry.field(
        default=None, description="The credentials of a LIVE account. The venue must accept them."
    )
    currency: str = strawberry.field(
        default="USDT", description="The currency in which the account's equity and limits are counted."
    )
    risk: RiskLimitsInput | None = strawberry.field(
        default=None, description="The risk limits of the account. By default none is set."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "The key makes it safe to repeat the request: the same key with the same input returns the account "
            "of the first "
            "request. At most 128 characters."
        ),
    )

    def to_domain(self) -> admission.AccountRequest:
        return admission.AccountRequest(
            name=self.name,
            kind=self.kind,
            venue=self.venue,
            currency=self.currency,
            balances=_balances(self.balances),
            credentials=self.credentials.to_domain() if self.credentials else None,
            risk=self.risk.to_domain() if self.risk else domain.NO_LIMITS,
            idempotency_key=self.idempotency_key,
        )


@strawberry.input(description="The changes of an account. A field that isn't given keeps its value.")
class AccountUpdateInput:
    name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new name of the account, of 1 to 100 printable characters. It can't be null.",
    )
    risk: RiskLimitsInput | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The limits to change. A limit that isn't given keeps its value, and null removes it. `risk` itself can't "
            "be null."
        ),
    )


@strawberry.input(description="A deposit or a withdrawal that the engine has noticed as a change of the balance.")
class AccountTransferRecordInput:
    kind: domain.TransferKind = strawberry.field(description="DEPOSIT or WITHDRAWAL.")
    currency: str = strawberry.field(description="The currency's code at the venue, such as USDT.")
    amount: Decimal = strawberry.field(
        description="The amount: more than 0, for a withdrawal too, and at most that of an adjustment."
    )
    at: datetime = strawberry.field(
        description="When the money moved: after the account was opened, and not in the future."
    )
    note: str | None = strawberry.field(
        default=None, description="What to remember about it, of at most 200 printable characters."
    )
    idempotency_key: str = strawberry.field(
        description=(
            "The key makes it safe to repeat the request: the same key with the same input returns the same transfer. "
            "At most 128 characters."
        )
    )

    def to_domain(self) -> TransferEntry:
        return TransferEntry(self.kind, self.currency, self.amount, self.at, self.note)


@strawberry.input(description="The corrections of a transfer. A field that isn't given keeps its value.")
class AccountTransferUpdateInput:
    kind: domain.TransferKind | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "What it was: DEPOSIT if the money came, WITHDRAWAL if it left, or ADJUSTMENT if that isn't known. It "
            "can't be null."
        ),
    )
    at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When the money moved. It can't be null."
    )
    note: str | None = strawberry.field(
        default=strawberry.UNSET, description="What to remember about it. Null removes it."
    )

    def to_domain(self) -> TransferCorrection:
        return TransferCorrection(change(self.kind), change(self.at), change(self.note))


@strawberry.input(description="A deposit of play money into a PAPER account.")
class PaperDepositInput:
    currency: str = strawberry.field(description="The currency's code at the venue, such as USDT.")
    amount: Decimal = strawberry.field(
        description="The amount: more than 0, at most 1,000,000,000, and with at most 8 decimals."
    )
    idempotency_key: str = strawberry.field(
        description="The key makes it safe to repeat the request: the same key pays only once. At most 128 characters."
    )


def _balances(given: list[BalanceInput] | None) -> tuple[domain.Balance, ...] | None:
    if given is None:
        return None
    return tuple(domain.Balance(balance.currency, balance.amount, balance.amount) for balance in given)
