"""A node that delivers to notification channels, with a real receiver on loopback for each kind."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from domain.model.events import NewEvent, UserEventKind
from domain.model.notifications import ChannelKind, NotificationChannel
from domain.model.users import ALL_SCOPES, Identity, User
from domain.notifications.channel_requests import ChannelRequest
from domain.notifications.channels import ChannelService
from domain.notifications.deliverer import ChannelCounts, ChannelDeliverer, DelivererOptions
from domain.notifications.messages import ReportUrl, no_url
from domain.ports.notifications import ChannelSender
from domain.ports.unit_of_work import Database
from infra.clock import TimeOrderedIds
from infra.outgoing.addresses import AddressGuard
from infra.outgoing.email import EmailSender
from infra.outgoing.http import OutgoingHttp
from infra.outgoing.telegram import TelegramSender
from infra.outgoing.webhook import WebhookSender
from infra.security import AesVault, RandomTokens
from infra.smtp import SmtpTransport
from resolvers.ids import encode_id
from tests.support.clocks import ManualClock
from tests.support.mail_server import LoopbackMailServer
from tests.support.receiver import LOOPBACK, Receiver, open_receiver
from tests.support.users import CREDENTIAL, store_credential, stored_user

BOT_TOKEN = "123456789:AAE-abcdefghijklmnopqrstuvwxyz012345"
IDS = TimeOrderedIds()


@dataclass
class Notifying:
    """A user's channels, a receiver of webhooks and bot messages, and a mail server; the clock is the test's."""

    database: Database
    user: User
    receiver: Receiver
    mails: LoopbackMailServer
    http: OutgoingHttp
    clock: ManualClock = field(default_factory=lambda: ManualClock(_noon()))
    vault: AesVault = field(default_factory=lambda: AesVault(bytes(32)))
    counts: ChannelCounts = field(default_factory=ChannelCounts)
    options: DelivererOptions = field(default_factory=lambda: DelivererOptions(send_seconds=600))

    @property
    def identity(self) -> Identity:
        """The user, signed in."""
        return Identity(self.user, CREDENTIAL, ALL_SCOPES, None, is_login_session=True)

    @property
    def senders(self) -> Mapping[ChannelKind, ChannelSender]:
        """What sends messages."""
        return {
            ChannelKind.WEBHOOK: WebhookSender(self.http, self.clock),
            ChannelKind.TELEGRAM: TelegramSender(self.http, self.receiver.base_url),
            ChannelKind.EMAIL: EmailSender(SmtpTransport(self.mails.settings)),
        }

    @property
    def service(self) -> ChannelService:
        """What manages channels."""
        return ChannelService(self.database, self.senders, self.http.guard, self.vault, RandomTokens(), self.clock, IDS)

    def deliverer(self, holder: str = "node:1", report_url: ReportUrl = no_url) -> ChannelDeliverer:
        """Return what delivers on a node."""
        shared = (self.senders, self.vault, self.clock, IDS, holder, encode_id, self.counts, self.options)
        return ChannelDeliverer(self.database, *shared, report_url=report_url)

    async def webhook(self, **changes: Any) -> tuple[NotificationChannel, str]:
        """Create a webhook that takes alerts, and return it with its secret."""
        request = ChannelRequest(ChannelKind.WEBHOOK, "hook", [UserEventKind.ALERT], url=self.receiver.url)
        channel, secret = await self.service.create(self.identity, replace(request, **changes))
        assert secret is not None
        return channel, secret

    async def telegram(self, **changes: Any) -> NotificationChannel:
        """Create a channel to a Telegram chat."""
        request = ChannelRequest(
            ChannelKind.TELEGRAM, "chat", [UserEventKind.ALERT], chat="42", bot_token=BOT_TOKEN, **changes
        )
        return (await self.service.create(self.identity, request))[0]

    async def email(self, **changes: Any) -> NotificationChannel:
        """Create a channel to the user's mailbox."""
        request = ChannelRequest(ChannelKind.EMAIL, "mail", [UserEventKind.ALERT], **changes)
        return (await self.service.create(self.identity, request))[0]

    async def alert(self, *messages: str) -> None:
        """Append alerts to the user's log."""
        events = [NewEvent(self.user.id, self.clock.now(), UserEventKind.ALERT, None, text) for text in messages]
        async with self.database.transaction() as transaction:
            transaction.events.append(events)

    async def stored(self, channel: NotificationChannel) -> NotificationChannel:
        """Return the channel as it is stored now."""
        async with self.database.read_only() as reading:
            found = await reading.channels.get(self.user.id, channel.id)
        assert found is not None
        return found


def _noon() -> datetime:
    # Today's: the event log has partitions for the months around it.
    return datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


@asynccontextmanager
async def open_notifying(database: Database, mails: LoopbackMailServer) -> AsyncIterator[Notifying]:
    """Provide a signed-in user with a verified email, and a receiver."""
    user = await stored_user(database)
    async with database.transaction() as transaction:
        await transaction.users.set_email(user.id, user.email, datetime.now(UTC))
    clock = ManualClock(_noon())
    await store_credential(database, user, clock.now())
    async with open_receiver() as receiver:
        http = OutgoingHttp(AddressGuard([LOOPBACK]), total_seconds=600)
        try:
            yield Notifying(database, user, receiver, mails, http, clock)
        finally:
            await http.close()
