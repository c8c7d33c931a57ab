"""How the engine is doing, over all users, for operators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.model.monitoring import TradingSituation
from domain.model.node_reports import NodeState
from domain.model.trading import TradingSessionStatusCode


@dataclass(frozen=True, slots=True)
class FailedTradingSession:
    """A trading session that failed, by its id, its user, and the code of the reason."""

    id: UUID
    user_id: UUID
    at: datetime
    code: TradingSessionStatusCode | None


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """Numbers over all users; what failed and was given up is of the last 24 hours.

    Accounts that are archived aren't counted. `unattended_accounts` are those that no node looks after at this moment.
    """

    users: int
    operators: int
    disabled_users: int
    unreconciled_accounts: int
    unattended_accounts: int
    alerting_accounts: int
    failed_trading_sessions: int
    queued_jobs: int
    running_jobs: int
    failed_jobs: int
    oldest_job_seconds: float
    retried_mails: int
    given_up_mails: int
    mail_error: str | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The engine at one moment. `failed` are the newest trading sessions that failed in the last 24 hours."""

    at: datetime
    figures: EngineFigures
    situation: TradingSituation
    nodes: Sequence[NodeState]
    failed: Sequence[FailedTradingSession]

    @property
    def accounts_by_kind(self) -> Mapping[str, int]:
        """How many accounts there are of each kind."""
        found: dict[str, int] = {}
        for (_, kind), count in self.situation.accounts.items():
            found[kind] = found.get(kind, 0) + count
        return found
