"""What units of currencies were worth in another at past times, by the stored candles of their venue or another."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from domain.model.conversion import CurrencyGraph
from domain.model.prices import Prices, Valuation
from domain.ports.reports import PriceRepository
from domain.reports.price_source import PriceSource

Graphs = Callable[[str], CurrencyGraph]
"""Returns the currencies of a venue and the markets between them."""


class PastRates:
    """Rates of currencies into `currency` at given times; `venues` are all that may be asked, in this order."""

    def __init__(self, currency: str, venues: Iterable[str], graphs: Graphs) -> None:
        self.currency = currency
        self._graphs = {venue: graphs(venue) for venue in dict.fromkeys(venues)}
        self._valuations: dict[tuple[str, str], Valuation] = {}

    async def load(self, prices: PriceRepository, moments: Mapping[tuple[str, str], set[datetime]]) -> None:
        """Read what the rates of these currencies, each of a venue, are made of at these times."""
        for (venue, currency), times in moments.items():
            source = self._venue_for(venue, currency) if currency != self.currency and times else None
            if source is None:
                continue
            start, end = min(times), max(times)
            marks = await PriceSource(prices, self._graphs[source], start, end).marks(
                (), {currency: times}, self.currency
            )
            self._valuations[venue, currency] = Valuation(self._graphs[source], self.currency, Prices(marks, ()), end)

    def rate(self, venue: str, currency: str, moment: datetime) -> Decimal | None:
        """Return the last known rate until `moment`; None if there is none."""
        if currency == self.currency:
            return Decimal(1)
        valuation = self._valuations.get((venue, currency))
        return None if valuation is None else valuation.rate(currency, self.currency, moment)

    def _venue_for(self, venue: str, currency: str) -> str | None:
        """Return the venue whose markets connect the currency: its own, or else the first that does."""
        venues = [venue, *(other for other in self._graphs if other != venue)]
        return next((each for each in venues if self._graphs[each].all_paths(currency, self.currency)), None)
