"""Research on past candles: backtests as jobs, and what every such job needs."""
