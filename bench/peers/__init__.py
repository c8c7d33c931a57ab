"""The programs of `bench.backtest`: the same strategy on the same candles, each engine in a process of its own."""
