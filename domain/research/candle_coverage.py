"""Which of the candles that a job needs are stored, known by the gaps between them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.indicators.candle_arrays import SeriesKey
from domain.jobs.handler import JobFailed
from domain.research.candle_needs import CandleNeeds, CandleRequest

Span = tuple[datetime, datetime]
"""The open time of the first candle of a gap, and the end of its last."""


class NoCandles(JobFailed):
    """There are no candles of a series; the rules name it by `key` if it isn't of a traded market."""

    def __init__(self, request: CandleRequest, key: SeriesKey | None = None) -> None:
        self.request = request
        self.key = key
        named = "" if key is None else f"; the rules name {key}"
        super().__init__(
            f"There are no {request.name} from {utc_text(request.start)} to {utc_text(request.end)}, neither stored "
            f"nor at the venue{named}."
        )


@dataclass(frozen=True, slots=True)
class CandleCoverage:
    """All candles of a request but those in the gaps, which are apart and the oldest first."""

    request: CandleRequest
    gaps: Sequence[Span]

    @property
    def missing(self) -> int:
        """How many candles are in the gaps."""
        return sum((until - first) // self.request.timeframe.duration for first, until in self.gaps)

    def count_before(self, moment: datetime) -> int:
        """Return how many of the stored candles open before a moment."""
        timeframe, first = self.request.timeframe, self.request.first
        until = timeframe.next_open_time(min(moment, self.request.end))
        absent = sum((min(ended, until) - began) // timeframe.duration for began, ended in self.gaps if began < until)
        return max((until - first) // timeframe.duration - absent, 0)

    def open_time(self, index: int) -> datetime | None:
        """Return when the stored candle with this index opens, of which 0 is the first; None beyond the last."""
        step = self.request.timeframe.duration
        opened = self.request.first + index * step
        for began, ended in self.gaps:
            if opened < began:
                break
            opened += ended - began
        return opened if opened < self.request.end else None

    def within_period(self) -> "CandleCoverage":
        """Return the same without the gaps that are in the warm-up alone."""
        start = self.request.timeframe.next_open_time(self.request.start)
        return CandleCoverage(self.request, [(max(first, start), until) for first, until in self.gaps if until > start])


def require_candles(needs: CandleNeeds, coverages: Sequence[CandleCoverage]) -> None:
    """Raise `NoCandles` for a series of which there are none."""
    by_request = {coverage.request: coverage for coverage in coverages}
    for market in needs.markets:
        own = by_request[needs.own(market)]
        if own.count_before(needs.start) >= own.count_before(needs.end):
            raise NoCandles(own.request)
        for key, request in needs.named(market).items():
            if not by_request[request].count_before(needs.end):
                raise NoCandles(request, key)


def coverage_notes(needs: CandleNeeds, coverages: Sequence[CandleCoverage]) -> Iterator[str]:
    """Say what of the candles of a period there isn't, and from when on strategies can signal; in sentences."""
    for coverage in coverages:
        yield from _missing(coverage.within_period())
    own = {needs.own(market) for market in needs.markets}
    for coverage in coverages:
        if coverage.request in own:
            yield from _cold(coverage)


def _missing(coverage: CandleCoverage) -> Iterator[str]:
    if coverage.gaps:
        first, until = max(coverage.gaps, key=lambda gap: gap[1] - gap[0])
        yield (
            f"{coverage.missing:,} {coverage.request.name} are missing, and the venue has none, most of them from "
            f"{utc_text(first)} to {utc_text(until)}; the others are taken as they are."
        )


def _cold(coverage: CandleCoverage) -> Iterator[str]:
    request = coverage.request
    before = coverage.count_before(request.start)
    if before >= request.warm_up:
        return
    needed = (
        f"The strategy needs {request.warm_up:,} candles before its first signal, and of {request.market} there are "
    )
    first = coverage.open_time(request.warm_up)
    if first is None:
        yield f"{needed}{coverage.count_before(request.end):,}: it never signals."
    else:
        yield f"{needed}{before:,} before the period: it can signal from {utc_text(first)} on."


def utc_text(moment: datetime) -> str:
    """Return a moment as sentences for users have it."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"
