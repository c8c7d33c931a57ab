"""The plan of a running trading session: what doesn't change while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from domain.model.definitions import Sizing, StrategyDefinition
from domain.model.trading import TradingSession
from domain.strategies.compiled import CompiledStrategy, compile_definition


@dataclass(frozen=True, slots=True)
class TradingSessionPlan:
    """A trading session with everything that doesn't change while it runs.

    The definition has the session's own sizing if there is one; `currency` is the account's. The market isn't part of
    it: a venue may change its increments and limits at any time.
    """

    session: TradingSession
    definition: StrategyDefinition
    compiled: CompiledStrategy
    currency: str

    @property
    def sizing(self) -> Sizing:
        """How entries are sized."""
        return self.definition.sizing

    @property
    def candles_needed(self) -> int:
        """How many closed candles a decision needs."""
        return self.compiled.warm_up + 1


def session_plan(session: TradingSession, definition: StrategyDefinition, currency: str) -> TradingSessionPlan:
    """Return the plan of a trading session of a strategy version; raises `InputErrors` if the rules can't be parsed."""
    effective = replace(definition, sizing=session.sizing) if session.sizing else definition
    values: Mapping[str, Decimal] = {parameter.name: parameter.value for parameter in session.parameters}
    return TradingSessionPlan(session, effective, compile_definition(effective, values, session.timeframe), currency)
