"""Which strategies can be recommended to a user: the user's own, and the templates."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from domain.core.pagination import KeysetPage
from domain.model.definitions import StrategyDefinition
from domain.model.markets import Timeframe
from domain.model.recommendations import ANALYSIS_VERSION, WalkForwardAnalysis
from domain.model.strategies import Strategy
from domain.model.strategy_templates import StrategyTemplate, TemplateCatalogue
from domain.ports.unit_of_work import UnitOfWork

MOST_OWN: Final = 50
"""How many of a user's strategies are looked at: the newest, in their newest versions."""

_SHORTEST_AGE, _LONGEST_AGE = timedelta(hours=1), timedelta(days=7)
_CANDLES_UNTIL_OLD = 24


@dataclass(frozen=True, slots=True)
class RecommendationCandidate:
    """A strategy of the user or a template; exactly one is set. `hash` is that of the definition."""

    definition: StrategyDefinition
    hash: bytes
    strategy: Strategy | None = None
    template: StrategyTemplate | None = None


async def candidates_of(
    reading: UnitOfWork, user_id: UUID, templates: TemplateCatalogue
) -> Sequence[RecommendationCandidate]:
    """Return the user's strategies that trade by rules, then the templates, each definition once."""
    own = await reading.strategies.list_page(user_id, KeysetPage(limit=MOST_OWN))
    versions = await reading.strategies.get_latest_versions([strategy.id for strategy in own])
    definitions = {version.strategy_id: version.definition for version in versions}
    found: dict[bytes, RecommendationCandidate] = {}
    for strategy in own:
        definition = definitions.get(strategy.id)
        if definition is not None and definition.enter_long is not None:
            key = definition_hash(definition)
            found.setdefault(key, RecommendationCandidate(definition, key, strategy=strategy))
    for template in templates.templates:
        key = definition_hash(template.definition)
        found.setdefault(key, RecommendationCandidate(template.definition, key, template=template))
    return list(found.values())


def definition_hash(definition: StrategyDefinition) -> bytes:
    """Return what an analysis of the definition is found by."""
    return hashlib.sha256(msgspec.json.encode((ANALYSIS_VERSION, definition))).digest()


def is_old(analysis: WalkForwardAnalysis, now: datetime) -> bool:
    """Return whether an analysis should be computed again: by then there are 24 newer candles, or nearly so."""
    return now - analysis.computed_at >= age_limit(analysis.timeframe)


def age_limit(timeframe: Timeframe) -> timedelta:
    """Return how long an analysis counts as new: 24 candles, but an hour at least and a week at most."""
    return min(max(_CANDLES_UNTIL_OLD * timeframe.duration, _SHORTEST_AGE), _LONGEST_AGE)
