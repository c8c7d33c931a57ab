"""When a channel is quiet, by the clock on its user's wall."""

from datetime import UTC, datetime, timedelta
from typing import Final

from domain.core.time import zone_of
from domain.model.notifications import QuietHours

_DAY: Final = timedelta(days=1)


def quiet_end(hours: QuietHours | None, time_zone: str, now: datetime) -> datetime | None:
    """Return when the quiet hours end in which `now` lies; None if it lies in none.

    A time that is skipped when clocks go forward is as much later; of one that comes twice the first counts.
    """
    if hours is None or hours.start == hours.end:
        return None
    zone = zone_of(time_zone)
    today = now.astimezone(zone).date()
    for day in (today - _DAY, today):
        last_day = day if hours.start < hours.end else day + _DAY
        start = datetime.combine(day, hours.start, zone).astimezone(UTC)
        end = datetime.combine(last_day, hours.end, zone).astimezone(UTC)
        if start <= now < end:
            return end
    return None
