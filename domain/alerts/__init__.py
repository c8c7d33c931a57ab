"""Alert rules: they are evaluated as prices, candles, equity, feeds and events come, and make alerts."""
