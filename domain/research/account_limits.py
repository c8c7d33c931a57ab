"""The risk limits of a backtest that are to be those of an account."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from domain.core.errors import ErrorCode, InputError
from domain.model.backtests import RunSettings
from domain.model.markets import Market
from domain.model.trading import NO_LIMITS
from domain.ports.unit_of_work import UnitOfWork

_PATH: Final = ("input", "riskLimitsOf")


async def with_limits_of(
    account_id: UUID | None, settings: RunSettings, markets: Sequence[Market], reading: UnitOfWork, user_id: UUID
) -> RunSettings | InputError:
    """Return the settings with the limits that an account has now, or why it can't have them; as given for None."""
    if account_id is None:
        return settings
    if settings.risk_limits != NO_LIMITS:
        return InputError(ErrorCode.INVALID, "Give either riskLimits or riskLimitsOf.", _PATH)
    account = await reading.accounts.get(user_id, account_id)
    if account is None:
        return InputError(ErrorCode.NOT_FOUND, "There is no account like that.", _PATH)
    quotes = {market.quote for market in markets}
    if quotes - {account.currency}:
        message = (
            f"The limits of {account.name} are in {account.currency}, and a backtest counts in the quote currency, "
            f"{', '.join(sorted(quotes))}. Give riskLimits."
        )
        return InputError(ErrorCode.INVALID, message, _PATH)
    return replace(settings, risk_limits=account.risk)
