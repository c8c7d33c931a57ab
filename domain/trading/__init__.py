"""Accounts, trading sessions, signals and positions: what trades, why, and what it holds."""
