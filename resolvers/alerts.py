"""Alert rules."""

from uuid import UUID

from domain.alerts.service import AlertChanges, AlertRequest
from domain.core.pagination import CursorScope, Page
from domain.model.alert_rules import AlertRule
from domain.model.alerts import FiredAlert
from domain.model.markets import MarketSymbol
from domain.model.notifications import NotificationChannel
from domain.model.users import ApiScope, User
from domain.ports.lists import NoFilter
from resolvers import markets
from resolvers.context import RequestContext
from resolvers.ids import encode_id
from resolvers.lists import TimeOrder, list_page, owned_by
from resolvers.pagination import PageArguments


async def rules(
    context: RequestContext, user: User, page: PageArguments, order: TimeOrder = TimeOrder.NEWEST_FIRST
) -> Page[AlertRule]:
    """Return a page of the user's alert rules."""
    scope = CursorScope("alert-rules", str(user.id))
    return await list_page(context.lists.alert_rules, scope, owned_by(user, NoFilter()), page, order)


def market(context: RequestContext, symbol: MarketSymbol | None) -> object | None:
    """Return the market of a rule."""
    return None if symbol is None else markets.market(context, symbol)


async def account(context: RequestContext, rule: AlertRule) -> object | None:
    """Return the account of a rule."""
    return None if rule.account_id is None else await context.loaders.accounts.load(rule.account_id)


async def trading_session(context: RequestContext, rule: AlertRule) -> object | None:
    """Return the trading session of a rule."""
    if rule.trading_session_id is None:
        return None
    return await context.loaders.trading_sessions.load(rule.trading_session_id)


async def channels(context: RequestContext, rule: AlertRule) -> list[NotificationChannel]:
    """Return the channels that a rule names."""
    if not rule.channel_ids:
        return []
    async with context.reads.read_only() as reading:
        known = await reading.channels.list_of_user(rule.user_id)
    return [channel for channel in known if channel.id in rule.channel_ids]


def rule_id(alert: FiredAlert) -> str:
    """Return the global id of the rule of an alert."""
    return encode_id("AlertRule", alert.id)


async def rule_of(context: RequestContext, alert: FiredAlert) -> object | None:
    """Return the rule of an alert, as it is now."""
    return await context.node_loaders["AlertRule"](str(alert.id))


async def create(context: RequestContext, request: AlertRequest, idempotency_key: str | None) -> AlertRule:
    """Return a new alert rule of the user."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.alerts.create(user.id, request, idempotency_key)


async def update(context: RequestContext, rule_id: UUID, changes: AlertChanges) -> AlertRule:
    """Change an alert rule of the user."""
    return await context.services.alerts.update(context.require_user(ApiScope.TRADE).id, rule_id, changes)


async def delete(context: RequestContext, rule_id: UUID) -> AlertRule:
    """Delete an alert rule of the user."""
    return await context.services.alerts.delete(context.require_user(ApiScope.TRADE).id, rule_id)
