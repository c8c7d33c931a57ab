"""Binance's REST interface, and the administrator's."""
