"""Opening, changing, funding and archiving accounts."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import accounts
from schema.accounts.inputs import (
    AccountCreateInput,
    AccountTransferRecordInput,
    AccountTransferUpdateInput,
    AccountUpdateInput,
    PaperDepositInput,
    VenueCredentialsInput,
)
from schema.accounts.types import Account, AccountTransfer
from schema.common.changes import change, changes
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info


@strawberry.type(description="The result of `accountCreate`.")
class AccountCreatePayload(Payload):
    account: Account | None = strawberry.field(description="The new account. Null if there are errors.")


@strawberry.type(description="The result of `accountUpdate`.")
class AccountUpdatePayload(Payload):
    account: Account | None = strawberry.field(description="The account after the change. Null if there are errors.")


@strawberry.type(description="The result of `accountArchive`.")
class AccountArchivePayload(Payload):
    account: Account | None = strawberry.field(description="The archived account. Null if there are errors.")


@strawberry.type(description="The result of `accountCredentialsReplace`.")
class AccountCredentialsReplacePayload(Payload):
    account: Account | None = strawberry.field(description="The account. Null if there are errors.")


@strawberry.type(description="The result of `paperDeposit`.")
class PaperDepositPayload(Payload):
    account: Account | None = strawberry.field(description="The account after the deposit. Null if there are errors.")
    transfer: AccountTransfer | None = strawberry.field(
        description="The deposit. Null if there are errors, or if the key was used before the engine recorded "
        "transfers."
    )


@strawberry.type(description="The result of `accountTransferRecord`.")
class AccountTransferRecordPayload(Payload):
    transfer: AccountTransfer | None = strawberry.field(description="The recorded transfer. Null if there are errors.")


@strawberry.type(description="The result of `accountTransferUpdate`.")
class AccountTransferUpdatePayload(Payload):
    transfer: AccountTransfer | None = strawberry.field(description="The corrected transfer. Null if there are errors.")


@strawberry.type
class AccountMutation:
    @mutation(
        AccountCreatePayload,
        scope=ApiScope.ADMIN,
        description="Open an account at a venue. A user can have at most 100 accounts, including archived ones.",
    )
    async def account_create(self, info: Info, input: Annotated[AccountCreateInput, INPUT]) -> Fields:
        return {"account": await accounts.create(info.context, input.to_domain())}

    @mutation(AccountUpdatePayload, scope=ApiScope.ADMIN, description="Change an account's name or risk limits.")
    async def account_update(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the account.")],
        input: Annotated[AccountUpdateInput, INPUT],
    ) -> Fields:
        account_id = decode_uuid(id, "Account", ("id",))
        account = await accounts.update(info.context, account_id, change(input.name), changes(input.risk))
        return {"account": account}

    @mutation(
        AccountArchivePayload,
        scope=ApiScope.ADMIN,
        description="Close an account for new orders. It must have no open order and no active trading session.",
    )
    async def account_archive(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the account.")]
    ) -> Fields:
        account_id = decode_uuid(id, "Account", ("id",))
        return {"account": await accounts.archive(info.context, account_id)}

    @mutation(
        AccountCredentialsReplacePayload,
        scope=ApiScope.ADMIN,
        description="Replace the credentials of a LIVE account. The venue must accept the new ones.",
    )
    async def account_credentials_replace(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the LIVE account.")],
        input: Annotated[VenueCredentialsInput, INPUT],
    ) -> Fields:
        account_id = decode_uuid(id, "Account", ("id",))
        account = await accounts.replace_credentials(info.context, account_id, input.to_domain())
        return {"account": account}

    @mutation(PaperDepositPayload, scope=ApiScope.ADMIN, description="Pay play money into a PAPER account.")
    async def paper_deposit(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the PAPER account.")],
        input: Annotated[PaperDepositInput, INPUT],
    ) -> Fields:
        account_id = decode_uuid(id, "Account", ("id",))
        paid = await accounts.deposit(info.context, account_id, input.currency, input.amount, input.idempotency_key)
        return {"account": paid[0], "transfer": paid[1]}

    @mutation(
        AccountTransferRecordPayload,
        scope=ApiScope.ADMIN,
        description=(
            "Say that a change of the balance, which the engine has recorded as an ADJUSTMENT, was a deposit or a "
            "withdrawal, or that a part of it was, and when. The balance stays as it is. CONFLICT if no adjustment of "
            "the currency is as great."
        ),
    )
    async def account_transfer_record(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the account.")],
        input: Annotated[AccountTransferRecordInput, INPUT],
    ) -> Fields:
        account_id = decode_uuid(id, "Account", ("id",))
        return {
            "transfer": await accounts.record_transfer(
                info.context, account_id, input.to_domain(), input.idempotency_key
            )
        }

    @mutation(
        AccountTransferUpdatePayload,
        scope=ApiScope.ADMIN,
        description=(
            "Correct an adjustment, or an entry by `accountTransferRecord`: what it was, when, and its note. "
            "UNSUPPORTED for transfers that the engine knows by itself, such as openings and paper deposits."
        ),
    )
    async def account_transfer_update(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the transfer.")],
        input: Annotated[AccountTransferUpdateInput, INPUT],
    ) -> Fields:
        transfer_id = decode_uuid(id, "AccountTransfer", ("id",))
        return {"transfer": await accounts.correct_transfer(info.context, transfer_id, input.to_domain())}
