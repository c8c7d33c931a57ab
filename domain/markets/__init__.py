"""Markets and what happens on them: depth, trades, candles, tickers."""
