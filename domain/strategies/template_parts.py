"""What the templates are put together from: parameters, named parts, exits and sizes."""

from decimal import Decimal

from domain.model.definitions import ExitDistance, NamedPart, Sizing, StrategyParameter

RISK_ONE_PERCENT = Sizing(risk_percent=Decimal(1))
TENTH_OF_EQUITY = Sizing(equity_percent=Decimal(10))


def whole(name: str, default: int, least: int, most: int) -> StrategyParameter:
    """Return a parameter of whole numbers, such as a period."""
    return StrategyParameter(name, Decimal(default), Decimal(least), Decimal(most), Decimal(1))


def number(name: str, default: str, least: str, most: str, step: str) -> StrategyParameter:
    """Return a parameter of any numbers."""
    return StrategyParameter(name, Decimal(default), Decimal(least), Decimal(most), Decimal(step))


def parts(**expressions: str) -> tuple[NamedPart, ...]:
    """Return named parts, in order."""
    return tuple(NamedPart(name, expression) for name, expression in expressions.items())


def ranges(multiple: str) -> ExitDistance:
    """Return a distance in average true ranges."""
    return ExitDistance(atr_multiple=Decimal(multiple))


def percent(value: str) -> ExitDistance:
    """Return a distance in percent of the entry price."""
    return ExitDistance(percent=Decimal(value))
