"""Trades accounts: runs trading sessions, from candles to signals and orders, and manages sessions and strategies."""
