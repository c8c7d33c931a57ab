"""Market data from outside: live venues mirrored, recordings replayed, candles."""
