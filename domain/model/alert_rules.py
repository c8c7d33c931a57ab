"""Alert rules: what users want to be alerted of. An alert itself is an event of the kind ALERT."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from domain.core.money import EXACT
from domain.model.alerts import AlertCondition
from domain.model.events import UserEventKind
from domain.model.markets import MarketSymbol, Timeframe

HUNDRED = Decimal(100)
LEAST_PAUSE = 10
"""The least seconds between two alerts of a rule that repeats: a price can cross its level with each trade."""

LEAST_EVENT_PAUSE = 1
"""The same of a rule on events."""


class AlertDirection(StrEnum):
    """To which side a number crosses its level."""

    ABOVE = "ABOVE"
    BELOW = "BELOW"


class AlertRepeat(StrEnum):
    """How often a rule alerts."""

    ONCE = "ONCE"
    EACH_TIME = "EACH_TIME"


class AlertRuleStatus(StrEnum):
    """Whether a rule is looked at; one that alerts once is FIRED after that."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"
    FIRED = "FIRED"


@dataclass(frozen=True, slots=True)
class AlertRule:
    """What a user wants to be alerted of, and how it stands.

    `level` is a price in quote per base, an equity in the account's currency, or a drawdown in percent; with
    `hysteresis_percent` of it the number must first go back before it can cross again. `rule` is a condition of the
    rule language over candles of `timeframe`. A feed must not be live for `after_seconds`. `sequence` is the event up
    to which the user's log was looked at. Without `channel_ids` all channels that take alerts get them.

    `is_armed` is whether it may fire now: None until it was first looked at. `revision` grows with each change by the
    user.
    """

    id: UUID
    user_id: UUID
    name: str
    condition: AlertCondition
    repeat: AlertRepeat
    cooldown_seconds: int
    status: AlertRuleStatus
    created_at: datetime
    revision: int = 1
    market: MarketSymbol | None = None
    timeframe: Timeframe | None = None
    rule: str | None = None
    direction: AlertDirection | None = None
    level: Decimal | None = None
    hysteresis_percent: Decimal | None = None
    account_id: UUID | None = None
    trading_session_id: UUID | None = None
    event_kinds: tuple[UserEventKind, ...] = ()
    after_seconds: int | None = None
    channel_ids: tuple[UUID, ...] = ()
    sequence: int = 0
    is_armed: bool | None = None
    fired_count: int = 0
    last_fired_at: datetime | None = None

    @property
    def pause(self) -> timedelta:
        """The least time between two alerts: the cooldown, or what every rule that repeats leaves at least."""
        least = 0
        if self.repeat is AlertRepeat.EACH_TIME:
            least = LEAST_EVENT_PAUSE if self.condition.reads_events else LEAST_PAUSE
        return timedelta(seconds=max(self.cooldown_seconds, least))

    @property
    def rearm_level(self) -> Decimal:
        """The level that must be left behind before the rule can fire again."""
        assert self.level is not None
        share = EXACT.divide(self.hysteresis_percent or Decimal(0), HUNDRED)
        margin = EXACT.multiply(abs(self.level), share)
        if self.direction is AlertDirection.ABOVE:
            return EXACT.subtract(self.level, margin)
        return EXACT.add(self.level, margin)
