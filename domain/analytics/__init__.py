"""Analytics: the catalogue of indicators and their computation."""
