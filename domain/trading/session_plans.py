"""The plans of trading sessions: a strategy version is read and compiled once for all that run it alike on a node."""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from typing import TypeVar
from uuid import UUID

from domain.model.definitions import StrategyDefinition
from domain.model.trading import TradingSession
from domain.ports.unit_of_work import Database
from domain.rules.session_plan import TradingSessionPlan, session_plan

MOST_KEPT = 1_000

K = TypeVar("K")
V = TypeVar("V")


class TradingSessionPlans:
    """Remembers the newest plans and strategy versions, neither of which ever changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._definitions: OrderedDict[UUID, StrategyDefinition] = OrderedDict()
        self._plans: OrderedDict[Hashable, TradingSessionPlan] = OrderedDict()
        self._reading = asyncio.Lock()

    def __repr__(self) -> str:
        return f"TradingSessionPlans({len(self._plans)})"

    async def plan(self, session: TradingSession, currency: str) -> TradingSessionPlan:
        """Return the trading session ready to run; raises `InputErrors` and `Unavailable`."""
        key = (session.strategy_version_id, session.parameters, session.sizing, session.timeframe)
        alike = self._plans.get(key)
        if alike is None:
            # A thousand of them that start together must not all read and compile the same.
            async with self._reading:
                alike = self._plans.get(key)
                if alike is None:
                    alike = session_plan(session, await self._definition(session), currency)
                    _keep(self._plans, key, alike)
        return TradingSessionPlan(session, alike.definition, alike.compiled, currency)

    async def _definition(self, session: TradingSession) -> StrategyDefinition:
        known = self._definitions.get(session.strategy_version_id)
        if known is None:
            async with self._database.read_only() as reading:
                version = await reading.strategies.get_version(session.user_id, session.strategy_version_id)
            assert version is not None
            known = version.definition
            _keep(self._definitions, session.strategy_version_id, known)
        return known


def _keep(kept: "OrderedDict[K, V]", key: K, value: V) -> None:
    kept[key] = value
    if len(kept) > MOST_KEPT:
        kept.popitem(last=False)
