"""Binance's sockets: market data, user data, requests."""
