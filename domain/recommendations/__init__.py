"""Which strategies suit a market now: walk-forward results, weighted by the present trend; pure."""
