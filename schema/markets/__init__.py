"""Venues, markets and market data."""
