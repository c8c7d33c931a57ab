"""What a message says: a summary is of whole lines, so that its links open what they name."""

from datetime import UTC, datetime, timedelta
from typing import Final

from domain.model.events import UserEvent, UserEventKind
from domain.model.notifications import ChannelKind, ChannelStatus, NotificationChannel
from domain.model.report_schedules import ReportCadence, ScheduledReport
from domain.model.reports import ReportScope
from domain.notifications.messages import MAX_TEXT, message_of
from tests.support.trading import NOW, new_id

LINK: Final = f"https://trade.example.com/reports/{'t' * 150}"
CHANNEL: Final = NotificationChannel(
    new_id(),
    new_id(),
    ChannelKind.TELEGRAM,
    "chat",
    "1",
    None,
    (UserEventKind.REPORT,),
    ChannelStatus.ACTIVE,
    NOW,
    0,
    NOW,
)


def ready(number: int) -> UserEvent:
    start = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=number)
    report = ScheduledReport(
        new_id(), CHANNEL.user_id, new_id(), f"{number} {'n' * 95}", ReportCadence.DAILY, ReportScope.USER, start,
        start + timedelta(days=1), f"{start:%Y-%m-%d}", page_id=new_id(),
    )  # fmt: skip
    return UserEvent(CHANNEL.user_id, number + 1, start, UserEventKind.REPORT, report, None)


def test_a_summary_that_would_be_too_long_leaves_out_its_oldest_lines_and_cuts_no_link() -> None:
    text = message_of(CHANNEL, [ready(number) for number in range(10)], lambda *_: "id", lambda _: LINK).text
    assert len(text) <= MAX_TEXT
    shown = text.count("https://")
    assert 3 < shown < 10
    assert text.count(LINK) == shown
    assert text.endswith(LINK)
    assert f"the newest {shown}:" in text
