"""Notes to a report: which prices were missing, and why metrics are null."""

from collections.abc import Sequence
from datetime import UTC

from domain.model.prices import MissingPrice, Valuation
from domain.model.reports import EquityPoint, ReportNote, ReportNoteCode
from domain.performance.metrics import MINIMUM_RETURNS
from domain.performance.returns import daily_returns, growth_index


def price_notes(valuation: Valuation) -> tuple[ReportNote, ...]:
    """Return the notes on missing and stale prices."""
    missing = (_missing_price_note(price, valuation) for price in valuation.missing)
    return (*missing, *_stale_price_notes(valuation))


def are_prices_known(valuation: Valuation, traded: frozenset[str]) -> bool:
    """Return whether the equity is known at the end of each day and of the period.

    A currency that no market connects to the report's is ignored, unless it is one of the `traded` currencies.
    """
    return not any(_hides_equity(missing, valuation, traded) for missing in valuation.missing)


def period_notes(curve: Sequence[EquityPoint]) -> tuple[ReportNote, ...]:
    """Return the note that metrics of daily returns are null, if the period is too short."""
    days = len(daily_returns(curve, growth_index(curve)))
    if days >= MINIMUM_RETURNS:
        return ()
    message = (
        f"The period has {days} of the {MINIMUM_RETURNS} days that volatility, sharpe, sortino and omega need at "
        "least; cagr and calmar need a week."
    )
    return (ReportNote(ReportNoteCode.PERIOD_TOO_SHORT, message),)


def _hides_equity(missing: MissingPrice, valuation: Valuation, traded: frozenset[str]) -> bool:
    if not valuation.connects(missing.currency) and missing.currency not in traded:
        return False
    lasts = missing.start.astimezone(UTC).date() != missing.end.astimezone(UTC).date()
    return lasts or missing.end >= valuation.end


def _missing_price_note(missing: MissingPrice, valuation: Valuation) -> ReportNote:
    currency, into = missing.currency, valuation.currency
    if not valuation.connects(currency):
        message = f"No market that is traded leads from {currency} to {into}, so {currency} is not counted."
        return ReportNote(ReportNoteCode.NO_MARKET, message, currency, missing.start, missing.end)
    message = (
        f"No price of {currency} in {into} is stored from {missing.start.isoformat()} to {missing.end.isoformat()}; "
        f"back-fill candles of a market between them."
    )
    return ReportNote(ReportNoteCode.PRICE_MISSING, message, currency, missing.start, missing.end)


def _stale_price_notes(valuation: Valuation) -> list[ReportNote]:
    notes = []
    for market, (start, end) in sorted(valuation.used.items()):
        gaps = valuation.prices.gaps(market, start, end)
        if gaps:
            longest = max(gaps, key=lambda gap: gap[1] - gap[0])
            message = (
                f"Prices of {market} are missing for more than a day at a time, in {len(gaps)} stretches; the last one "
                f"before counts. The longest is from {longest[0].isoformat()} to {longest[1].isoformat()}."
            )
            notes.append(ReportNote(ReportNoteCode.PRICE_STALE, message, str(market), *longest))
    return notes
