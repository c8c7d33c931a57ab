"""Accounts at venues, their limits, balances and transfers."""
