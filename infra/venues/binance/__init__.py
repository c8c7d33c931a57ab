"""Binance's own rule for keeping a local order book."""
