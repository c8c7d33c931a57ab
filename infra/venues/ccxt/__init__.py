"""Venues through ccxt: market data, execution, and the conversion of its answers."""
