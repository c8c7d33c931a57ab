"""Notification channels and their deliveries."""

from uuid import UUID

from domain.core.pagination import CursorScope, Page
from domain.model.notifications import ChannelDelivery, NotificationChannel
from domain.model.users import ApiScope, User
from domain.notifications.channel_requests import ChannelRequest
from domain.notifications.channels import ChannelChanges
from domain.ports.lists import NoFilter
from resolvers.context import RequestContext
from resolvers.lists import cursor_owner, list_page, owned_by
from resolvers.pagination import PageArguments


async def channels(context: RequestContext, user: User) -> list[NotificationChannel]:
    """Return the user's channels, oldest first."""
    async with context.reads.read_only() as reading:
        return await reading.channels.list_of_user(user.id)


async def deliveries(
    context: RequestContext, channel: NotificationChannel, page: PageArguments
) -> Page[ChannelDelivery]:
    """Return a page of the channel's log of deliveries."""
    scope = CursorScope(f"deliveries:{channel.id}", cursor_owner(channel))
    return await list_page(context.lists.channel_deliveries, scope, owned_by(channel, NoFilter()), page)


async def create(context: RequestContext, request: ChannelRequest) -> tuple[NotificationChannel, str | None]:
    """Return a new channel, and the secret of a webhook."""
    return await context.services.channels.create(context.require(ApiScope.ADMIN), request)


async def update(context: RequestContext, channel_id: UUID, changes: ChannelChanges) -> NotificationChannel:
    """Change a channel of the user."""
    return await context.services.channels.update(context.require(ApiScope.ADMIN), channel_id, changes)


async def delete(context: RequestContext, channel_id: UUID) -> NotificationChannel:
    """Delete a channel of the user."""
    return await context.services.channels.delete(context.require_user(ApiScope.ADMIN).id, channel_id)


async def rotate(context: RequestContext, channel_id: UUID) -> tuple[NotificationChannel, str]:
    """Return a webhook and its new secret."""
    return await context.services.channels.rotate(context.require(ApiScope.ADMIN), channel_id)


async def test(context: RequestContext, channel_id: UUID) -> ChannelDelivery:
    """Send a test message to a channel of the user."""
    return await context.services.channels.test(context.require_user(ApiScope.ADMIN), channel_id)
