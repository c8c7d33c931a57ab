"""Minutes of a market that candles on request tell otherwise than they were traded, as a test asked for it."""

from dataclasses import dataclass, field

from infra.sandbox.market_data.candles import Candle


@dataclass
class Misreports:
    """How many of the minutes that close next are told falsely or left out, and which ones were left out."""

    to_falsify: int = 0
    to_hide: int = 0
    hidden_ms: set[int] = field(default_factory=set)

    def add(self, falsify: int, hide: int) -> None:
        """Add minutes to those still to come, the forming one first."""
        self.to_falsify += falsify
        self.to_hide += hide

    def reported(self, closed: Candle) -> Candle:
        """Return what is told of a minute that has just closed."""
        if self.to_hide:
            self.to_hide -= 1
            self.hidden_ms.add(closed.open_ms)
        if not self.to_falsify:
            return closed
        self.to_falsify -= 1
        return closed._replace(high=closed.high + closed.high // 100, volume=2 * closed.volume, quote=2 * closed.quote)
