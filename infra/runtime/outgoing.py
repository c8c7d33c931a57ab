"""What this node sends messages with, by the settings."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from domain.core.clock import Clock
from domain.model.notifications import ChannelKind
from domain.ports.notifications import ChannelSender
from infra.outgoing.addresses import AddressGuard
from infra.outgoing.email import EmailSender
from infra.outgoing.http import OutgoingHttp
from infra.outgoing.telegram import TelegramSender
from infra.outgoing.webhook import WebhookSender
from infra.settings import Settings
from infra.smtp import SmtpTransport


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A sender for each kind of channel that this node can send to, and what guards their addresses."""

    senders: Mapping[ChannelKind, ChannelSender] = field(default_factory=dict)
    guard: AddressGuard = field(default_factory=AddressGuard)


@asynccontextmanager
async def open_outgoing(settings: Settings, clock: Clock) -> AsyncGenerator[Outgoing]:
    """Provide the senders while the block runs; mail is sent only if there is a mail server."""
    guard = AddressGuard(settings.webhook_networks)
    http = OutgoingHttp(guard)
    senders: dict[ChannelKind, ChannelSender] = {
        ChannelKind.WEBHOOK: WebhookSender(http, clock),
        ChannelKind.TELEGRAM: TelegramSender(http, settings.telegram_url),
    }
    if (server := settings.smtp_server) is not None:
        senders[ChannelKind.EMAIL] = EmailSender(SmtpTransport(server))
    try:
        yield Outgoing(senders, guard)
    finally:
        await http.close()
