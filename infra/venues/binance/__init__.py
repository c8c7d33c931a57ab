"""Binance's own rule for a book that is kept from updates."""
