"""What alert rules look at, and the alerts that they make."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from domain.model.markets import MarketSymbol


class AlertCondition(StrEnum):
    """What an alert rule looks at."""

    PRICE = "PRICE"
    INDICATOR = "INDICATOR"
    EQUITY = "EQUITY"
    DRAWDOWN = "DRAWDOWN"
    FEED = "FEED"
    TRADING_SESSION_FAILED = "TRADING_SESSION_FAILED"
    ORDER_IN_DOUBT = "ORDER_IN_DOUBT"
    EVENT = "EVENT"

    @property
    def has_level(self) -> bool:
        """Whether it compares a number with a level."""
        return self in {AlertCondition.PRICE, AlertCondition.EQUITY, AlertCondition.DRAWDOWN}

    @property
    def reads_events(self) -> bool:
        """Whether it looks at the user's event log."""
        return self in {AlertCondition.TRADING_SESSION_FAILED, AlertCondition.ORDER_IN_DOUBT, AlertCondition.EVENT}


@dataclass(frozen=True, slots=True)
class FiredAlert:
    """That an alert rule, whose id it has, has fired; without `channel_ids` all channels that take alerts get it."""

    id: UUID
    user_id: UUID
    name: str
    condition: AlertCondition
    market: MarketSymbol | None = None
    value: str | None = None
    channel_ids: tuple[UUID, ...] = ()
