"""Runs tests, or any command, while the machine's clock stands at another time: `uv run python -m tests.at TIME …`.

TIME is a distance such as `+40d`, or one of those below, of which the first two pass midnight while the tests run:

    month-end   ten seconds before the next month begins (UTC)
    year-end    ten seconds before the next year begins (UTC)
    leap-day    noon of the next 29 February (UTC)

What follows goes to pytest; after `--` stands a command of any kind. The clock of the whole tree of processes is moved,
the database, Java and Node.js too, by libfaketime (Debian: `apt install faketime`). It goes on at its usual pace, and
the monotonic clock and the times of files stay as they are. One that is moved already can't be moved again.
"""

import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # where POSIX semaphores are files
LEAD = timedelta(seconds=10)
"""How long before midnight a run begins: its tests are found by then, and few of them have ended."""


def month_end(now: datetime) -> datetime:
    """Return a moment shortly before the next month."""
    year, month = divmod(now.year * 12 + now.month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC) - LEAD


def year_end(now: datetime) -> datetime:
    """Return a moment shortly before the next year."""
    return datetime(now.year + 1, 1, 1, tzinfo=UTC) - LEAD


def leap_day(now: datetime) -> datetime:
    """Return noon of the next 29 February."""
    year = now.year + 1
    while year % 4 or (year % 100 == 0 and year % 400):
        year += 1
    return datetime(year, 2, 29, 12, tzinfo=UTC)


NAMED: dict[str, Callable[[datetime], datetime]] = {
    "month-end": month_end,
    "year-end": year_end,
    "leap-day": leap_day,
}
EXAMPLES = ("+1d", "+40d", "+400d", *NAMED)
"""The times at which the suite has to pass."""


def distance(time: str, now: datetime) -> timedelta:
    """Return how far a time lies ahead of `now`; raise ValueError where it is none."""
    if time in NAMED:
        return NAMED[time](now) - now
    if found := re.fullmatch(r"\+(\d{1,4})d", time):
        return timedelta(days=int(found[1]))
    raise ValueError(f"{time!r} is no time; there are {', '.join(EXAMPLES)}, and other numbers of days")


def library() -> Path | None:
    """Return libfaketime for programs with threads, None where it isn't installed."""
    places = sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))
    return places[0] if places else None


def is_moved() -> bool:
    """Return whether the clock of this process is moved."""
    return "FAKETIME" in os.environ


def moved_environment(ahead: timedelta, library: Path) -> dict[str, str]:
    """Return the variables that move the clock of a process and of all that it starts.

    The library is loaded as it is and not by its program `faketime`, which shares a semaphore among all processes: one
    that is killed while it holds it, as some tests kill theirs, would stop all others.
    """
    return {
        "LD_PRELOAD": str(library),
        # A distance and not a moment: each process would start again at that moment.
        "FAKETIME": f"+{int(ahead.total_seconds())}",
        # Time-outs and Java wait by the monotonic clock, and the kernel's own wouldn't move with it.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Compiled modules are known by the times of their sources.
        "NO_FAKE_STAT": "1",
    }


def remove_leftovers(folder: Path = SHARED_MEMORY) -> None:
    """Remove the semaphores and shared memory of processes that have ended; what isn't ours to remove stays.

    libfaketime names them by the process's number and leaves them behind if it is killed. A process of another user
    that gets the number later can't open them, and libfaketime ends it.
    """
    for file in folder.glob("*faketime_s[eh]m_*"):
        number = file.name.rpartition("_")[2]
        if number.isdecimal() and not Path("/proc", number).exists():
            with suppress(OSError):
                file.unlink()


def main(arguments: Sequence[str]) -> int:
    """Become pytest or another program under the moved clock; return only where that can't be."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(__doc__)
        return 2
    time, *rest = arguments
    try:
        ahead = distance(time, datetime.now(UTC))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    found = library()
    if found is None or is_moved():
        print("the clock is moved already" if found else "libfaketime isn't installed; Debian: apt install faketime")
        return 1
    remove_leftovers()
    command = rest[1:] if rest[:1] == ["--"] else [sys.executable, "-m", "pytest", *rest]
    print(f"{' '.join(command)}\n  at {datetime.now(UTC) + ahead:%Y-%m-%d %H:%M:%S} UTC", flush=True)
    return os.execvpe(command[0], command, {**os.environ, **moved_environment(ahead, found)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
