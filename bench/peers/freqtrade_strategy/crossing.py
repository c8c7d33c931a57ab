"""The strategy in the form that freqtrade loads, which looks for it in each file of the folder."""

from typing import Any, ClassVar

import talib
from freqtrade.strategy import IStrategy

from bench.peers.series import FAST, SLOW, STOP, crossed_above, entries


class Crossing(IStrategy):
    """Enters and exits at the crossings of two exponential averages, with a stop."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    stoploss = -STOP
    minimal_roi: ClassVar[dict[str, float]] = {}
    startup_candle_count = 0

    def populate_indicators(self, dataframe: Any, metadata: Any) -> Any:  # noqa: ARG002  # the library's interface
        dataframe["fast"] = talib.EMA(dataframe["close"], FAST)
        dataframe["slow"] = talib.EMA(dataframe["close"], SLOW)
        return dataframe

    def populate_entry_trend(self, dataframe: Any, metadata: Any) -> Any:  # noqa: ARG002
        fast, slow = dataframe["fast"].to_numpy(), dataframe["slow"].to_numpy()
        dataframe["enter_long"] = entries(fast, slow).astype(int)
        return dataframe

    def populate_exit_trend(self, dataframe: Any, metadata: Any) -> Any:  # noqa: ARG002
        fast, slow = dataframe["fast"].to_numpy(), dataframe["slow"].to_numpy()
        dataframe["exit_long"] = crossed_above(slow, fast).astype(int)
        return dataframe
