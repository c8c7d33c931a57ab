"""Small servers that speak the documented protocols of venues, for tests that drive the real classes of ccxt."""
