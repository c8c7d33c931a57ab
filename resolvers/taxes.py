"""Links to tax exports."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.core.time import validate_time_range
from domain.model.tax import DepositCost
from domain.model.trading import Account
from domain.model.users import User
from domain.reports.tax_export import TaxRequest
from resolvers.context import RequestContext
from resolvers.profit import chosen_currency, user_accounts

TAX_PATH: Final = "/tax-exports/"


@dataclass(frozen=True, slots=True)
class TaxArguments:
    """The arguments of a tax export."""

    currency: str | None
    start: datetime | None
    end: datetime | None
    deposit_cost: DepositCost


@dataclass(frozen=True, slots=True)
class TaxLink:
    """A link to an export: its path below the engine's address, and until when it is good."""

    currency: str
    path: str
    expires_at: datetime


async def account_export(context: RequestContext, account: Account, arguments: TaxArguments) -> TaxLink:
    """Return a link to the export of one account, in its own currency unless another is asked for."""
    currency = chosen_currency(None, arguments.currency, [account])
    return _link(context, account.user_id, account.id, currency, arguments)


async def user_export(context: RequestContext, user: User, arguments: TaxArguments) -> TaxLink:
    """Return a link to the export of all accounts of the user, archived ones too."""
    currency = chosen_currency(user, arguments.currency, await user_accounts(context, user))
    return _link(context, user.id, None, currency, arguments)


def _link(
    context: RequestContext, user_id: UUID, account_id: UUID | None, currency: str, arguments: TaxArguments
) -> TaxLink:
    validate_time_range(arguments.start, arguments.end)
    request = TaxRequest(user_id, account_id, currency, arguments.start, arguments.end, arguments.deposit_cost)
    token, expires_at = context.services.tax_links.link(request)
    return TaxLink(currency, f"{TAX_PATH}{token}", expires_at)
