"""Strategies, their versions, and the validation of definitions."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from domain.core.changes import Unchanged
from domain.core.pagination import CursorScope, Page
from domain.model.definitions import StrategyDefinition
from domain.model.strategies import Strategy, StrategyVersion
from domain.model.strategy_templates import StrategyPlugin, StrategyTemplate
from domain.model.users import ApiScope, User, UserRole
from domain.ports.lists import NoFilter, StrategyFilter
from domain.strategies.errors import ValidationResult
from domain.strategies.validation import unsupported_errors
from domain.strategies.validation import validate as validate_definition
from domain.trading.strategies import StrategyRequest
from resolvers.context import RequestContext
from resolvers.lists import TimeOrder, list_page, owned_by
from resolvers.pagination import PageArguments


async def user_strategies(
    context: RequestContext,
    user: User,
    page: PageArguments,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
    *,
    archived: bool,
) -> Page[Strategy]:
    """Return the user's strategies: archived ones alone, or none of them."""
    scope = CursorScope(f"strategies:{archived}", str(user.id))
    owned = owned_by(user, StrategyFilter(archived))
    return await list_page(context.lists.strategies, scope, owned, page, order)


async def versions(
    context: RequestContext, strategy: Strategy, page: PageArguments, order: TimeOrder = TimeOrder.NEWEST_FIRST
) -> Page[StrategyVersion]:
    """Return the versions of a strategy."""
    scope = CursorScope(f"versions:{strategy.id}", str(strategy.user_id))
    return await list_page(context.lists.strategy_versions, scope, owned_by(strategy, NoFilter()), page, order)


async def latest_version(context: RequestContext, strategy: Strategy) -> StrategyVersion | None:
    """Return the newest version."""
    return await context.loaders.latest_versions.load(strategy.id)


async def strategy(context: RequestContext, version: StrategyVersion) -> Strategy | None:
    """Return the strategy of a version."""
    return await context.loaders.strategies.load(version.strategy_id)


def templates(context: RequestContext) -> Sequence[StrategyTemplate]:
    """Return the catalogue of templates."""
    return context.services.templates.templates


def plugins(context: RequestContext) -> Sequence[StrategyPlugin]:
    """Return the plug-ins that this node has found."""
    return context.services.templates.plugins


def plugin_errors(context: RequestContext, plugin: StrategyPlugin) -> Sequence[str] | None:
    """Return the errors of a plug-in; None for anybody but an operator, whose packages and paths they may name."""
    is_operator = context.identity is not None and context.identity.user.role is UserRole.OPERATOR
    return plugin.errors if is_operator else None


def validate(definition: StrategyDefinition) -> ValidationResult:
    """Return whether a trading session can run the definition, with all errors and all that isn't supported yet."""
    result = validate_definition(definition)
    errors = (*result.errors, *unsupported_errors(definition))
    return replace(result, valid=not errors, errors=errors)


async def create(context: RequestContext, request: StrategyRequest, idempotency_key: str | None) -> Strategy:
    """Store a strategy."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.strategies.create(user.id, request, idempotency_key)


async def update(
    context: RequestContext,
    strategy_id: UUID,
    name: str | Unchanged | None,
    description: str | Unchanged | None,
    definition: StrategyDefinition | Unchanged | None,
    expected_version: int | None,
) -> tuple[Strategy, StrategyVersion | None]:
    """Change a strategy; the version is the one that the change has made, None if it made none."""
    user = context.require_user(ApiScope.TRADE)
    strategy = await context.services.strategies.update(
        user.id, strategy_id, name, description, definition, expected_version
    )
    if not isinstance(definition, StrategyDefinition):
        return strategy, None
    async with context.reads.read_only() as reading:
        # By its number: another change may have made a newer one by now.
        version = await reading.strategies.get_version_by_number(user.id, strategy.id, strategy.current_version)
    return strategy, version


async def archive(context: RequestContext, strategy_id: UUID) -> Strategy:
    """Archive a strategy."""
    return await context.services.strategies.archive(context.require_user(ApiScope.TRADE).id, strategy_id)
