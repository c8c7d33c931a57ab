"""Validates the limits that users set for accounts, trading sessions and backtests."""

from dataclasses import fields
from decimal import Decimal

from domain.core.errors import ErrorCode, InputError
from domain.model.trading import RiskLimits

_HUNDRED_PERCENT = Decimal(100)
_LAST_HOUR = 23


def validate_limits(limits: RiskLimits, path: tuple[str, ...]) -> list[InputError]:
    """Return the errors of risk limits: each must be more than 0, percents at most 100, the hour 0 to 23."""
    errors = []
    for field in fields(limits):
        value: Decimal | int | None = getattr(limits, field.name)
        requirement = _broken_requirement(field.name, value) if value is not None else None
        if requirement is not None:
            name = limit_name(field.name)
            errors.append(InputError(ErrorCode.INVALID, f"{name} is {value} and must be {requirement}.", (*path, name)))
    return errors


def _broken_requirement(name: str, value: Decimal | int) -> str | None:
    if name == "daily_reset_hour":
        return None if 0 <= value <= _LAST_HOUR else "an hour from 0 to 23"
    if name.endswith("_percent"):
        return None if 0 < value <= _HUNDRED_PERCENT else "more than 0 and at most 100"
    return None if value > 0 else "more than 0"


def limit_name(name: str) -> str:
    """Return the name that users write for a field of the limits, such as `maxDailyLoss`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
