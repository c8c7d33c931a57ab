"""What everything that runs one market of a backtest shares."""

from dataclasses import dataclass

from domain.backtest.bars import Bars, PriceTicks
from domain.backtest.entries import EntryBuilder
from domain.backtest.ledger import Ledger
from domain.backtest.plan import BacktestPlan
from domain.backtest.price_path import PricePath
from domain.backtest.signals import Signals
from domain.rules.ladder_levels import LadderLevels


@dataclass(frozen=True, slots=True)
class RunContext:
    """One market's plan, bars, prices in ticks and signals, with the books that it writes."""

    plan: BacktestPlan
    bars: Bars
    prices: PriceTicks
    path: PricePath
    ledger: Ledger
    entries: EntryBuilder
    signals: Signals
    levels: LadderLevels

    def worth(self, at: int) -> int:
        """Return what the market's coins are worth at a time in milliseconds, in units of quote: by the last close."""
        base = self.ledger.base
        if not base:
            return 0
        bar = int(self.bars.opened.searchsorted(at - self.bars.milliseconds, side="right")) - 1
        return self.ledger.units.value(self.path.close[bar], base) if bar >= 0 else 0
