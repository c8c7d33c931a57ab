"""Delivers events to channels: each at least once, in the order of the log, whatever the receivers do.

A channel has a place in its user's log, and one node at a time delivers what follows. A receiver that is slow or away
holds up its own channel alone. A node that dies is followed by another, which starts after the last stored delivery.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.core.background import BackgroundTasks
from domain.core.backoff import Backoff
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import Unavailable
from domain.model.alerts import FiredAlert
from domain.model.events import NewEvent, UserEvent, UserEventKind
from domain.model.notifications import (
    HUMAN_KINDS,
    ChannelDelivery,
    ChannelKind,
    ChannelStatus,
    DeliveryStatus,
    NotificationChannel,
)
from domain.model.report_schedules import ScheduledReport
from domain.model.users import User
from domain.notifications.messages import EncodeId, ReportUrl, message_id, message_of, no_url
from domain.notifications.quiet_hours import quiet_end
from domain.notifications.recipients import recipient_of, unsealed
from domain.ports.event_log import EventHistory
from domain.ports.notifications import ChannelSender, NotDelivered
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.ports.users import SecretVault

log = logging.getLogger(__name__)

PAGE: Final = 200
SUMMARY_PAGES: Final = 50
"""How many pages of events one summary covers."""

FAULT: Final = "A fault of the engine, which its log describes."

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class DelivererOptions:
    """How events are delivered.

    `at_once` channels are served at a time, each for `turn_seconds` before others have their turn; an attempt takes at
    most `send_seconds`. What isn't taken is tried again after `retry_seconds`, then after twice as long, up to
    `retry_cap_seconds`; a channel that has failed for `give_up_after` is given up. A claim lasts `claim_seconds` after
    each attempt.
    """

    at_once: int = 500
    poll_seconds: float = 0.5
    send_seconds: float = 10.0
    claim_seconds: float = 30.0
    turn_seconds: float = 20.0
    retry_seconds: float = 5.0
    retry_cap_seconds: float = 3_600.0
    give_up_after: timedelta = timedelta(days=3)


@dataclass(slots=True)
class ChannelCounts:
    """How the attempts of this node ended since it started, by the kind of the channel and the outcome."""

    by_outcome: dict[tuple[ChannelKind, str], int] = field(default_factory=dict)

    def count(self, kind: ChannelKind, outcome: str) -> None:
        """Count an attempt."""
        self.by_outcome[kind, outcome] = self.by_outcome.get((kind, outcome), 0) + 1


class ChannelDeliverer:
    """Delivers what is due until it is cancelled. Every worker may: each channel is claimed by one."""

    def __init__(
        self,
        database: Database,
        senders: Mapping[ChannelKind, ChannelSender],
        vault: SecretVault,
        clock: Clock,
        ids: IdGenerator,
        holder: str,
        encode_id: EncodeId,
        counts: ChannelCounts,
        options: DelivererOptions | None = None,
        report_url: ReportUrl = no_url,
    ) -> None:
        self._database = database
        self._senders = senders
        self._vault = vault
        self._clock = clock
        self._ids = ids
        self._holder = holder
        self._encode_id = encode_id
        self._counts = counts
        self._options = options or DelivererOptions()
        self._report_url = report_url
        self._serving: dict[UUID, asyncio.Task[None]] = {}
        self._tasks = BackgroundTasks()

    async def run(self) -> None:
        """Deliver as events come; while the database can't be reached, wait for it."""
        async with self._tasks:
            while True:
                try:
                    await self.start_due()
                except Unavailable as error:
                    log.warning("notifications wait for the database: %s", error.message)
                except Exception:
                    log.exception("notifications could not be sent; they are tried again")
                await asyncio.sleep(self._options.poll_seconds)

    async def deliver_due(self) -> int:
        """Serve each channel that is due for one turn; return how many there were."""
        started = await self.start_due()
        await asyncio.gather(*self._serving.values())
        return started

    async def start_due(self) -> int:
        """Claim channels that are due, and start to serve them; return how many."""
        free = self._options.at_once - len(self._serving)
        if free <= 0:
            return 0
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            channels = await transaction.channels.claim_due(
                self._holder, now, self._claim_end(now), free, list(self._serving)
            )
        for channel in channels:
            task = self._tasks.start(self._serve(channel), name=f"channel:{channel.id}")
            self._serving[channel.id] = task
            task.add_done_callback(lambda _task, channel_id=channel.id: self._serving.pop(channel_id, None))  # type: ignore[misc]  # mypy infers no lambda with a default
        return len(channels)

    async def _serve(self, channel: NotificationChannel) -> None:
        """Deliver what the channel is behind, until its turn is over or it has to wait."""
        turn_ends = self._clock.monotonic() + self._options.turn_seconds
        try:
            try:
                after = await self._deliver_page(channel, turn_ends)
                while after is not None and self._clock.monotonic() < turn_ends:
                    after = await self._deliver_page(after, turn_ends)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001  # whatever it is, the channel's user sees it, and it isn't tried for ever
                await self._store_fault(channel, error)
            async with self._database.transaction() as transaction:
                await transaction.channels.release(channel.id, self._holder)
        except Unavailable as error:
            log.warning("the channel %s waits for the database: %s", channel.id, error.message)
        except Exception:
            log.exception("the channel %s could not be served; it is tried again when its claim ends", channel.id)

    async def _deliver_page(self, channel: NotificationChannel, turn_ends: float) -> NotificationChannel | None:
        """Deliver some events; return the channel after them, None if there is nothing more to do now."""
        async with self._database.read_only() as reading:
            user = await reading.users.get(channel.user_id)
        events = await _read_after(self._database.event_history(), channel)
        if user is None or not events:
            return None
        selected = [event for event in events if is_selected(channel, event)]
        end = await self._pause(channel, user) if selected else None
        if end is not None:
            await self._save(replace(channel, due_at=end, is_held_back=True))
            return None
        if channel.is_held_back and len(selected) > 1:
            return await self._attempt(channel, user, selected, events[-1])
        for event in selected:
            after = await self._attempt(channel, user, [event], event)
            if after is None or self._clock.monotonic() >= turn_ends:
                return after
            channel = after
            if channel.kind in HUMAN_KINDS and await self._pause(channel, user) is not None:
                return channel
        passed = replace(channel, sequence=events[-1].sequence, sequence_at=events[-1].at)
        return passed if passed == channel or await self._save(passed) else None

    async def _pause(self, channel: NotificationChannel, user: User) -> datetime | None:
        """Return until when the channel is held back by quiet hours or its cap; None if it isn't."""
        if channel.kind not in HUMAN_KINDS:
            return None
        now = self._clock.now()
        end = quiet_end(channel.quiet_hours, user.time_zone, now)
        if end is not None or channel.max_per_hour is None:
            return end
        async with self._database.read_only() as reading:
            count, first = await reading.channels.count_delivered(channel.id, now - _HOUR)
        return first + _HOUR if first is not None and count >= channel.max_per_hour else None

    async def _attempt(
        self, channel: NotificationChannel, user: User, events: Sequence[UserEvent], last: UserEvent
    ) -> NotificationChannel | None:
        """Send the message of these events once and store how that ended.

        Returns the channel after `last`, None if it has to wait.
        """
        delivery = ChannelDelivery(
            self._ids.next_id(),
            channel.id,
            channel.user_id,
            message_id(channel, events),
            self._clock.now(),
            DeliveryStatus.DELIVERED,
            channel.attempts + 1,
            events[0].sequence,
            events[-1].sequence,
            events[0].kind if len(events) == 1 else None,
        )
        try:
            await self._send(channel, user, events)
        except NotDelivered as error:
            await self._store_failure(channel, delivery, error)
            return None
        now = self._clock.now()
        after = replace(
            channel,
            sequence=last.sequence,
            sequence_at=last.at,
            attempts=0,
            failing_since=None,
            is_held_back=False,
            last_delivered_at=now,
            due_at=now,
        )
        self._counts.count(channel.kind, "delivered")
        return after if await self._save(after, replace(delivery, finished_at=now)) else None

    async def _send(self, channel: NotificationChannel, user: User, events: Sequence[UserEvent]) -> None:
        sender = self._senders.get(channel.kind)
        if sender is None:
            raise NotDelivered("This server doesn't send to such channels any more; ask its operator.")
        try:
            recipient = recipient_of(channel, user)
            secrets = unsealed(channel, self._vault, self._clock.now())
            message = message_of(channel, events, self._encode_id, self._report_url)
            async with asyncio.timeout(self._options.send_seconds):
                await sender.send(channel, recipient, secrets, message)
        except TimeoutError:
            raise NotDelivered(f"The receiver took longer than {self._options.send_seconds:g} s.") from None
        except NotDelivered:
            raise
        except Exception:
            log.exception("a message of the channel %s could not be sent", channel.id)
            raise NotDelivered(FAULT) from None

    async def _store_fault(self, channel: NotificationChannel, error: Exception) -> None:
        """Store that what follows could not be read or written down, after all that was delivered in this turn."""
        log.error("the channel %s could not be served: %r", channel.id, error)
        async with self._database.read_only() as reading:
            reached = await reading.channels.get(channel.user_id, channel.id)
        if reached is not None:
            await self._store_failure(reached, None, NotDelivered(FAULT))

    async def _store_failure(
        self, channel: NotificationChannel, delivery: ChannelDelivery | None, error: NotDelivered
    ) -> None:
        now = self._clock.now()
        since = channel.failing_since or now
        is_over = error.is_final or now - since >= self._options.give_up_after
        delay = self._delay(channel.attempts, error.retry_after)
        after = replace(
            channel,
            attempts=channel.attempts + 1,
            failing_since=since,
            due_at=now + delay,
            last_error=error.reason,
            last_error_at=now,
            status=ChannelStatus.FAILING if is_over else channel.status,
        )
        status = DeliveryStatus.FAILED if is_over else DeliveryStatus.RETRYING
        ended = now if is_over else None
        logged = delivery and replace(delivery, status=status, error=error.reason, finished_at=ended)
        self._counts.count(channel.kind, "given_up" if is_over else "refused")
        await self._save(after, logged, self._failing_event(after, now) if is_over else None)
        level = logging.ERROR if is_over else logging.WARNING
        log.log(level, "channel %s (%s), attempt %d: %s", channel.id, channel.kind, after.attempts, error.reason)

    def _failing_event(self, channel: NotificationChannel, now: datetime) -> NewEvent:
        message = (
            f"The notification channel {channel.name} has failed and delivers nothing more: {channel.last_error} Mend "
            "it and enable it again; it goes on with the first event that it couldn't deliver."
        )
        return NewEvent(channel.user_id, now, UserEventKind.ALERT, None, message)

    async def _save(
        self, channel: NotificationChannel, delivery: ChannelDelivery | None = None, event: NewEvent | None = None
    ) -> bool:
        """Store how far the channel is, unless another has claimed it or its user has changed it meanwhile."""
        async with self._database.transaction() as transaction:
            return await self._write(transaction, channel, delivery, event)

    async def _write(
        self,
        transaction: UnitOfWork,
        channel: NotificationChannel,
        delivery: ChannelDelivery | None,
        event: NewEvent | None,
    ) -> bool:
        end = self._claim_end(self._clock.now())
        if not await transaction.channels.save_progress(channel, self._holder, end):
            log.info("the channel %s was changed or claimed meanwhile", channel.id)
            return False
        if delivery is not None:
            await transaction.channels.log_delivery(delivery)
        if event is not None:
            transaction.events.append([event])
        return True

    def _claim_end(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._options.claim_seconds)

    def _delay(self, attempts: int, at_least: float | None) -> timedelta:
        backoff = Backoff(self._options.retry_seconds, self._options.retry_cap_seconds)
        for _ in range(attempts):
            backoff.next_delay()
        asked = None if at_least is None else min(at_least, self._options.retry_cap_seconds)
        return timedelta(seconds=backoff.next_delay(asked))


async def _read_after(history: EventHistory, channel: NotificationChannel) -> list[UserEvent]:
    """Return the next events after the channel's place; all of them, within reason, if they are to be summed up."""
    events: list[UserEvent] = []
    sequence, at = channel.sequence, channel.sequence_at
    for _ in range(SUMMARY_PAGES if channel.is_held_back else 1):
        page = await history.read_after(channel.user_id, sequence, at, PAGE)
        events += page
        if len(page) < PAGE:
            break
        sequence, at = page[-1].sequence, page[-1].at
    return events


def is_selected(channel: NotificationChannel, event: UserEvent) -> bool:
    """Return whether the channel delivers the event; an alert rule or a schedule of reports may name its channels."""
    if isinstance(event.subject, FiredAlert | ScheduledReport) and event.subject.channel_ids:
        return channel.id in event.subject.channel_ids
    return event.kind in channel.event_kinds
